//! Backends that are not there, go away, or misbehave.

mod support;

use std::collections::BTreeSet;
use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use steelyard_gateway::{Bind, EntryTerms, Gateway, GatewayOptions, Timeouts};
use steelyard_model::routing::backend::{Backend, BackendNode, Internal, SentHost};
use steelyard_model::routing::id::BackendId;
use steelyard_model::routing::route::Destination;
use steelyard_model::{EndpointState, Host};
use support::filtering::*;
use support::*;

#[test]
fn requests_go_round_the_endpoints() {
    let servers = [Server::echo("one"), Server::echo("two"), Server::echo("three")];
    let addresses = servers.each_ref().map(|server| server.address);
    let (_gateway, address) = gateway(&[route("all", "*", "/", &addresses)]);
    let mut client = Client::connect(address);
    let who: Vec<String> = (0..6).map(|_| client.get("a", "/").who()).collect();
    assert_eq!(who[..3], who[3..]);
    assert_eq!(who.iter().collect::<BTreeSet<_>>().len(), 3);
}

#[test]
fn a_failed_connect_tries_another() {
    let alive = Server::echo("alive");
    let (gateway, address) =
        gateway(&[route("some", "*", "/", &[dead(), alive.address, dead(), dead()])]);
    let mut client = Client::connect(address);
    for _ in 0..8 {
        let response =
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").receive();
        assert_eq!(response.who(), "alive");
        assert!(response.text().ends_with("\nabc"));
    }
    let metrics = scrape(&gateway);
    let retries = "traefik_service_retries_total{service=\"default-some-80@ingress\"} ";
    let count = metrics.lines().find_map(|line| line.strip_prefix(retries)).unwrap();
    assert!(count.parse::<u32>().unwrap() >= 8, "{count}");
}

#[test]
fn endpoints_that_are_names_are_looked_up() {
    let alive = Server::echo("alive");
    let mut named = route("named", "named", "/", &[alive.address]);
    named.services[0].endpoints[0].host = Host::Name("localhost".into());
    let mut unknown = route("unknown", "unknown", "/", &[alive.address]);
    unknown.services[0].endpoints[0].host = Host::Name("no-such-name.invalid".into());
    let (_gateway, address) = gateway(&[named, unknown]);
    let mut client = Client::connect(address);
    assert_eq!(client.get("named", "/").who(), "alive");
    assert_eq!(client.get("unknown", "/").status(), 502);
}

/// Whoever may write a Service reaches nothing that trusts who is on this machine.
#[test]
fn nobody_is_led_to_the_programs_own_sockets() {
    let admin = Server::echo("admin");
    let (beside, port) = (Server::echo("beside"), admin.address.port());
    let six = TcpListener::bind("[::1]:0").unwrap();
    let hosts = [
        ("number", Host::Ip(Ipv4Addr::LOCALHOST.into()), port),
        ("mapped", Host::Ip(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into()), port),
        ("unspecified", Host::Ip(Ipv4Addr::UNSPECIFIED.into()), port),
        ("name", Host::Name("localhost".into()), port),
        ("six", Host::Ip(Ipv6Addr::LOCALHOST.into()), six.local_addr().unwrap().port()),
        ("nowhere", Host::Ip(Ipv6Addr::UNSPECIFIED.into()), six.local_addr().unwrap().port()),
    ];
    let mut routes: Vec<_> = hosts
        .into_iter()
        .map(|(name, host, port)| {
            let mut led = route(name, name, "/", &[admin.address]);
            let endpoint = &mut led.services[0].endpoints[0];
            (endpoint.host, endpoint.port) = (host, port);
            led
        })
        .collect();
    routes.push(route("beside", "beside", "/", &[beside.address]));
    let options = GatewayOptions { workers: 1, ..GatewayOptions::default() };
    let own = options.own_sockets.clone();
    own.tell([admin.address, six.local_addr().unwrap()]);
    let (gateway, address) = gateway_with(&routes, options);
    let mut client = Client::connect(address);
    for name in ["number", "mapped", "unspecified", "name", "six", "nowhere"] {
        assert_eq!(client.get(name, "/").status(), 502, "{name}");
    }
    assert_eq!(client.get("beside", "/").who(), "beside", "others on this machine are asked");
    assert_eq!(admin.accepted.load(Ordering::SeqCst), 0);
    six.set_nonblocking(true).unwrap();
    assert!(six.accept().is_err(), "nobody has connected");
    let counted = "steelyard_request_faults_total{cause=\"own-socket\",entrypoint=\"web\"} 6\n";
    assert!(scrape(&gateway).contains(counted), "{}", scrape(&gateway));
}

/// An entry point on loopback is for this machine as the admin interface is, for as long as it
/// shows what that shows: also by connections that are there already.
#[test]
fn nobody_is_led_to_listeners_that_show_the_programs_own_services() {
    let at = |host: [u8; 4]| Bind { address: (host, 0).into(), ..web(0) };
    let options = GatewayOptions { workers: 1, ..GatewayOptions::default() };
    let gateway = Gateway::start(options).unwrap();
    let outcomes = gateway.listen(&[at([127, 0, 0, 1]), at([127, 0, 0, 2])]);
    let [address, beside] = [0, 1].map(|which: usize| *outcomes[which].1.as_ref().unwrap());
    let asked = |shows: Option<Internal>| {
        let routes = [route("led", "led", "/", &[beside]), route("own", "own", "/", &[beside])];
        let mut map = routing(&routes);
        for node in map.backends.values().cloned().collect::<Vec<_>>() {
            let mut node = BackendNode::clone(&node);
            if let Backend::Endpoints(leaf) = &mut node.backend {
                leaf.host = SentHost::Endpoint;
            }
            map.backends.insert(node.id.clone(), Arc::new(node));
        }
        if let Some(service) = shows {
            let id = BackendId::from("own@internal");
            let backend = Backend::Internal(service);
            let node = BackendNode { id: id.clone(), place: None, service: None, backend };
            map.backends.insert(id.clone(), Arc::new(node));
            change(&mut map, "own", |route| route.to = Destination::Backend(id.clone()));
        }
        gateway.apply(&map, 2);
        get(address, "led", "/").status()
    };
    assert_eq!(asked(None), 404, "that listener has no route for itself");
    for service in [Internal::Api, Internal::Dashboard, Internal::Ping, Internal::Prometheus] {
        assert_eq!(asked(Some(service)), 502, "{service:?}");
        assert_eq!(asked(Some(Internal::Noop)), 404, "nobody is told anything");
    }
    let counted = "steelyard_request_faults_total{cause=\"own-socket\",entrypoint=\"web\"} 4\n";
    assert!(scrape(&gateway).contains(counted), "{}", scrape(&gateway));
    // One that is opened anew is known before anybody comes.
    assert_eq!(asked(Some(Internal::Api)), 502);
    gateway.listen(&[at([127, 0, 0, 1])]);
    let again = Bind { address: beside, ..web(0) };
    eventually("it is closed", || std::net::TcpListener::bind(beside).is_ok());
    gateway.listen(&[at([127, 0, 0, 1]), again])[1].1.as_ref().unwrap();
    assert_eq!(get(address, "led", "/").status(), 502);
}

#[test]
fn endpoints_that_are_not_ready_get_nothing() {
    let servers = [Server::echo("ready"), Server::echo("leaving"), Server::echo("starting")];
    let mut routes = [route("app", "*", "/", &servers.each_ref().map(|server| server.address))];
    let states = [EndpointState::Ready, EndpointState::Terminating, EndpointState::NotReady];
    for (endpoint, state) in routes[0].services[0].endpoints.iter_mut().zip(states) {
        endpoint.state = state;
    }
    let (gateway, address) = gateway(&routes);
    let mut client = Client::connect(address);
    assert!((0..4).all(|_| client.get("a", "/").who() == "ready"));
    routes[0].services[0].endpoints.remove(0);
    gateway.apply(&routing(&routes), 2);
    assert!((0..4).all(|_| client.get("a", "/").who() == "leaving"), "better than nothing");
    routes[0].services[0].endpoints.remove(0);
    gateway.apply(&routing(&routes), 3);
    assert_eq!(client.get("a", "/").status(), 503);
}

#[test]
fn backends_share_by_weight() {
    let servers = [Server::echo("three"), Server::echo("one")];
    let mut routes = [route("app", "*", "/", &[servers[0].address])];
    routes[0].services[0].weight = 3;
    let other = route("other", "*", "/", &[servers[1].address]).services.remove(0);
    routes[0].services.push(other);
    let (_gateway, address) = gateway(&routes);
    let mut client = Client::connect(address);
    let who: Vec<String> = (0..8).map(|_| client.get("a", "/").who()).collect();
    assert_eq!(who.iter().filter(|name| *name == "three").count(), 6, "{who:?}");
}

#[test]
fn statuses_when_nobody_answers() {
    let silent = Server::start(|stream, _| {
        let mut reader = BufReader::new(stream);
        while Received::read(&mut reader).is_some() {}
    });
    let garbage = Server::answering(|_| b"HTP/1.1 what\r\n\r\n".to_vec());
    let double = Server::answering(|_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            .to_vec()
    });
    let routes = [
        route("dead", "dead", "/", &[dead(), dead()]),
        route("none", "none", "/", &[]),
        refused("refused", "refused", "/", &[silent.address]),
        route("silent", "silent", "/", &[silent.address]),
        route("garbage", "garbage", "/", &[garbage.address]),
        route("double", "double", "/", &[double.address]),
    ];
    let response_head = Some(Duration::from_millis(50));
    let timeouts = Timeouts { response_head, ..Timeouts::default() };
    let options = GatewayOptions { workers: 1, timeouts, ..GatewayOptions::default() };
    let (_gateway, address) = gateway_with(&routes, options);
    let mut client = Client::connect(address);
    for (host, status) in [
        ("dead", 502),
        ("none", 503),
        ("refused", 503),
        ("silent", 504),
        ("garbage", 502),
        ("double", 502),
        ("unknown", 404),
    ] {
        assert_eq!(client.get(host, "/").status(), status, "{host}");
    }
    // Who asks for the head alone is told the same, and nobody else what comes behind it.
    let taken = double.accepted.load(Ordering::SeqCst);
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nHost: double\r\n\r\n");
        assert_eq!(Received::read_to(&mut client.reader, true).unwrap().status(), 502);
    }
    assert!(double.accepted.load(Ordering::SeqCst) >= taken + 2, "connections are not kept");
    assert_eq!(garbage.accepted.load(Ordering::SeqCst), 1);
}

#[test]
fn a_backend_that_dies_before_it_answers() {
    // Its first connections end without a word; another endpoint has the answer.
    let dying = Server::start(|stream, _| {
        let mut reader = BufReader::new(stream);
        Received::read(&mut reader);
    });
    let alive = Server::echo("alive");
    let (_gateway, address) = gateway(&[route("some", "*", "/", &[dying.address, alive.address])]);
    let mut client = Client::connect(address);
    for _ in 0..6 {
        assert_eq!(client.get("a", "/").who(), "alive");
    }
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
    let statuses: BTreeSet<u16> = (0..2).map(|_| client.send(post).receive().status()).collect();
    assert_eq!(statuses, BTreeSet::from([200, 502]), "what may not be repeated is not");
}

#[test]
fn a_kept_connection_that_died_is_replaced() {
    // Each connection serves one request and is closed without notice.
    let backend = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        if Received::read(&mut reader).is_some() {
            stream.write_all(&ok("once")).unwrap();
        }
    });
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    for _ in 0..200 {
        assert_eq!(client.get("a", "/").who(), "once");
    }
}

#[test]
fn a_backend_that_dies_in_its_answer_ends_the_connection() {
    let backend = Server::start(|mut stream, index| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        Received::read(&mut reader).unwrap();
        let head = match index {
            0 => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart",
            _ => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\npart",
        };
        stream.write_all(head.as_bytes()).unwrap();
    });
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    for end in ["\r\n\r\npart", "\r\n\r\n8\r\npart"] {
        let mut client = Client::connect(address);
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut received = Vec::new();
        let _ = std::io::Read::read_to_end(&mut client.reader, &mut received);
        assert!(String::from_utf8(received).unwrap().ends_with(end));
    }
}

#[test]
fn a_request_that_does_not_come_in_time() {
    let timeouts = Timeouts {
        head: Duration::from_millis(50),
        idle: Duration::from_millis(50),
        request_body: Duration::from_millis(50),
        ..Timeouts::default()
    };
    let backend = Server::echo("one");
    let options = GatewayOptions { workers: 1, timeouts, ..GatewayOptions::default() };
    let (_gateway, address) = gateway_with(&[route("one", "*", "/", &[backend.address])], options);
    assert!(Client::connect(address).is_closed(), "nothing said, nothing answered");
    let mut client = Client::connect(address);
    assert_eq!(client.send("GET / HTT").receive().status(), 408);
    assert!(client.is_closed());
    let mut client = Client::connect(address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\npart");
    assert_eq!(client.receive().status(), 408);
    assert!(client.is_closed());
    let mut client = Client::connect(address);
    assert_eq!(client.get("a", "/").status(), 200);
    assert!(client.is_closed(), "idle for too long");
}

/// What an entry point says of it counts there, before what the program says for all.
#[test]
fn an_entry_point_says_how_long_its_connections_may_wait() {
    let backend = Server::echo("one");
    let idle = Some(Duration::from_millis(50));
    let options = one_worker(EntryTerms { idle, ..EntryTerms::default() });
    let (_gateway, address) = gateway_with(&[route("one", "*", "/", &[backend.address])], options);
    let mut client = Client::connect(address);
    assert_eq!(client.get("a", "/").status(), 200);
    assert!(client.is_closed());
}

/// What a route, an edge or a leaf asks for and nothing does yet may restrict: it is not served
/// without.
#[test]
fn what_is_not_built_is_refused() {
    use steelyard_model::routing::backend::Backend;
    use steelyard_model::routing::filter::Use;
    use steelyard_model::routing::route::Destination;

    let server = Server::echo("a");
    let one = || routing(&[route("one", "*", "/", &[server.address])]);
    let leaf = |change: &dyn Fn(&mut steelyard_model::routing::backend::Endpoints)| {
        let mut routing = one();
        let (id, node) = routing.backends.iter().next().unwrap();
        let (id, mut node) = (id.clone(), (**node).clone());
        let Backend::Endpoints(leaf) = &mut node.backend else { panic!("a leaf") };
        change(leaf);
        routing.backends.insert(id, node.into());
        routing
    };
    let on_route = |change: &dyn Fn(&mut steelyard_model::routing::route::Route)| {
        let mut routing = one();
        let (id, known) = routing.routes.iter().next().unwrap();
        let (id, mut known) = (id.clone(), (**known).clone());
        change(&mut known);
        routing.routes.insert(id, known.into());
        routing
    };
    let (gateway, address) = gateway(&[]);
    for (generation, (routing, status)) in [
        (one(), 200),
        (leaf(&|leaf| leaf.transport = "tls".into()), 503),
        (on_route(&|route| route.uses.push(Use { filter: "f".into(), state: "f".into() })), 503),
        (on_route(&|route| route.to = Destination::Backend("gone".into())), 503),
        (one(), 200),
    ]
    .into_iter()
    .enumerate()
    {
        gateway.apply(&routing, generation as u64 + 2);
        assert_eq!(get(address, "a", "/").status(), status, "{generation}");
    }
}
