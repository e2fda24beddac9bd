//! Clients that are let in by their certificates as ingress-nginx does it (`auth-tls-*`): nothing
//! that a client sends opens a host to whom it is closed.

use std::cell::RefCell;

use steelyard_model::routing::filter::nginx::{NginxClients, NginxStep, WantedClients};
use steelyard_model::routing::filter::{Filter, FilterNode, Use};
use steelyard_model::routing::world::RoutingMap;

use super::support::filtering::change;
use super::*;

/// Whose certificate is shown, and by which serial number.
fn knowing(site: &Authority, shown: Option<(&Authority, u8)>) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider().into());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(site.roots());
    let Some((signer, serial)) = shown else { return Arc::new(builder.with_no_client_auth()) };
    let key = rcgen::KeyPair::generate().unwrap();
    let pem = signer.sign_with(&["client"], &key, |it| {
        it.serial_number = Some(vec![serial].into());
        it.distinguished_name.push(rcgen::DnType::CommonName, "ann");
    });
    let chain = vec![rustls::pki_types::pem::PemObject::from_pem_slice(pem.as_bytes()).unwrap()];
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
    Arc::new(builder.with_client_auth_cert(chain, key).unwrap())
}

/// A host of this name is closed to all but those that one has signed, who has taken some back.
fn close(map: &mut RoutingMap, name: &str, by: &Authority, revoked: Option<u8>) {
    let judged = NginxClients {
        terms: Some(name.into()),
        wanted: WantedClients::Signed,
        name: None,
        error_page: None,
        is_passed_on: true,
    };
    let filter = Filter::Nginx(NginxStep::Clients(judged).into());
    let node = FilterNode { id: name.into(), place: None, filter };
    map.filters.insert(name.into(), Arc::new(node));
    change(map, name, |route| route.uses = vec![Use { filter: name.into(), state: name.into() }]);
    let by = Authorities {
        pem: by.pem().as_str().into(),
        reports: true,
        depth: Some(1),
        revoked: revoked.map(|serial| by.revokes(&[serial]).as_str().into()),
    };
    let clients = ClientAuthentication::VerifyIfGiven(by);
    ask_policy(map, name, TlsPolicy { clients, ..policy(name) });
}

const SPOOFED: &str = "ssl-client-verify: SUCCESS\r\nSSL_Client_Verify: SUCCESS\r\n\
    ssl.client.verify: SUCCESS\r\nSsl-Client-Subject-Dn: CN=root\r\nssl_client_cert: x\r\n\
    ssl-client-issuer-dn: CN=x\r\n";

fn ask(secured: &mut Secured, target: &str, host: &str, lines: &str) -> (u16, String) {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n");
    let written = secured.reader.get_mut().write_all(request.as_bytes());
    let received = written.ok().and_then(|()| Received::read(&mut secured.reader));
    received.map_or((0, String::new()), |it| (it.status(), it.text().to_owned()))
}

#[test]
fn nothing_that_a_client_sends_lets_it_in() {
    let [site, own, others, stranger] = ["site", "own", "others", "stranger"].map(Authority::new);
    let server = Server::echo("one");
    let to = |name: &'static str, host: &'static str| route(name, host, "/", &[server.address]);
    let routes = [
        to("closed", "closed.lab.test"),
        to("other", "other.lab.test"),
        to("open", "open.lab.test"),
    ];
    let certificate = Certificate { is_default: true, ..site.certificate("all", &["*.lab.test"]) };
    let world = |revoked| {
        let mut map = secure(&routes, std::slice::from_ref(&certificate));
        close(&mut map, "closed", &own, revoked);
        close(&mut map, "other", &others, None);
        map
    };
    let (gateway, address) = secure_gateway(&world(Some(9)), options());
    let closed = "closed.lab.test";
    let good = knowing(&site, Some((&own, 7)));

    // Who is let in is told of in the gateway's own words alone.
    let mut secured = Secured::connect(address, closed, &good);
    let (status, text) = ask(&mut secured, "/", closed, SPOOFED);
    assert_eq!(status, 200);
    let said: Vec<String> = text
        .lines()
        .filter(|line| line.to_ascii_lowercase().replace(['_', '.'], "-").starts_with("ssl-client"))
        .map(|line| line.trim().chars().take(40).collect())
        .collect();
    assert_eq!(said.len(), 4, "{text}");
    assert!(said.contains(&"ssl-client-verify: SUCCESS".to_owned()), "{said:?}");
    assert!(!text.contains("CN=root") && !text.contains("CN=x"), "{text}");

    // No certificate, that of a stranger, of another host's clients, or one that was taken back.
    for (what, shown) in [
        ("nothing", None),
        ("a stranger's", Some((&stranger, 7))),
        ("another host's", Some((&others, 7))),
        ("taken back", Some((&own, 9))),
    ] {
        let client = knowing(&site, shown);
        let mut secured = Secured::connect(address, closed, &client);
        for (target, host) in [
            ("/", closed),
            ("/", "CLOSED.lab.test."),
            ("/", "closed.lab.test:8443"),
            ("https://closed.lab.test/", "open.lab.test"),
            ("//closed.lab.test/../", closed),
        ] {
            let (status, _) = ask(&mut secured, target, host, SPOOFED);
            assert!(matches!(status, 400 | 421), "{what} {target} {host}: {status}");
        }
    }

    // A connection that was made to another host, or to none.
    for (name, shown) in [
        ("open.lab.test", None),
        ("open.lab.test", Some((&own, 7))),
        ("other.lab.test", Some((&others, 7))),
        ("other.lab.test", Some((&own, 7))),
        ("nowhere.lab.test", Some((&own, 7))),
    ] {
        let mut secured = Secured::connect(address, name, &knowing(&site, shown));
        for (target, host) in [
            ("/", closed),
            ("/", "Closed.Lab.Test"),
            ("/", "closed.lab.test."),
            ("/", "closed.lab.test:443"),
            ("https://closed.lab.test/", "open.lab.test"),
        ] {
            let (status, _) = ask(&mut secured, target, host, SPOOFED);
            assert!(matches!(status, 400 | 421), "{name} {target} {host}: {status}");
        }
    }
    let mut unnamed = Secured::connect_unnamed(address, "open.lab.test", &site);
    assert_eq!(ask(&mut unnamed, "/", closed, SPOOFED).0, 400);
    assert_eq!(ask(&mut unnamed, "/", "open.lab.test", "").0, 200);

    // What was found out once is found out anew: on a connection that stands, and on one that
    // resumes.
    let kept = RefCell::new(Secured::connect(address, closed, &good));
    assert_eq!(ask(&mut kept.borrow_mut(), "/", closed, "").0, 200);
    gateway.apply(&world(Some(7)), 2);
    eventually("the connection is nobody's any more", || {
        ask(&mut kept.borrow_mut(), "/", closed, "").0 != 200
    });
    let mut again = Secured::connect(address, closed, &good);
    assert_eq!(again.agreed().handshake_kind(), Some(HandshakeKind::Full));
    assert_eq!(ask(&mut again, "/", closed, "").0, 400);
    // A list that cannot be read believes nobody.
    let mut map = world(None);
    let id = "closed".into();
    let mut broken = (**map.tls_policies.get(&id).unwrap()).clone();
    let ClientAuthentication::VerifyIfGiven(by) = &mut broken.clients else { panic!("it asks") };
    by.revoked = Some("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n".into());
    map.tls_policies.insert(id, Arc::new(broken));
    gateway.apply(&map, 3);
    let mut nobody = Secured::connect(address, closed, &good);
    assert_eq!(ask(&mut nobody, "/", closed, "").0, 400);
}
