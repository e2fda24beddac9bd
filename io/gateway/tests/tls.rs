//! Handshakes: with which certificate, by which terms, and what requests over them are told.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "tls/changed.rs"]
mod changed;
#[path = "tls/clients.rs"]
mod clients;
mod support;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, SignatureScheme};
use steelyard_gateway::GatewayOptions;
use steelyard_model::routing::listener::Security;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::tls::{
    Authorities, Certificate, ClientAuthentication, TlsPolicy, TlsVersion,
};
use steelyard_model::routing::transport::{ProxyVersion, Transport};
use support::tcp::ended;
use support::tls::*;
use support::*;

fn options() -> GatewayOptions {
    GatewayOptions { workers: 2, ..GatewayOptions::default() }
}

/// The file of a test, gone with it.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gateway-tls-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What curl prints.
fn curl(authority: &Scratch, address: SocketAddr, host: &str, more: &[&str]) -> String {
    let port = address.port();
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "30", "--resolve", &format!("{host}:{port}:127.0.0.1")])
        .arg("--cacert")
        .arg(&authority.0)
        .args(more)
        .arg(format!("https://{host}:{port}/x"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text + &String::from_utf8_lossy(&output.stderr)
}

/// Ciphers and versions as others have them, and both protocols on top.
#[test]
fn curl_is_served_in_every_version() {
    let authority = Authority::new("ca");
    let server = Server::echo("one");
    let routes = [route("one", "a.test", "/", &[server.address])];
    let certificate = authority.certificate("a", &["a.test"]);
    let (gateway, address) = secure_gateway(&secure(&routes, &[certificate]), options());
    let ca = Scratch::new("ca.pem", &authority.pem());
    for more in [
        &["--http1.1", "--tls-max", "1.2"][..],
        &["--http1.1", "--tlsv1.3"],
        &["--http2", "--tls-max", "1.2"],
        &["--http2", "--tlsv1.3"],
        &["--http1.1", "--no-alpn"],
    ] {
        let said = curl(&ca, address, "a.test", &[more, &["-w", "%{http_version}"]].concat());
        let version = if more[0] == "--http2" { "\n2" } else { "\n1.1" };
        assert!(said.starts_with("one\nGET /x HTTP/1.1\r\n"), "{more:?}: {said}");
        assert!(said.contains("\nX-Forwarded-Proto: https\r\n"), "{more:?}: {said}");
        let port = format!("\nX-Forwarded-Port: {}\r\n", address.port());
        assert!(said.contains(&port), "{more:?}: {said}");
        assert!(said.ends_with(version), "{more:?}: {said}");
    }
    let metrics = scrape(&gateway);
    for expected in [
        "steelyard_tls_handshakes_total{entrypoint=\"websecure\"} 5\n",
        "tls_cipher=\"TLS_AES_256_GCM_SHA384\",tls_version=\"1.3\"",
        "tls_version=\"1.2\"} 2\n",
        "traefik_tls_certs_not_after{cn=\"rcgen self signed cert\",sans=\"a.test\",serial=",
    ] {
        assert!(metrics.contains(expected), "{expected} in {metrics}");
    }
    let other = Scratch::new("other.pem", &Authority::new("other").pem());
    let said = curl(&other, address, "a.test", &[]);
    assert!(said.contains("curl: (60)"), "{said}");
    let failures = "steelyard_tls_handshake_failures_total{cause=\"client-alert\",entrypoint=\"websecure\"} 1\n";
    eventually("it is counted", || scrape(&gateway).contains(failures));
}

/// Of a TCP route: what its client says arrives in clear, whoever the client says it speaks as, and
/// each side ends by itself.
#[test]
fn handshakes_of_tcp_routes_end_here() {
    let authority = Authority::new("ca");
    let server = Server::start(|mut stream, _| {
        let mut all = b"ready ".to_vec();
        stream.write_all(&all).unwrap();
        all.clear();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(&all).unwrap();
    });
    let version = Some(ProxyVersion::V2);
    let transport = Transport { proxy_protocol: version, ..Transport::bytes() };
    let routes = [
        ended("db", "db.test", &[server.address]),
        ended("told", "told.test", &[server.address]).by(transport),
    ];
    let names = ["db.test", "told.test", "a.test"];
    let web = Server::echo("one");
    let web = [route("one", "a.test", "/", &[web.address])];
    let mut map = secure(&web, &[authority.certificate("a", &names)]);
    routes.iter().for_each(|route| route.put_into(&mut map));
    let (gateway, address) = secure_gateway(&map, options());
    let client = |protocols: &[&[u8]]| {
        let mut client = authority.client();
        client.alpn_protocols = protocols.iter().map(|it| it.to_vec()).collect();
        Arc::new(client)
    };
    for (protocols, agreed) in [
        (&[][..], None),
        (&[&b"postgresql"[..]][..], None),
        (&[&b"mqtt"[..], b"http/1.1"][..], Some(&b"http/1.1"[..])),
    ] {
        let mut connection = Secured::connect(address, "db.test", &client(protocols));
        assert_eq!(connection.agreed().alpn_protocol(), agreed);
        assert_eq!(connection.agreed().peer_certificates().map(<[_]>::len), Some(1));
        connection.talk(b"hello", b"ready hello");
    }
    let mut told = Secured::connect(address, "told.test", &client(&[]));
    let head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01";
    let ports = [told.reader.get_ref().sock.local_addr().unwrap(), address];
    let ports = ports.map(|it| it.port().to_be_bytes()).concat();
    told.talk(b"x", &[&b"ready "[..], head, &ports, b"x"].concat());
    // HTTP beside it, by its own name.
    let mut secured = Secured::connect(address, "a.test", &client(&[]));
    assert_eq!(secured.get("a.test", "/").who(), "one");
    let of = "entrypoint=\"websecure\",service=\"default-db-1@tcp\"";
    let counted = format!("steelyard_tcp_bytes_total{{direction=\"in\",{of}}} 15\n");
    eventually("it is counted", || scrape(&gateway).contains(&counted));
}

/// Who is not believed gets no byte to the endpoint, and hears why.
#[test]
fn tcp_routes_ask_for_certificates_too() {
    let (authority, others) = (Authority::new("ca"), Authority::new("others"));
    let server = Server::start(|mut stream, _| drop(stream.write_all(b"ready")));
    let route = ended("db", "db.test", &[server.address]);
    let mut map = secure(&[], &[authority.certificate("db", &["db.test"])]);
    route.put_into(&mut map);
    let pem: Arc<str> = others.pem().into();
    let asks = TlsPolicy {
        clients: ClientAuthentication::RequireAndVerify(Authorities {
            pem,
            reports: false,
            depth: None,
            revoked: None,
        }),
        ..policy("asks")
    };
    let id = "default/db/0@tcp".into();
    let mut asking = (**map.routes.get(&id).unwrap()).clone();
    asking.tls_policy = Some(asks.id.clone());
    map.routes.insert(id, Arc::new(asking));
    map.tls_policies.insert(asks.id.clone(), Arc::new(asks));
    let (_gateway, address) = secure_gateway(&map, options());
    let nobody = Arc::new(authority.client());
    let refused = Secured::try_connect(address, "db.test", &nobody)
        .and_then(|mut it| it.reader.read(&mut [0; 5]));
    assert!(refused.is_err_and(|error| error.to_string().contains("CertificateRequired")));
    assert_eq!(server.accepted.load(std::sync::atomic::Ordering::SeqCst), 0);
}

/// Terms of an entry point are for who asks for nothing: who asks for TLS has the usual ones, which
/// may ask for more.
#[test]
fn who_asks_for_the_usual_terms_has_them_at_an_entry_point_with_its_own() {
    let (authority, server) = (Authority::new("ca"), Server::echo("s"));
    let routes =
        ["own", "bare"].map(|name| route(name, &format!("{name}.test"), "/", &[server.address]));
    let mut map = secure(&routes, &[authority.certificate("all", &["own.test", "bare.test"])]);
    let (pem, reports, depth, revoked) = (authority.pem().into(), false, None, None);
    let by = Authorities { pem, reports, depth, revoked };
    let clients = ClientAuthentication::RequireAndVerify(by);
    ask_policy(&mut map, "own", TlsPolicy { clients, ..policy("default") });
    let lax = policy("lax");
    let id = map.routes.get(&"default/own/0@ingress".into()).unwrap().listeners[0].clone();
    let mut listener = (**map.listeners.get(&id).unwrap()).clone();
    let Security::Terminate { policy: of_all, .. } = &mut listener.security else { panic!("TLS") };
    *of_all = Some(lax.id.clone());
    map.tls_policies.insert(lax.id.clone(), Arc::new(lax));
    map.listeners.insert(id, Arc::new(listener));
    let (_gateway, address) = secure_gateway(&map, options());
    let nobody = Arc::new(authority.client());
    let mut bare = Secured::connect(address, "bare.test", &nobody);
    assert_eq!(bare.get("bare.test", "/").status(), 200);
    assert_eq!(bare.get("own.test", "/").status(), 421);
    let refused = Secured::try_connect(address, "own.test", &nobody)
        .and_then(|mut it| it.reader.read(&mut [0; 5]));
    assert!(refused.is_err_and(|error| error.to_string().contains("CertificateRequired")));
}

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let end = std::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(std::time::Instant::now() < end, "{what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// A client that verifies these signatures of servers only.
fn verifying(authority: &Authority, schemes: &[SignatureScheme]) -> Arc<ClientConfig> {
    let mut provider = provider();
    let all = provider.signature_verification_algorithms;
    let mapping: Vec<_> =
        all.mapping.iter().filter(|(scheme, _)| schemes.contains(scheme)).copied().collect();
    provider.signature_verification_algorithms.mapping = Box::leak(mapping.into_boxed_slice());
    let builder = ClientConfig::builder_with_provider(provider.into());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    builder.with_root_certificates(authority.roots()).with_no_client_auth().into()
}

#[test]
fn the_certificate_is_that_of_the_name_and_of_what_the_client_verifies() {
    let authority = Authority::new("ca");
    let rsa = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
    let rsa = rsa.unwrap();
    let of = |id: &str, names: &[&str]| authority.certificate(id, names);
    let all = [
        of("exact", &["a.test"]),
        of("wildcard", &["*.lab.test", "b.c.test"]),
        authority.certificate_with("exact-rsa", &["a.test"], &rsa),
    ];
    let server = Server::echo("one");
    let routes = [route("one", "*", "/", &[server.address])];
    let (_gateway, address) = secure_gateway(&secure(&routes, &all), options());
    let any = Arc::new(authority.client());
    let der = |at: usize| all[at].chain[0].to_vec();
    for (name, expected) in [("a.test", 0), ("b.lab.test", 1), ("B.LAB.TEST", 1), ("b.c.test", 1)] {
        let secured = Secured::connect(address, name, &any);
        assert_eq!(secured.shown().to_vec(), der(expected), "{name}");
    }
    let rsa_only = verifying(&authority, &[SignatureScheme::RSA_PSS_SHA256]);
    let secured = Secured::connect(address, "a.test", &rsa_only);
    assert_eq!(secured.shown().to_vec(), der(2), "the RSA pair");
    for name in ["c.d.lab.test", "other"] {
        let failed = Secured::try_connect(address, name, &any);
        assert!(failed.is_err(), "{name} is shown the default certificate, which nobody believes");
    }
}

/// What was cut off is not to be taken for the whole, and the whole not for what was cut off
/// (RFC 8446 §6.1).
#[test]
fn an_end_is_told_from_a_break() {
    let authority = Authority::new("ca");
    let certificates = [authority.certificate("a", &["a.test"])];
    let says = |text: &'static str| {
        Server::start(move |mut stream, _| {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let _ = stream.write_all(text.as_bytes());
        })
    };
    let whole = says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    let endless = says("HTTP/1.1 200 OK\r\n\r\nhi");
    let broken = says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
    let routes = [
        route("whole", "a.test", "/whole", &[whole.address]),
        route("endless", "a.test", "/endless", &[endless.address]),
        route("broken", "a.test", "/broken", &[broken.address]),
    ];
    let (_gateway, address) = secure_gateway(&secure(&routes, &certificates), options());
    let client = Arc::new(authority.client());
    for (path, version, is_whole) in [
        ("/whole", "1.1", true),
        ("/whole", "1.0", true),
        ("/endless", "1.1", true),
        ("/endless", "1.0", true),
        ("/nothing", "1.1", true),
        ("/broken", "1.1", false),
        ("/broken", "1.0", false),
    ] {
        let mut secured = Secured::connect(address, "a.test", &client);
        let request =
            format!("GET {path} HTTP/{version}\r\nHost: a.test\r\nConnection: close\r\n\r\n");
        secured.reader.get_mut().write_all(request.as_bytes()).unwrap();
        let ended = secured.reader.read_to_end(&mut Vec::new());
        assert_eq!(ended.is_ok(), is_whole, "{path} by HTTP/{version}: {ended:?}");
    }
}

/// Who connects by an address names nobody.
#[test]
fn one_certificate_is_for_all_other_names() {
    let authority = Authority::new("ca");
    let for_all =
        Certificate { is_default: true, ..authority.certificate("for-all", &["127.0.0.1"]) };
    let all = [authority.certificate("exact", &["a.test"]), for_all];
    let server = Server::echo("one");
    let routes = [route("one", "*", "/", &[server.address])];
    let (gateway, address) = secure_gateway(&secure(&routes, &all), options());
    let any = Arc::new(authority.client());
    let shown = |name| Secured::connect(address, name, &any).shown().to_vec();
    assert_eq!(shown("127.0.0.1"), all[1].chain[0].to_vec());
    assert_eq!(shown("a.test"), all[0].chain[0].to_vec());

    gateway.apply(&secure(&routes, &all[..1]), 2);
    let failed = Secured::try_connect(address, "127.0.0.1", &any);
    assert!(failed.is_err(), "it is gone, and what is made instead nobody believes");
}

#[test]
fn sessions_are_resumed_by_any_core_and_over_a_reload() {
    let authority = Authority::new("ca");
    let server = Server::echo("one");
    let routes = [route("one", "*", "/", &[server.address])];
    let map = secure(&routes, &[authority.certificate("a", &["a.test"])]);
    let (gateway, address) = secure_gateway(&map, options());
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let client = Arc::new(authority.client_of(&[version]));
        let mut kinds = Vec::new();
        for round in 0..6 {
            if round == 3 {
                let others = [authority.certificate("b", &["b.test"])];
                let mut changed = map.clone();
                for it in others {
                    changed.certificates.insert(it.id.clone(), Arc::new(it));
                }
                gateway.apply(&changed, 2);
            }
            let mut secured = Secured::connect(address, "a.test", &client);
            assert_eq!(secured.get("a.test", "/").who(), "one");
            kinds.push(secured.agreed().handshake_kind());
        }
        let full = kinds.iter().filter(|kind| **kind != Some(HandshakeKind::Resumed)).count();
        assert_eq!(full, 1, "{version:?}: {kinds:?}");
    }
}

/// 200 times, while clients come and go: none fails, and who is connected stays so.
#[test]
fn certificates_are_swapped_under_load() {
    let authority = Authority::new("ca");
    let server = Server::echo("one");
    let routes = [route("one", "*", "/", &[server.address])];
    let certificate = || authority.certificate("a", &["a.test"]);
    let map = |it| secure(&routes, &[it]);
    let (gateway, address) = secure_gateway(&map(certificate()), options());
    let client = Arc::new(authority.client());
    let mut long = Secured::connect(address, "a.test", &client);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let served = std::thread::scope(|scope| {
        let serve = || {
            let mut served = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let mut fresh = (*client).clone();
                fresh.resumption = rustls::client::Resumption::disabled();
                let mut secured = Secured::connect(address, "a.test", &Arc::new(fresh));
                assert_eq!(secured.get("a.test", "/").who(), "one");
                served += 1;
            }
            served
        };
        let clients = [scope.spawn(serve), scope.spawn(serve)];
        for generation in 0..200 {
            gateway.apply(&map(certificate()), generation + 2);
            assert_eq!(long.get("a.test", "/").who(), "one");
        }
        let last = certificate();
        gateway.apply(&map(last.clone()), 999);
        let shown = Secured::connect(address, "a.test", &Arc::new(authority.client())).shown();
        assert_eq!(shown.to_vec(), last.chain[0].to_vec());
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        clients.map(|it| it.join().unwrap())
    });
    assert!(served.iter().all(|count| *count > 0), "{served:?}");
}

/// The key exchange that no quantum computer breaks is taken where a client offers it.
#[test]
fn post_quantum_keys_are_exchanged() {
    let authority = Authority::new("ca");
    let map = secure(&[], &[authority.certificate("a", &["a.test"])]);
    let (_gateway, address) = secure_gateway(&map, options());
    let mut provider = provider();
    provider.kx_groups = vec![rustls::crypto::aws_lc_rs::kx_group::X25519MLKEM768];
    let builder = ClientConfig::builder_with_provider(provider.into());
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
    let client = builder.with_root_certificates(authority.roots()).with_no_client_auth();
    let mut secured = Secured::connect(address, "a.test", &client.into());
    assert_eq!(secured.agreed().protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(secured.get("a.test", "/").status(), 404);
}

/// What one host's handshake was held by says nothing of another host's (RFC 9110 §15.5.20).
#[test]
fn a_host_with_other_terms_is_misdirected() {
    let authority = Authority::new("ca");
    let server = Server::echo("one");
    let to = |name, host| route(name, host, "/", &[server.address]);
    let routes =
        [to("open", "open.lab.test"), to("also", "also.lab.test"), to("closed", "closed.lab.test")];
    let all = authority.certificate("all", &["*.lab.test"]);
    let mut map = secure(&routes, &[Certificate { is_default: true, ..all }]);
    let mut asks = policy("mtls");
    let pem = authority.pem().as_str().into();
    asks.clients = ClientAuthentication::RequireAndVerify(Authorities {
        pem,
        reports: false,
        depth: None,
        revoked: None,
    });
    ask_policy(&mut map, "closed", asks);
    let (gateway, address) = secure_gateway(&map, options());
    let client = Arc::new(authority.client());
    let mut secured = Secured::connect(address, "open.lab.test", &client);
    let statuses =
        ["open.lab.test", "also.lab.test", "OPEN.lab.test.", "closed.lab.test", "nowhere.lab.test"]
            .map(|host| secured.get(host, "/").status());
    assert_eq!(statuses, [200, 200, 200, 421, 404]);
    // Nor does one without a server name: nobody comes in by leaving it out.
    let mut nameless = Secured::connect_unnamed(address, "open.lab.test", &authority);
    let statuses =
        ["open.lab.test", "closed.lab.test"].map(|host| nameless.get(host, "/").status());
    assert_eq!(statuses, [200, 421]);
    // By TLS 1.3 a client hears of it with its first answer only.
    let closed = Secured::try_connect(address, "closed.lab.test", &client);
    assert!(closed.ok().and_then(|mut it| it.try_get("closed.lab.test", "/")).is_none());
    let failures = "{cause=\"client-certificate\",entrypoint=\"websecure\"} 1\n";
    eventually("it is counted", || scrape(&gateway).contains(failures));
    assert!(scrape(&gateway).contains("{cause=\"misdirected\",entrypoint=\"websecure\"} 2\n"));
}

/// A route without a host, or with a wildcard, has its terms where no other route says more of the
/// host; where one does, nobody comes in without what it asks for.
#[test]
fn a_route_without_a_host_is_not_reached_by_the_terms_of_another() {
    let authority = Authority::new("ca");
    let server = Server::echo("one");
    let to = |name, host, path| route(name, host, path, &[server.address]);
    let mut routes =
        [to("open", "open.lab.test", "/open"), to("any", "*", "/any"), to("wide", "", "/wide")];
    routes[2].host = HostPattern::Label("lab.test".into());
    let all = authority.certificate("all", &["*.lab.test"]);
    let mut map = secure(&routes, &[Certificate { is_default: true, ..all }]);
    let pem = authority.pem().as_str().into();
    let by = Authorities { pem, reports: false, depth: None, revoked: None };
    for name in ["any", "wide"] {
        let clients = ClientAuthentication::RequireAndVerify(by.clone());
        ask_policy(&mut map, name, TlsPolicy { clients, ..policy(name) });
    }
    let (_gateway, address) = secure_gateway(&map, options());
    let mut secured = Secured::connect(address, "open.lab.test", &Arc::new(authority.client()));
    let statuses = ["/open", "/any", "/wide", "/nowhere"]
        .map(|path| secured.get("open.lab.test", path).status());
    assert_eq!(statuses, [200, 421, 421, 404]);
}

/// Who is let in with which certificate, by all modes there are.
#[test]
fn clients_show_what_their_policy_asks_for() {
    let (authority, stranger) = (Authority::new("ca"), Authority::new("stranger"));
    let server = Server::echo("one");
    let by = || Authorities {
        pem: authority.pem().as_str().into(),
        reports: false,
        depth: None,
        revoked: None,
    };
    // Who may say whom to believe no more, also for those who are valid themselves.
    let past = Authority::until("past", 2020);
    let both = format!("{}{}", past.pem(), stranger.pem());
    let of_old = || Authorities {
        pem: past.pem().as_str().into(),
        reports: false,
        depth: None,
        revoked: None,
    };
    let of_both =
        Authorities { pem: both.as_str().into(), reports: false, depth: None, revoked: None };
    let modes = [
        ("nothing", ClientAuthentication::Nothing, [true, true, true, true]),
        ("request", ClientAuthentication::Request, [true, true, true, true]),
        ("any", ClientAuthentication::RequireAny, [false, true, true, true]),
        ("given", ClientAuthentication::VerifyIfGiven(by()), [true, false, true, false]),
        ("verify", ClientAuthentication::RequireAndVerify(by()), [false, false, true, false]),
        ("past", ClientAuthentication::RequireAndVerify(of_old()), [false, false, false, false]),
        ("old", ClientAuthentication::VerifyIfGiven(of_old()), [true, false, false, false]),
        ("both", ClientAuthentication::RequireAndVerify(of_both), [false, true, false, false]),
    ];
    let hosts = modes.each_ref().map(|(name, ..)| format!("{name}.lab.test"));
    let routes = Vec::from_iter(
        modes
            .iter()
            .zip(&hosts)
            .map(|((name, ..), host)| route(name, host, "/", &[server.address])),
    );
    let mut map = secure(&routes, &[authority.certificate("all", &["*.lab.test"])]);
    for (name, clients, _) in modes.clone() {
        ask_policy(&mut map, name, TlsPolicy { clients, ..policy(name) });
    }
    let (_gateway, address) = secure_gateway(&map, options());
    let shows = |signer: &Authority| {
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = signer.sign(&["client"], &key);
        let chain =
            vec![rustls::pki_types::pem::PemObject::from_pem_slice(pem.as_bytes()).unwrap()];
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let builder = ClientConfig::builder_with_provider(provider().into());
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(authority.roots());
        Arc::new(builder.with_client_auth_cert(chain, key).unwrap())
    };
    let clients = [Arc::new(authority.client()), shows(&stranger), shows(&authority), shows(&past)];
    for ((name, _, expected), host) in modes.iter().zip(&hosts) {
        let is_served = clients.each_ref().map(|client| {
            let connected = Secured::try_connect(address, host, client);
            connected.ok().and_then(|mut it| it.try_get(host, "/")).is_some()
        });
        assert_eq!(is_served, *expected, "{name}");
    }
}

/// One certificate in two Secrets, as wildcards are copied into many namespaces.
#[test]
fn copies_of_a_certificate_are_one_series() {
    let authority = Authority::new("ca");
    let key = rcgen::KeyPair::generate().unwrap();
    let pem = authority.sign(&["*.lab.test"], &key);
    let copies = ["a", "b"].map(|id| of_secret(id, &pem, &key.serialize_pem()));
    let (gateway, _) = secure_gateway(&secure(&[], &copies), options());
    let count = || scrape(&gateway).matches("\ntraefik_tls_certs_not_after{").count();
    assert_eq!(count(), 1);
    gateway.apply(&secure(&[], &[authority.certificate("a", &["*.lab.test"])]), 2);
    assert_eq!(count(), 1, "it follows what is swapped");
    gateway.apply(&secure(&[], &[]), 3);
    assert_eq!(count(), 0);
}

#[test]
fn versions_and_ciphers_are_those_of_the_policy() {
    let authority = Authority::new("ca");
    let server = Server::echo("one");
    let routes = [route("new", "new.lab.test", "/", &[server.address])];
    let mut map = secure(&routes, &[authority.certificate("all", &["*.lab.test"])]);
    let asks = TlsPolicy {
        versions: (TlsVersion::V1_3, TlsVersion::V1_3),
        ciphers: vec!["TLS_CHACHA20_POLY1305_SHA256".into()],
        is_strict: true,
        ..policy("new")
    };
    ask_policy(&mut map, "new", asks);
    let (gateway, address) = secure_gateway(&map, options());
    let client = Arc::new(authority.client());
    let secured = Secured::connect(address, "new.lab.test", &client);
    let suite = secured.agreed().negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite.as_str(), Some("TLS13_CHACHA20_POLY1305_SHA256"));
    let old = Arc::new(authority.client_of(&[&rustls::version::TLS12]));
    assert!(Secured::try_connect(address, "new.lab.test", &old).is_err());
    let failures = "{cause=\"incompatible\",entrypoint=\"websecure\"} 1\n";
    eventually("it is counted", || scrape(&gateway).contains(failures));
}
