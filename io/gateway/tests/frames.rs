//! Filters that look into bodies and connections, on real sockets, over HTTP/1.1 and HTTP/2.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use steelyard_gateway::{Gateway, GatewayOptions};
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::access::{CertificateHeader, CertificateParts, NameParts};
use steelyard_model::routing::filter::content::{Compression, ContentCoding};
use steelyard_model::routing::filter::limit::RetryRule;
use steelyard_model::routing::times::{ReuseTerms, RouteTimeouts};
use steelyard_model::routing::tls::{Authorities, ClientAuthentication, TlsPolicy};
use support::filtering::{change, echoed, put_filters};
use support::tls::{Authority, Secured, provider, secure, secure_gateway};
use support::{Client, Received, Server, gateway_with, h2, route, routing};

fn options() -> GatewayOptions {
    GatewayOptions { workers: 1, ..GatewayOptions::default() }
}

/// A gateway whose route `/` leads there, by way of these filters.
fn passing(endpoint: SocketAddr, filters: Vec<Filter>) -> (Gateway, SocketAddr) {
    let routes = [route("main", "*", "/", &[endpoint])];
    let (gateway, address) = gateway_with(&routes, options());
    let mut map = routing(&routes);
    put_filters(&mut map, "main", filters);
    gateway.apply(&map, 2);
    (gateway, address)
}

/// A server that says each of these pieces when it is told to go on, the first at once.
struct Slow {
    server: Server,
    go_on: Sender<()>,
}

impl Slow {
    fn new(pieces: &'static [&'static str]) -> Self {
        let (go_on, told) = channel();
        let told = Mutex::new(told);
        let server = Server::start(move |mut stream, _| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let _ = Received::read(&mut reader);
            for (number, piece) in pieces.iter().enumerate() {
                if number > 0 && told.lock().unwrap().recv_timeout(support::PATIENCE).is_err() {
                    return;
                }
                if stream.write_all(piece.as_bytes()).is_err() {
                    return;
                }
            }
        });
        Self { server, go_on }
    }
}

/// By path, an answer as it goes on the wire.
const ANSWERS: [(&str, &str, Option<&str>); 8] = [
    (
        "/page",
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        Some("text/html; charset=utf-8"),
    ),
    (
        "/chunks",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n%PD\r\n4\r\nF-17\r\n0\r\n\r\n",
        Some("application/pdf"),
    ),
    (
        "/gone",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\noh",
        Some("text/plain; charset=utf-8"),
    ),
    (
        "/told",
        "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 6\r\n\r\n<html>",
        Some("a/b"),
    ),
    ("/empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", None),
    ("/nothing", "HTTP/1.1 204 No Content\r\n\r\n", None),
    ("/zip", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n\r\n<html>", None),
    // What is said of a body is not believed where there is nothing to be seen of it.
    (
        "/identity",
        "HTTP/1.1 200 OK\r\nContent-Encoding: \r\nContent-Length: 2\r\n\r\n\x01\x02",
        Some("application/octet-stream"),
    ),
];

/// What says nothing of its body is told by its first bytes, and nothing of the body is lost.
#[test]
fn bodies_are_told_by_their_first_bytes() {
    let server = Server::answering(|request| {
        let path = request.head.split(' ').nth(1).unwrap().to_owned();
        let (_, answer, _) = ANSWERS.iter().find(|(known, _, _)| *known == path).unwrap();
        let (head, _) = answer.split_once("\r\n\r\n").unwrap();
        match request.head.starts_with("HEAD ") {
            true => format!("{head}\r\n\r\n").into_bytes(),
            false => answer.as_bytes().to_vec(),
        }
    });
    let (_gateway, address) = passing(server.address, vec![Filter::ContentType]);
    let mut client = Client::connect(address);
    for (path, answer, expected) in &ANSWERS {
        let received = client.get("a", path);
        assert_eq!(received.header("content-type"), *expected, "{path}");
        let body = answer.rsplit("\r\n\r\n").next().unwrap();
        match *path {
            "/chunks" => assert_eq!(received.body, b"%PDF-17"),
            _ => assert_eq!(received.body, body.as_bytes(), "{path}"),
        }
        client.send(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let head = Received::read_to(&mut client.reader, true).unwrap();
        let told = Some("a/b").filter(|_| *path == "/told");
        assert_eq!(head.header("content-type"), told, "HEAD {path}");
        h2::run(async {
            let mut connection = h2::connect(address).await;
            let whole = h2::ask(&mut connection, h2::request("GET", path), b"").await.unwrap();
            let found = whole.headers.get("content-type").map(|it| it.to_str().unwrap());
            assert_eq!(found, *expected, "{path}");
            assert_eq!(whole.body, received.body, "{path}");
        });
    }
}

/// Who is silent behind a head is waited for a moment, and its head goes out as it is; what comes
/// in pieces is looked at as far as it has come, and goes on as it comes.
#[test]
fn a_body_that_comes_late_keeps_no_head_back() {
    const SLOW: [&[&str]; 3] = [
        &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "6\r\n<html>\r\n", "0\r\n\r\n"],
        &["HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", "<html>"],
        &["HTTP/1.1 200 OK\r\n\r\n", "<html>"],
    ];
    for pieces in SLOW {
        let slow = Slow::new(pieces);
        let (_gateway, address) = passing(slow.server.address, vec![Filter::ContentType]);
        let mut client = Client::connect(address);
        let began = Instant::now();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = support::head(&mut client.reader).unwrap();
        assert!(began.elapsed() >= Duration::from_millis(90), "it is waited for: {pieces:?}");
        assert!(!head.to_ascii_lowercase().contains("content-type"), "{head}");
        (1..pieces.len()).for_each(|_| slow.go_on.send(()).unwrap());
        drop(slow);
        let mut rest = [0; 9];
        let wanted = if pieces[0].contains("Length") { 6 } else { 9 };
        client.reader.read_exact(&mut rest[..wanted]).unwrap();
        assert!(String::from_utf8_lossy(&rest).contains("<html>"), "{rest:?}");
    }
    // A first piece is enough.
    let slow = Slow::new(&[
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n<html>\r\n",
        "0\r\n\r\n",
    ]);
    let (_gateway, address) = passing(slow.server.address, vec![Filter::ContentType]);
    let mut client = Client::connect(address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = support::head(&mut client.reader).unwrap();
    assert!(head.contains("Content-Type: text/html; charset=utf-8"), "{head}");
    slow.go_on.send(()).unwrap();
}

/// Events have a type of their own, and nothing is waited for.
#[test]
fn streams_of_events_go_on_at_once() {
    let slow = Slow::new(&[
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        "9\r\ndata: 1\n\n\r\n",
    ]);
    let (_gateway, address) = passing(slow.server.address, vec![Filter::ContentType]);
    let mut client = Client::connect(address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = support::head(&mut client.reader).unwrap();
    assert!(head.contains("Content-Type: text/event-stream"), "{head}");
    slow.go_on.send(()).unwrap();
    let mut event = [0; 14];
    client.reader.read_exact(&mut event).unwrap();
    assert_eq!(&event, b"9\r\ndata: 1\n\n\r\n");
}

/// An endpoint that breaks off while its body is looked at, and a client that does.
#[test]
fn who_goes_while_a_body_is_looked_at_ends_it() {
    let server = Server::answering(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_vec());
    let breaking = Server::start(|mut stream, _| {
        let _ = stream.read(&mut [0; 1000]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    let (_gateway, address) = passing(breaking.address, vec![Filter::ContentType]);
    assert_eq!(support::get(address, "a", "/").status(), 502, "nothing has gone on");
    let (gateway, address) = passing(server.address, vec![Filter::ContentType]);
    for _ in 0..20 {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    }
    let open = "traefik_open_connections{entrypoint=\"web\",protocol=\"TCP\"} 0\n";
    support::eventually("nobody is waited for", || support::scrape(&gateway).contains(open));
}

/// Looking at a body and making it smaller: the one outside sees what the other lets out.
#[test]
fn what_is_made_smaller_is_told_before() {
    let compress = || {
        Filter::Compress(Box::new(Compression {
            excluded: Vec::new(),
            included: Vec::new(),
            smallest: 1,
            encodings: vec![ContentCoding::Gzip],
            default: None,
            is_nginx: false,
        }))
    };
    let server =
        Server::answering(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>".to_vec());
    for (filters, expected) in [
        (vec![compress(), Filter::ContentType], Some("text/html; charset=utf-8")),
        // Of what is encoded already nothing is said.
        (vec![Filter::ContentType, compress()], None),
    ] {
        let (_gateway, address) = passing(server.address, filters);
        let request = "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n";
        let received = Client::connect(address).send(request).receive();
        assert_eq!(received.header("content-encoding"), Some("gzip"));
        assert_eq!(received.header("content-type"), expected);
    }
}

fn told_certificate() -> Filter {
    let subject = Some(NameParts { common_name: true, ..NameParts::default() });
    let parts = Some(CertificateParts { subject, sans: true, ..CertificateParts::default() });
    Filter::ClientCertificate(Box::new(CertificateHeader { pem: true, parts }))
}

/// Endpoints are told of the certificate that its client has shown, on every request of its
/// connection and when it comes again, and of nobody's else.
#[test]
fn endpoints_are_told_of_clients_certificates() {
    let (authority, by) = (Authority::new("ca"), Authority::new("clients"));
    let server = Server::echo("s");
    let routes = [route("main", "a", "/", &[server.address])];
    let mut map = secure(&routes, &[authority.certificate("a", &["a"])]);
    put_filters(&mut map, "main", vec![told_certificate()]);
    let clients = ClientAuthentication::VerifyIfGiven(Authorities {
        pem: by.pem().into(),
        reports: false,
        depth: None,
        revoked: None,
    });
    let policy = TlsPolicy { id: "asks".into(), clients, ..TlsPolicy::plain() };
    change(&mut map, "main", |route| route.tls_policy = Some(policy.id.clone()));
    map.tls_policies.insert(policy.id.clone(), Arc::new(policy));
    let (_gateway, address) = secure_gateway(&map, options());
    let key = rcgen::KeyPair::generate().unwrap();
    let chain = by.der(&["client.test"], &key);
    let shown = base64(&chain[0]);
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let builder = rustls::ClientConfig::builder_with_provider(provider().into());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(authority.roots());
    let client = Arc::new(builder.with_client_auth_cert(chain, key).unwrap());
    let ask = |connection: &mut Secured, request: &str| {
        connection.reader.get_mut().write_all(request.as_bytes()).unwrap();
        Received::read(&mut connection.reader).unwrap().text()
    };
    let forged = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Tls-Client-Cert: forged\r\n\
                  x_forwarded_tls_client_cert: forged\r\nX-Forwarded-Tls-Client_Cert-Info: forged\r\n\r\n";
    for _ in 0..2 {
        let mut connection = Secured::connect(address, "a", &client);
        for _ in 0..2 {
            let text = ask(&mut connection, forged);
            assert!(!text.contains("forged"), "{text}");
            assert_eq!(echoed(&text, "x-forwarded-tls-client-cert"), Some(&*shown));
            let info = "Subject%3D%22CN%3Drcgen+self+signed+cert%22%3BSAN%3D%22client.test%22";
            assert_eq!(echoed(&text, "x-forwarded-tls-client-cert-info"), Some(info));
        }
    }
    let nobody = Arc::new(authority.client());
    let text = ask(&mut Secured::connect(address, "a", &nobody), forged);
    assert!(
        !text.to_ascii_lowercase().contains("client-cert") && !text.contains("forged"),
        "{text}"
    );
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for part in bytes.chunks(3) {
        let number = part.iter().fold(0_usize, |all, byte| all << 8 | usize::from(*byte));
        let number = number << (8 * (3 - part.len()));
        for at in 0..4 {
            let digit = if at > part.len() { b'=' } else { DIGITS[number >> (18 - 6 * at) & 63] };
            out.push(char::from(digit));
        }
    }
    out
}

fn millis(time: u64) -> Option<Duration> {
    Some(Duration::from_millis(time))
}

const NO_TIMES: RouteTimeouts = RouteTimeouts {
    total: None,
    attempt: None,
    connect: None,
    idle_read: None,
    idle_send: None,
    reuse: ReuseTerms { idle: None, age: None, requests: None },
};

/// Says this, and then nothing, for as long as it is let.
fn stuck(says: &'static str) -> Server {
    Server::start(move |mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while Received::read(&mut reader).is_some() {
            let _ = stream.write_all(says.as_bytes());
        }
    })
}

/// Asks again where nobody answered in time, after a while.
fn again(interval: Option<Duration>) -> Filter {
    Filter::Retry(RetryRule {
        attempts: 3,
        timeout: None,
        interval,
        max_body: Some(100),
        statuses: vec![(504, 504)],
        is_by_status_alone: false,
        is_for_all_methods: false,
    })
}

/// Who does not answer in time is answered for, over both protocols, and a client that goes on
/// asking is served.
#[test]
fn requests_and_attempts_end_in_their_time() {
    let server = stuck("");
    for (times, filters) in [
        (RouteTimeouts { total: millis(150), ..NO_TIMES }, vec![]),
        (RouteTimeouts { attempt: millis(150), ..NO_TIMES }, vec![]),
        (RouteTimeouts { idle_read: millis(150), ..NO_TIMES }, vec![]),
        (RouteTimeouts { total: millis(150), ..NO_TIMES }, vec![Filter::ContentType]),
        // A pause between attempts is within the time of all.
        (
            RouteTimeouts { total: millis(400), attempt: millis(150), ..NO_TIMES },
            vec![again(Some(Duration::from_secs(3600)))],
        ),
    ] {
        let all = [vec![Filter::Timeouts(times)], filters].concat();
        let (_gateway, address) = passing(server.address, all.clone());
        let began = Instant::now();
        let mut client = Client::connect(address);
        let answer = client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").receive();
        assert_eq!(answer.status(), 504, "{all:?}");
        assert!(began.elapsed() >= Duration::from_millis(140), "{all:?}");
        assert!(began.elapsed() < Duration::from_secs(20), "{all:?}");
        h2::run(async {
            let mut connection = h2::connect(address).await;
            let whole = h2::ask(&mut connection, h2::request("GET", "/"), b"").await.unwrap();
            assert_eq!(whole.status, 504, "{all:?}");
        });
    }
}

/// A route says it itself, and another attempt has its own time.
#[test]
fn another_attempt_has_a_time_of_its_own() {
    let server = Server::start(|mut stream, number| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while Received::read(&mut reader).is_some() {
            if number > 0 {
                let _ = stream.write_all(&support::ok("late"));
            }
        }
    });
    let routes = [route("main", "*", "/", &[server.address])];
    let (gateway, address) = gateway_with(&routes, options());
    let mut map = routing(&routes);
    put_filters(&mut map, "main", vec![again(None)]);
    let times = RouteTimeouts { attempt: millis(150), total: millis(20_000), ..NO_TIMES };
    change(&mut map, "main", |route| route.timeouts = Some(Box::new(times)));
    gateway.apply(&map, 2);
    assert_eq!(support::get(address, "a", "/").text(), "late");
    assert_eq!(server.accepted.load(Ordering::SeqCst), 2);
}

/// A body that stops is cut off, one that goes on slowly is not, unless all of it has a time.
#[test]
fn bodies_that_stop_are_cut_off() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab";
    let stopping = stuck(head);
    let slow = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let _ = Received::read(&mut reader);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
        for piece in [b"a", b"b", b"c", b"d", b"e", b"f"] {
            std::thread::sleep(Duration::from_millis(100));
            let _ = stream.write_all(piece);
        }
    });
    let idle = RouteTimeouts { idle_read: millis(1_000), ..NO_TIMES };
    let whole = RouteTimeouts { total: millis(250), ..NO_TIMES };
    for (server, times, expected) in [
        (&stopping, RouteTimeouts { idle_read: millis(150), ..NO_TIMES }, None),
        (&slow, idle, Some("abcdef")),
        (&slow, whole, None),
    ] {
        let (_gateway, address) = passing(server.address, vec![Filter::Timeouts(times)]);
        let mut client = Client::connect(address);
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = support::head(&mut client.reader).unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let mut body = vec![0; expected.map_or(10, str::len)];
        let read = client.reader.read_exact(&mut body);
        match expected {
            Some(expected) => assert_eq!(body, expected.as_bytes()),
            None => assert!(read.is_err(), "{times:?}"),
        }
    }
}

/// What has become a tunnel has no time but that in which it may be silent.
#[test]
fn tunnels_end_by_silence_alone() {
    let server = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let _ = Received::read(&mut reader);
        let _ = stream.write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        );
        let _ = std::io::copy(&mut reader, &mut stream);
    });
    for (times, lives) in [
        (RouteTimeouts { total: millis(200), attempt: millis(200), ..NO_TIMES }, true),
        (RouteTimeouts { idle_read: millis(300), ..NO_TIMES }, false),
    ] {
        let (_gateway, address) = passing(server.address, vec![Filter::Timeouts(times)]);
        let mut client = Client::connect(address);
        client
            .send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        assert!(support::head(&mut client.reader).unwrap().starts_with("HTTP/1.1 101"));
        for _ in 0..5 {
            std::thread::sleep(Duration::from_millis(100));
            client.send("x");
            let mut back = [0; 1];
            client.reader.read_exact(&mut back).unwrap();
        }
        if !lives {
            let began = Instant::now();
            assert!(matches!(client.reader.read(&mut [0; 1]), Ok(0) | Err(_)));
            assert!(began.elapsed() < Duration::from_secs(20));
        }
    }
}

/// A frame of gRPC with this message.
fn message(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    [&[0][..], &length, text].concat()
}

/// A gateway to an endpoint of gRPC that echoes, by way of these filters.
fn grpc(filters: Vec<Filter>) -> (Gateway, SocketAddr, h2::Endpoint) {
    let endpoint = h2::Endpoint::start(100, |_, _| h2::Deed::Grpc);
    let routes = [route("main", "*", "/", &[endpoint.address])];
    let (gateway, address) = gateway_with(&routes, options());
    let mut map = routing(&routes);
    support::speak_http2(&mut map, "main");
    put_filters(&mut map, "main", filters);
    gateway.apply(&map, 2);
    (gateway, address, endpoint)
}

const TRAILERS: &[u8] = b"grpc-message: done\r\ngrpc-status: 0\r\nx-sum: 6\r\n";

/// Browsers get gRPC by HTTP/1.1 and HTTP/2: what stands behind an answer is its last frame, and
/// nothing stands behind it any more.
#[test]
fn browsers_speak_grpc() {
    let origins = || vec![Arc::from("https://app.test")];
    let (_gateway, address, _endpoint) = grpc(vec![Filter::GrpcWeb(origins())]);
    let body = message(b"a");
    let length = u32::try_from(TRAILERS.len()).unwrap().to_be_bytes();
    let expected = [&body, &[0x80][..], &length, TRAILERS].concat();
    let ask = |kind: &str, body: &[u8]| {
        let head = format!(
            "POST /x.Y/Z HTTP/1.1\r\nHost: a\r\nOrigin: https://app.test\r\nX-Grpc-Web: 1\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Client::connect(address).send([head.as_bytes(), body].concat()).receive()
    };
    let answer = ask("application/grpc-web+proto", &body);
    assert_eq!((answer.status(), &answer.body), (200, &expected));
    assert_eq!(answer.header("content-type"), Some("application/grpc-web+proto"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.test"));
    assert!(answer.header("access-control-expose-headers").unwrap().ends_with("grpc-message"));
    let text = ask("application/grpc-web-text", base64(&body).as_bytes());
    assert_eq!(text.header("content-type"), Some("application/grpc-web-text+proto"));
    let parts = String::from_utf8(text.body).unwrap();
    assert!(parts.is_ascii() && parts.len().is_multiple_of(4), "{parts}");
    assert!(base64_of(&parts) == expected, "{parts}");
    // What is no base64 comes to no endpoint.
    assert_eq!(ask("application/grpc-web-text", b"AAA").status(), 400);
    assert_eq!(ask("application/grpc-web-text", b"AA*=").status(), 400);
    h2::run(async {
        let mut connection = h2::connect(address).await;
        let mut request = h2::request("POST", "/x.Y/Z");
        request.headers_mut().insert("content-type", "application/grpc-web+proto".parse().unwrap());
        let whole = h2::ask(&mut connection, request, &body).await.unwrap();
        assert_eq!((whole.status, &whole.body[..]), (200, &expected[..]));
        assert_eq!(whole.trailers, None);
        // gRPC itself passes as it is.
        let mut request = h2::request("POST", "/x.Y/Z");
        request.headers_mut().insert("content-type", "application/grpc+proto".parse().unwrap());
        let whole = h2::ask(&mut connection, request, &body).await.unwrap();
        assert_eq!(&whole.body[..], body);
        assert_eq!(whole.trailers.unwrap().get("grpc-status").unwrap(), "0");
    });
}

fn base64_of(parts: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => 0,
    };
    let mut out = Vec::new();
    for group in parts.as_bytes().chunks(4) {
        let number = group.iter().fold(0_u32, |all, byte| all << 6 | u32::from(digit(*byte)));
        let padding = group.iter().filter(|byte| **byte == b'=').count();
        out.extend_from_slice(&number.to_be_bytes()[1..4 - padding]);
    }
    out
}

/// What stands behind bodies passes frames that have these in hand, both ways and by both
/// protocols; what means something in a head does not.
#[test]
fn trailers_pass_filters_that_have_bodies_in_hand() {
    let compress = Filter::Compress(Box::new(Compression {
        excluded: Vec::new(),
        included: Vec::new(),
        smallest: 1,
        encodings: vec![ContentCoding::Gzip],
        default: None,
        is_nginx: false,
    }));
    let server = Server::answering(|_| {
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n\
          5\r\nhello\r\n0\r\nX-Sum: 5\r\nSet-Cookie: a=b\r\nContent-Length: 7\r\n\r\n"
            .to_vec()
    });
    let (_gateway, address) = passing(server.address, vec![compress.clone()]);
    let mut client = Client::connect(address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nTE: trailers\r\n\r\n");
    let head = support::head(&mut client.reader).unwrap();
    assert!(head.contains("Content-Encoding: gzip"), "{head}");
    let mut all = Vec::new();
    while !all.ends_with(b"\r\n\r\n") {
        let mut byte = [0; 1];
        client.reader.read_exact(&mut byte).unwrap();
        all.push(byte[0]);
    }
    assert!(all.ends_with(b"\r\n0\r\nX-Sum: 5\r\n\r\n"), "{}", all.escape_ascii());
    h2::run(async {
        let mut connection = h2::connect(address).await;
        let mut request = h2::request("GET", "/");
        request.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
        let whole = h2::ask(&mut connection, request, b"").await.unwrap();
        let trailers = whole.trailers.unwrap();
        assert_eq!((trailers.len(), trailers.get("x-sum").unwrap().as_bytes()), (1, &b"5"[..]));
    });
    // And from an endpoint of HTTP/2, whose own way they do not take then.
    let (_gateway, address, _endpoint) = grpc(vec![compress, Filter::GrpcWeb(Vec::new())]);
    h2::run(async {
        let mut connection = h2::connect(address).await;
        let mut request = h2::request("POST", "/x.Y/Z");
        request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        request.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
        let whole = h2::ask(&mut connection, request, &message(b"a")).await.unwrap();
        assert_eq!(whole.trailers.unwrap().get("x-sum").unwrap(), "6");
    });
}

/// What a client writes behind a body stays here where its request passes filters: endpoints that
/// read it as lines of the head would believe that a filter has said it.
#[test]
fn nothing_goes_on_behind_a_body_that_filters_speak_for() {
    let server = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(asked) = support::head(&mut reader) {
            let is_chunked = asked.contains("Transfer-Encoding");
            let is_whole =
                |came: &[u8]| if is_chunked { came.ends_with(b"\r\n\r\n") } else { came == b"a" };
            let mut came = Vec::new();
            while !is_whole(&came) {
                let mut byte = [0; 1];
                if reader.read_exact(&mut byte).is_err() {
                    return;
                }
                came.push(byte[0]);
            }
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", came.len());
            stream.write_all(&[head.as_bytes(), &came].concat()).unwrap();
        }
    });
    for filters in [vec![Filter::ContentType], vec![again(None)]] {
        let (_gateway, address) = passing(server.address, filters.clone());
        let mut client = Client::connect(address);
        let request = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.send(format!("{request}1\r\na\r\n0\r\nX-User: root\r\n\r\n"));
        for came in [client.receive().text(), h2::run(behind(address))] {
            assert!(["a", "1\r\na\r\n0\r\n\r\n"].contains(&&*came), "{came:?}");
        }

        let endpoint = h2::Endpoint::start(100, |_, _| h2::Deed::Echo);
        let routes = [route("main", "*", "/", &[endpoint.address])];
        let (gateway, address) = gateway_with(&routes, options());
        let mut map = routing(&routes);
        support::speak_http2(&mut map, "main");
        put_filters(&mut map, "main", filters);
        gateway.apply(&map, 2);
        let text = h2::run(behind(address));
        assert!(text.contains("trailers: None\n"), "{text}");
    }
}

/// What an endpoint has seen of a request of HTTP/2 with a line behind its body.
async fn behind(address: SocketAddr) -> String {
    let mut sender = h2::connect(address).await;
    let (response, mut send) = sender.send_request(h2::request("POST", "/"), false).unwrap();
    send.send_data(bytes::Bytes::from_static(b"a"), false).unwrap();
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-user", http::HeaderValue::from_static("root"));
    send.send_trailers(trailers).unwrap();
    h2::whole(response.await.unwrap()).await.unwrap().text()
}
