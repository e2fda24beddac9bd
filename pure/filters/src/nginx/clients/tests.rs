use steelyard_http::Head as _;
use steelyard_model::routing::pattern::Expression;
use steelyard_tls::ClientVerdict;

use super::*;
use crate::tests::{Asked, World};

const SITE: &str = "https://a.test:8443";

fn shown() -> ClientChain {
    use base64::Engine as _;
    let pem = include_str!("../../certificate/client.pem");
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let der = base64::engine::general_purpose::STANDARD.decode(lines.collect::<String>()).unwrap();
    ClientChain::new([der]).unwrap()
}

fn clients(wanted: WantedClients) -> NginxClients {
    let terms = Some("own".into());
    NginxClients { terms, wanted, name: None, error_page: None, is_passed_on: false }
}

/// A certificate that was judged by these terms.
fn chain(terms: &str, fault: Option<&'static str>) -> Option<ClientChain> {
    let verdict = ClientVerdict { terms: terms.into(), fault };
    Some(shown().judged(Some(verdict)))
}

/// What becomes of a request: lines that endpoints are told, or status and body.
fn pass(
    clients: &NginxClients,
    (name, chain): (&str, Option<ClientChain>),
) -> Result<Vec<String>, (u16, String)> {
    let asked =
        Asked::get(SITE, "/").with("SSL_Client_Verify", "SUCCESS").with("ssl-client-cert", "x");
    let (mut world, mut head) = (World::new(), RequestEdits::new(&asked));
    world.speaks_tls(name);
    world.shows(chain);
    match enter(clients, &mut world.context(), &mut head) {
        Enter::Next => {
            let mut lines = Vec::new();
            head.each(&mut |name, value| {
                lines.push(format!("{name}: {}", String::from_utf8_lossy(value)));
            });
            Ok(lines)
        }
        Enter::Answer(answer) => {
            assert_eq!(world.notes.len(), 1, "a reason is noted");
            Err((answer.status, String::from_utf8_lossy(&answer.body).into_owned()))
        }
        Enter::Ask(ask) => panic!("{ask:?}"),
    }
}

fn outcome(found: Result<Vec<String>, (u16, String)>) -> Result<String, u16> {
    let verdict = |lines: Vec<String>| lines.into_iter().find(|it| it.starts_with(VERIFY));
    found.map(|lines| verdict(lines).unwrap_or_default()).map_err(|(status, _)| status)
}

#[test]
fn clients_are_let_in_by_what_they_show() {
    use WantedClients::{Any, Signed, SignedOrNone, Unasked};
    let bad = || chain("own", Some("certificate has expired"));
    let told = |word: &str| Ok(format!("ssl-client-verify: {word}"));
    for (wanted, shown, expected) in [
        (Signed, chain("own", None), told("SUCCESS")),
        (Signed, None, Err(400)),
        (Signed, bad(), Err(400)),
        (SignedOrNone, chain("own", None), told("SUCCESS")),
        (SignedOrNone, None, told("NONE")),
        (SignedOrNone, bad(), Err(400)),
        (Any, bad(), told("FAILED:certificate has expired")),
        (Any, None, told("NONE")),
        (Unasked, bad(), told("NONE")),
        // What was judged by the terms of another host, or not at all, is no word for this one.
        (Signed, chain("other", None), Err(421)),
        (Any, chain("other", None), Err(421)),
        (Signed, Some(shown()), Err(421)),
        (Unasked, chain("other", None), told("NONE")),
    ] {
        let found = outcome(pass(&clients(wanted), ("a.test", shown)));
        assert_eq!(found, expected, "{wanted:?}");
    }
    let good = || chain("own", None);
    for (name, expected) in
        [("A.test.", told("SUCCESS")), ("", told("SUCCESS")), ("b.test", Err(421))]
    {
        assert_eq!(outcome(pass(&clients(Signed), (name, good()))), expected, "{name}");
    }
    let nobody = NginxClients { terms: None, ..clients(Unasked) };
    assert_eq!(outcome(pass(&nobody, ("a.test", good()))), Err(403));
}

#[test]
fn pages_say_what_is_missing() {
    let (status, body) = pass(&clients(WantedClients::Signed), ("", None)).unwrap_err();
    assert!(
        status == 400 && body.contains("<center>No required SSL certificate was sent</center>")
    );
    let page = Some("https://help.test/cert".into());
    let led = NginxClients { error_page: page, ..clients(WantedClients::Signed) };
    assert_eq!(pass(&led, ("", None)).unwrap_err().0, 302);
}

/// `CN=*.acme.test,O=Acme Co` or what there is: the expression is held to it from its common name.
#[test]
fn names_are_looked_for_from_the_common_name_on() {
    let text = |parts: &[&str]| CertificateText {
        subject: steelyard_tls::DistinguishedName {
            parts: parts.iter().map(|it| (*it).to_owned()).collect(),
            ..Default::default()
        },
        ..CertificateText::default()
    };
    for (expression, parts, expected) in [
        ("CN=ann", &["CN=ann.lan", "O=Acme Co"][..], true),
        ("CN=(bob|ann)", &["CN=ann.lan", "O=Acme Co"], true),
        ("CN=ann,O=Acme Co$", &["CN=ann", "O=Acme Co"], true),
        ("CN=bob", &["CN=ann", "O=Acme Co"], false),
        ("CN=bob", &["CN=ann", "O=CN=bob"], false),
        ("CN=bob", &["CN=ann\\,CN=bob", "O=Acme"], false),
        ("CN=bob|O=Acme", &["CN=ann", "O=Acme"], false),
        ("CN=bob", &["OU=x", "CN=bob"], true),
        ("CN=", &["O=Acme"], false),
    ] {
        let name = Expression::new(&format!("^(?:{expression})")).unwrap();
        assert_eq!(
            is_called(&text(parts), |it| name.is_found_in(it)),
            expected,
            "{expression} {parts:?}"
        );
    }
    let named = NginxClients {
        name: Expression::new("^(?:CN=nobody)").ok(),
        ..clients(WantedClients::SignedOrNone)
    };
    assert_eq!(outcome(pass(&named, ("", chain("own", None)))), Err(403));
    assert_eq!(outcome(pass(&named, ("", None))), Err(403));
}

#[test]
fn endpoints_are_told_of_the_certificate_and_nothing_that_is_made_up() {
    let whole = NginxClients { is_passed_on: true, ..clients(WantedClients::Signed) };
    let lines = pass(&whole, ("", chain("own", None))).unwrap();
    let names: Vec<&str> = lines.iter().map(|it| it.split(':').next().unwrap()).collect();
    assert_eq!(names, [VERIFY, SUBJECT, ISSUER, WHOLE]);
    assert!(lines[3].starts_with("ssl-client-cert: -----BEGIN%20CERTIFICATE-----%0AMI"));
    let none = pass(&clients(WantedClients::Any), ("", None)).unwrap();
    assert_eq!(none, ["ssl-client-verify: NONE"]);
    // In plain nothing is told, and another filter lets nobody further.
    let asked = Asked::get("http://a.test", "/").with("ssl-client-verify", "SUCCESS");
    let (mut world, mut head) = (World::new(), RequestEdits::new(&asked));
    let entered = enter(&clients(WantedClients::Signed), &mut world.context(), &mut head);
    assert!(matches!(entered, Enter::Next) && head.first("ssl-client-verify").is_none());
    assert!(
        matches!(only_tls(&mut world.context()), Enter::Answer(answer) if answer.status == 403)
    );
    world.speaks_tls("a.test");
    assert!(matches!(only_tls(&mut world.context()), Enter::Next));
}
