//! Clients and endpoints that do what they should not: another client is served meanwhile, nothing
//! stays behind, and a counter names the cause.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use steelyard_gateway::{Gateway, GatewayOptions, Timeouts};
use support::*;

/// Long enough for what is done at once on a busy machine, and short for who waits for it.
const SHORT: Duration = Duration::from_secs(1);

/// A gateway whose `/good` is served, and whose `/` leads to `bad`. Only the limits that a case is
/// about are short.
struct Place {
    gateway: Gateway,
    address: SocketAddr,
    _good: Server,
}

impl Place {
    fn new(bad: SocketAddr, timeouts: Timeouts) -> Self {
        let good = Server::echo("good");
        let routes = [route("bad", "*", "/", &[bad]), route("good", "*", "/good", &[good.address])];
        let options = GatewayOptions { workers: 1, timeouts, ..GatewayOptions::default() };
        let (gateway, address) = gateway_with(&routes, options);
        Self { gateway, address, _good: good }
    }

    /// Somebody else is served now.
    fn serves_others(&self, when: &str) {
        let answer = get(self.address, "a", "/good");
        assert_eq!((answer.status(), &*answer.who()), (200, "good"), "{when}");
    }

    /// The cause was counted once, and nobody is left but who is idle.
    fn counts(&self, cause: &str) {
        let line =
            format!("steelyard_request_faults_total{{cause=\"{cause}\",entrypoint=\"web\"}} 1");
        let mut text = String::new();
        eventually(&format!("{cause} is counted"), || {
            text = scrape(&self.gateway);
            text.lines().any(|it| it == line)
        });
        let faults = text.lines().filter(|it| it.starts_with("steelyard_request_faults_total{"));
        assert_eq!(faults.count(), 1, "nothing else went wrong: {text}");
        eventually("no connection stays", || {
            scrape(&self.gateway)
                .contains("traefik_open_connections{entrypoint=\"web\",protocol=\"TCP\"} 0\n")
        });
        let in_flight = "steelyard_endpoint_requests_in_flight{";
        let text = scrape(&self.gateway);
        let busy = text.lines().filter(|it| it.starts_with(in_flight) && !it.ends_with(" 0"));
        assert_eq!(busy.count(), 0, "no endpoint has a request: {text}");
    }
}

fn timeouts() -> Timeouts {
    Timeouts::default()
}

/// An endpoint that reads a head, does this with its connection, and keeps it until the test ends.
fn endpoint(deed: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Server {
    Server::start(move |mut stream, _| {
        let mut reader = std::io::BufReader::new(stream.try_clone().unwrap());
        if head(&mut reader).is_some() {
            deed(&mut stream);
        }
    })
}

/// Waits until the other side has ended the connection.
fn wait_for_end(stream: &mut TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

fn reset(stream: &TcpStream) {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// A head and a body that come a byte at a time have the time of a whole one: the head its limit,
/// the body that of each piece.
#[test]
fn who_sends_slowly() {
    let it = Place::new(dead(), Timeouts { head: SHORT, ..timeouts() });
    let mut client = Client::connect(it.address);
    for byte in b"GET / HTTP/1.1\r\nHost: a\r\nX: " {
        client.send([*byte]);
    }
    // Bytes that keep coming move no deadline: who dribbles on is answered all the same.
    let mut writer = client.reader.get_ref().try_clone().unwrap();
    let (stop, stopped) = mpsc::channel::<()>();
    let dribbling = std::thread::spawn(move || {
        let pause = Duration::from_millis(20);
        while stopped.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
            if writer.write_all(b"x").is_err() {
                return;
            }
        }
    });
    it.serves_others("while a head dribbles in");
    assert_eq!(client.receive().status(), 408);
    stop.send(()).unwrap();
    dribbling.join().unwrap();
    drop(client);
    it.counts("request-timeout");
}

/// Each piece of a body has its time, and all of them together take far longer.
#[test]
fn a_body_that_goes_on_is_waited_for_and_one_that_stops_is_not() {
    let echo = Server::echo("slow");
    let it = Place::new(echo.address, Timeouts { request_body: 2 * SHORT, ..timeouts() });
    let mut client = Client::connect(it.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n");
    let begun = std::time::Instant::now();
    for _ in 0..12 {
        std::thread::sleep(SHORT / 5);
        client.send("x");
    }
    assert!(begun.elapsed() > 2 * SHORT, "it took longer than a piece may");
    assert_eq!(client.receive().status(), 200);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nx");
    it.serves_others("while a body does not come");
    assert_eq!(client.receive().status(), 408);
    drop(client);
    it.counts("request-timeout");
}

#[test]
fn who_never_reads() {
    let bulk = endpoint(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        let piece = vec![b'x'; 1 << 16];
        while stream.write_all(&piece).is_ok() {}
    });
    let it = Place::new(bulk.address, Timeouts { write: SHORT, ..timeouts() });
    let mut client = Client::connect(it.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    it.serves_others("while somebody does not read");
    it.counts("client-gone");
}

/// Nobody has to be told of a limit by a peer that goes without a word.
#[test]
fn who_is_gone_without_a_word() {
    let silent = endpoint(wait_for_end);
    let it = Place::new(silent.address, timeouts());
    let mut client = Client::connect(it.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the endpoint is asked", || {
        silent.accepted.load(std::sync::atomic::Ordering::SeqCst) > 0
    });
    it.serves_others("while an endpoint says nothing");
    reset(client.reader.get_ref());
    drop(client);
    it.counts("client-gone");
}

#[test]
fn heads_of_a_mebibyte() {
    let it = Place::new(dead(), timeouts());
    let mut client = Client::connect(it.address);
    let large = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let _ = client.reader.get_mut().write_all(large.as_bytes());
    it.serves_others("while a large head comes in");
    assert_eq!(client.receive().status(), 431);
    drop(client);
    it.counts("rejected");
}

/// What an endpoint does, what its client gets (0: a connection that breaks), and its cause.
#[test]
fn endpoints_that_misbehave() {
    type Deed = fn(&mut TcpStream);
    const CASES: [(&str, Deed, u16, &str); 7] = [
        ("accepts and says nothing", wait_for_end, 504, "endpoint-timeout"),
        (
            "answers garbage",
            |stream| {
                let _ = stream.write_all(b"\x16\x03\x01 no answer\r\n\r\n");
                wait_for_end(stream);
            },
            502,
            "bad-response",
        ),
        ("closes at once", |_| {}, 502, "endpoint-closed"),
        ("resets", |stream| reset(stream), 502, "endpoint-closed"),
        (
            "closes in its body",
            |stream| {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
            },
            0,
            "endpoint-closed",
        ),
        (
            "resets in its body",
            |stream| {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
                reset(stream);
            },
            0,
            "endpoint-closed",
        ),
        (
            "closes its side only, in its body",
            |stream| {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
                let _ = stream.shutdown(Shutdown::Write);
                wait_for_end(stream);
            },
            0,
            "endpoint-closed",
        ),
    ];
    for (what, deed, status, cause) in CASES {
        let bad = endpoint(deed);
        let response_head = (status == 504).then_some(SHORT);
        let it = Place::new(bad.address, Timeouts { response_head, ..timeouts() });
        let mut client = Client::connect(it.address);
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        it.serves_others(what);
        let answer = Received::read(&mut client.reader);
        assert_eq!(answer.map_or(0, |answer| answer.status()), status, "{what}");
        drop(client);
        it.counts(cause);
    }
}

/// These are no faults of a request: what is more than a response is cut off, and an answer that
/// comes early is the answer.
#[test]
fn endpoints_that_say_too_much_or_too_early() {
    let surplus = endpoint(|stream| {
        let _ =
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n");
        wait_for_end(stream);
    });
    let early = endpoint(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
        wait_for_end(stream);
    });
    for (bad, sends, status, body) in [
        (surplus, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200, "ok"),
        (early, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nx", 413, "no"),
    ] {
        let it = Place::new(bad.address, timeouts());
        for _ in 0..2 {
            let mut client = Client::connect(it.address);
            let answer = client.send(sends).receive();
            assert_eq!((answer.status(), &*answer.text()), (status, body));
            it.serves_others("behind it");
        }
        assert!(!scrape(&it.gateway).contains("steelyard_request_faults_total{"));
        let connections = bad.accepted.load(std::sync::atomic::Ordering::SeqCst);
        assert_eq!(connections, 2, "what is not clean is not used again");
    }
}
