//! What one request, or one burst of clients, can use.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use steelyard_filters::trial::diary;
use steelyard_gateway::{AccessLog, GatewayOptions, LogFormat};
use steelyard_host::places::Places;
use support::filtering::using;
use support::*;

fn open_connections(gateway: &steelyard_gateway::Gateway) -> usize {
    let metrics = scrape(gateway);
    let line = metrics.lines().find(|line| line.starts_with("traefik_open_connections{"));
    line.and_then(|line| line.rsplit(' ').next()).unwrap().parse().unwrap()
}

/// A request to a route that leads back goes round a few times, not until nothing is left.
#[test]
fn a_route_to_oneself_ends() {
    let (gateway, address) = gateway(&[]);
    let mut itself = route("itself", "*", "/", &[address]);
    let again = itself.services[0].endpoints[0].clone();
    itself.services[0].endpoints.push(again);
    gateway.apply(&routing(&[itself]), 2);
    let mut client = Client::connect(address);
    for _ in 0..5 {
        let response = client.get("a", "/");
        assert_eq!(response.status(), 508);
        assert!(response.text().contains("leads back to this gateway"), "{}", response.text());
    }
    assert!(open_connections(&gateway) <= 8);
}

#[test]
fn a_circle_of_two_gateways_ends() {
    let ((one, first), (two, second)) = (gateway(&[]), gateway(&[]));
    one.apply(&routing(&[route("two", "*", "/", &[second])]), 2);
    two.apply(&routing(&[route("one", "*", "/", &[first])]), 2);
    assert_eq!(get(first, "a", "/").status(), 508);
    let upload = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n";
    assert_eq!(Client::connect(first).send(upload).receive().status(), 508);
    assert!(open_connections(&one) + open_connections(&two) <= 16);
}

/// A cache behind the gateway may fetch through it what it does not have.
#[test]
fn once_more_is_no_circle() {
    let backend = Server::echo("one");
    let (gateway, address) = gateway(&[]);
    let cache = Server::answering(move |request| {
        let passed = request.header("cdn-loop").unwrap_or_default();
        let raw = format!("GET /x HTTP/1.1\r\nHost: origin\r\nCDN-Loop: {passed}\r\n\r\n");
        ok(&Client::connect(address).send(raw).receive().text())
    });
    gateway.apply(
        &routing(&[
            route("cache", "site", "/", &[cache.address]),
            route("origin", "origin", "/", &[backend.address]),
        ]),
        2,
    );
    let response = get(address, "site", "/");
    assert_eq!((response.status(), &*response.who()), (200, "one"));
    let passed = response.text().lines().filter(|line| line.starts_with("CDN-Loop: ")).count();
    assert_eq!(passed, 2);
}

/// Clients that never finish a request keep nobody out, any more than idle ones; nor do those who
/// were answered and do not leave, or do not take their answer.
#[test]
fn requests_that_are_not_finished_make_room() {
    let backend = Server::answering(|request| match &request.head[..6] {
        "GET /l" => ok(&"x".repeat(16 * 1024 * 1024)),
        _ => ok("one"),
    });
    let stalled = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n";
    let begun_body = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na";
    let untaken = "GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
    let untaken_errors = "GET / HTTP/1.1\r\nHost: b\r\n\r\n".repeat(50_000);
    let answered = "POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\n";
    let heads = ["", "\r", "\r\n", "G", "GET / HTTP/1.1\r\nHost: a", answered, "\0\r\n\r\n"];
    let exchanges = [stalled, begun_body, untaken, &untaken_errors];
    for begun in heads.into_iter().chain(exchanges) {
        let places = Places::new(4);
        let options = GatewayOptions { workers: 1, places, ..GatewayOptions::default() };
        let routes = [route("a", "a", "/", &[backend.address])];
        let (_gateway, address) = gateway_with(&routes, options);
        let crowd: Vec<TcpStream> = (0..8)
            .map(|_| {
                let mut client = TcpStream::connect(address).unwrap();
                // Who is not read must not make us wait.
                client.set_nonblocking(true).unwrap();
                socket2::SockRef::from(&client).set_recv_buffer_size(4096).unwrap();
                // Who had to make room already is not there any more.
                let _ = client.write_all(begun.as_bytes());
                client
            })
            .collect();
        assert_eq!(get(address, "a", "/").status(), 200, "{:?}", &begun[..begun.len().min(80)]);
        drop(crowd);
    }
}

/// Who makes room in the middle of an exchange hears it where nothing was said yet, and cannot take
/// what it got for all there is; log and metrics say why.
#[test]
fn who_makes_room_is_told() {
    let file = TemporaryFile::new("room");
    let backend = Server::answering(|_| ok(&"x".repeat(16 * 1024 * 1024)));
    let access_log = Some(AccessLog {
        path: Some(file.0.clone()),
        format: LogFormat::Json,
        ..AccessLog::default()
    });
    let options = GatewayOptions {
        workers: 1,
        places: Places::new(2),
        access_log,
        ..GatewayOptions::default()
    };
    let (gateway, address) = gateway_with(&[route("a", "a", "/", &[backend.address])], options);
    let mut uploads = Client::connect(address);
    uploads.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    let mut takes = Client::connect(address);
    takes.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    takes.reader.read_exact(&mut [0; 100]).unwrap();
    // Both places are taken; the upload began to wait first.
    let mut newcomer = Client::connect(address);
    newcomer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = uploads.receive();
    assert_eq!((answer.status(), answer.header("connection")), (408, Some("close")));
    newcomer.reader.read_exact(&mut [0; 100]).unwrap();
    let mut next = Client::connect(address);
    next.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").reader.read_exact(&mut [0; 100]).unwrap();
    let error = takes.reader.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let why = "\"msg\":\"the client sent or took nothing while others needed its place\"";
    eventually("the log says why", || file.text().matches(why).count() == 2);
    let line = "made_room_total{awaited=\"progress\",entrypoint=\"web\"} 2\n";
    assert!(scrape(&gateway).contains(line), "{}", scrape(&gateway));
}

/// So does who is in the middle of a body that a filter wants whole.
#[test]
fn who_makes_room_in_a_filters_hand_is_told() {
    let backend = Server::echo("a");
    let options =
        GatewayOptions { workers: 1, places: Places::new(1), ..GatewayOptions::default() };
    let routes = [route("a", "a", "/", &[backend.address])];
    let (gateway, address) = gateway_with(&routes, options);
    gateway.apply(&using(routing(&routes), &[], &[("body=99", "room")]), 2);
    let mut uploads = Client::connect(address);
    uploads.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    eventually("it is in hand", || !diary("room").is_empty());
    assert_eq!(get(address, "a", "/").status(), 200);
    assert_eq!(uploads.receive().status(), 408);
}

/// A head behind a body may be no longer than any other.
#[test]
fn heads_have_one_bound_wherever_they_come() {
    let backend = Server::start(|stream, _| {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        reader.read_exact(&mut [0; 2]).unwrap();
        reader.get_mut().write_all(&ok("taken")).unwrap();
    });
    let long = "x".repeat(100_000);
    for (next, status) in [
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"), "431"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}"), "431"),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), "414"),
        (format!("{long} / HTTP/1.1\r\nHost: a\r\n\r\n"), "414"),
    ] {
        let (_gateway, address) = gateway(&[route("all", "*", "/", &[backend.address])]);
        let mut client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let head =
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
        client.write_all(head.as_bytes()).unwrap();
        let mut interim = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
        client.read_exact(&mut interim).unwrap();
        client.write_all(format!("ab{next}").as_bytes()).unwrap();
        let mut answers = String::new();
        client.read_to_string(&mut answers).unwrap();
        let statuses: Vec<&str> =
            answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
        assert_eq!(statuses, ["200", status]);
    }
}

/// An endpoint that answers with every code there is makes a bounded number of series.
#[test]
fn codes_are_no_way_to_make_series() {
    let backend = Server::answering(|request| {
        let code = request.head.split(['/', ' ']).nth(2).unwrap();
        let body = if code.starts_with('1') || code == "204" || code == "304" { "" } else { "x" };
        let length = if body.is_empty() { "" } else { "Content-Length: 1\r\n" };
        format!("HTTP/1.1 {code} X\r\n{length}\r\n{body}").into_bytes()
    });
    let (gateway, address) = gateway(&[route("codes", "*", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    for code in 200..=999 {
        assert_eq!(client.get("a", &format!("/{code}")).status(), code);
    }
    let metrics = scrape(&gateway);
    let is_series = |line: &&str| line.starts_with("traefik_router_requests_total{");
    let series: Vec<&str> = metrics.lines().filter(is_series).collect();
    assert!(series.len() < 120, "{}", series.len());
    let of_class = |line: &&str| line.contains("code=\"7xx\"") && line.ends_with(" 100");
    assert!(series.iter().any(of_class), "{series:?}");
}

static RETURNED: AtomicUsize = AtomicUsize::new(0);

/// Heads that are never finished take what they are long, and what a burst took is returned.
#[test]
fn memory_after_a_burst_is_returned() {
    let count_returned = || {
        RETURNED.fetch_add(1, Ordering::SeqCst);
    };
    let options =
        GatewayOptions { workers: 1, return_memory: count_returned, ..GatewayOptions::default() };
    let backend = Server::echo("one");
    let (gateway, address) = gateway_with(&[route("one", "*", "/", &[backend.address])], options);
    let half = |n: usize| {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET /{n} HTTP/1.1\r\nHost: a\r\n").unwrap();
        stream
    };
    let mut streams: Vec<TcpStream> = (0..400).map(half).collect();
    eventually("all are connected", || open_connections(&gateway) == 400);
    // Those that go on are served: nothing of a head that waited is lost.
    for (n, stream) in streams.iter_mut().enumerate().step_by(50) {
        stream.write_all(b"X: y\r\n\r\n").unwrap();
        let mut reader = std::io::BufReader::new(stream.try_clone().unwrap());
        let text = Received::read(&mut reader).unwrap().text();
        assert!(text.contains(&format!("GET /{n} HTTP/1.1\r\nHost: a\r\nX: y\r\n")), "{text}");
    }
    assert_eq!(RETURNED.load(Ordering::SeqCst), 0);
    drop(streams);
    eventually("the burst is noticed", || RETURNED.load(Ordering::SeqCst) > 0);
}
