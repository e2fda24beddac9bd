//! What is taken from endpoints, and how messages look on the other side: raw bytes in, raw bytes
//! out (RFC 9112 §5, §6, §7).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, mpsc};

use support::*;

/// Answers the first request of each connection with `raw`, and closes.
fn raw(raw: impl Into<Vec<u8>>) -> Server {
    let raw = raw.into();
    Server::start(move |mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        if Received::read(&mut reader).is_some() {
            let _ = stream.write_all(&raw);
        }
    })
}

/// All that comes until the connection ends, and whether it was reset.
fn rest(stream: &mut TcpStream) -> (String, bool) {
    let mut bytes = Vec::new();
    let reset =
        stream.read_to_end(&mut bytes).is_err_and(|it| it.kind() == ErrorKind::ConnectionReset);
    (String::from_utf8(bytes).unwrap(), reset)
}

fn ask(address: std::net::SocketAddr, request: &str) -> (String, bool) {
    let mut client = Client::connect(address);
    client.send(request);
    rest(client.reader.get_mut())
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const OLD: &str = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";

/// What has one reading is taken, in whatever spelling, and reaches the client in ours.
#[test]
fn unusual_answers_are_taken_and_written_canonically() {
    let many = "X: 1\r\n".repeat(200);
    let close = "Connection: close\r\n\r\n";
    for (answer, expected) in [
        (
            "X-Id : 7\r\nContent-Length: 2\r\n\r\nok".into(),
            format!("X-Id: 7\r\nContent-Length: 2\r\n{close}ok"),
        ),
        ("Content-Length: 2\n\nok".into(), format!("Content-Length: 2\r\n{close}ok")),
        ("Content-Length: 02\r\n\r\nok".into(), format!("Content-Length: 2\r\n{close}ok")),
        (
            "Transfer-Encoding: chunked\r\n\r\n2   \r\nok\r\n0\r\n\r\n".into(),
            format!("Transfer-Encoding: chunked\r\n{close}2\r\nok\r\n0\r\n\r\n"),
        ),
        (
            "Transfer-Encoding: Chunked\r\n\r\n02;a=b\r\nok\r\n00;c\r\nT:x\r\nAge: 1\r\n\r\n"
                .into(),
            format!("Transfer-Encoding: chunked\r\n{close}2\r\nok\r\n0\r\nT: x\r\n\r\n"),
        ),
        (
            format!("{many}Content-Length: 2\r\n\r\nok"),
            format!("{many}Content-Length: 2\r\n{close}ok"),
        ),
        ("\r\nok".into(), format!("Transfer-Encoding: chunked\r\n{close}2\r\nok\r\n0\r\n\r\n")),
        (
            "Upgrade: h2c\r\nContent-Length: 2\r\n\r\nok".into(),
            format!("Content-Length: 2\r\n{close}ok"),
        ),
    ] {
        let backend = raw(format!("HTTP/1.1 200 OK\r\n{answer}"));
        let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
        assert_eq!(
            ask(address, GET),
            (format!("HTTP/1.1 200 OK\r\n{expected}"), false),
            "{answer}"
        );
    }
}

#[test]
fn no_length_where_there_is_no_body() {
    for (status, lines, goes_on) in [
        ("204 No Content", "Content-Length: 5\r\n", false),
        ("204 No Content", "Transfer-Encoding: chunked\r\n", false),
        ("304 Not Modified", "Transfer-Encoding: chunked\r\n", true),
    ] {
        let backend = raw(format!("HTTP/1.1 {status}\r\n{lines}\r\n"));
        let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
        let (answer, _) = ask(address, GET);
        assert!(!answer.contains("Content-Length"), "{answer}");
        assert_eq!(answer.contains("Transfer-Encoding"), goes_on, "{answer}");
    }
}

/// A break is never an end: neither by a last chunk nor by an orderly close.
#[test]
fn what_is_cut_off_does_not_look_whole() {
    for (answer, request) in [
        ("Content-Length: 10\r\n\r\npart", GET),
        ("Transfer-Encoding: chunked\r\n\r\na\r\npart", GET),
        ("Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n0\r\n", GET),
        ("Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\nzz\r\n", GET),
        ("Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n", OLD),
        ("Content-Length: 10\r\n\r\npart", OLD),
    ] {
        let backend = raw(format!("HTTP/1.1 200 OK\r\n{answer}"));
        let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
        let (got, reset) = ask(address, request);
        // What is found out before anything was sent is a 502.
        assert!(reset || got.starts_with("HTTP/1.1 502 "), "{answer}: {got}");
        assert!(!got.ends_with("0\r\n\r\n"), "{answer}: {got}");
    }
}

#[test]
fn an_endless_answer_that_breaks_is_no_whole_one() {
    let (is_read, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    let backend = Server::start(move |mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        Received::read(&mut reader).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\npart").unwrap();
        // Otherwise the reset might overtake it.
        wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        let _ = socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO));
    });
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    for (request, body) in [(GET, "4\r\npart\r\n"), (OLD, "part")] {
        let mut client = Client::connect(address);
        client.send(request);
        let mut seen = String::new();
        while !seen.ends_with(body) {
            let mut byte = [0];
            client.reader.read_exact(&mut byte).unwrap();
            seen.push(char::from(byte[0]));
        }
        is_read.send(()).unwrap();
        let (more, reset) = rest(client.reader.get_mut());
        assert_eq!((more.as_str(), reset), ("", true), "after {seen}");
    }
}

/// What reaches an endpoint of a request's framing and of names that are not the client's to say.
#[test]
fn requests_are_written_canonically() {
    let backend = Server::start(|mut stream, _| {
        let mut seen = vec![0; 4096];
        let mut filled = 0;
        // A head may end with a port, and come alone.
        let ends: [&[u8]; 2] = [b"end", b"\r\n0\r\n\r\n"];
        while !ends.iter().any(|end| seen[..filled].ends_with(end)) {
            filled += stream.read(&mut seen[filled..]).unwrap();
        }
        let text = String::from_utf8_lossy(&seen[..filled]);
        stream.write_all(&ok(&text)).unwrap();
    });
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    let forged = "content_length: 1\r\ntransfer_encoding: chunked\r\nX_Forwarded_For: 6.6.6.6\r\n\
                  Proxy: http://evil\r\nForwarded: for=6.6.6.6\r\nUpgrade: h2c\r\n\
                  Connection: upgrade\r\nx_mine: yes\r\n";
    for (framing, written) in [
        ("Content-Length:03\r\n\r\nend", "Content-Length: 3\r\n"),
        (
            "Transfer-Encoding:\tCHUNKED\r\n\r\n003;x=y\r\nabc\r\n00\r\nAge: 9\r\n\r\n",
            "Transfer-Encoding: chunked\r\n",
        ),
    ] {
        let raw = format!("POST / HTTP/1.1\r\nHost: a\r\n{forged}{framing}");
        let text = Client::connect(address).send(raw).receive().text();
        let head = text.split("X-Forwarded-For: 127.0.0.1").next().unwrap();
        assert_eq!(head, format!("POST / HTTP/1.1\r\nHost: a\r\nx_mine: yes\r\n{written}"));
        assert!(text.ends_with("\r\n\r\nend") || text.ends_with("3\r\nabc\r\n0\r\n\r\n"), "{text}");
        for name in ["6.6.6.6", "evil", "Upgrade", "upgrade", "Age: 9", "x=y"] {
            assert!(!text.contains(name), "{name} in {text}");
        }
    }
}

/// The operator learns which line of an answer cannot be used.
#[test]
fn the_log_names_the_line() {
    log::keep();
    for (number, (lines, status, named)) in [
        ("A: b\r\nno colon\r\n\r\n", 502, "no colon"),
        ("Content-Length: 1\r\nContent-Length: \x1b[7m\r\n\r\n", 502, "Content-Length: \\x1b[7m"),
        ("Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 502, "Content-Length: 2"),
        ("Transfer-Encoding: chunked\r\n\r\nzz top\r\n", 502, "zz top"),
    ]
    .into_iter()
    .enumerate()
    {
        let backend = raw(format!("HTTP/1.1 200 OK\r\n{lines}"));
        let name = format!("bad-{number}");
        let (_gateway, address) = gateway(&[route(&name, "*", "/", &[backend.address])]);
        let (answer, _) = ask(address, GET);
        assert!(answer.is_empty() || answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        let text = log::text();
        let is_named = text.lines().any(|line| line.contains(&name) && line.contains(named));
        assert!(is_named, "{named} in {text}");
    }
}

/// What stands behind a chunked body goes on both ways, but for what would mean something in a
/// head, in whatever pieces it comes.
#[test]
fn trailers_go_both_ways() {
    const SECTION: &str = "0\r\nX-Sum: 1\r\nContent-Length: 9\r\nAuthorization: x\r\nB:2 \r\n\r\n";
    let (to, came) = std::sync::mpsc::channel();
    let server = Server::start(move |mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(head) = support::head(&mut reader) {
            let mut body = Vec::new();
            while !body.ends_with(b"\r\n\r\n") {
                if reader.read_until(b'\n', &mut body).unwrap() == 0 {
                    return;
                }
            }
            to.send(head + &String::from_utf8(body).unwrap()).unwrap();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n{SECTION}"
            );
            let (first, second) = answer.split_at(answer.len() - 20);
            stream.write_all(first.as_bytes()).unwrap();
            stream.write_all(second.as_bytes()).unwrap();
        }
    });
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[server.address])]);
    let mut client = Client::connect(address);
    for pieces in [1, 2, 40] {
        let sent = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n\
             1\r\nx\r\n{SECTION}"
        );
        for piece in sent.as_bytes().chunks(sent.len() / pieces) {
            client.send(piece);
        }
        let seen = came.recv_timeout(PATIENCE).unwrap();
        assert!(seen.ends_with("\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\nB: 2\r\n\r\n"), "{seen}");
        assert!(seen.contains("\r\nConnection: TE\r\nTE: trailers\r\n"), "{seen}");
        let head = support::head(&mut client.reader).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        let mut body = Vec::new();
        while !body.ends_with(b"\r\n\r\n") {
            client.reader.read_until(b'\n', &mut body).unwrap();
        }
        let body = String::from_utf8(body).unwrap();
        assert_eq!(body, "2\r\nok\r\n0\r\nX-Sum: 1\r\nB: 2\r\n\r\n");
    }
}
