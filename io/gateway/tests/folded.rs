//! A route whose filters are folded into one walk, or into one frame, serves as one where each of
//! them is a frame of its own: the same goes to the endpoint, and the same to the client, whatever
//! comes of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use steelyard_filters::{Memory, Recipe};
use steelyard_gateway::{Gateway, GatewayOptions};
use steelyard_model::routing::backend::Backend;
use steelyard_model::routing::filter::content::{HeaderRules, SecurityHeaders};
use steelyard_model::routing::filter::limit::{Counted, InFlightLimit, RetryRule};
use steelyard_model::routing::filter::{Filter, FilterNode, RegexRedirection, Rewrite, Use};
use steelyard_model::routing::pattern::Expression;
use steelyard_model::routing::route::Destination;
use steelyard_model::routing::world::RoutingMap;
use support::filtering::{change, edge, id, leaf, put_backend, put_filters};
use support::h2::{ask, connect, request, run};
use support::held::HeldServer;
use support::{
    Client, Received, Served, Server, dead, eventually, gateway_with, get, ok, route, routing,
};

/// Requests to a host `H`. What has its body in chunks has lines behind it.
const REQUESTS: [&str; 12] = [
    "GET /app/x HTTP/1.1\r\nHost: H\r\nX_From: me\r\nX-From: me\r\nAccept: */*\r\n\r\n",
    "GET /app/x?q=1 HTTP/1.1\r\nHost: H\r\nX-Forwarded-Prefix: /a\r\nCookie: a=b\r\n\r\n",
    "GET /app/x?q=1;r=2 HTTP/1.1\r\nHost: H\r\n\r\n",
    "GET /app../x HTTP/1.1\r\nHost: H\r\n\r\n",
    "GET /other HTTP/1.0\r\nHost: H\r\n\r\n",
    "HEAD /app/x HTTP/1.1\r\nHost: H\r\n\r\n",
    "POST /app/x HTTP/1.1\r\nHost: H\r\nContent-Length: 3\r\n\r\nabc",
    "POST /app/x HTTP/1.1\r\nHost: H\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nB: 2\r\n\r\n",
    "GET /app/x HTTP/1.1\r\nHost: H\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "GET /app/gone HTTP/1.1\r\nHost: H\r\n\r\n",
    "GET /old/x HTTP/1.1\r\nHost: H\r\n\r\n",
    "GET /app/x HTTP/1.1\r\nHost: H\r\nConnection: close\r\n\r\n",
];

fn filters() -> Vec<Filter> {
    let lines = |lines: &[(&str, &str)]| {
        let lines = lines.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        lines.collect::<BTreeMap<_, _>>()
    };
    let security = SecurityHeaders {
        frame_deny: true,
        no_sniff: true,
        sts_always: true,
        ..Default::default()
    };
    vec![
        Filter::Headers(Box::new(HeaderRules {
            request: lines(&[("X-From", "outside"), ("Cookie", "")]),
            response: lines(&[("X-Replica", ""), ("X-Served-By", "us")]),
            security,
            ..HeaderRules::default()
        })),
        Filter::Rewrite(Rewrite::StripPrefix(vec!["/app".into()])),
        Filter::RedirectRegex(RegexRedirection {
            expression: Expression::new("^http://./old/(.*)").expect("an expression"),
            replacement: "http://new.test/$1".into(),
            is_permanent: false,
        }),
    ]
}

/// Shows what it was asked, or that it is gone, or switches protocols.
fn answer(request: &Received) -> Vec<u8> {
    if request.header("upgrade").is_some() {
        return b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                 X-Replica: 1\r\n\r\n"
            .to_vec();
    }
    if request.head.contains("/gone ") {
        return b"HTTP/1.1 304 Not Modified\r\nX-Replica: 1\r\nX-Frame-Options: a\r\n\r\n".to_vec();
    }
    let mut answer = ok(&format!("{}\n{}", request.head, request.text()));
    if request.head.starts_with("HEAD ") {
        let end = answer.windows(4).position(|it| it == b"\r\n\r\n").expect("a head");
        answer.truncate(end + 4);
    }
    answer
}

/// The lines of a message, in no order, and what else there is of it.
fn told(address: SocketAddr, request: &str, host: &str) -> (Vec<String>, String) {
    let mut client = Client::connect(address);
    client.send(request.replace("Host: H", &format!("Host: {host}")));
    let is_head = request.starts_with("HEAD ");
    let answer = Received::read_to(&mut client.reader, is_head).expect("an answer");
    let own = |text: &str| text.replace(&format!(": {host}\r\n"), ": H\r\n");
    let plain = |line: &str| !line.starts_with("Date: ") && !line.starts_with("X-Request-Id: ");
    let head = own(&answer.head);
    let mut lines: Vec<String> =
        head.lines().filter(|line| plain(line)).map(str::to_owned).collect();
    lines[1..].sort();
    (lines, own(&answer.text()))
}

/// Three routes to the same endpoint: `a`, where all is folded; `b`, where it is one frame, since a
/// filter more counts, which lets everybody in; and `c`, where nothing stands beside its like.
fn all(filters: &[Filter], routes: &[Served]) -> RoutingMap {
    let mut map = routing(routes);
    let none = RetryRule {
        attempts: 1,
        timeout: None,
        interval: None,
        max_body: None,
        statuses: Vec::new(),
        is_by_status_alone: false,
        is_for_all_methods: false,
    };
    let apart = filters.iter().flat_map(|it| [it.clone(), Filter::Retry(none.clone())]);
    put(&mut map, "main", "folded", filters.to_vec());
    put(&mut map, "other", "run", filters.iter().cloned().chain([in_flight(1_000)]).collect());
    put(&mut map, "third", "apart", apart.collect());
    map
}

fn in_flight(amount: u64) -> Filter {
    Filter::InFlight(InFlightLimit {
        amount,
        of: Counted::Host,
        status: 429,
        page: Default::default(),
    })
}

/// Gives a route these filters, called so.
fn put(map: &mut RoutingMap, route: &str, name: &str, filters: Vec<Filter>) {
    let named = filters.into_iter().enumerate().map(|(at, it)| (format!("{name}-{at}"), it));
    let uses = named.map(|(id, filter)| {
        let node = FilterNode { id: id.as_str().into(), place: None, filter };
        map.filters.insert(node.id.clone(), Arc::new(node));
        Use { filter: id.as_str().into(), state: id.into() }
    });
    let uses = uses.collect();
    change(map, route, |route| route.uses = uses);
}

const HOSTS: [&str; 3] = ["a", "b", "c"];

fn started(endpoint: SocketAddr) -> (Gateway, SocketAddr, [Served; 3]) {
    let routes = [("main", "a"), ("other", "b"), ("third", "c")]
        .map(|(name, host)| route(name, host, "/", &[endpoint]));
    let options = GatewayOptions { workers: 1, ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&routes, options);
    gateway.apply(&all(&filters(), &routes), 2);
    (gateway, address, routes)
}

#[test]
fn what_is_folded_is_served_as_by_frames() {
    let server = Server::answering(answer);
    for (endpoint, expected) in [(server.address, 200), (dead(), 502)] {
        let (_gateway, address, _) = started(endpoint);
        for request in REQUESTS {
            let [folded, run, framed] = HOSTS.map(|host| told(address, request, host));
            assert_eq!(folded, framed, "{request}");
            assert_eq!(run, framed, "{request}");
        }
        let (lines, text) = told(address, REQUESTS[0], "a");
        assert!(lines[0].starts_with(&format!("HTTP/1.1 {expected} ")), "{lines:?}");
        assert!(lines.contains(&"X-Served-By: us".to_owned()), "{lines:?}");
        if expected == 200 {
            assert!(text.starts_with("GET /x HTTP/1.1\r\n"), "{text}");
            assert!(text.contains("X-From: outside\r\n") && !text.contains(": me\r\n"), "{text}");
        }
    }
}

/// Requests of one connection of HTTP/2 pass them one after the other, and nothing of one is left
/// to the next.
#[test]
fn requests_over_one_connection_of_http2_are_served_alike() {
    let server = Server::answering(answer);
    let (_gateway, address, _) = started(server.address);
    let asked = |host: &str, at: usize| {
        let (method, path) = [("GET", "/app/x?q=1"), ("POST", "/app/y"), ("GET", "/old/x")][at % 3];
        let uri = format!("http://{host}{path}");
        let mut asked = request(method, "/");
        *asked.uri_mut() = uri.parse().unwrap();
        let name = http::HeaderName::try_from(format!("x-own-{at}")).unwrap();
        asked.headers_mut().insert(name, http::HeaderValue::from_static("1"));
        asked
    };
    run(async {
        let mut found = Vec::new();
        for host in HOSTS {
            let (mut sender, mut answers) = (connect(address).await, Vec::new());
            for at in 0..12 {
                let body: &[u8] = if at % 3 == 1 { b"abc" } else { b"" };
                let answer = ask(&mut sender, asked(host, at), body).await.unwrap();
                let text = answer.text().replace(&format!(": {host}\r\n"), ": H\r\n");
                let own = (0..12).filter(|at| text.contains(&format!("x-own-{at}: ")));
                let own: Vec<usize> = own.collect();
                let expected = if at % 3 == 2 { vec![] } else { vec![at] };
                assert_eq!((answer.status, own), ([200, 200, 302][at % 3], expected), "{text}");
                let mut lines: Vec<_> = answer.headers.iter().collect();
                lines.retain(|(name, _)| *name != "date" && *name != "x-request-id");
                lines.sort_by_key(|(name, _)| name.as_str());
                answers.push((answer.status, format!("{lines:?}"), text));
            }
            found.push(answers);
        }
        assert_eq!(found[0], found[2]);
        assert_eq!(found[1], found[2]);
    });
}

/// What switches protocols goes on as a tunnel, in which bytes are the client's and the endpoint's
/// own; who is counted is until it is closed.
#[test]
fn what_switches_protocols_is_counted_until_it_ends() {
    let server = Server::start(|stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        while let Some(request) = Received::read(&mut reader) {
            if writer.write_all(&answer(&request)).is_err() {
                return;
            }
            if request.header("upgrade").is_some() {
                let _ = std::io::copy(&mut reader, &mut writer);
                return;
            }
        }
    });
    let (gateway, address, routes) = started(server.address);
    let mut map = all(&filters(), &routes);
    put(&mut map, "other", "one", filters().into_iter().chain([in_flight(1)]).collect());
    gateway.apply(&map, 3);
    for host in HOSTS {
        let mut client = Client::connect(address);
        client.send(REQUESTS[8].replace("Host: H", &format!("Host: {host}")));
        let head = client.receive();
        assert_eq!((head.status(), head.header("x-served-by")), (101, Some("us")), "{host}");
        assert_eq!(head.header("x-replica"), None, "{host}");
        let text = "GET /old/x HTTP/1.1\r\nHost: a\r\n\r\n";
        client.send(text);
        let mut echoed = vec![0; text.len()];
        client.reader.read_exact(&mut echoed).unwrap();
        assert_eq!(echoed, text.as_bytes(), "{host}");
        let is_full = host == "b";
        assert_eq!(get(address, host, "/app/x").status(), if is_full { 429 } else { 200 });
        // Another configuration that has the same limit does not forget it.
        let version = gateway_version();
        gateway.apply(&map, version);
        assert_eq!(get(address, host, "/app/x").status(), if is_full { 429 } else { 200 });
        drop(client);
        eventually("it is let go", || get(address, host, "/app/x").status() == 200);
    }
}

/// A number that no configuration has had.
fn gateway_version() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(100);
    NEXT.fetch_add(1, Ordering::SeqCst)
}

/// The next request of a connection passes what the new configuration says; one that is under way
/// ends by what it has passed, and is let go where it was counted.
#[test]
fn a_reload_takes_their_place_between_two_requests() {
    let held = HeldServer::start("late");
    let server = Server::answering(answer);
    let (gateway, address, mut routes) = started(server.address);
    let mut clients = HOSTS.map(|_| Client::connect(address));
    for value in ["one", "two", "three"] {
        let mut filters = filters();
        if let Filter::Headers(rules) = &mut filters[0] {
            rules.request.insert("X-From".into(), value.into());
            rules.response.insert("X-Served-By".into(), value.into());
        }
        gateway.apply(&all(&filters, &routes), gateway_version());
        for (client, host) in clients.iter_mut().zip(HOSTS) {
            let answer = client.get(host, "/app/x");
            assert_eq!(answer.header("x-served-by"), Some(value), "{host}");
            assert!(answer.text().contains(&format!("X-From: {value}\r\n")), "{host}");
        }
    }
    routes[1] = route("other", "b", "/", &[held.server.address]);
    let limited = |lines: &str| {
        let mut all = filters();
        if let Filter::Headers(rules) = &mut all[0] {
            rules.response.insert("X-Served-By".into(), lines.into());
        }
        let mut map = routing(&routes);
        put(&mut map, "other", "one", all.into_iter().chain([in_flight(1)]).collect());
        map
    };
    gateway.apply(&limited("before"), gateway_version());
    clients[1].send("GET /app/x HTTP/1.1\r\nHost: b\r\n\r\n");
    eventually("it is there", || held.server.accepted.load(Ordering::SeqCst) == 1);
    gateway.apply(&limited("after"), gateway_version());
    assert_eq!(get(address, "b", "/app/x").status(), 429, "it is counted still");
    held.release();
    let answer = clients[1].receive();
    assert_eq!((answer.text().as_str(), answer.header("x-served-by")), ("late", Some("before")));
    let mut last = None;
    eventually("it is let go", || {
        let answer = get(address, "b", "/app/x");
        let status = answer.status();
        last = Some(answer);
        status == 200
    });
    assert_eq!(last.unwrap().header("x-served-by"), Some("after"));
}

/// A choice that is more than one among endpoints is made once for each request: nobody's turn is
/// taken in vain, whatever the edges use.
#[test]
fn whose_turn_it_is_is_asked_once() {
    let [one, two] = ["one", "two"].map(Server::echo);
    let routes =
        [route("main", "a", "/", &[one.address]), route("other", "b", "/", &[two.address])];
    let options = GatewayOptions { workers: 1, ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&routes, options);
    for (on_edge, version) in [(&[][..], 2), (&[("edit", "folded-edge")], 3)] {
        let mut map = routing(&routes);
        put_filters(&mut map, "main", filters());
        let edges = vec![edge(&leaf("main"), 1, &[]), edge(&leaf("other"), 1, on_edge)];
        put_backend(&mut map, "both", Backend::Weighted { edges, sticky: None });
        change(&mut map, "main", |route| route.to = Destination::Backend("both".into()));
        gateway.apply(&map, version);
        let mut client = Client::connect(address);
        let found: Vec<String> = (0..20).map(|_| client.get("a", "/app/x").who()).collect();
        let count = |name: &str| found.iter().filter(|it| *it == name).count();
        assert_eq!([count("one"), count("two")], [10, 10], "{on_edge:?} {found:?}");
    }
}

/// Else the tests above would compare frames with frames.
#[test]
fn one_of_them_is_folded_one_a_run_and_the_third_neither() {
    let usage = Use { filter: "it".into(), state: "it".into() };
    let map = all(&filters(), &["main", "other", "third"].map(|name| route(name, "a", "/", &[])));
    let made = |name: &str| -> Vec<Recipe> {
        let mut memory = Memory::seeded(1);
        let uses = &map.routes.get(&id(name)).unwrap().uses;
        let filters = uses.iter().map(|it| &map.filters.get(&it.filter).unwrap().filter);
        filters.map(|it| Recipe::of(&usage, Some(it), &mut memory).unwrap()).collect()
    };
    let [folded, run, apart] = ["main", "other", "third"].map(made);
    assert!(Recipe::folded(&folded).is_some());
    assert!(Recipe::folded(&run).is_none() && Recipe::in_runs(run).len() == 1);
    let count = apart.len();
    assert!(Recipe::folded(&apart).is_none() && Recipe::in_runs(apart).len() == count);
}
