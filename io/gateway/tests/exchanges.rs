//! What a client sees of its exchange when others answer early, late, or not at all.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use socket2::SockRef;
use steelyard_gateway::{AccessLog, GatewayOptions, LogFormat, Timeouts};
use support::*;

/// Descriptors of this process that are sockets with a peer at `port` of loopback.
fn connections_to(port: u16) -> usize {
    let listed = ["/proc/net/tcp", "/proc/net/tcp6"].map(|it| std::fs::read_to_string(it).unwrap());
    let peer = format!(":{port:04X}");
    let lines = listed.iter().flat_map(|text| text.lines());
    // ESTABLISHED and CLOSE_WAIT.
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.len() > 3 && words[2].ends_with(&peer))
        .filter(|words| words[3] == "01" || words[3] == "08")
        .count()
}

#[test]
fn after_an_interim_response_a_failure_is_a_502() {
    let backend = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        Received::read(&mut reader).unwrap();
        stream.write_all(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n").unwrap();
    });
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    for _ in 0..2 {
        assert_eq!(client.get("a", "/").status(), 103);
        assert_eq!(client.receive().status(), 502, "and no other 103");
    }
    assert_eq!(backend.accepted.load(Ordering::SeqCst), 2, "what was taken is not sent again");
}

#[test]
fn what_was_sent_ahead_outlives_a_dropped_upload() {
    let (answer, may_answer) = mpsc::channel::<()>();
    let may_answer = std::sync::Mutex::new(may_answer);
    let kept = std::sync::Mutex::new(Vec::new());
    let backend = Server::start(move |mut stream, _| {
        let mut reader = BufReader::with_capacity(1, stream.try_clone().unwrap());
        while let Some(head) = support::head(&mut reader) {
            if head.starts_with("GET") {
                stream.write_all(&ok("next")).unwrap();
                continue;
            }
            // The upload is never read.
            may_answer.lock().unwrap().recv().unwrap();
            let close = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n";
            stream.write_all(format!("{close}early").as_bytes()).unwrap();
            kept.lock().unwrap().push(stream);
            return;
        }
    });
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    // Of sizes around what sockets hold, one or the other is read whole and not written whole.
    for size in [1_000, 200_000, 2_000_000, 2_600_000, 2_800_000, 3_000_000] {
        let mut client = Client::connect(address);
        let mut bytes = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n");
        bytes.push_str(&"u".repeat(size));
        bytes.push_str("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let stream = client.reader.get_ref();
        stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        let _ = (&*stream).write_all(bytes.as_bytes());
        answer.send(()).unwrap();
        let early = client.receive();
        assert_eq!(early.text(), "early", "{size}");
        if early.header("connection") != Some("close") {
            assert_eq!(client.receive().text(), "next", "after {size}");
        }
    }
}

#[test]
fn an_early_answer_says_that_the_connection_ends_and_arrives() {
    let backend = Server::start(|mut stream, _| {
        let mut reader = BufReader::with_capacity(1, stream.try_clone().unwrap());
        support::head(&mut reader).unwrap();
        stream
            .write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 7\r\n\r\ntoo big")
            .unwrap();
    });
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    for _ in 0..20 {
        let mut client = Client::connect(address);
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
        // Who writes everything before it reads is read to its end, and no reset comes first.
        client.send(vec![b'u'; 8_000_000]);
        let early = client.receive();
        assert_eq!((early.status(), early.text().as_str()), (413, "too big"));
        assert_eq!(early.header("connection"), Some("close"));
        assert!(client.is_closed());
    }
}

#[test]
fn a_client_that_leaves_takes_its_endpoint_along() {
    let hanging = Server::start(|stream, _| {
        let mut rest = Vec::new();
        let _ = BufReader::new(stream).read_to_end(&mut rest);
    });
    let (gateway, address) = gateway(&[route("one", "*", "/", &[hanging.address])]);
    let ahead = "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(4000);
    for (sent_ahead, count) in [("", 1), (&ahead[..30], 2), (&ahead[..], 3)] {
        let client = TcpStream::connect(address).unwrap();
        client.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n\r\n{sent_ahead}");
        let _ = (&client).write_all(request.as_bytes());
        eventually("the endpoint is asked", || hanging.accepted.load(Ordering::SeqCst) == count);
        SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        let port = hanging.address.port();
        eventually("its connection is closed", || connections_to(port) == 0);
        eventually("the client's is closed", || {
            let gauge = "traefik_open_connections{entrypoint=\"web\",protocol=\"TCP\"} 0\n";
            scrape(&gateway).contains(gauge)
        });
    }
}

#[test]
fn only_silence_ends_an_answer_to_a_client_that_closed_its_side() {
    let backend = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let request = Received::read(&mut reader).unwrap();
        if request.head.starts_with("GET /silent") {
            let _ = reader.read_to_end(&mut Vec::new());
            return;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n").unwrap();
        for _ in 0..12 {
            std::thread::sleep(Duration::from_millis(100));
            stream.write_all(b"x").unwrap();
        }
    });
    // A whole answer takes longer than the limit, no piece of it does.
    let timeouts = Timeouts { half_closed: Duration::from_millis(700), ..Timeouts::default() };
    let options = GatewayOptions { workers: 1, timeouts, ..GatewayOptions::default() };
    let (_gateway, address) = gateway_with(&[route("one", "*", "/", &[backend.address])], options);
    let mut client = Client::connect(address);
    client.send("GET /flowing HTTP/1.1\r\nHost: a\r\n\r\n");
    client.reader.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.receive().text(), "x".repeat(12));
    let mut client = Client::connect(address);
    client.send("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
    client.reader.get_ref().shutdown(Shutdown::Write).unwrap();
    assert!(client.is_closed(), "silence has an end");
}

#[test]
fn an_empty_line_behind_a_body_is_no_request() {
    let backend = Server::echo("one");
    let timeouts = Timeouts { head: Duration::from_millis(100), ..Timeouts::default() };
    let options = GatewayOptions { workers: 1, timeouts, ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&[route("one", "*", "/", &[backend.address])], options);
    let mut client = Client::connect(address);
    for stray in ["\r\n", "\r", "\r\n\r\n"] {
        let post = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi{stray}");
        assert_eq!(client.send(post).receive().status(), 200);
        client.reader.get_ref().set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let quiet = client.reader.get_mut().read(&mut [0]).unwrap_err().kind();
        assert_eq!(quiet, std::io::ErrorKind::WouldBlock, "no 408 after {stray:?}");
        client.reader.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
        if stray == "\r" {
            client.send("\n");
        }
        assert_eq!(client.get("a", "/").status(), 200, "after {stray:?}");
    }
    client.send("\r\n");
    std::thread::scope(|scope| {
        scope.spawn(|| gateway.drain(PATIENCE));
        assert!(client.is_closed(), "it waits for a request, and is sent away");
    });
}

/// A pipe that nobody reads, or that somebody opened and does not read.
#[test]
fn the_end_does_not_wait_for_an_access_log_that_blocks() {
    let folder = std::env::temp_dir().join(format!("steelyard-log-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let backend = Server::echo("one");
    for is_open in [false, true] {
        let path = folder.join(format!("pipe-{is_open}"));
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let _reader = is_open
            .then(|| std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap());
        let log = AccessLog {
            path: Some(path.clone()),
            format: LogFormat::Common,
            ..AccessLog::default()
        };
        let options =
            GatewayOptions { workers: 1, access_log: Some(log), ..GatewayOptions::default() };
        let (gateway, address) =
            gateway_with(&[route("one", "*", "/", &[backend.address])], options);
        let mut client = Client::connect(address);
        let path = format!("/{}", "x".repeat(8000));
        for _ in 0..100 {
            assert_eq!(client.get("a", &path).status(), 200);
        }
        gateway.reopen_log();
        let (ended, end) = mpsc::channel();
        let gateway = Arc::new(gateway);
        let draining = gateway.clone();
        std::thread::spawn(move || {
            draining.drain(Duration::from_millis(100));
            ended.send(()).unwrap();
        });
        end.recv_timeout(PATIENCE).expect("it ends");
    }
    let _ = std::fs::remove_dir_all(&folder);
}

/// Counted apart: each connection to the endpoint is one more request that was sent.
#[test]
fn what_is_not_idempotent_is_sent_once() {
    let arrived = Arc::new(AtomicUsize::new(0));
    let count = arrived.clone();
    let dying = Server::start(move |stream, _| {
        let mut reader = BufReader::new(stream);
        if Received::read(&mut reader).is_some() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let endpoints = [dying.address, dying.address];
    let (_gateway, address) = gateway(&[route("one", "*", "/", &endpoints)]);
    let mut client = Client::connect(address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!(client.receive().status(), 502);
    assert_eq!(arrived.load(Ordering::SeqCst), 1);
}

/// What was said before the end counts.
#[test]
fn who_closes_its_side_behind_two_requests_gets_both_answers() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let backend = Server::answering(move |_| {
        released.lock().unwrap().recv().unwrap();
        ok("late")
    });
    let (_gateway, address) = gateway(&[route("one", "a", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is asked", || backend.accepted.load(Ordering::SeqCst) == 1);
    client.reader.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    // Once another request is answered, the end was seen.
    assert_eq!(get(address, "b", "/").status(), 404);
    for _ in 0..2 {
        release.send(()).unwrap();
        assert_eq!(client.receive().who(), "late");
    }
    assert!(client.is_closed());
}
