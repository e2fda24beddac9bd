//! Filters that look into bodies and connections, on real sockets, over HTTP/1.1 and HTTP/2.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use steelyard_gateway::{Gateway, GatewayOptions};
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::access::{CertificateHeader, CertificateParts, NameParts};
use steelyard_model::routing::filter::content::{Compression, ContentCoding};
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
    let clients =
        ClientAuthentication::VerifyIfGiven(Authorities { pem: by.pem().into(), reports: false });
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
