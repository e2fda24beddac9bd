//! Copies of requests, and backends that are asked when others fail, on real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use steelyard_gateway::Gateway;
use steelyard_model::Host;
use steelyard_model::routing::backend::{Backend, CopiedBody, Edge, Endpoints, SentHost};
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::access::{PasswordAuth, PasswordManner};
use steelyard_model::routing::id::BackendId;
use steelyard_model::routing::route::Destination;
use steelyard_model::routing::transport::Transport;
use steelyard_model::routing::world::RoutingMap;
use support::filtering::{Uses, change, edge, leaf, put_backend, put_filters, told};
use support::h2::{Deed, Endpoint, ask, connect, request, run};
use support::{
    Client, Received, Server, dead, eventually, gateway, ok, route, routing, scrape, speak,
    speak_http2,
};

/// What a server was asked: first lines and bodies.
type Heard = Arc<Mutex<Vec<(String, String)>>>;

/// A server that remembers what it is asked, and answers with a status that may change.
struct Ear {
    server: Server,
    heard: Heard,
    status: Arc<AtomicU16>,
}

impl Ear {
    fn new(name: &'static str) -> Self {
        let (heard, status) = (Heard::default(), Arc::new(AtomicU16::new(200)));
        let (to, now) = (heard.clone(), status.clone());
        let server = Server::answering(move |asked: &Received| {
            let body = whole_body(asked);
            to.lock().unwrap().push((asked.head.lines().next().unwrap().to_owned(), body));
            match now.load(Ordering::SeqCst) {
                200 => ok(name),
                status => format!("HTTP/1.1 {status} X\r\nContent-Length: 4\r\n\r\nfail").into(),
            }
        });
        Self { server, heard, status }
    }

    fn count(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    fn bodies(&self) -> Vec<String> {
        self.heard.lock().unwrap().iter().map(|(_, body)| body.clone()).collect()
    }
}

fn whole_body(asked: &Received) -> String {
    asked.text()
}

/// The route `app` leads to the backend `root`; `a` and `b` are ears, `hangs` takes connections and
/// says nothing, `dead` takes none, `down` has no endpoint.
struct Field {
    a: Ear,
    b: Ear,
    hangs: Server,
    gateway: Gateway,
    address: SocketAddr,
    generation: u64,
}

impl Field {
    fn new() -> Self {
        let (gateway, address) = gateway(&[]);
        let hangs = Server::start(|stream, _| {
            // Until the other side closes.
            let _ = std::io::copy(&mut &stream, &mut std::io::sink());
        });
        Self { a: Ear::new("a"), b: Ear::new("b"), hangs, gateway, address, generation: 1 }
    }

    fn apply(&mut self, root: Backend) {
        self.apply_with(root, false);
    }

    fn apply_with(&mut self, root: Backend, is_http2: bool) {
        self.apply_all(root, &[], is_http2);
    }

    /// The same, with others that it may lead to.
    fn apply_among(&mut self, root: Backend, others: &[(&str, Backend)]) {
        self.apply_all(root, others, false);
    }

    fn apply_all(&mut self, root: Backend, others: &[(&str, Backend)], is_http2: bool) {
        let addresses = [
            ("a", vec![self.a.server.address]),
            ("b", vec![self.b.server.address]),
            ("hangs", vec![self.hangs.address]),
            ("dead", vec![dead()]),
            ("down", vec![]),
        ];
        let mut routes = vec![route("app", "app", "/", &[])];
        routes.extend(addresses.iter().map(|(name, all)| route(name, name, "/", all)));
        let mut map = routing(&routes);
        if is_http2 {
            speak_http2(&mut map, "b");
        }
        change(&mut map, "app", |route| route.to = Destination::Backend("root".into()));
        put_backend(&mut map, "root", root);
        for (name, backend) in others {
            put_backend(&mut map, name, backend.clone());
        }
        self.generation += 1;
        self.gateway.apply(&map, self.generation);
    }

    /// How many copies came to this.
    fn copies(&self, outcome: &str) -> u64 {
        let line = format!("steelyard_copied_requests_total{{outcome=\"{outcome}\"}} ");
        let text = scrape(&self.gateway);
        let found = text.lines().find_map(|it| it.strip_prefix(&line));
        found.map_or(0, |count| count.parse().unwrap())
    }
}

fn to(name: &str) -> Edge {
    edge(&leaf(name), 1, &[])
}

fn mirror(copies: &[(&str, u8)], body: CopiedBody) -> Backend {
    let copies = copies.iter().map(|(name, share)| (to(name), *share)).collect();
    Backend::Mirror { main: to("a"), copies, body }
}

fn failover(primary: &str, statuses: &[(u16, u16)], replay: Option<u64>) -> Backend {
    Backend::Failover {
        primary: to(primary),
        fallback: Box::new(to("b")),
        statuses: statuses.to_vec(),
        replay,
    }
}

fn post(client: &mut Client, body: &str) -> Received {
    let length = body.len();
    client
        .send(format!("POST /x HTTP/1.1\r\nHost: app\r\nContent-Length: {length}\r\n\r\n{body}"))
        .receive()
}

/// The body comes in two parts, chunked.
fn post_in_parts(client: &mut Client, parts: [&str; 2]) -> Received {
    client.send("POST /x HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n");
    for part in parts {
        client.send(format!("{:x}\r\n{part}\r\n", part.len()));
        std::thread::yield_now();
    }
    client.send("0\r\n\r\n").receive()
}

/// Who is to be asked by its own name is, at each attempt and whatever is spoken to it; copies and
/// those who are asked second are asked by what the client asked for, unless they are such too.
#[test]
fn endpoints_are_asked_by_their_own_names() {
    let hosts: [Arc<Mutex<Vec<String>>>; 2] = Default::default();
    let servers = [0, 1].map(|at| {
        let hosts = hosts[at].clone();
        Server::answering(move |asked: &Received| {
            hosts.lock().unwrap().push(asked.header("host").unwrap().to_owned());
            match at {
                0 if asked.head.contains("/fails") => {
                    "HTTP/1.1 503 X\r\nContent-Length: 4\r\n\r\nfail".into()
                }
                _ => {
                    ok(&format!("{}\n{}", asked.header("x-forwarded-host").unwrap(), asked.text()))
                }
            }
        })
    });
    let http2 = Endpoint::start(100, |_, _| Deed::Echo);
    let [own, kept] = servers.each_ref().map(|server| server.address);
    let mut named = route("named", "named", "/", &[own]);
    named.services[0].endpoints[0].host = Host::Name("localhost".into());
    let mut map = routing(&[
        route("app", "app", "/", &[]),
        route("own", "own", "/", &[dead(), own]),
        route("kept", "kept", "/", &[kept]),
        route("http2", "http2", "/", &[http2.address]),
        named,
    ]);
    speak_http2(&mut map, "http2");
    for name in ["own", "http2", "named"] {
        change_leaf(&mut map, name, |leaf| leaf.host = SentHost::Endpoint);
    }
    let (gateway, address) = gateway(&[]);
    gateway.apply(&map, 2);
    let mut client = Client::connect(address);
    for _ in 0..4 {
        assert_eq!(client.get("own", "/").text(), "own\n", "one of its endpoints is dead");
    }
    let body = "POST /Host: HTTP/1.1\r\nhOST: own\r\nContent-Length: 9\r\n\r\nHost: b\r\n";
    assert_eq!(client.send(body).receive().text(), "own\nHost: b\r\n");
    assert_eq!(client.get("named", "/").status(), 200);
    let text = client.get("http2", "/").text();
    assert!(text.starts_with(&format!("GET http://{}/\n", http2.address)), "{text}");
    let mut expected = vec![own.to_string(); 5];
    expected.push(format!("localhost:{}", own.port()));
    assert_eq!(*hosts[0].lock().unwrap(), expected);
    let copied = Backend::Mirror {
        main: to("own"),
        copies: vec![(to("kept"), 100)],
        body: CopiedBody::Without,
    };
    let second = Backend::Failover {
        primary: to("own"),
        fallback: Box::new(to("kept")),
        statuses: vec![(500, 599)],
        replay: None,
    };
    change(&mut map, "app", |route| route.to = Destination::Backend("root".into()));
    for (generation, root, path, count) in [(3, copied, "/", 1), (4, second, "/fails", 2)] {
        put_backend(&mut map, "root", root);
        gateway.apply(&map, generation);
        assert_eq!(client.get("app", path).status(), 200);
        eventually("both were asked", || hosts[1].lock().unwrap().len() == count);
        assert_eq!(hosts[1].lock().unwrap()[count - 1], "app");
        assert_eq!(*hosts[0].lock().unwrap().last().unwrap(), own.to_string());
    }
}

/// An endpoint that has its paths below another one is asked for those, whatever is spoken to it,
/// also when it is asked first by somebody else.
#[test]
fn paths_are_below_what_an_endpoint_has() {
    let server =
        Server::answering(|asked: &Received| ok(asked.head.split(' ').nth(1).unwrap_or_default()));
    let http2 = Endpoint::start(100, |_, _| Deed::Echo);
    let mut map = routing(&[
        route("own", "own", "/", &[dead(), server.address]),
        route("kept", "kept", "/", &[server.address]),
        route("http2", "http2", "/", &[http2.address]),
    ]);
    speak_http2(&mut map, "http2");
    for name in ["own", "http2"] {
        change_leaf(&mut map, name, |leaf| leaf.below = Some("/base".into()));
    }
    let (gateway, address) = gateway(&[]);
    gateway.apply(&map, 2);
    let mut client = Client::connect(address);
    for (host, path, expected) in [
        ("own", "/", "/base/"),
        ("own", "/a%2Fb?c=/d", "/base/a%2Fb?c=/d"),
        ("kept", "/a", "/a"),
        ("own", "/a", "/base/a"),
    ] {
        assert_eq!(client.get(host, path).text(), expected, "{host}{path}");
    }
    let text = client.get("http2", "/a?b").text();
    assert!(text.starts_with("GET http://http2/base/a?b\n"), "{text}");
}

/// Who says how long answers may take is answered for by then, and others are not; what says how
/// long connections may be idle has no older ones.
#[test]
fn endpoints_have_the_times_of_their_transport() {
    let server = Server::answering(|asked: &Received| match asked.head.contains("/never") {
        true => Vec::new(),
        false => ok("answered"),
    });
    let mut map = routing(&[route("own", "own", "/", &[server.address])]);
    let transport = Transport {
        id: "timed".into(),
        connect: Some(Duration::from_secs(2)),
        answer: Some(Duration::from_millis(200)),
        ..Transport::plain()
    };
    speak(&mut map, "own", transport.clone());
    let (gateway, address) = gateway(&[]);
    gateway.apply(&map, 2);
    let mut client = Client::connect(address);
    for _ in 0..3 {
        assert_eq!(client.get("own", "/").text(), "answered");
    }
    assert_eq!(server.accepted.load(Ordering::SeqCst), 1, "one connection for all");
    assert_eq!(client.get("own", "/never").status(), 504);
    speak(&mut map, "own", Transport { idle: Some(Duration::ZERO), ..transport });
    gateway.apply(&map, 3);
    let before = server.accepted.load(Ordering::SeqCst);
    let mut client = Client::connect(address);
    for _ in 0..3 {
        assert_eq!(client.get("own", "/").text(), "answered");
    }
    assert_eq!(server.accepted.load(Ordering::SeqCst), before + 3, "none is old enough");
}

/// Changes how endpoints of a route are asked.
fn change_leaf(map: &mut RoutingMap, name: &str, change: impl FnOnce(&mut Endpoints)) {
    let id = BackendId::from(leaf(name));
    let mut node = (**map.backends.get(&id).unwrap()).clone();
    if let Backend::Endpoints(leaf) = &mut node.backend {
        change(leaf);
    }
    map.backends.insert(id, Arc::new(node));
}

#[test]
fn copies_have_their_share_and_their_bodies_up_to_a_size() {
    let mut it = Field::new();
    it.apply(mirror(&[("b", 30)], CopiedBody::UpTo(Some(1_000))));
    let mut client = Client::connect(it.address);
    for _ in 0..100 {
        assert_eq!(client.get("app", "/").text(), "a");
    }
    eventually("a share is copied", || it.b.count() == 30 && it.copies("answered") == 30);
    it.apply(mirror(&[("b", 100)], CopiedBody::UpTo(Some(1_000))));
    let (small, large) = ("s".repeat(1_000), "l".repeat(1_001));
    for body in [&small, &large] {
        assert_eq!(post(&mut client, body).text(), "a");
    }
    assert_eq!(post_in_parts(&mut client, ["first ", "second"]).text(), "a");
    eventually("both are there", || it.b.count() == 32);
    assert_eq!(it.b.bodies()[30..], [small, "first second".into()]);
    assert_eq!(it.copies("unsent"), 1, "what is too large is not copied at all");
    let head = it.b.heard.lock().unwrap()[30].0.clone();
    assert_eq!(head, "POST /x HTTP/1.1");
    it.apply(mirror(&[("b", 100)], CopiedBody::Without));
    assert_eq!(post(&mut client, "none of it").text(), "a");
    eventually("without its body", || it.b.count() == 33);
    assert_eq!(it.b.bodies()[32], "");
    // By HTTP/2, to a body that is longer than what comes at once.
    it.apply(mirror(&[("b", 100)], CopiedBody::UpTo(None)));
    let long = "x".repeat(300_000);
    run(async {
        let mut sender = connect(it.address).await;
        let mut asked = request("POST", "/x");
        *asked.uri_mut() = "http://app/x".parse().unwrap();
        let answer = ask(&mut sender, asked, long.as_bytes()).await.unwrap();
        assert_eq!(answer.text(), "a");
    });
    eventually("all of it", || it.b.count() == 34);
    assert_eq!(it.b.bodies()[33].len(), long.len());
    assert_eq!(it.a.count(), 105);
}

/// Filters on a copy's way see it and nothing else: what they make of it is sent, and one that
/// answers keeps it back.
#[test]
fn a_copy_passes_what_stands_on_its_way() {
    let mut it = Field::new();
    let by = |on_it: Uses<'_>| Backend::Mirror {
        main: edge(&leaf("a"), 1, &[]),
        copies: vec![(edge(&leaf("b"), 1, on_it), 100)],
        body: CopiedBody::UpTo(None),
    };
    let mut client = Client::connect(it.address);
    it.apply(by(&[("redirect", "led"), ("mark", "m"), ("work", "w"), ("sleep=1", "s")]));
    assert_eq!(client.get("app", "/x?y").text(), "a");
    assert_eq!(post(&mut client, "body").text(), "a");
    assert_eq!(post_in_parts(&mut client, ["first ", "second"]).text(), "a");
    eventually("they are copied", || it.b.count() == 3 && it.copies("answered") == 3);
    let mut heard = it.b.heard.lock().unwrap().clone();
    heard.sort();
    let [first, ..] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(first, &("PATCH /elsewhere HTTP/1.1".to_owned(), "mbody".to_owned()));
    assert_eq!(heard[1], ("PATCH /elsewhere HTTP/1.1".into(), "mfirst second".into()));
    assert_eq!(heard[2], ("PATCH /elsewhere?y HTTP/1.1".into(), String::new()));
    assert_eq!(it.a.heard.lock().unwrap()[0].0, "GET /x?y HTTP/1.1");
    it.b.status.store(503, Ordering::SeqCst);
    it.apply(by(&[("body=4", "whole"), ("again=10", "again")]));
    assert_eq!(post(&mut client, "body").text(), "a");
    eventually("what comes of it is told, and it is sent once", || it.copies("failed") == 1);
    told("whole", &["enter", "leave 503 by backend", "done Finished"]);
    for (on_it, unsent) in [(&[("answer=401", "no")][..], 1), (&[("body=3", "small")], 2)] {
        it.apply(by(on_it));
        assert_eq!(post(&mut client, "body").text(), "a");
        eventually("it is kept back", || it.copies("unsent") == unsent);
    }
    assert_eq!((it.b.count(), it.a.count()), (4, 6));
    // A filter that cannot be had closes the route, as everywhere.
    it.apply(by(&[("unknown", "x")]));
    assert_eq!(client.get("app", "/").status(), 503);
}

#[test]
fn of_ten_thousand_requests_a_share_is_copied() {
    let mut it = Field::new();
    it.apply(mirror(&[("b", 30)], CopiedBody::Without));
    let mut client = Client::connect(it.address);
    for _ in 0..10_000 {
        assert_eq!(client.get("app", "/").text(), "a");
    }
    eventually("a share is copied", || it.b.count() == 3_000);
    assert_eq!((it.a.count(), it.copies("unsent")), (10_000, 0));
}

/// Mirrors that hang, that take no connection, that fail and that are not there: the answer is the
/// main one's, as soon as it is there.
#[test]
fn nobody_feels_a_copy() {
    let mut it = Field::new();
    let all = [("hangs", 100), ("dead", 100), ("b", 100), ("down", 100)];
    it.apply(mirror(&all, CopiedBody::UpTo(None)));
    it.b.status.store(500, Ordering::SeqCst);
    let mut client = Client::connect(it.address);
    let began = Instant::now();
    for _ in 0..300 {
        assert_eq!(client.get("app", "/").text(), "a");
    }
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    // Those that hang have all places after a while: no more are sent.
    eventually("they are counted", || {
        let counts = ["answered", "failed", "unsent"].map(|outcome| it.copies(outcome));
        counts[0] == 0 && counts[1] > 200 && counts[2] >= 300
    });
}

#[test]
fn another_is_asked_when_nobody_is_there_and_back_again() {
    let mut it = Field::new();
    for (primary, who) in [("a", "a"), ("down", "b"), ("a", "a")] {
        it.apply(failover(primary, &[], None));
        let mut client = Client::connect(it.address);
        for _ in 0..3 {
            assert_eq!(client.get("app", "/").text(), who);
        }
    }
}

#[test]
fn another_is_asked_by_status_with_all_of_the_body() {
    let mut it = Field::new();
    it.apply(failover("a", &[(500, 504), (429, 429)], Some(20)));
    let mut client = Client::connect(it.address);
    for (status, who) in
        [(200, "a"), (503, "b"), (404, "fail"), (429, "b"), (505, "fail"), (200, "a")]
    {
        it.a.status.store(status, Ordering::SeqCst);
        assert_eq!(client.get("app", "/").text(), who, "{status}");
    }
    it.a.status.store(500, Ordering::SeqCst);
    assert_eq!(post(&mut client, "twenty bytes at most").text(), "b");
    assert_eq!(post_in_parts(&mut client, ["abc", "def"]).text(), "b");
    // Who sends more is refused, whether it is known beforehand or not, and nobody is asked.
    let before = it.a.count();
    for answer in [
        post(&mut client, "more than twenty bytes"),
        post_in_parts(&mut Client::connect(it.address), ["more than ", "twenty bytes"]),
    ] {
        assert_eq!((answer.status(), answer.text()), (413, "Request Entity Too Large".into()));
    }
    assert_eq!(it.a.count(), before);
    let mut client = Client::connect(it.address);
    assert_eq!(it.b.bodies()[2..], ["twenty bytes at most".to_owned(), "abcdef".into()]);
    // By what becomes of a connection, where its status is one of these.
    it.apply(failover("dead", &[(502, 504)], Some(20)));
    assert_eq!(post(&mut client, "kept").text(), "b");
    it.apply(failover("dead", &[(500, 500)], Some(20)));
    assert_eq!(post(&mut client, "kept").status(), 502);
    // By HTTP/2.
    it.apply(failover("a", &[(500, 500)], None));
    run(async {
        let mut sender = connect(it.address).await;
        let mut asked = request("POST", "/x");
        *asked.uri_mut() = "http://app/x".parse().unwrap();
        let body = vec![b'y'; 200_000];
        let answer = ask(&mut sender, asked, &body).await.unwrap();
        assert_eq!((answer.status, answer.text()), (200, "b".into()));
    });
    assert_eq!(it.b.bodies().last().unwrap().len(), 200_000);
    // Both fail: the last one's answer it is.
    it.b.status.store(503, Ordering::SeqCst);
    let answer = client.get("app", "/");
    assert_eq!((answer.status(), answer.text()), (503, "fail".into()));
}

/// Distribution over 10,000 requests, half of which change the backend once in a while.
#[test]
fn it_goes_back_and_forth_and_nothing_is_lost() {
    let mut it = Field::new();
    it.apply(failover("a", &[(500, 599)], Some(100)));
    let mut client = Client::connect(it.address);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..20 {
        it.a.status.store(if round % 2 == 0 { 200 } else { 503 }, Ordering::SeqCst);
        for at in 0..250 {
            let answer =
                if at % 2 == 0 { client.get("app", "/") } else { post(&mut client, "body") };
            *counts.entry(answer.text()).or_default() += 1;
        }
    }
    assert_eq!(counts, BTreeMap::from([("a".into(), 2_500), ("b".into(), 2_500)]));
}

/// The first way and the second, each with filters.
fn filtered(first: (&str, Uses<'_>), second: (&str, Uses<'_>), replay: Option<u64>) -> Backend {
    Backend::Failover {
        primary: edge(first.0, 1, first.1),
        fallback: Box::new(edge(second.0, 1, second.1)),
        statuses: vec![(502, 504)],
        replay,
    }
}

/// Who is asked second passes what is on that way, with the request as it came to the fork: nothing
/// that the first one has passed is left of it, and nothing of its body is missing.
#[test]
fn who_is_asked_second_by_a_status_passes_what_is_on_that_way() {
    let mut it = Field::new();
    let (a, b) = (leaf("a"), leaf("b"));
    let second: Uses<'_> = &[("redirect", "led-2"), ("mark", "m"), ("edit", "second")];
    it.apply(filtered(
        (&a, &[("set=X-First:1", "set-1"), ("edit", "first")]),
        (&b, second),
        Some(20),
    ));
    let mut client = Client::connect(it.address);
    let answer = client.get("app", "/x?y");
    assert_eq!((answer.text(), answer.header("x-trial")), ("a".into(), Some("first")));
    it.a.status.store(503, Ordering::SeqCst);
    let answer = client.get("app", "/x?y");
    assert_eq!((answer.text(), answer.header("x-trial")), ("mb".into(), Some("second")));
    assert_eq!(post(&mut client, "twenty bytes at most").text(), "mb");
    assert_eq!(post_in_parts(&mut client, ["abc", "def"]).text(), "mb");
    // Who sends more than is kept is refused.
    assert_eq!(post(&mut client, "more than twenty bytes").status(), 413);
    let mut client = Client::connect(it.address);
    assert_eq!(it.b.bodies(), ["", "mtwenty bytes at most", "mabcdef"]);
    let heard = it.b.heard.lock().unwrap().clone();
    assert_eq!(heard[0].0, "PATCH /elsewhere?y HTTP/1.1");
    assert!(heard.iter().all(|(line, _)| line.starts_with("PATCH /elsewhere")), "{heard:?}");
    run(async {
        let mut sender = connect(it.address).await;
        for _ in 0..2 {
            let mut asked = request("POST", "/x");
            *asked.uri_mut() = "http://app/x".parse().unwrap();
            let answer = ask(&mut sender, asked, b"over HTTP/2").await.unwrap();
            assert_eq!((answer.status, answer.text()), (200, "mb".into()));
        }
    });
    it.a.status.store(200, Ordering::SeqCst);
    assert_eq!(client.get("app", "/").text(), "a");
}

/// Each frame on either way is left and told its end once, and what the second way's filters say
/// holds: they keep out whom they keep out.
#[test]
fn filters_of_both_ways_have_their_word() {
    let mut it = Field::new();
    let (a, b, gone) = (leaf("a"), leaf("b"), leaf("dead"));
    let mut client = Client::connect(it.address);
    it.a.status.store(503, Ordering::SeqCst);
    it.apply(filtered((&a, &[("edit", "fork-1")]), (&b, &[("answer=401", "fork-2")]), None));
    assert_eq!(post(&mut client, "body").status(), 401);
    told("fork-1", &["enter", "leave 503 by backend", "done Replaced"]);
    told("fork-2", &["enter", "leave 401 by 0", "done Finished"]);
    assert_eq!((it.a.count(), it.b.count()), (1, 0));
    // A filter that answers for the first one is as the first one's answer.
    it.apply(filtered((&a, &[("answer=503", "fork-3")]), (&b, &[("edit", "fork-4")]), None));
    assert_eq!(post(&mut client, "body").text(), "b");
    assert_eq!((it.a.count(), it.b.bodies()), (1, vec!["body".to_owned()]));
    // And so is what becomes of a connection, or of whom there is nobody.
    it.apply(filtered((&gone, &[]), (&b, &[("edit", "fork-5")]), None));
    assert_eq!(post(&mut client, "body").text(), "b");
    it.apply(filtered((&leaf("down"), &[]), (&b, &[("edit", "fork-6")]), None));
    assert_eq!(post(&mut client, "body").text(), "b");
    told("fork-6", &["enter", "leave 200 by backend", "done Finished"]);
    // Both fail: the last one's answer it is.
    it.apply(filtered((&a, &[("edit", "fork-7")]), (&gone, &[("edit", "fork-8")]), None));
    assert_eq!(post(&mut client, "body").status(), 502);
    it.apply(filtered((&a, &[]), (&leaf("down"), &[("edit", "fork-9")]), None));
    assert_eq!(client.get("app", "/").status(), 503);
    // A filter that cannot be had closes the route, as everywhere.
    let (came, asked) = (it.a.count(), it.b.count());
    it.apply(filtered((&a, &[]), (&b, &[("unknown", "x")]), None));
    assert_eq!(client.get("app", "/").status(), 503);
    assert_eq!((it.a.count(), it.b.count()), (came, asked));
}

/// Forks within forks, copies before them and attempts around them.
#[test]
fn forks_stand_within_others() {
    let mut it = Field::new();
    let (a, b) = (leaf("a"), leaf("b"));
    let inner = || filtered((&a, &[("edit", "in-1")]), (&b, &[("edit", "in-2")]), None);
    let all = |it: &mut Field, root: Backend| {
        let extra = [("inner", inner())];
        it.apply_among(root, &extra);
    };
    let mut client = Client::connect(it.address);
    it.a.status.store(503, Ordering::SeqCst);
    all(&mut it, filtered(("inner", &[]), (&leaf("dead"), &[]), None));
    assert_eq!(post(&mut client, "body").text(), "b", "the inner one's second");
    it.b.status.store(504, Ordering::SeqCst);
    assert_eq!(post(&mut client, "body").status(), 502, "the outer one's second");
    assert_eq!((it.a.count(), it.b.count()), (2, 2));
    // A copy is sent once, whichever way is gone.
    it.b.status.store(200, Ordering::SeqCst);
    let copies = vec![(to("b"), 100)];
    all(
        &mut it,
        Backend::Mirror { main: edge("inner", 1, &[]), copies, body: CopiedBody::UpTo(None) },
    );
    assert_eq!(post(&mut client, "copied").text(), "b");
    eventually("it is copied", || it.copies("answered") == 1);
    assert_eq!((it.a.count(), it.b.count()), (3, 4));
    // Another attempt begins before the fork.
    it.b.status.store(503, Ordering::SeqCst);
    all(&mut it, filtered(("inner", &[("again=100", "around")]), (&leaf("dead"), &[]), None));
    assert_eq!(post(&mut client, "again").status(), 502);
    assert!(it.a.bodies()[3..].iter().all(|body| body == "again"));
    assert!(it.a.count() > 4 && it.a.count() - 3 == it.b.count() - 4, "each time both were asked");
}

/// A password that was checked goes where the endpoint's own request goes: a copy, and who is asked
/// second, hear of it what the endpoint hears, and no client's word for a name.
#[test]
fn a_password_goes_to_nobody_who_is_not_to_have_it() {
    let mut it = Field::new();
    let heads = Arc::new(Mutex::new(Vec::<String>::new()));
    let to_heads = heads.clone();
    let third = Server::answering(move |asked| {
        to_heads.lock().unwrap().push(asked.head.clone());
        ok("third")
    });
    let of = |edges: Backend, removes_header: bool| {
        let mut routes = vec![route("app", "app", "/", &[])];
        routes.push(route("a", "a", "/", &[it.a.server.address]));
        routes.push(route("third", "third", "/", &[third.address]));
        let mut map = routing(&routes);
        let ann = "ann:$2y$04$ZESAkIYfpjLKBay1CSAZnex8juwQ8tl6.zQ9nU.y54.1bzZzUc2qi";
        let auth = Filter::BasicAuth(PasswordAuth {
            users: vec![ann.into()].into(),
            realm: "copies".into(),
            removes_header,
            user_header: Some("X-User".into()),
            manner: PasswordManner::Traefik,
        });
        put_filters(&mut map, "app", vec![auth]);
        change(&mut map, "app", |route| route.to = Destination::Backend("root".into()));
        put_backend(&mut map, "root", edges);
        map
    };
    let (copies, body) = (vec![(to("third"), 100)], CopiedBody::UpTo(None));
    let copied = Backend::Mirror { main: to("a"), copies, body };
    let second = |uses: Uses<'_>| filtered((&leaf("a"), &[]), (&leaf("third"), uses), None);
    let mut expected = 0;
    for (status, root) in [(200, copied), (503, second(&[])), (503, second(&[("edit", "auth")]))] {
        it.a.status.store(status, Ordering::SeqCst);
        for removes in [true, false] {
            let map = of(root.clone(), removes);
            it.generation += 1;
            it.gateway.apply(&map, it.generation);
            let ask = |password: &str| {
                let lines =
                    format!("Authorization: Basic {password}\r\nX-User: eve\r\nX_User: eve");
                let mut client = Client::connect(it.address);
                client.send(format!("GET / HTTP/1.1\r\nHost: app\r\n{lines}\r\n\r\n")).receive()
            };
            assert_eq!(ask("YW5uOndyb25n").status(), 401);
            assert_eq!(ask("YW5uOnNlY3JldA==").status(), 200);
            expected += 1;
            eventually("it has come", || heads.lock().unwrap().len() == expected);
            let head = heads.lock().unwrap()[expected - 1].to_ascii_lowercase();
            assert_eq!(head.contains("authorization:"), !removes, "{head}");
            assert!(head.contains("x-user: ann") && !head.contains("eve"), "{head}");
        }
    }
}
