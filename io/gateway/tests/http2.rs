//! HTTP/2 from clients (prior knowledge), to endpoints that speak HTTP/1.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, HeaderValue, Request};
use steelyard_gateway::{AccessLog, EntryTerms, GatewayOptions, LogFormat};
use steelyard_host::places::Places;
use support::h2::{Raw, ask, connect, push, request, run, whole};
use support::held::HeldServer;
use support::{
    Client, Server, TemporaryFile, eventually, gateway, gateway_with, head, ok, one_worker, route,
    scrape,
};

#[test]
fn many_requests_at_a_time_get_their_own_answers() {
    let server = Server::echo("s");
    let (_gateway, address) = gateway(&[route("r", "*", "/", &[server.address])]);
    run(async {
        let sender = connect(address).await;
        let mut all = tokio::task::JoinSet::new();
        for index in 0..300 {
            let mut sender = sender.clone();
            all.spawn(async move {
                let body = format!("body-{index}-").repeat(index * 20 + 1);
                let path = format!("/p/{index}?q={index}");
                let whole = ask(&mut sender, request("POST", &path), body.as_bytes()).await;
                (path, body, whole.unwrap())
            });
        }
        while let Some(done) = all.join_next().await {
            let (path, body, whole) = done.unwrap();
            assert_eq!(whole.status, 200);
            let text = whole.text();
            assert!(text.starts_with(&format!("s\nPOST {path} HTTP/1.1\r\n")), "{path}: {text}");
            assert!(text.ends_with(&body), "{path}");
        }
    });
    assert!(server.accepted.load(Ordering::SeqCst) <= 128, "no more than streams at a time");
}

/// An entry point may allow fewer requests at a time, and no more than the program does.
#[test]
fn an_entry_point_says_how_many_requests_may_be_under_way() {
    let server = Server::echo("s");
    for (wanted, allowed) in [(3, 3), (5_000, 128)] {
        let options = one_worker(EntryTerms { streams: Some(wanted), ..EntryTerms::default() });
        let (_gateway, address) = gateway_with(&[route("r", "*", "/", &[server.address])], options);
        run(async {
            let mut sender = connect(address).await;
            assert_eq!(ask(&mut sender, request("GET", "/"), b"").await.unwrap().status, 200);
            assert_eq!(sender.current_max_send_streams(), allowed);
        });
    }
}

#[test]
fn an_endpoint_sees_one_request_of_http1() {
    let server = Server::echo("s");
    let (_gateway, address) = gateway(&[route("r", "*", "/", &[server.address])]);
    run(async {
        let mut sender = connect(address).await;
        let asked = Request::builder()
            .uri("http://a/x?y")
            .version(http::Version::HTTP_2)
            .header("cookie", "a=b")
            .header("x-forwarded-for", "6.6.6.6")
            .header("x_forwarded_for", "6.6.6.6")
            .header("te", "trailers")
            .header("cookie", "c=d")
            .body(())
            .unwrap();
        let text = ask(&mut sender, asked, b"").await.unwrap().text();
        let lines: Vec<&str> = text.lines().collect();
        for expected in ["GET /x?y HTTP/1.1", "Host: a", "cookie: a=b; c=d"] {
            assert_eq!(lines.iter().filter(|it| **it == expected).count(), 1, "{text}");
        }
        assert!(!text.contains("6.6.6.6"), "{text}");
        assert_eq!(text.to_lowercase().matches("\nte: trailers").count(), 1, "{text}");
        for (name, value) in [("x-forwarded-for", "127.0.0.1"), ("x-forwarded-proto", "http")] {
            let line = |it: &&&str| it.to_lowercase() == format!("{name}: {value}");
            assert_eq!(lines.iter().filter(line).count(), 1, "{name} in {text}");
        }
        // What is no request gets an answer, and others are not concerned.
        let other_host = Request::builder()
            .uri("http://a/")
            .version(http::Version::HTTP_2)
            .header("host", "b")
            .body(())
            .unwrap();
        assert_eq!(ask(&mut sender, other_host, b"").await.unwrap().status, 400);
        let lines = (0..101)
            .fold(Request::builder().uri("http://a/"), |it, n| it.header(format!("x-{n}"), "y"));
        assert_eq!(ask(&mut sender, lines.body(()).unwrap(), b"").await.unwrap().status, 431);
        let large = Request::builder().uri("http://a/").header("x", "y".repeat(70_000));
        assert_eq!(ask(&mut sender, large.body(()).unwrap(), b"").await.unwrap().status, 431);
        assert_eq!(ask(&mut sender, request("GET", "/"), b"").await.unwrap().status, 200);
    });
}

#[test]
fn answers_without_bodies_and_with() {
    let server = Server::answering(|request| {
        let target = request.head.split(' ').nth(1).unwrap_or_default().to_owned();
        let head = match &*target {
            "/204" => "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n",
            "/304" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nX-A: 1\r\n\r\n",
            "/head" => {
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: x-b\r\nX-B: 1\r\nX-A: 1\r\n\r\n"
            }
            "/chunks" => {
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n\
                 3\r\nabc\r\n4;x\r\ndefg\r\n0\r\n\r\n"
            }
            "/empty" => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: 1\r\n\r\n",
            _ => {
                "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\n\r\nok"
            }
        };
        head.as_bytes().to_vec()
    });
    let (_gateway, address) = gateway(&[route("r", "*", "/", &[server.address])]);
    run(async {
        let mut sender = connect(address).await;
        for (method, path, status, length, body) in [
            ("GET", "/204", 204, None, ""),
            ("GET", "/304", 304, Some("9"), ""),
            ("HEAD", "/head", 200, Some("9"), ""),
            ("GET", "/chunks", 200, None, "abcdefg"),
            ("GET", "/empty", 200, Some("0"), ""),
            ("GET", "/hints", 200, Some("2"), "ok"),
        ] {
            let whole = ask(&mut sender, request(method, path), b"").await.unwrap();
            assert_eq!((whole.status, &*whole.text()), (status, body), "{path}");
            let header = |name: &str| whole.headers.get(name).map(|it| it.to_str().unwrap());
            assert_eq!(header("content-length"), length, "{path}");
            assert_eq!(header("x-a"), Some("1"), "{path}");
            for gone in ["transfer-encoding", "connection", "x-b", "keep-alive"] {
                assert_eq!(header(gone), None, "{path}");
            }
        }
        let missing = ask(&mut sender, request("GET", "/hints"), b"").await.unwrap();
        assert_eq!(missing.status, 200);
    });
}

/// A body of 20 MB each way, with a client that takes its time.
#[test]
fn large_bodies_are_held_back_by_who_takes_them() {
    const SIZE: usize = 20 << 20;
    let held = Arc::new(AtomicUsize::new(0));
    let taken = held.clone();
    let server = Server::start(move |mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let _ = head(&mut reader);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
        stream.write_all(answer.as_bytes()).unwrap();
        stream.set_nonblocking(false).unwrap();
        for _ in 0..SIZE / 4_096 {
            if stream.write_all(&[7; 4_096]).is_err() {
                return;
            }
            taken.fetch_add(4_096, Ordering::SeqCst);
        }
    });
    let (_gateway, address) = gateway(&[route("r", "*", "/", &[server.address])]);
    run(async {
        let mut sender = connect(address).await;
        let (response, _) = sender.send_request(request("GET", "/"), true).unwrap();
        let response = response.await.unwrap();
        // Nothing is taken: what flows fills windows, buffers and sockets, and no more.
        let mut before = usize::MAX;
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let now = held.load(Ordering::SeqCst);
            if now == before {
                break;
            }
            before = now;
        }
        assert!(before < SIZE, "{before} bytes have gone on to a client that takes none");
        let mut other = connect(address).await;
        let (beside, _) = other.send_request(request("GET", "/"), true).unwrap();
        assert_eq!(beside.await.unwrap().status(), 200, "others are served meanwhile");
        assert_eq!(whole(response).await.unwrap().body.len(), SIZE);
    });
    let server = Server::answering(|request| ok(&request.body.len().to_string()));
    let (_gateway, address) = gateway(&[route("r", "*", "/", &[server.address])]);
    run(async {
        let mut sender = connect(address).await;
        let body = vec![7; SIZE];
        let whole = ask(&mut sender, request("POST", "/"), &body).await.unwrap();
        assert_eq!(whole.text(), SIZE.to_string());
    });
}

#[test]
fn who_expects_a_100_gets_it() {
    let server = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let head = head(&mut reader).unwrap();
        assert!(head.to_lowercase().contains("expect: 100-continue\r\n"), "{head}");
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        let mut body = [0; 4];
        reader.read_exact(&mut body).unwrap();
        stream.write_all(&ok(str::from_utf8(&body).unwrap())).unwrap();
    });
    let (_gateway, address) = gateway(&[route("r", "*", "/", &[server.address])]);
    run(async {
        let mut sender = connect(address).await;
        let asked = Request::builder()
            .method("POST")
            .uri("http://a/")
            .header("expect", "100-continue")
            .header("content-length", "4")
            .body(())
            .unwrap();
        let (mut response, mut send) = sender.send_request(asked, false).unwrap();
        let hint = std::future::poll_fn(|cx| response.poll_informational(cx)).await;
        assert_eq!(hint.unwrap().unwrap().status(), 100);
        push(&mut send, b"body", true).await.unwrap();
        assert_eq!(whole(response.await.unwrap()).await.unwrap().text(), "body");
    });
}

/// What stands behind a body goes to an endpoint of HTTP/1, and back, but for what would mean
/// something in a head.
#[test]
fn trailers_go_to_http1_and_back() {
    let server = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(head) = head(&mut reader) {
            let mut came = String::new();
            while !came.ends_with("0\r\n") && reader.read_line(&mut came).unwrap() > 0 {}
            while !came.ends_with("\r\n\r\n") && reader.read_line(&mut came).unwrap() > 0 {}
            let is_asked = head.contains("\r\nTE: trailers\r\n");
            let section = "x-sum: 1\r\nX-Sum: 2\r\nAuthorization: x\r\nHost: b\r\nx_y: 3\r\n";
            let said = format!("{is_asked} {came}");
            let answer = format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{said}\r\n0\r\n{section}\r\n",
                said.len(),
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let (_gateway, address) = gateway(&[route("r", "*", "/", &[server.address])]);
    run(async {
        let mut sender = connect(address).await;
        for (asks, body, chunk) in [(true, "some", "4\r\nsome\r\n"), (false, "", "")] {
            let mut asked = request("POST", "/");
            if asks {
                asked.headers_mut().insert("te", HeaderValue::from_static("trailers"));
            }
            let (response, mut send) = sender.send_request(asked, false).unwrap();
            push(&mut send, body.as_bytes(), false).await.unwrap();
            let mut trailers = HeaderMap::new();
            for name in ["x-late", "grpc-status", "x-late", "content-length", "cookie", "x_y"] {
                trailers.append(name, HeaderValue::from_static("1"));
            }
            send.send_trailers(trailers).unwrap();
            let answer = whole(response.await.unwrap()).await.unwrap();
            let mut said: Vec<_> = answer.text().split("\r\n").map(str::to_owned).collect();
            let text = answer.text();
            assert!(text.starts_with(&format!("{asks} {chunk}0\r\n")), "{text:?}");
            said.sort();
            let late = said.iter().filter(|it| it.contains(':')).collect::<Vec<_>>();
            assert_eq!(late, ["grpc-status: 1", "x-late: 1", "x-late: 1"], "{text:?}");
            let trailers = answer.trailers.unwrap();
            assert_eq!(trailers.get_all("x-sum").iter().collect::<Vec<_>>(), ["1", "2"]);
            assert_eq!(trailers.len(), 2, "{trailers:?}");
        }
    });
}

/// An answer that comes before the request has: it arrives whole, and the client need not go on.
#[test]
fn an_early_answer_ends_an_upload_in_peace() {
    let server = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let _ = head(&mut reader);
        stream.write_all(&ok("early")).unwrap();
        let _ = reader.read_to_end(&mut Vec::new());
    });
    let (_gateway, address) = gateway(&[route("r", "*", "/", &[server.address])]);
    run(async {
        let mut sender = connect(address).await;
        let (response, mut send) = sender.send_request(request("POST", "/"), false).unwrap();
        push(&mut send, &[7; 1_000], false).await.unwrap();
        assert_eq!(whole(response.await.unwrap()).await.unwrap().text(), "early");
        let reset = std::future::poll_fn(|cx| send.poll_reset(cx)).await.unwrap();
        assert_eq!(reset, Reason::NO_ERROR);
    });
}

/// What ends before its time is no answer: the stream is reset, and the next request served.
#[test]
fn an_answer_that_breaks_off_is_not_whole() {
    let server = Server::start(|mut stream, index| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let _ = head(&mut reader);
        let answer =
            if index == 0 { &b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"[..] } else { b"" };
        let _ = stream.write_all(answer);
    });
    let (_gateway, address) = gateway(&[route("r", "*", "/", &[server.address])]);
    run(async {
        let mut sender = connect(address).await;
        let broken = ask(&mut sender, request("GET", "/"), b"").await.unwrap_err();
        assert_eq!(broken.reason(), Some(Reason::INTERNAL_ERROR));
        let whole = ask(&mut sender, request("GET", "/"), b"").await.unwrap();
        assert_eq!(whole.status, 502);
    });
}

/// A length that disagrees with what comes (RFC 9113 §8.1.1) is the end of that stream.
#[test]
fn lengths_that_disagree_with_data_smuggle_nothing() {
    let server = Server::echo("s");
    let (_gateway, address) = gateway(&[route("r", "*", "/", &[server.address])]);
    run(async {
        let mut sender = connect(address).await;
        for (length, body) in
            [("3", &b"abcdGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"[..]), ("9", b"ab")]
        {
            let asked = Request::builder()
                .method("POST")
                .uri("http://a/up")
                .header("content-length", length)
                .body(())
                .unwrap();
            let outcome = ask(&mut sender, asked, body).await;
            assert!(outcome.is_err(), "{length}: {outcome:?}");
            for _ in 0..3 {
                let text = ask(&mut sender, request("GET", "/next"), b"").await.unwrap().text();
                assert!(text.starts_with("s\nGET /next HTTP/1.1\r\n"), "{text}");
            }
        }
    });
}

#[test]
fn websocket_by_extended_connect() {
    let server = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let asked = head(&mut reader).unwrap();
        let lower = asked.to_lowercase();
        if asked.starts_with("GET /refused ") {
            stream.write_all(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno").unwrap();
            return;
        }
        if asked.starts_with("GET /plain ") {
            stream.write_all(&ok("plain")).unwrap();
            return;
        }
        for line in ["upgrade: websocket", "connection: upgrade", "sec-websocket-version: 13"] {
            assert_eq!(lower.matches(line).count(), 1, "{asked}");
        }
        assert_eq!(lower.matches("sec-websocket-key: ").count(), 1, "{asked}");
        let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                      Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nhello";
        stream.write_all(switch.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        bytes.reverse();
        stream.write_all(&bytes).unwrap();
    });
    let (gateway, address) = gateway(&[route("r", "*", "/", &[server.address])]);
    run(async {
        let mut sender = connect(address).await;
        while !sender.is_extended_connect_protocol_enabled() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let connect = |path: &str| {
            Request::builder()
                .method("CONNECT")
                .uri(format!("http://a{path}"))
                .header("sec-websocket-version", "13")
                .extension(h2::ext::Protocol::from_static("websocket"))
                .body(())
                .unwrap()
        };
        let (response, mut send) = sender.send_request(connect("/ws"), false).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.headers().get("sec-websocket-accept").is_none());
        let mut body = response.into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "hello");
        for piece in ["abc", "def"] {
            send.send_data(Bytes::from_static(piece.as_bytes()), false).unwrap();
        }
        send.send_data(Bytes::new(), true).unwrap();
        let mut all = Vec::new();
        while let Some(piece) = body.data().await {
            all.extend_from_slice(&piece.unwrap());
        }
        assert_eq!(all, b"fedcba");
        // Only a switch is a yes.
        for (path, status) in [("/refused", 403), ("/plain", 502)] {
            let (response, _send) = sender.send_request(connect(path), false).unwrap();
            assert_eq!(response.await.unwrap().status(), status, "{path}");
        }
        let other = Request::builder()
            .method("CONNECT")
            .uri("http://a/")
            .extension(h2::ext::Protocol::from_static("connect-udp"))
            .body(())
            .unwrap();
        let (response, _send) = sender.send_request(other, false).unwrap();
        assert_eq!(response.await.unwrap().status(), 501);
    });
    // What its client was told is what is counted of it.
    let metrics = scrape(&gateway);
    let counted = "steelyard_request_faults_total{cause=\"bad-response\",entrypoint=\"web\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
}

/// One connection has no more under way than as many clients might.
#[test]
fn each_request_of_http2_takes_a_place() {
    let server = HeldServer::start("x");
    let places = Places::new(4);
    let options = GatewayOptions { workers: 1, places, ..GatewayOptions::default() };
    let (_gateway, address) =
        gateway_with(&[route("r", "*", "/", &[server.server.address])], options);
    run(async {
        let mut sender = connect(address).await;
        let mut under_way = Vec::new();
        // The first has the place of its connection.
        for _ in 0..4 {
            sender = sender.ready().await.unwrap();
            under_way.push(sender.send_request(request("GET", "/"), true).unwrap().0);
        }
        let refused = ask(&mut sender, request("GET", "/"), b"").await.unwrap_err();
        assert_eq!(refused.reason(), Some(Reason::REFUSED_STREAM));
        server.release();
        for response in under_way {
            assert_eq!(whole(response.await.unwrap()).await.unwrap().status, 200);
        }
        assert_eq!(ask(&mut sender, request("GET", "/"), b"").await.unwrap().status, 200);
    });
}

/// Nobody waits until who is idle has taken its leave, which it may never do.
#[test]
fn who_is_idle_makes_room_at_once() {
    const ROUNDS: u32 = 20;
    let server = Server::echo("s");
    let options =
        GatewayOptions { workers: 1, places: Places::new(1), ..GatewayOptions::default() };
    let (_gateway, address) = gateway_with(&[route("r", "*", "/", &[server.address])], options);
    let begun = Instant::now();
    let idle: Vec<Raw> = (0..ROUNDS)
        .map(|_| {
            let mut raw = Raw::connect(address, &[]);
            assert!(raw.next().is_some_and(|(kind, ..)| kind == 4));
            assert_eq!(Client::connect(address).get("a", "/").status(), 200);
            raw
        })
        .collect();
    assert!(begun.elapsed() < Duration::from_secs(1) * ROUNDS, "{:?}", begun.elapsed());
    drop(idle);
}

#[test]
fn the_log_says_by_what_it_came() {
    let server = Server::echo("s");
    let file = TemporaryFile::new("http2-log");
    let log =
        AccessLog { path: Some(file.0.clone()), format: LogFormat::Json, ..AccessLog::default() };
    let options = GatewayOptions { workers: 1, access_log: Some(log), ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&[route("r", "*", "/", &[server.address])], options);
    run(async {
        let mut sender = connect(address).await;
        ask(&mut sender, request("GET", "/x"), b"").await.unwrap();
        let refused = Request::builder().uri("http://a/").header("host", "b").body(()).unwrap();
        ask(&mut sender, refused, b"").await.unwrap();
    });
    let _ = Client::connect(address).get("a", "/y");
    drop(gateway);
    let text = file.text();
    let said: Vec<_> = text
        .lines()
        .map(|line| {
            let of = |name: &str| {
                let rest = line.split_once(&format!("\"{name}\":")).unwrap().1;
                rest.split_once(',').unwrap().0.trim_matches('"')
            };
            ["RequestPath", "RequestProtocol", "DownstreamStatus"].map(of)
        })
        .collect();
    let expected = [["/x", "HTTP/2.0", "200"], ["", "HTTP/2.0", "400"], ["/y", "HTTP/1.1", "200"]];
    assert_eq!(said, expected);
}

/// Who has requests when the gateway ends gets their answers, and is told before.
#[test]
fn a_drain_says_goodbye_and_loses_nothing() {
    let held = HeldServer::start("late");
    let (gateway, address) = gateway(&[route("r", "*", "/", &[held.server.address])]);
    let accepted = held.server.accepted.clone();
    let mut idle = Raw::connect(address, &[]);
    let draining = std::thread::spawn(move || {
        eventually("the request has come", || accepted.load(Ordering::SeqCst) > 0);
        gateway.drain(Duration::from_secs(20));
    });
    run(async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        let driven = tokio::spawn(connection);
        let mut sender: h2::client::SendRequest<Bytes> = sender.ready().await.unwrap();
        let (response, _) = sender.send_request(request("GET", "/"), true).unwrap();
        // Told that there will be no more.
        loop {
            let mut other = sender.clone();
            if std::future::poll_fn(|cx| other.poll_ready(cx)).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        held.release();
        assert_eq!(whole(response.await.unwrap()).await.unwrap().text(), "late");
        drop(sender);
        driven.await.unwrap().unwrap();
    });
    assert_eq!(idle.farewell(), Some(Reason::NO_ERROR));
    draining.join().unwrap();
}
