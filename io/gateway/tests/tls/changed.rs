//! Policies that change while connections are open, and tickets that are left of them.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::{ClientConfig, HandshakeKind};
use steelyard_gateway::{Gateway, GatewayOptions};
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::route::{Manner, Route};
use steelyard_model::routing::tls::{
    Authorities, ClientAuthentication, Resumption, TlsPolicy, TlsVersion,
};
use steelyard_model::routing::world::RoutingMap;

use super::eventually;
use super::support::h2::{Raw, get};
use super::support::tcp::passed_on;
use super::support::tls::*;
use super::support::*;

type Versions = &'static [&'static rustls::SupportedProtocolVersion];

const VERSIONS: [Versions; 2] = [&[&rustls::version::TLS13], &[&rustls::version::TLS12]];

/// Two hosts, `a` and `b.test`, and those who sign for clients.
struct Scene {
    authority: Authority,
    _server: Server,
    /// Without any policy.
    plain: RoutingMap,
}

impl Scene {
    fn new() -> Self {
        let (authority, server) = (Authority::new("ca"), Server::echo("one"));
        let to = |name, host| route(name, host, "/", &[server.address]);
        let certificate = authority.certificate("all", &["a", "b.test"]);
        let plain = secure(&[to("a", "a"), to("b", "b.test")], &[certificate]);
        Self { authority, _server: server, plain }
    }

    /// The host `a` has this policy.
    fn with(&self, policy: TlsPolicy) -> RoutingMap {
        let mut map = self.plain.clone();
        ask_policy(&mut map, "a", policy);
        map
    }

    /// One that asks for certificates that these have signed.
    fn asking(&self, by: &Authority) -> TlsPolicy {
        let by = Authorities {
            pem: by.pem().as_str().into(),
            reports: false,
            depth: None,
            revoked: None,
        };
        TlsPolicy { clients: ClientAuthentication::RequireAndVerify(by), ..policy("it") }
    }

    /// Handshakes for `a` are passed on.
    fn passing_on(&self) -> RoutingMap {
        let mut map = self.plain.clone();
        let listener = Listener::new("passed-on".into(), "websecure".into(), Security::Passthrough);
        passed_on("passed", "a", &[]).put_into(&mut map);
        change(&mut map, "default/passed/0@tcp", |route| {
            route.listeners = vec![listener.id.clone()];
            route.manner = Manner::Nginx;
        });
        map.listeners.insert(listener.id.clone(), Arc::new(listener));
        map
    }

    /// A client that has a certificate.
    fn known(&self) -> Arc<ClientConfig> {
        Arc::new(self.knowing(rustls::ALL_VERSIONS))
    }

    fn knowing(&self, versions: Versions) -> ClientConfig {
        let key = rcgen::KeyPair::generate().unwrap();
        let chain = self.authority.der(&["client"], &key);
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let builder = ClientConfig::builder_with_provider(provider().into());
        let builder = builder.with_protocol_versions(versions).unwrap();
        let builder = builder.with_root_certificates(self.authority.roots());
        builder.with_client_auth_cert(chain, key).unwrap()
    }
}

fn change(map: &mut RoutingMap, id: &str, change: impl FnOnce(&mut Route)) {
    let id = id.into();
    let mut route = (**map.routes.get(&id).unwrap()).clone();
    change(&mut route);
    map.routes.insert(id, Arc::new(route));
}

fn gateway(map: &RoutingMap) -> (Gateway, SocketAddr) {
    secure_gateway(map, GatewayOptions { workers: 1, ..GatewayOptions::default() })
}

/// What each change means for who is connected: also who would be let in again has to come again.
#[test]
fn a_connection_is_held_to_what_holds_now() {
    let scene = Scene::new();
    let of = |change: fn(&mut TlsPolicy)| {
        let mut policy = policy("it");
        change(&mut policy);
        scene.with(policy)
    };
    let (plain, same) = (scene.plain.clone(), of(|_| {}));
    let asking = scene.with(scene.asking(&scene.authority));
    let mut by_default = plain.clone();
    let default = TlsPolicy { id: "default".into(), ..scene.asking(&scene.authority) };
    by_default.tls_policies.insert(default.id.clone(), Arc::new(default));
    let mut disagreed = asking.clone();
    let rule = plain.routes.get(&"default/a/0@ingress".into()).unwrap().rule.clone();
    change(&mut disagreed, "default/b/0@ingress", |route| route.rule = rule);
    let mut without = asking.clone();
    without.tls_policies.remove(&"it".into());
    for (what, before, after, expected) in [
        ("certificates are asked for", &plain, &asking, 421),
        ("by the policy that was there", &same, &asking, 421),
        ("by the default one", &plain, &by_default, 421),
        ("by others", &asking, &scene.with(scene.asking(&Authority::new("others"))), 421),
        ("no more", &asking, &plain, 421),
        ("of a policy that is gone", &asking, &without, 421),
        ("policies disagree", &asking, &disagreed, 421),
        ("version", &same, &of(|it| it.versions.0 = TlsVersion::V1_3), 421),
        ("cipher", &same, &of(|it| it.ciphers = vec!["TLS_AES_128_GCM_SHA256".into()]), 421),
        ("group", &same, &of(|it| it.groups = vec!["X25519".into()]), 421),
        ("passed on", &plain, &scene.passing_on(), 421),
        ("the same by another name", &plain, &same, 200),
        ("protocols", &same, &of(|it| it.alpn = vec!["http/1.1".into()]), 200),
        ("tickets", &same, &of(|it| it.resumes = Resumption::Never), 200),
    ] {
        let (gateway, address) = gateway(before);
        let mut secured = Secured::connect(address, "a", &scene.known());
        assert_eq!(secured.get("a", "/").status(), 200, "{what}");
        gateway.apply(after, 2);
        let answer = secured.get("a", "/");
        assert_eq!(answer.status(), expected, "{what}");
        if expected == 421 {
            assert!(answer.head.contains("\r\nConnection: close"), "{what}: {}", answer.head);
            assert!(answer.head.starts_with("HTTP/1.1 421 Misdirected Request\r\n"), "{what}");
            assert!(secured.try_get("a", "/").is_none(), "{what}: it has ended");
            let counted = "{cause=\"outdated\",entrypoint=\"websecure\"} 1\n";
            eventually("it is counted", || scrape(&gateway).contains(counted));
        }
    }
}

/// The same by HTTP/2: no further request, whichever host it is for, and the connection ends.
#[test]
fn so_is_one_of_http2() {
    const OK: &[u8] = &[0x88];
    /// `:status: 421`, by RFC 7541.
    const MISDIRECTED: &[u8] = &[0x48, 0x82, 0x68, 0x41];
    let scene = Scene::new();
    let (gateway, address) = gateway(&scene.plain);
    let mut client = scene.authority.client();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let secured = Secured::connect(address, "a", &Arc::new(client));
    let mut raw = Raw::over(secured.reader.into_inner(), &[]);
    for (stream, expected) in [(1, OK), (3, MISDIRECTED)] {
        raw.send(get(stream, true));
        let mut is_ending = false;
        let head = loop {
            match raw.next().unwrap() {
                (1, _, of, head) if of == stream => break head,
                (kind, ..) => is_ending |= kind == 7,
            }
        };
        assert!(head.starts_with(expected), "{stream}: {head:x?}");
        assert_eq!(is_ending, expected == MISDIRECTED, "who hears that comes again elsewhere");
        gateway.apply(&scene.with(scene.asking(&scene.authority)), 2);
    }
    assert_eq!(raw.farewell(), Some(::h2::Reason::NO_ERROR));
}

/// What was agreed on by a policy is resumed by no other, and who was verified is verified again:
/// with rustls whatever a ticket says of its client is believed, however long ago that was.
#[test]
fn tickets_let_nobody_in() {
    let scene = Scene::new();
    let plain = &scene.plain;
    let [asking, others] =
        [&scene.authority, &Authority::new("others")].map(|by| scene.with(scene.asking(by)));
    let given = {
        let by = Authorities {
            pem: scene.authority.pem().as_str().into(),
            reports: false,
            depth: None,
            revoked: None,
        };
        let clients = ClientAuthentication::VerifyIfGiven(by);
        scene.with(TlsPolicy { clients, ..policy("it") })
    };
    let nobody = |versions: Versions| scene.authority.client_of(versions);
    let known = |versions: Versions| scene.knowing(versions);
    let (nobody, known): (&dyn Fn(Versions) -> _, &dyn Fn(Versions) -> _) = (&nobody, &known);
    let (full, resumed) = (Some(HandshakeKind::Full), Some(HandshakeKind::Resumed));
    for (what, who, before, after, expected) in [
        ("a policy that stays", nobody, plain, plain, resumed),
        ("nothing shown", nobody, plain, &asking, None),
        ("a certificate that is asked for since", known, plain, &asking, full),
        ("of who is believed no more", known, &asking, &others, None),
        ("verified once", known, &asking, &asking, full),
        ("and where it was given", known, &given, &given, full),
    ] {
        for versions in VERSIONS {
            let client = Arc::new(who(versions));
            let (gateway, address) = gateway(before);
            let mut first = Secured::connect(address, "a", &client);
            assert_eq!(first.get("a", "/").status(), 200, "{what}");
            gateway.apply(after, 2);
            let second = Secured::try_connect(address, "a", &client).ok().and_then(|mut it| {
                let is_served = it.try_get("a", "/").is_some_and(|it| it.status() == 200);
                is_served.then(|| it.agreed().handshake_kind().unwrap())
            });
            assert_eq!(second, expected, "{what}");
        }
    }
}
