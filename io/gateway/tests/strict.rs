//! Raw requests that two readers could understand differently: what they get, and that nothing of
//! them reaches a backend (RFC 9112 §11).

mod support;

use std::sync::atomic::Ordering;

use support::*;

/// Status, and whether the connection must close.
const CASES: &[(&str, u16)] = &[
    // No Host, two, a wrong one.
    ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a.local\r\nHost: b.local\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a.local/x\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a.local, b.local\r\n\r\n", 400),
    // Two readings of where the body ends.
    (
        "POST / HTTP/1.1\r\nHost: a.local\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a.local\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        400,
    ),
    ("POST / HTTP/1.1\r\nHost: a.local\r\nContent-Length: 5, 5\r\n\r\nhello", 400),
    ("POST / HTTP/1.1\r\nHost: a.local\r\nContent-Length: +5\r\n\r\nhello", 400),
    (
        "POST / HTTP/1.1\r\nHost: a.local\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a.local\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("POST / HTTP/1.1\r\nHost: a.local\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    (
        "POST / HTTP/1.1\r\nHost: a.local\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("POST / HTTP/1.1\r\nHost: a.local\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a.local\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    ("POST / HTTP/1.0\r\nHost: a.local\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (
        "POST / HTTP/1.1\r\nHost: a.local\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\nx\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a.local\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a.local\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a.local\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\nx",
        400,
    ),
    // Lines that others end elsewhere.
    ("GET / HTTP/1.1\nHost: a.local\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a.local\nX: y\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a.local\r\nX: y\r\n folded\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a.local\r\nX: a\rb\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a.local\r\nX: a\0b\r\n\r\n", 400),
    // Targets and versions.
    ("GET a.local/ HTTP/1.1\r\nHost: a.local\r\n\r\n", 400),
    ("GET /a/..%2fadmin HTTP/1.1\r\nHost: a.local\r\n\r\n", 400),
    ("GET /%zz HTTP/1.1\r\nHost: a.local\r\n\r\n", 400),
    ("GET /#x HTTP/1.1\r\nHost: a.local\r\n\r\n", 400),
    ("CONNECT a.local:80 HTTP/1.1\r\nHost: a.local\r\n\r\n", 501),
    ("PRI * HTTP/2.0\r\n\r\nTM\r\n\r\n", 505),
    ("GET / HTTP/3.0\r\nHost: a.local\r\n\r\n", 505),
    ("\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", 400),
];

#[test]
fn ambiguous_requests_are_refused_and_the_connection_closes() {
    let backend = Server::echo("one");
    let (_gateway, address) = gateway(&[route("one", "a.local", "/", &[backend.address])]);
    for (raw, status) in CASES {
        let mut client = Client::connect(address);
        // What follows would be a second request to a reader that ends the first one elsewhere.
        client.send(format!("{raw}GET /smuggled HTTP/1.1\r\nHost: a.local\r\n\r\n"));
        let response = client.receive();
        assert_eq!(response.status(), *status, "{raw:?}");
        assert_eq!(response.header("connection"), Some("close"), "{raw:?}");
        assert!(client.is_closed(), "{raw:?}");
    }
    assert_eq!(backend.accepted.load(Ordering::SeqCst), 0, "no backend saw any of it");
}

#[test]
fn heads_have_limits() {
    let (_gateway, address) = gateway(&[route("one", "a.local", "/", &[dead()])]);
    for (raw, status) in [
        (format!("GET / HTTP/1.1\r\nHost: a.local\r\nX: {}", "x".repeat(70_000)), 431),
        (format!("GET / HTTP/1.1\r\nHost: a.local\r\n{}\r\n", "X: y\r\n".repeat(101)), 431),
        (format!("GET /{}", "x".repeat(70_000)), 414),
        // What cannot become a head is refused before it ends.
        ("GET / HTTP/1.1\r\nHost : a.local\r\n".into(), 400),
    ] {
        let mut client = Client::connect(address);
        client.send(raw);
        assert_eq!(client.receive().status(), status);
        assert!(client.is_closed());
    }
}

#[test]
fn a_bad_chunk_in_the_middle_of_an_upload_is_refused() {
    let backend = Server::start(|stream, _| {
        let mut reader = std::io::BufReader::new(stream);
        assert!(Received::read(&mut reader).is_none(), "the body never ends properly");
    });
    let (_gateway, address) = gateway(&[route("one", "a.local", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    client.send("POST / HTTP/1.1\r\nHost: a.local\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
    eventually("the upload began", || backend.accepted.load(Ordering::SeqCst) == 1);
    client.send("zz\r\n");
    assert_eq!(client.receive().status(), 400);
    assert!(client.is_closed());
}

#[test]
fn what_is_routed_is_what_is_forwarded() {
    let public = Server::echo("public");
    let admin = Server::echo("admin");
    let (_gateway, address) = gateway(&[
        route("public", "a.local", "/public", &[public.address]),
        route("admin", "a.local", "/admin", &[admin.address]),
    ]);
    for (path, who, forwarded) in [
        ("/public/../admin", "admin", "/admin"),
        ("/public/%2e%2e/admin", "admin", "/admin"),
        ("/public/./../admin/x", "admin", "/admin/x"),
        ("//admin", "admin", "/admin"),
        ("/%61dmin", "admin", "/admin"),
        ("/public/a%2fb", "public", "/public/a%2Fb"),
        ("/public//a?b=//c/../d", "public", "/public/a?b=//c/../d"),
    ] {
        let response = get(address, "a.local", path);
        assert_eq!(response.who(), who, "{path}");
        let text = response.text();
        assert!(text.contains(&format!("GET {forwarded} HTTP/1.1\r\n")), "{path}: {text}");
    }
}

#[test]
fn forged_headers_do_not_pass() {
    let backend = Server::echo("one");
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    let response = client
        .send(
            "GET / HTTP/1.1\r\nHost: a.local\r\nX-Forwarded-For: 6.6.6.6\r\nX_Real_Ip: 6.6.6.6\r\n\
             Connection: X-Forwarded-For, X-Secret\r\nX-Secret: s\r\nX-Kept: k\r\n\r\n",
        )
        .receive();
    let text = response.text();
    assert!(!text.contains("6.6.6.6") && !text.contains("X-Secret"), "{text}");
    assert!(text.contains("X-Kept: k\r\n") && text.contains("X-Real-Ip: 127.0.0.1\r\n"), "{text}");
}

/// An answer of our own ends the connection where more may come of the request, where the client
/// wants it, and where the gateway ends.
#[test]
fn answers_of_our_own_say_when_they_are_the_last() {
    let (gateway, address) = gateway(&[]);
    for (request, closes) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", true),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", true),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", true),
    ] {
        let answer = Client::connect(address).send(request).receive();
        assert_eq!(answer.status(), 404);
        assert_eq!(answer.header("connection") == Some("close"), closes, "{request}");
    }
    gateway.wind_down();
    support::eventually("each answer is the last", || {
        get(address, "a", "/").header("connection") == Some("close")
    });
}

/// However they come: a few empty lines before a request are none, more are.
#[test]
fn empty_lines_are_counted_over_all_pieces() {
    let (_gateway, address) = gateway(&[]);
    for (pieces, status) in [(8, 404), (9, 400)] {
        let mut client = Client::connect(address);
        for _ in 0..pieces {
            client.send("\r\n");
            // Once another request is answered, this much was read.
            assert_eq!(get(address, "a", "/").status(), 404);
        }
        let answer = client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").receive();
        assert_eq!(answer.status(), status, "{pieces}");
    }
}

#[test]
fn heads_that_come_in_pieces_have_the_same_limits() {
    let (_gateway, address) = gateway(&[]);
    let most = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(65_536 - 32));
    assert_eq!(most.len(), 65_536);
    let more = most.replace("X: ", "X: x");
    let line = format!("GET /{}", "x".repeat(70_000));
    for (raw, status) in [(most, 404), (more, 431), (line, 414)] {
        let mut client = Client::connect(address);
        let (first, rest) = raw.split_at(10);
        client.send(first);
        // Once another request is answered, this much was read.
        assert_eq!(get(address, "a", "/").status(), 404);
        assert_eq!(client.send(rest).receive().status(), status);
    }
}
