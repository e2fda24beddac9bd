//! Requests through a gateway to real backends: heads, bodies, connections.

mod support;

use std::io::{BufReader, Read, Write};
use std::sync::atomic::Ordering;

use support::*;

/// Some megabytes that are not all alike.
fn megabytes() -> Vec<u8> {
    (0..5_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn fingerprint(bytes: &[u8]) -> String {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{}-{:x}", bytes.len(), bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix))
}

fn chunked(bytes: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in bytes.chunks(size) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\nX-Trailer: goes on\r\n\r\n");
    out
}

#[test]
fn a_request_gets_to_the_backend_and_back() {
    let backend = Server::echo("one");
    let (_gateway, address) = gateway(&[route("one", "a.local", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    for path in ["/", "/x?y=z", "/deep/er"] {
        let response = client.get("A.Local:8080", path);
        assert_eq!(response.status(), 200);
        let text = response.text();
        assert!(text.starts_with(&format!("one\nGET {path} HTTP/1.1\r\nHost: A.Local:8080\r\n")));
        assert!(text.contains("\r\nX-Forwarded-For: 127.0.0.1\r\n"), "{text}");
        assert!(text.contains("\r\nX-Forwarded-Host: A.Local:8080\r\n"), "{text}");
        assert!(text.contains("\r\nX-Forwarded-Port: 8080\r\n"), "{text}");
    }
    assert_eq!(backend.accepted.load(Ordering::SeqCst), 1, "connections are reused");
    assert_eq!(client.get("b.local", "/").status(), 404);
    assert_eq!(client.get("a.local", "/").status(), 200, "the connection goes on after a 404");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let backend = Server::echo("one");
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    let requests: String = (0..50)
        .map(|n| format!("POST /{n} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nb{n:03}"))
        .collect();
    client.send(requests);
    for n in 0..50 {
        let text = client.receive().text();
        assert!(text.contains(&format!("POST /{n} HTTP/1.1")), "{n}: {text}");
        assert!(text.ends_with(&format!("b{n:03}")), "{n}: {text}");
    }
}

#[test]
fn large_bodies_arrive_whole() {
    let body = megabytes();
    let expected = fingerprint(&body);
    let large = body.clone();
    let backend = Server::answering(move |request| {
        let seen = fingerprint(&request.body);
        if request.head.starts_with("GET /chunked") {
            let mut out = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            out.extend(chunked(&large, 70_001));
            out
        } else if request.head.starts_with("GET /plain") {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", large.len());
            let mut out = head.into_bytes();
            out.extend_from_slice(&large);
            out
        } else {
            ok(&seen)
        }
    });
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    for path in ["/plain", "/chunked", "/plain"] {
        assert_eq!(fingerprint(&client.get("a", path).body), expected, "{path}");
    }
    let head = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
    assert_eq!(client.send(head).send(&body).receive().text(), expected);
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(client.send(chunked(&body, 33_333)).receive().text(), expected);
    assert_eq!(client.get("a", "/x").status(), 200, "the connection goes on");
}

#[test]
fn old_clients_get_bodies_without_chunks() {
    let backend = Server::answering(|_| {
        let mut out = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        out.extend(chunked(b"hello world", 4));
        out
    });
    let plain = Server::answering(|_| ok("plain"));
    let (_gateway, address) = gateway(&[
        route("one", "a", "/", &[backend.address]),
        route("two", "b", "/", &[plain.address]),
    ]);
    let mut client = Client::connect(address);
    let response = client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n").receive();
    assert_eq!(response.header("transfer-encoding"), None);
    assert_eq!(response.text(), "hello world");
    let mut client = Client::connect(address);
    for _ in 0..2 {
        client.send("GET / HTTP/1.0\r\nHost: b\r\nConnection: keep-alive\r\n\r\n");
        let response = client.receive();
        assert_eq!(response.header("connection"), Some("keep-alive"));
        assert_eq!(response.text(), "plain");
    }
    client.send("GET / HTTP/1.0\r\nHost: b\r\n\r\n");
    assert_eq!(client.receive().header("connection"), Some("close"));
    assert!(client.is_closed());
}

#[test]
fn answers_without_a_body() {
    let backend = Server::answering(|request| {
        let path = request.head.split(' ').nth(1).unwrap_or_default();
        match path {
            "/204" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
            "/304" => b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n".to_vec(),
            _ => b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".to_vec(),
        }
    });
    let (_gateway, address) = gateway(&[route("one", "a", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    for host in ["a", "nobody"] {
        client.send(format!("HEAD / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let response = Received::read_to(&mut client.reader, true).unwrap();
        assert_ne!(response.header("content-length"), Some("0"), "{host}");
    }
    assert_eq!(client.get("a", "/204").status(), 204);
    assert_eq!(client.get("a", "/304").header("content-length"), Some("7"));
    client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.receive().status(), 200);
    assert_eq!(client.get("a", "/204").status(), 204);
}

#[test]
fn a_response_that_ends_with_its_connection() {
    let backend = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        Received::read(&mut reader).unwrap();
        stream.write_all(b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil the end").unwrap();
    });
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    for _ in 0..2 {
        let response = client.get("a", "/");
        let head = "HTTP/1.1 200 OK\r\nServer: old\r\nTransfer-Encoding: chunked\r\n";
        assert_eq!(response.head, head, "a connection that breaks looks like one that ends");
        assert_eq!(response.text(), "until the end");
    }
    let mut client = Client::connect(address);
    let response = client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n").receive();
    assert_eq!(response.header("connection"), Some("close"));
    assert_eq!(response.text(), "until the end");
    assert!(client.is_closed());
}

#[test]
fn interim_responses_and_expectations() {
    let backend = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let mut byte = [0];
            reader.read_exact(&mut byte).unwrap();
            head.push(char::from(byte[0]));
        }
        assert!(head.contains("Expect: 100-continue\r\n"), "{head}");
        stream.write_all(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n").unwrap();
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        let mut body = [0; 5];
        reader.read_exact(&mut body).unwrap();
        stream.write_all(&ok(str::from_utf8(&body).unwrap())).unwrap();
    });
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.receive().status(), 103);
    assert_eq!(client.receive().status(), 100);
    let response = client.send("hello").receive();
    assert_eq!((response.status(), response.text().as_str()), (200, "hello"));
}

#[test]
fn an_early_answer_ends_an_upload() {
    let backend = Server::start(|mut stream, _| {
        let mut head = [0; 16];
        stream.read_exact(&mut head).unwrap();
        stream.write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno").unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome");
    assert_eq!(client.receive().status(), 413);
    assert!(client.is_closed());
}

#[test]
fn a_slow_client_gets_its_answer() {
    let backend = Server::echo("one");
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    let raw =
        "POST /slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for byte in raw.as_bytes() {
        client.send([*byte]);
        std::thread::yield_now();
    }
    let response = client.receive();
    assert_eq!(response.status(), 200);
    assert!(response.text().ends_with("\nabc"));
}

#[test]
fn an_upgrade_becomes_a_tunnel() {
    let backend = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let request = Received::read(&mut reader).unwrap();
        assert_eq!(request.header("connection"), Some("upgrade"));
        assert_eq!(request.header("upgrade"), Some("websocket"));
        assert_eq!(request.header("x-forwarded-proto"), Some("ws"));
        stream
            .write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                  Upgrade: websocket\r\n\r\nfirst",
            )
            .unwrap();
        let mut bytes = [0; 4];
        while reader.read_exact(&mut bytes).is_ok() {
            stream.write_all(&bytes).unwrap();
        }
        stream.write_all(b"bye").unwrap();
    });
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    client.send(
        "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n\
         Upgrade: websocket\r\n\r\nping",
    );
    let response = client.receive();
    assert_eq!(response.status(), 101);
    assert_eq!(response.header("upgrade"), Some("websocket"));
    let mut bytes = [0; 9];
    client.reader.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"firstping");
    client.send(b"\x00\xffpo").reader.read_exact(&mut bytes[..4]).unwrap();
    client.reader.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    client.reader.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(b"bye"), "each side ends on its own");
}

#[test]
fn a_client_that_has_closed_its_side_still_gets_its_answer() {
    let backend = Server::echo("one");
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.reader.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.receive().status(), 200);
    assert!(client.is_closed());
}
