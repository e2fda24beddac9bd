//! What holds at one entry point alone: how long what may take, how much there may be of it, and
//! how queries are spelled.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use steelyard_gateway::{EntryTerms, Gateway};
use steelyard_http::Semicolons;
use steelyard_model::routing::route::Manner;
use support::filtering::{uses, using};
use support::h2::{Raw, ask, connect, request, run};
use support::*;

const SHORT: Duration = Duration::from_millis(300);

/// One route to a server that echoes, at an entry point with these terms.
fn echo_at(terms: EntryTerms) -> (Server, Gateway, SocketAddr) {
    let server = Server::echo("s");
    let routes = [route("main", "a", "/", &[server.address])];
    let (gateway, address) = gateway_with(&routes, one_worker(terms));
    (server, gateway, address)
}

/// Over HTTP/1 and HTTP/2, with filters and without, and by an answer of the gateway's own.
#[test]
fn a_connection_has_so_many_requests() {
    let terms = || EntryTerms { requests: Some(3), ..EntryTerms::default() };
    for (host, is_filtered, status) in [("a", false, 200), ("a", true, 200), ("b", false, 404)] {
        let (server, gateway, address) = echo_at(terms());
        if is_filtered {
            let map = routing(&[route("main", "a", "/", &[server.address])]);
            gateway.apply(&using(map, &[], &[("edit", "spent")]), 2);
        }
        let mut client = Client::connect(address);
        for nth in 1..=3 {
            let answer = client.get(host, "/");
            assert_eq!(answer.status(), status);
            let closes = answer.header("connection") == Some("close");
            assert_eq!(closes, nth == 3, "{host} {nth}: {}", answer.head);
        }
        assert!(client.is_closed(), "{host}");
    }
    let (_server, _gateway, address) = echo_at(terms());
    let mut raw = Raw::connect(address, &[]);
    for stream in [1, 3, 5] {
        raw.send(support::h2::get(stream, true));
    }
    let mut answered = 0;
    let mut is_told = false;
    while let Some((kind, flags, _, _)) = raw.next() {
        answered += usize::from(matches!(kind, 0 | 1) && flags & 1 == 1);
        is_told |= kind == 7;
    }
    assert_eq!((answered, is_told), (3, true), "all are answered, and it is told to leave");
}

#[test]
fn a_connection_goes_on_for_so_long() {
    let age = Some(SHORT);
    let (_server, _gateway, address) = echo_at(EntryTerms { age, ..EntryTerms::default() });
    let mut client = Client::connect(address);
    let began = Instant::now();
    eventually("it is the last", || {
        let answer = client.get("a", "/");
        let closes = answer.header("connection") == Some("close");
        assert!(!closes || began.elapsed() >= SHORT, "{}", answer.head);
        closes
    });
}

#[test]
fn a_head_has_so_many_bytes() {
    let head = Some(1000);
    let (_server, _gateway, address) = echo_at(EntryTerms { head, ..EntryTerms::default() });
    // As with Go it may have 4,096 more.
    for (count, status) in [(3_000, 200), (4_500, 200), (5_200, 431), (40_000, 431)] {
        let long = "x".repeat(count);
        let raw = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Long: {long}\r\n\r\n");
        assert_eq!(Client::connect(address).send(raw).receive().status(), status, "{count}");
        run(async {
            let mut asked = request("GET", "/");
            asked.headers_mut().insert("x-long", long.parse().unwrap());
            let answer = ask(&mut connect(address).await, asked, b"").await;
            assert_eq!(answer.unwrap().status, status, "{count}");
        });
    }
    let long = "x".repeat(6_000);
    let raw = format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(Client::connect(address).send(raw).receive().status(), 414);
}

/// A head that does not come is given up, and a body that stands still; a slow one is not.
#[test]
fn a_request_comes_in_time() {
    let read = Some(SHORT);
    let (_server, _gateway, address) = echo_at(EntryTerms { read, ..EntryTerms::default() });
    let mut client = Client::connect(address);
    assert_eq!(client.send("GET / HTTP/1.1\r\nHo").receive().status(), 408, "a head");
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n";
    let mut client = Client::connect(address);
    assert_eq!(client.send(post).send("abc").receive().status(), 408, "a body");
    let mut client = Client::connect(address);
    client.send(post);
    let began = Instant::now();
    for byte in ["a", "b", "c", "d", "e", "f"] {
        client.send(byte);
        std::thread::sleep(SHORT / 4);
    }
    assert_eq!(client.receive().status(), 200);
    assert!(began.elapsed() > SHORT, "longer than it may stand still");
}

#[test]
fn an_answer_is_over_in_time() {
    let answer = Some(SHORT);
    let held = Server::start(|stream, _| {
        std::thread::sleep(PATIENCE);
        drop(stream);
    });
    let routes = [route("main", "a", "/", &[held.address])];
    for is_filtered in [false, true] {
        let terms = EntryTerms { answer, ..EntryTerms::default() };
        let (gateway, address) = gateway_with(&routes, one_worker(terms));
        if is_filtered {
            gateway.apply(&using(routing(&routes), &[], &[("edit", "timely")]), 2);
        }
        assert_eq!(get(address, "a", "/").status(), 504, "{is_filtered}");
    }
}

/// What an endpoint gets, what a rule sees, and what a filter sees, are the same query.
#[test]
fn semicolons_in_queries_are_spelled_as_is_wanted() {
    let server = Server::echo("s");
    let mut nginx = route("nginx", "nginx", "/", &[server.address]);
    nginx.manner = Manner::Nginx;
    let filtered = route("filtered", "filtered", "/", &[server.address]);
    let routes = [nginx, route("main", "traefik", "/", &[server.address]), filtered];
    let mut map = routing(&routes);
    support::filtering::change(&mut map, "filtered", |it| it.uses = uses(&[("edit", "spelled")]));
    for (semicolons, expected) in
        [(Semicolons::Split, "/p;q?a=1&b=2&c=%3B"), (Semicolons::Encoded, "/p;q?a=1%3Bb=2&c=%3B")]
    {
        let terms = EntryTerms { semicolons, ..EntryTerms::default() };
        let (gateway, address) = gateway_with(&routes, one_worker(terms));
        gateway.apply(&map, 2);
        let asked = "/p;q?a=1;b=2&c=%3B";
        for (host, expected) in [("nginx", asked), ("traefik", expected), ("filtered", expected)] {
            let text = get(address, host, asked).text();
            assert!(text.contains(&format!(" {expected} HTTP/1.1")), "{host}: {text}");
        }
    }
}
