//! What endpoints are told of two certificates, made by OpenSSL; the whole of it is what Go's own
//! parser and `url.QueryEscape` make of them.

use steelyard_http::Head as _;

use super::*;
use crate::tests::{Asked, World};

fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    STANDARD.decode(lines.collect::<String>()).unwrap()
}

fn chain() -> ClientChain {
    let both = [include_str!("client.pem"), include_str!("authority.pem")];
    ClientChain::new(both.map(der)).unwrap()
}

fn all() -> NameParts {
    NameParts {
        domain_component: true,
        country: true,
        province: true,
        locality: true,
        organization: true,
        organizational_unit: true,
        serial_number: true,
        common_name: true,
    }
}

fn everything() -> CertificateParts {
    CertificateParts {
        not_after: true,
        not_before: true,
        sans: true,
        serial_number: true,
        subject: Some(all()),
        issuer: Some(all()),
    }
}

/// The lines of these names that go on, when a client sends these.
fn told(header: CertificateHeader, chain: Option<ClientChain>, sent: &Asked) -> Vec<String> {
    let mut world = World::new();
    world.shows(chain);
    let mut head = RequestEdits::new(sent);
    let entered =
        ToldCertificate(Arc::new(header)).enter(&mut world.context(), &mut head, Got::Nothing);
    assert!(matches!(entered, Enter::Next));
    let mut lines = Vec::new();
    head.each(&mut |name, value| lines.push(format!("{name}: {}", value.escape_ascii())));
    lines
}

const SUBJECT: &str = "Subject=\"DC=org,DC=cheese,C=FR,C=US,ST=Cheese org state,\
     ST=Cheese com state,L=TOULOUSE,L=LYON,O=Cheese,O=Cheese 2,OU=Simple Signing Section,\
     OU=Simple Signing Section 2,SN=11,CN=Zo\u{eb} the & S\u{f6}hne, 50% +1;\"";
const ISSUER: &str = "Issuer=\"DC=org,DC=cheese,C=FR,O=Cheese,CN=Simple Signing CA\"";

#[test]
fn parts_are_told_in_order() {
    let whole = fields(&chain().texts()[0], &everything());
    let names = "SAN=\"*.example.org,*.example.net,test@example.org,test@example.net,10.0.1.0,::1,\
                 spiffe://a.b/c?d=e\"";
    let number = "SerialNumber=\"85968058272638546416180\"";
    assert_eq!(whole, [SUBJECT, ISSUER, number, "NB=\"1795995224\"", "NA=\"4387995224\"", names]);
    let authority = fields(&chain().texts()[1], &everything());
    let subject = "Subject=\"DC=org,DC=cheese,C=FR,O=Cheese,OU=Simple Signing Section,\
                   CN=Simple Signing CA\"";
    assert_eq!(authority[..3], [subject, ISSUER, "SerialNumber=\"1\""]);
    assert_eq!(authority.len(), 5, "it has no other names");
}

#[test]
fn only_what_is_wanted_is_told() {
    let chain = chain();
    let text = &chain.texts()[0];
    let subject = |wanted| CertificateParts { subject: Some(wanted), ..Default::default() };
    let none = NameParts::default();
    for (wanted, expected) in [
        (CertificateParts::default(), &[][..]),
        (subject(none), &[]),
        (
            subject(NameParts { common_name: true, ..none }),
            &["Subject=\"CN=Zo\u{eb} the & S\u{f6}hne, 50% +1;\""],
        ),
        (
            subject(NameParts { country: true, serial_number: true, ..none }),
            &["Subject=\"C=FR,C=US,SN=11\""],
        ),
        // Of issuers no unit is told, and their numbers they do not have.
        (
            CertificateParts {
                issuer: Some(NameParts { organizational_unit: true, serial_number: true, ..none }),
                not_after: true,
                ..Default::default()
            },
            &["NA=\"4387995224\""],
        ),
    ] {
        assert_eq!(fields(text, &wanted), expected, "{wanted:?}");
    }
}

#[test]
fn both_lines_are_written_as_traefik_writes_them() {
    let header = CertificateHeader { pem: true, parts: Some(everything()) };
    let lines = told(header, Some(chain()), &Asked::get("a.b", "/"));
    let [whole, parts] = &lines[..] else { panic!("{lines:?}") };
    let begin = "X-Forwarded-Tls-Client-Cert-Info: Subject%3D%22DC%3Dorg%2CDC%3Dcheese%2CC%3DFR";
    assert!(parts.starts_with(begin), "{parts}");
    assert!(parts.contains("CN%3DZo%C3%AB+the+%26+S%C3%B6hne%2C+50%25+%2B1%3B%22%3BIssuer"));
    assert!(parts.contains("SAN%3D%22%2A.example.org%2C") && parts.contains("d%3De%22%2CSubject"));
    let written = whole.strip_prefix("X-Forwarded-Tls-Client-Cert: ").unwrap();
    let shown: Vec<_> = written.split(',').map(|it| STANDARD.decode(it).unwrap()).collect();
    assert_eq!(shown, chain().written().collect::<Vec<_>>());
}

/// Nobody says in these lines who he is.
#[test]
fn what_others_have_written_goes() {
    let sent = Asked::get("a.b", "/").with_all(&[
        ("X-Forwarded-Tls-Client-Cert", "forged"),
        ("x_forwarded_tls_client_cert", "forged"),
        ("X-Forwarded-TLS-Client_Cert-Info", "forged"),
        ("X-Other", "1"),
    ]);
    for (pem, parts) in [(true, None), (false, Some(everything())), (false, None)] {
        let header = CertificateHeader { pem, parts };
        let lines = told(header.clone(), None, &sent);
        assert_eq!(lines, ["X-Other: 1"], "{header:?}");
        let lines = told(header, Some(chain()), &sent);
        assert!(lines.iter().all(|line| !line.contains("forged")), "{lines:?}");
    }
}

/// What is no certificate is told of as one that says nothing.
#[test]
fn what_cannot_be_read_says_nothing() {
    let odd = || ClientChain::new([&b"no certificate"[..], &[0x30, 0x84], b""]);
    let mut wanted = everything();
    (wanted.not_after, wanted.not_before) = (false, false);
    let header = CertificateHeader { pem: false, parts: Some(wanted) };
    let lines = told(header, odd(), &Asked::get("a.b", "/"));
    assert_eq!(lines, ["X-Forwarded-Tls-Client-Cert-Info: %2C%2C"]);
}
