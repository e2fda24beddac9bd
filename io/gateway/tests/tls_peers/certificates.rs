//! Who is let in with which certificate, by all modes there are: certificates of a chain, as curl
//! shows them by TLS 1.3 and Go by TLS 1.2.

use std::net::SocketAddr;
use std::process::Command;

use steelyard_gateway::GatewayOptions;
use steelyard_model::routing::tls::{Authorities, ClientAuthentication, TlsPolicy};

use super::support::tls::*;
use super::support::*;
use super::{go, said};

const SERIAL: u8 = 77;

/// What a client shows: its chain and its key, in one file.
struct Shows {
    what: &'static str,
    file: Option<TemporaryFile>,
}

impl Shows {
    fn new(
        what: &'static str,
        by: &Authority,
        behind: &[&Authority],
        change: impl FnOnce(&mut rcgen::CertificateParams),
    ) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let file = TemporaryFile::new(&format!("client-{}.pem", what.replace(' ', "-")));
        let chain = behind.iter().map(|it| it.pem()).collect::<String>();
        let own = by.sign_with(&["client"], &key, change);
        std::fs::write(&file.0, [own, chain, key.serialize_pem()].concat()).unwrap();
        Self { what, file: Some(file) }
    }
}

/// The authority that is believed, and below it the one that signs.
fn signers() -> (Authority, Authority) {
    let root = Authority::new("clients");
    let signer = Authority::under("signer", &root);
    (root, signer)
}

fn all_shown(signer: &Authority) -> Vec<Shows> {
    let foreign = Authority::new("foreign");
    vec![
        Shows { what: "nothing", file: None },
        Shows::new("a chain", signer, &[signer], |_| {}),
        Shows::new("no intermediate", signer, &[], |_| {}),
        Shows::new("expired", signer, &[signer], |it| {
            it.not_after = rcgen::date_time_ymd(2024, 1, 1);
        }),
        Shows::new("not valid yet", signer, &[signer], |it| {
            it.not_before = rcgen::date_time_ymd(2090, 1, 1);
        }),
        Shows::new("foreign", &foreign, &[], |_| {}),
        Shows::new("for servers alone", signer, &[signer], |it| {
            it.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        }),
        Shows::new("revoked", signer, &[signer], |it| {
            it.serial_number = Some(vec![SERIAL].into());
        }),
    ]
}

/// Modes, and who is served: in the order of what is shown.
fn modes(root: &Authority) -> [(&'static str, ClientAuthentication, [bool; 8]); 5] {
    let by = || Authorities {
        pem: root.pem().as_str().into(),
        reports: false,
        depth: None,
        revoked: None,
    };
    let (y, n) = (true, false);
    [
        ("nothing", ClientAuthentication::Nothing, [y; 8]),
        ("request", ClientAuthentication::Request, [y; 8]),
        ("any", ClientAuthentication::RequireAny, [n, y, y, y, y, y, y, y]),
        ("given", ClientAuthentication::VerifyIfGiven(by()), [y, y, n, n, n, n, n, y]),
        ("verify", ClientAuthentication::RequireAndVerify(by()), [n, y, n, n, n, n, n, y]),
    ]
}

#[test]
fn clients_show_chains_that_are_expired_foreign_or_revoked() {
    let (authority, (root, signer)) = (Authority::new("ca"), signers());
    let server = Server::echo("one");
    let modes = modes(&root);
    let hosts = modes.each_ref().map(|(name, ..)| format!("{name}.lab.test"));
    let routes = hosts.iter().zip(&modes);
    let routes = routes.map(|(host, (name, ..))| route(name, host, "/", &[server.address]));
    let certificates = [authority.certificate("all", &["*.lab.test"])];
    let mut map = secure(&Vec::from_iter(routes), &certificates);
    for (name, clients, _) in modes.clone() {
        ask_policy(&mut map, name, TlsPolicy { clients, ..policy(name) });
    }
    let options = GatewayOptions { workers: 2, ..GatewayOptions::default() };
    let (gateway, address) = secure_gateway(&map, options);
    let believes = TemporaryFile::new("client-believes.pem");
    std::fs::write(&believes.0, authority.pem()).unwrap();
    let go = go();
    let mut refused = 0;
    let shown = all_shown(&signer);
    for ((mode, _, expected), host) in modes.iter().zip(&hosts) {
        for (shows, is_served) in shown.iter().zip(expected) {
            let by_curl = said(curl(address, host, &believes, shows));
            let by_go = go.as_ref().map(|go| said(by_go(go, address, host, &believes, shows)));
            for said in [Some(by_curl), by_go].into_iter().flatten() {
                let what = shows.what;
                assert_eq!(said.contains(" 200"), *is_served, "{mode}, {what}: {said}");
                refused += u32::from(!is_served);
            }
        }
    }
    let failures = format!("{{cause=\"client-certificate\",entrypoint=\"websecure\"}} {refused}\n");
    eventually("each is counted", || scrape(&gateway).contains(&failures));
    assert!(is_revoked(&root, &signer, shown.last().unwrap()), "to who asks the list");
}

fn curl(address: SocketAddr, host: &str, believes: &TemporaryFile, shows: &Shows) -> Command {
    let mut curl = Command::new("curl");
    let port = address.port();
    curl.args(["-sSi", "--max-time", "30", "--tlsv1.3"]);
    curl.args(["--resolve", &format!("{host}:{port}:127.0.0.1")]).arg("--cacert").arg(&believes.0);
    if let Some(file) = &shows.file {
        curl.arg("--cert").arg(&file.0);
    }
    curl.arg(format!("https://{host}:{port}/"));
    curl
}

fn by_go(
    program: &str,
    address: SocketAddr,
    host: &str,
    believes: &TemporaryFile,
    shows: &Shows,
) -> Command {
    let mut go = Command::new(program);
    go.args(["-address", &address.to_string(), "-host", host, "-highest", "1.2"]);
    go.arg("-authorities").arg(&believes.0);
    if let Some(file) = &shows.file {
        go.arg("-certificate").arg(&file.0).arg("-key").arg(&file.0);
    }
    go
}

/// What OpenSSL says of it, who reads lists of what is revoked.
fn is_revoked(root: &Authority, signer: &Authority, shows: &Shows) -> bool {
    let files = ["root", "lists"].map(|it| TemporaryFile::new(&format!("client-{it}.pem")));
    std::fs::write(&files[0].0, root.pem()).unwrap();
    std::fs::write(&files[1].0, signer.revokes(&[SERIAL])).unwrap();
    let shown = &shows.file.as_ref().unwrap().0;
    let mut openssl = Command::new("openssl");
    openssl.args(["verify", "-crl_check", "-CAfile"]).arg(&files[0].0);
    openssl.arg("-CRLfile").arg(&files[1].0).arg("-untrusted").arg(shown).arg(shown);
    said(openssl).contains("certificate revoked")
}
