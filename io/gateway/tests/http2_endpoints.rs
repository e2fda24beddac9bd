//! HTTP/2 to endpoints, for clients that speak either version.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use steelyard_model::routing::transport::{Pings, Transport, Upkeep};
use support::h2::{Deed, Endpoint, Raw, ask, connect, get, request, run, whole};
use support::{
    Client, PATIENCE, Received, Server, eventually, gateway, gateway_to_http2, head, route,
    routing, scrape, speak,
};

#[test]
fn clients_of_http1_are_served() {
    let endpoint = Endpoint::start(100, |_, parts| match parts.uri.path() {
        "/nothing" => Deed::Nothing,
        _ => Deed::Echo,
    });
    let (_gateway, address) = gateway_to_http2(&[route("r", "*", "/", &[endpoint.address])]);
    let mut client = Client::connect(address);
    let asked = "POST /x%7Ey?a=<b> HTTP/1.1\r\nHost: a.b:81\r\nX-B: 1\r\nConnection: x-c\r\nX-C: 1\r\n\
                 Keep-Alive: 1\r\nContent-Length: 4\r\n\r\nbody";
    let answer = client.send(asked).receive();
    assert_eq!((answer.status(), answer.header("x-a")), (200, Some("1")), "{answer:?}");
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    let text = answer.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "POST http://a.b:81/x~y?a=%3Cb%3E", "{text}");
    for (line, count) in [
        ("x-b: 1", 1),
        ("te: trailers", 0),
        ("content-length: 4", 1),
        ("x-forwarded-for: 127.0.0.1", 1),
        ("x-forwarded-host: a.b:81", 1),
        ("x-c: 1", 0),
        ("body", 1),
    ] {
        assert_eq!(lines.iter().filter(|it| **it == line).count(), count, "{line} in {text}");
    }
    for gone in ["connection:", "keep-alive:", "host:", "transfer-encoding:"] {
        assert!(!lines.iter().any(|line| line.starts_with(gone)), "{gone} in {text}");
    }
    let chunks = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                  3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";
    assert!(client.send(chunks).receive().text().ends_with("\n\nabcdef"));
    assert_eq!(client.get("a", "/nothing").status(), 204);
    let head = client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = Received::read_to(&mut head.reader, true).unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(client.get("a", "/again").status(), 200, "nothing is left over");
    let large = "x".repeat(3_000_000);
    let length = large.len();
    let asked = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{large}");
    assert!(client.send(asked).receive().text().ends_with(&large));
    assert_eq!(endpoint.connections.load(Ordering::SeqCst), 1);
}

/// No more at a time than the endpoint says, and more connections where that is few.
#[test]
fn requests_share_connections() {
    for (at_a_time, connections) in [(100, 1..=2), (4, 10..=60)] {
        let endpoint = Endpoint::start(at_a_time, |_, _| Deed::Echo);
        let (_gateway, address) = gateway_to_http2(&[route("r", "*", "/", &[endpoint.address])]);
        run(async {
            let mut sender = connect(address).await;
            // The endpoint has said how many it takes.
            ask(&mut sender, request("GET", "/"), b"").await.unwrap();
            let mut all = tokio::task::JoinSet::new();
            for index in 0..60 {
                let mut sender = sender.clone();
                all.spawn(async move {
                    let path = format!("/{index}");
                    let body = vec![b'x'; 100_000];
                    let answer = ask(&mut sender, request("POST", &path), &body).await.unwrap();
                    assert!(answer.text().starts_with(&format!("POST http://a{path}\n")));
                    assert_eq!(answer.body.iter().filter(|it| **it == b'x').count() / 100_000, 1);
                });
            }
            while let Some(done) = all.join_next().await {
                done.unwrap();
            }
        });
        let made = endpoint.connections.load(Ordering::SeqCst);
        let most = endpoint.most.load(Ordering::SeqCst);
        assert!(connections.contains(&made), "{made} connections by {at_a_time}");
        assert!(most <= at_a_time as usize, "{most} at a time of {at_a_time}");
    }
}

/// What says how long connections may be idle has no older ones.
#[test]
fn a_connection_is_shared_as_long_as_its_transport_says() {
    let endpoint = Endpoint::start(100, |_, _| Deed::Echo);
    let (gateway, address) = gateway(&[]);
    let mut map = routing(&[route("r", "*", "/", &[endpoint.address])]);
    let connections = || endpoint.connections.load(Ordering::SeqCst);
    for (version, idle, more) in [(2, None, 1), (3, Some(Duration::ZERO), 3)] {
        speak(&mut map, "r", Transport { id: "timed".into(), idle, ..Transport::h2c() });
        gateway.apply(&map, version);
        let (before, mut client) = (connections(), Client::connect(address));
        for _ in 0..3 {
            assert_eq!(client.get("a", "/").status(), 200);
        }
        assert_eq!(connections(), before + more, "{idle:?}");
    }
}

/// An endpoint whose frames are written by hand: it answers so many PINGs, and requests once it has
/// seen some.
struct ByHand {
    server: Server,
    pings: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

impl ByHand {
    fn start(pongs: usize, answers_after: usize) -> Self {
        let [pings, ended] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let (seen, over) = (pings.clone(), ended.clone());
        let server = Server::start(move |mut stream, _| {
            if serve_by_hand(&mut stream, &seen, pongs, answers_after).is_err() {
                over.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { server, pings, ended }
    }
}

fn serve_by_hand(
    stream: &mut TcpStream,
    seen: &AtomicUsize,
    pongs: usize,
    answers_after: usize,
) -> std::io::Result<()> {
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    const HEADERS: u8 = 1;
    stream.read_exact(&mut [0; 24])?;
    stream.write_all(&[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0])?;
    let (mut asked, mut pings) = (None, 0);
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload)?;
        let is_answer = head[4] & 1 == 1;
        match head[3] {
            SETTINGS if !is_answer => stream.write_all(&[0, 0, 0, SETTINGS, 1, 0, 0, 0, 0])?,
            PING if !is_answer => {
                pings += 1;
                seen.fetch_add(1, Ordering::SeqCst);
                if pings <= pongs {
                    stream.write_all(&[0, 0, 8, PING, 1, 0, 0, 0, 0])?;
                    stream.write_all(&payload)?;
                }
            }
            HEADERS => asked = Some([head[5], head[6], head[7], head[8]]),
            _ => {}
        }
        if pings >= answers_after
            && let Some([a, b, c, d]) = asked.take()
        {
            // `:status: 200`, and no more.
            stream.write_all(&[0, 0, 1, HEADERS, 5, a, b, c, d, 0x88])?;
        }
    }
}

/// Who is silent is asked, and who does not answer is given up with what is under way there.
#[test]
fn an_endpoint_that_is_silent_is_asked_by_pings() {
    let soon = Duration::from_millis(50);
    let upkeep = Upkeep { pings: Some(Pings { silence: soon, answer: soon }), ..Upkeep::default() };
    let transport = || Transport { id: "asking".into(), upkeep, ..Transport::h2c() };
    let (gateway, address) = gateway(&[]);
    let led = |endpoint: &ByHand, version| {
        let mut map = routing(&[route("r", "*", "/", &[endpoint.server.address])]);
        speak(&mut map, "r", transport());
        gateway.apply(&map, version);
        Client::connect(address)
    };
    // The first one is asked by every new connection.
    let gone = ByHand::start(1, usize::MAX);
    assert_eq!(led(&gone, 2).get("a", "/").status(), 502);
    assert!(gone.pings.load(Ordering::SeqCst) >= 2, "it was asked");
    eventually("its connection is closed", || gone.ended.load(Ordering::SeqCst) > 0);
    let slow = ByHand::start(usize::MAX, 4);
    let mut client = led(&slow, 3);
    assert_eq!(client.get("a", "/").status(), 200);
    // Also while nothing is asked for.
    eventually("it is asked on", || slow.pings.load(Ordering::SeqCst) > 8);
    assert_eq!(client.get("a", "/").status(), 200);
    assert_eq!(slow.ended.load(Ordering::SeqCst), 0, "it is the same connection");
}

#[test]
fn trailers_go_both_ways() {
    let endpoint = Endpoint::start(100, |_, _| Deed::Echo);
    let (_gateway, address) = gateway_to_http2(&[route("r", "*", "/", &[endpoint.address])]);
    run(async {
        let mut sender = connect(address).await;
        for body in ["", "some"] {
            let (response, mut send) = sender.send_request(request("POST", "/"), false).unwrap();
            if !body.is_empty() {
                send.send_data(Bytes::from_static(b"some"), false).unwrap();
            }
            let mut trailers = http::HeaderMap::new();
            trailers.insert("x-late", http::HeaderValue::from_static("1"));
            trailers.insert("content-length", http::HeaderValue::from_static("9"));
            send.send_trailers(trailers).unwrap();
            let answer = whole(response.await.unwrap()).await.unwrap();
            let text = answer.text();
            assert!(text.contains("trailers: Some({\"x-late\": \"1\"})\n"), "{text}");
            let trailers = answer.trailers.unwrap();
            assert_eq!(trailers.get("x-sum").unwrap(), &body.len().to_string());
            assert_eq!(trailers.len(), 1, "what may not stand there does not");
        }
    });
}

/// What stands behind a body goes on though its length was said, and all of that has come before.
#[test]
fn trailers_stand_behind_a_known_length_too() {
    let endpoint = Endpoint::start(100, |_, _| Deed::Late);
    let (_gateway, address) = gateway_to_http2(&[route("r", "*", "/", &[endpoint.address])]);
    run(async {
        let mut sender = connect(address).await;
        let mut asked = request("POST", "/");
        asked.headers_mut().insert("content-length", 4.into());
        let (response, mut send) = sender.send_request(asked, false).unwrap();
        send.send_data(Bytes::from_static(b"some"), false).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.headers()["content-length"], "5");
        // The last byte of each is held back until there is nothing to come behind it.
        let mut stream = response.into_body();
        let mut came = stream.data().await.unwrap().unwrap().to_vec();
        assert_eq!(came, b"hell");
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-late", http::HeaderValue::from_static("1"));
        send.send_trailers(trailers).unwrap();
        while let Some(piece) = stream.data().await {
            came.extend_from_slice(&piece.unwrap());
        }
        assert_eq!(came, b"hello");
        let trailers = stream.trailers().await.unwrap().unwrap();
        assert_eq!(trailers.get("x-late").unwrap(), "1");
        assert_eq!(endpoint.received.load(Ordering::SeqCst), 4);
    });
    let answer = Client::connect(address).get("a", "/");
    assert_eq!(answer.text(), "hello");
}

/// What stands behind a chunked body goes to an endpoint of HTTP/2, and what stands behind its
/// answer goes behind the chunks of one; a client of HTTP/1.0 knows neither.
#[test]
fn trailers_go_from_http1_and_back() {
    let endpoint = Endpoint::start(100, |_, _| Deed::Echo);
    let (_gateway, address) = gateway_to_http2(&[route("r", "*", "/", &[endpoint.address])]);
    let ask = |head: &str, body: &str| {
        let mut client = Client::connect(address);
        client.send(format!("POST / {head}\r\nHost: a\r\n{body}"));
        let mut text = String::new();
        client.reader.read_to_string(&mut text).unwrap();
        text
    };
    let chunks = "Connection: close, TE\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n\
                  4\r\nbody\r\n0\r\nX-Late: 1\r\nx-late:  2 \r\nCookie: a\r\nContent-Length: 9\r\n\r\n";
    for _ in 0..3 {
        let text = ask("HTTP/1.1", chunks);
        assert!(
            text.contains("\ntrailers: Some({\"x-late\": \"1\", \"x-late\": \"2\"})\n"),
            "{text}"
        );
        assert!(text.contains("\nte: trailers\n"), "{text}");
        assert!(text.ends_with("body\r\n0\r\nx-sum: 4\r\n\r\n"), "{text}");
    }
    let text = ask("HTTP/1.1", "Connection: close\r\nContent-Length: 4\r\n\r\nbody");
    assert!(text.contains("\ntrailers: None\n") && !text.contains("\nte:"), "{text}");
    assert!(text.ends_with("body\r\n0\r\nx-sum: 4\r\n\r\n"), "{text}");
    let text = ask("HTTP/1.0", "TE: trailers\r\nContent-Length: 4\r\n\r\nbody");
    assert!(text.ends_with("\n\nbody") && !text.contains("\nte:"), "{text}");
}

/// What an endpoint has not looked at is sent again, whatever it is; what it may have, is not.
#[test]
fn what_was_refused_is_sent_again() {
    for (first, expected) in [
        (Deed::Reset(Reason::REFUSED_STREAM), 200),
        (Deed::Reset(Reason::INTERNAL_ERROR), 502),
        (Deed::Reset(Reason::CANCEL), 502),
    ] {
        let endpoint = Endpoint::start(100, move |number, _| match number {
            1 => first,
            _ => Deed::Echo,
        });
        let (_gateway, address) = gateway_to_http2(&[route("r", "*", "/", &[endpoint.address])]);
        let mut client = Client::connect(address);
        assert_eq!(client.get("a", "/").status(), 200);
        let asked = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
        assert_eq!(client.send(asked).receive().status(), expected, "{first:?}");
        assert_eq!(client.get("a", "/").status(), 200, "{first:?}");
    }
}

#[test]
fn an_endpoint_that_goes_away_loses_nothing() {
    let endpoint = Endpoint::start(100, |number, _| match number % 3 {
        2 => Deed::EchoLast,
        _ => Deed::Echo,
    });
    let (_gateway, address) = gateway_to_http2(&[route("r", "*", "/", &[endpoint.address])]);
    run(async {
        let sender = connect(address).await;
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let mut sender = sender.clone();
            all.spawn(async move {
                for _ in 0..5 {
                    let answer = ask(&mut sender, request("POST", "/"), b"").await.unwrap();
                    assert_eq!(answer.status, 200);
                }
            });
        }
        while let Some(done) = all.join_next().await {
            done.unwrap();
        }
    });
    assert!(endpoint.connections.load(Ordering::SeqCst) > 1);
}

/// An endpoint that speaks something else is a bad gateway, and is not asked for ever.
#[test]
fn an_endpoint_that_speaks_something_else() {
    let server = Server::start(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        let _ = stream.read(&mut [0; 1_024]);
    });
    let (_gateway, address) = gateway_to_http2(&[route("r", "*", "/", &[server.address])]);
    assert_eq!(Client::connect(address).get("a", "/").status(), 502);
}

/// What HTTP/1 lets through and HTTP/2 cannot spell is the client's mistake, and no endpoint's; it
/// holds up nobody.
#[test]
fn what_http2_cannot_spell_is_answered() {
    let endpoint = Endpoint::start(100, |_, _| Deed::Echo);
    let (gateway, address) = gateway_to_http2(&[route("r", "*", "/", &[endpoint.address])]);
    let (quotes, braces) = ("\"".repeat(30_000), "{".repeat(21_850));
    for (host, target, status) in [
        ("a%41b", "/", 400),
        ("a", &*format!("/{quotes}"), 414),
        ("a", &format!("/?{braces}"), 414),
    ] {
        for _ in 0..4 {
            let answer = Client::connect(address).get(host, target);
            assert_eq!(answer.status(), status, "{host} {}", target.len());
        }
        assert_eq!(Client::connect(address).get("a", "/").status(), 200);
    }
    let metrics = scrape(&gateway);
    let counted = "steelyard_request_faults_total{cause=\"rejected\",entrypoint=\"web\"} 12\n";
    assert!(metrics.contains(counted), "{metrics}");
}

/// A connection that takes no request is none: it is not kept, nor one more made for each.
#[test]
fn an_endpoint_that_takes_nothing_is_not_waited_for() {
    let endpoint = Endpoint::start(0, |_, _| Deed::Echo);
    let (_gateway, address) = gateway_to_http2(&[route("r", "*", "/", &[endpoint.address])]);
    for _ in 0..3 {
        assert_eq!(Client::connect(address).get("a", "/").status(), 502);
    }
}

/// Heads have no windows: an endpoint that sends them without end loses its connection.
#[test]
fn hints_without_end_have_one() {
    let hint = support::h2::frame(1, 4, 1, &[0x08, 3, b'1', b'0', b'3']);
    let (server, _) = hinting(hint);
    let (_gateway, address) = gateway_to_http2(&[route("r", "*", "/", &[server.address])]);
    let mut client = Client::connect(address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let mut text = String::new();
    client.reader.read_to_string(&mut text).unwrap();
    assert!(text.matches("HTTP/1.1 103 ").count() <= 32, "{text}");
    assert_eq!(text.matches("HTTP/1.1 502 ").count(), 1, "{text}");
}

/// Nor are they kept for a client that takes none: nobody reads them off its stream then, and they
/// are what no window holds back.
#[test]
fn hints_are_not_kept_for_who_does_not_read() {
    // `link` with 16,000 bytes, as HPACK says it.
    let field = [&[0, 4][..], b"link", &[0x7f, 0x81, 0x7c], &[b'x'; 16_000]].concat();
    let head = [&[0x08, 3, b'1', b'0', b'3'][..], &field].concat();
    let (server, sent) = hinting(support::h2::frame(1, 4, 1, &head));
    let (_gateway, address) = gateway_to_http2(&[route("r", "*", "/", &[server.address])]);
    let stream = TcpStream::connect(address).unwrap();
    // What is on its way to it fits into neither side's buffers.
    socket2::SockRef::from(&stream).set_recv_buffer_size(4_096).unwrap();
    (&stream).write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let sent = sent.recv_timeout(PATIENCE).expect("the endpoint loses its connection");
    // What the system keeps between the two, and 34 heads.
    assert!(sent < 1_000, "{sent} heads");
}

/// An endpoint that answers its first request with hints as long as they are taken, and then tells
/// how many it has sent.
fn hinting(hint: Vec<u8>) -> (Server, std::sync::mpsc::Receiver<usize>) {
    let (told, sent) = std::sync::mpsc::channel();
    let server = Server::start(move |mut stream, _| {
        let acks = [support::h2::frame(4, 0, 0, b""), support::h2::frame(4, 1, 0, b"")].concat();
        if stream.write_all(&acks).is_err() {
            return;
        }
        // The ping that asks whether it is there, and the request behind it.
        let (mut came, mut buffer) = (Vec::new(), [0; 4_096]);
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            came.extend_from_slice(&buffer[..count]);
            if let Some(payload) = ping(&came) {
                let _ = stream.write_all(&support::h2::frame(6, 1, 0, payload));
                break;
            }
        }
        while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
            // Some of the first may come before there is a request for them.
            let count = std::iter::repeat(()).take_while(|()| stream.write_all(&hint).is_ok());
            let _ = told.send(count.count());
        }
    });
    (server, sent)
}

/// What a PING that has come says.
fn ping(came: &[u8]) -> Option<&[u8]> {
    let mut rest = came.strip_prefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
    while rest.len() >= 9 {
        let length = usize::from(rest[1]) << 8 | usize::from(rest[2]);
        let payload = rest.get(9..9 + length)?;
        if rest[3] == 6 {
            return Some(payload);
        }
        rest = &rest[9 + length..];
    }
    None
}

/// What switches protocols has a connection of its own, by HTTP/1.
#[test]
fn websocket_goes_by_http1() {
    let server = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let asked = head(&mut reader).unwrap();
        assert!(asked.starts_with("GET /ws HTTP/1.1\r\n"), "{asked}");
        let switch = "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello";
        stream.write_all(switch.as_bytes()).unwrap();
    });
    let (_gateway, address) = gateway_to_http2(&[route("r", "*", "/", &[server.address])]);
    let mut client = Client::connect(address);
    client.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert!(head(&mut client.reader).unwrap().starts_with("HTTP/1.1 101 "));
    let mut hello = String::new();
    client.reader.read_to_string(&mut hello).unwrap();
    assert_eq!(hello, "hello");
}

/// Both sides of a stream go on at their own pace, long before either ends.
#[test]
fn both_ways_at_once() {
    let endpoint = Endpoint::start(100, |_, _| Deed::Echo);
    let (_gateway, address) = gateway_to_http2(&[route("r", "*", "/", &[endpoint.address])]);
    run(async {
        let mut sender = connect(address).await;
        let (response, mut send) = sender.send_request(request("POST", "/"), false).unwrap();
        for _ in 0..20 {
            send.send_data(Bytes::from_static(b"ping"), false).unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        send.send_data(Bytes::new(), true).unwrap();
        let text = whole(response.await.unwrap()).await.unwrap().text();
        assert!(text.ends_with(&"ping".repeat(20)), "{text}");
    });
}

/// Who takes nothing of an answer leaves the window of the connection to those who share it.
#[test]
fn slow_clients_hold_back_nobody_else() {
    const SLOW: u32 = 60;
    let endpoint = Endpoint::start(100, |_, parts| match parts.uri.path() {
        "/" => Deed::Large,
        _ => Deed::Echo,
    });
    let (_gateway, address) = gateway_to_http2(&[route("r", "*", "/", &[endpoint.address])]);
    let mut slow = Raw::connect(address, &[(4, 0)]);
    (0..SLOW).for_each(|index| assert!(slow.send(get(2 * index + 1, true))));
    let sent = || endpoint.sent.load(Ordering::SeqCst);
    eventually("each answer takes its own window", || sent() >= SLOW as usize * 256 * 1024);
    assert_eq!(Client::connect(address).get("a", "/other").status(), 200);
    assert!(endpoint.connections.load(Ordering::SeqCst) <= 2);
}

/// An endpoint ends a connection on which many requests are given up, and what others have under
/// way there: it comes to see few of them on one.
#[test]
fn who_leaves_early_takes_nobody_along() {
    const LEAVING: usize = 50;
    let endpoint = Endpoint::start(100, |_, parts| match parts.uri.path() {
        "/large" => Deed::Large,
        _ => Deed::Echo,
    });
    let (_gateway, address) = gateway_to_http2(&[route("r", "*", "/", &[endpoint.address])]);
    let mut patient = Client::connect(address);
    patient.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
    eventually("it has begun", || endpoint.received.load(Ordering::SeqCst) == 2);
    for _ in 0..LEAVING {
        let mut client = Client::connect(address);
        client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
        client.reader.read_exact(&mut [0; 16]).unwrap();
    }
    eventually("no more than so many share one", || {
        assert_eq!(Client::connect(address).get("a", "/").status(), 200);
        endpoint.connections.load(Ordering::SeqCst) > LEAVING / 16
    });
    let answer = patient.send("dy").receive();
    assert!(answer.status() == 200 && answer.text().ends_with("body"), "{answer:?}");
    for _ in 0..LEAVING {
        assert_eq!(patient.get("a", "/").status(), 200);
    }
    let made = endpoint.connections.load(Ordering::SeqCst);
    assert!(made <= LEAVING / 16 + 2, "{made} connections: who is answered gives nothing up");
}

/// Chunks of single bytes are mostly framing, which takes nothing of a window: those who send them,
/// and then wait, hold nothing that others could use.
#[test]
fn framing_holds_no_window() {
    const SLOW: usize = 16;
    const CHUNKS: usize = 3_000;
    let endpoint = Endpoint::start(100, |_, _| Deed::Echo);
    let (_gateway, address) = gateway_to_http2(&[route("r", "*", "/", &[endpoint.address])]);
    let slow: Vec<Client> = (0..SLOW)
        .map(|_| {
            let mut client = Client::connect(address);
            client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
            client.send("000000000000001\r\nx\r\n".repeat(CHUNKS));
            client
        })
        .collect();
    let received = || endpoint.received.load(Ordering::SeqCst);
    eventually("all of it has come", || received() == SLOW * CHUNKS);
    let large = "x".repeat(300_000);
    let length = large.len();
    let asked = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{large}");
    assert!(Client::connect(address).send(asked).receive().text().ends_with(&large));
    drop(slow);
}
