//! Handshakes with clients of others: Go's and GnuTLS' beside those of curl and OpenSSL, and what a
//! scanner finds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "tls_peers/certificates.rs"]
mod certificates;
mod support;

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use steelyard_gateway::{Gateway, GatewayOptions};
use steelyard_model::routing::tls::TlsPolicy;
use support::tls::*;
use support::*;

/// A gateway with two pairs for one name, a wildcard, and a host whose handshakes are held by a
/// group that no client offers a share of.
struct Scene {
    _gateway: Gateway,
    address: SocketAddr,
    authorities: TemporaryFile,
    _server: Server,
}

impl Scene {
    fn new(name: &str) -> Self {
        let authority = Authority::new("ca");
        let kind = (&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
        let rsa = rcgen::KeyPair::generate_rsa_for(kind.0, kind.1).unwrap();
        let certificates = [
            authority.certificate("a", &["a.test"]),
            authority.certificate_with("a-rsa", &["a.test"], &rsa),
            authority.certificate("lab", &["*.lab.test"]),
        ];
        let server = Server::echo("one");
        let routes = [("all", "*"), ("far", "far.lab.test")];
        let routes = routes.map(|(name, host)| route(name, host, "/", &[server.address]));
        let mut map = secure(&routes, &certificates);
        let groups = vec!["secp384r1".into()];
        ask_policy(&mut map, "far", TlsPolicy { groups, ..policy("far") });
        let options = GatewayOptions { workers: 2, ..GatewayOptions::default() };
        let (gateway, address) = secure_gateway(&map, options);
        let authorities = TemporaryFile::new(name);
        std::fs::write(&authorities.0, authority.pem()).unwrap();
        Self { _gateway: gateway, address, authorities, _server: server }
    }
}

/// Go's client, where there is Go to build it.
fn go() -> Option<String> {
    if Command::new("go").arg("version").output().is_err() {
        eprintln!("skipped: there is no Go");
        return None;
    }
    let build = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/tls/build");
    let output = Command::new(build).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{build} fails");
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

/// What a program prints, and what it complains of.
fn said(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said + &String::from_utf8_lossy(&output.stderr)
}

/// What is agreed with the client of most programs in a cluster, by connection.
#[test]
fn go_agrees() {
    let Some(program) = go() else { return };
    let scene = Scene::new("go.pem");
    let authorities = scene.authorities.0.display().to_string();
    let ask = |host: &str, more: &[&str]| {
        let mut go = Command::new(&program);
        go.args(["-address", &scene.address.to_string(), "-host", host]);
        go.args(["-authorities", &authorities]).args(more);
        said(go)
    };
    let refused = "tls: failed to verify certificate";
    for (host, more, expected) in [
        (
            "a.test",
            &["-times", "3"][..],
            &[
                "HTTP/2.0 200 TLS 1.3 X25519MLKEM768 ECDSA",
                "HTTP/2.0 200 TLS 1.3 X25519MLKEM768 ECDSA resumed",
                "HTTP/2.0 200 TLS 1.3 X25519MLKEM768 ECDSA resumed",
            ][..],
        ),
        (
            "a.test",
            &["-highest", "1.2", "-times", "2"],
            &["HTTP/2.0 200 TLS 1.2 X25519 ECDSA", "HTTP/2.0 200 TLS 1.2 X25519 ECDSA resumed"],
        ),
        (
            "a.test",
            &["-groups", "P256", "-protocols", "http/1.1"],
            &["HTTP/1.1 200 TLS 1.3 CurveP256 ECDSA"],
        ),
        ("a.test", &["-protocols", ""], &["HTTP/1.1 200 TLS 1.3 X25519MLKEM768 ECDSA"]),
        ("b.lab.test", &[], &["HTTP/2.0 200 TLS 1.3 X25519MLKEM768 ECDSA"]),
        (
            "far.lab.test",
            &["-times", "2"],
            &[
                "HTTP/2.0 200 TLS 1.3 CurveP384 ECDSA retried",
                "HTTP/2.0 200 TLS 1.3 CurveP384 ECDSA resumed retried",
            ],
        ),
        ("far.lab.test", &["-groups", "X25519"], &["remote error: tls: handshake failure"]),
        ("a.test", &["-protocols", "other"], &["remote error: tls: no application protocol"]),
        ("wrong.test", &[], &[refused]),
        ("127.0.0.1", &[], &[refused]),
    ] {
        let said = ask(host, more);
        let lines: Vec<&str> = said.lines().collect();
        let are_as_expected = lines.len() == expected.len()
            && lines.iter().zip(expected).all(|(line, expected)| match expected.split_once(' ') {
                Some(("HTTP/2.0" | "HTTP/1.1", _)) => line == expected,
                _ => line.contains(expected),
            });
        assert!(are_as_expected, "{host} {more:?}: {said}");
    }
}

/// Of what GnuTLS prints, what was agreed, whether the second connection goes on with the first
/// one's session, and what it does not like.
#[test]
fn gnutls_agrees() {
    let scene = Scene::new("gnutls.pem");
    if Command::new("gnutls-cli").arg("--version").output().is_err() {
        eprintln!("skipped: there is no gnutls-cli");
        return;
    }
    let ask = |host: &str, priority: &str, more: &[&str]| {
        let mut gnutls = Command::new("gnutls-cli");
        gnutls.arg("--x509cafile").arg(&scene.authorities.0);
        gnutls.args(["--port", &scene.address.port().to_string(), "--priority", priority]);
        gnutls.args([&format!("--sni-hostname={host}"), &format!("--verify-hostname={host}")]);
        gnutls.args(more).arg("127.0.0.1");
        said(gnutls)
    };
    let of_12 = "NORMAL:-VERS-ALL:+VERS-TLS1.2";
    let by = |of: &str, change: &str| format!("{of}:{change}");
    for (host, priority, more, expected) in [
        (
            "a.test",
            "NORMAL".to_owned(),
            &["--resume", "--waitresumption", "--alpn=h2"][..],
            &[
                "(TLS1.3-X.509)-(ECDHE-SECP256R1)-(ECDSA-SECP256R1-SHA256)-(AES-256-GCM)",
                "- Application protocol: h2\n",
                "*** This is a resumed session",
            ][..],
        ),
        (
            "a.test",
            of_12.to_owned(),
            &["--resume", "--alpn=http/1.1"],
            &[
                "(TLS1.2-X.509)-(ECDHE-SECP256R1)-(ECDSA-SHA256)-(AES-256-GCM)",
                "- Options: extended master secret, safe renegotiation,\n",
                "- Application protocol: http/1.1\n",
                "*** This is a resumed session",
            ],
        ),
        (
            "a.test",
            by("NORMAL", "-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256"),
            &[],
            &["(TLS1.3-X.509)-(ECDHE-SECP256R1)-(RSA-PSS-RSAE-SHA256)"],
        ),
        (
            "a.test",
            by(of_12, "-KX-ALL:+ECDHE-RSA"),
            &[],
            &["(TLS1.2-X.509)-(ECDHE-SECP256R1)-(RSA-PSS-"],
        ),
        (
            "a.test",
            by("NORMAL", "-GROUP-ALL:+GROUP-X25519:-CIPHER-ALL:+CHACHA20-POLY1305"),
            &[],
            &["(TLS1.3-X.509)-(ECDHE-X25519)-(ECDSA-SECP256R1-SHA256)-(CHACHA20-POLY1305)"],
        ),
        // It is asked once more, with what it had not sent a share of.
        ("far.lab.test", "NORMAL".into(), &["--single-key-share"], &["(ECDHE-SECP384R1)"]),
        ("a.test", by("NORMAL", "-VERS-ALL:+VERS-TLS1.1"), &[], &["Received alert [40]"]),
        ("a.test", by(of_12, "-KX-ALL:+RSA"), &[], &["Received alert [40]"]),
        ("wrong.test", "NORMAL".into(), &[], &["CN=STEELYARD DEFAULT CERT", "NOT trusted"]),
        ("a.test", "NORMAL".into(), &["--disable-sni"], &["CN=STEELYARD DEFAULT CERT"]),
    ] {
        let said = ask(host, &priority, more);
        let missing: Vec<_> = expected.iter().filter(|it| !said.contains(**it)).collect();
        assert!(missing.is_empty(), "{host} {priority} {more:?}: {missing:?} in {said}");
    }
}
