//! No byte of one exchange reaches another: which connections are used again, and which are not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use steelyard_gateway::GatewayOptions;
use steelyard_model::routing::transport::{Transport, Upkeep};
use support::*;

fn path(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default()
}

/// Writes until all is taken, or nothing is for a while. Whether all was.
fn write_what_goes(stream: &TcpStream, bytes: &[u8]) -> bool {
    stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    let whole = (&*stream).write_all(bytes).is_ok();
    stream.set_write_timeout(None).unwrap();
    whole
}

/// An endpoint that answers uploads before it reads them, does both when it is told to, and then
/// goes on with what it takes for the next request.
struct Early {
    server: Server,
    /// Uploads up to this one may be answered, and read.
    answer: Arc<AtomicUsize>,
    read: Arc<AtomicUsize>,
}

impl Early {
    fn start() -> Self {
        let [answer, read] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let (may_answer, may_read) = (answer.clone(), read.clone());
        let uploads = AtomicUsize::new(0);
        let server = Server::start(move |mut stream, _| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while let Some(head) = head(&mut reader) {
                if !head.starts_with("POST /up") {
                    // Sockets that were used before hold more.
                    let last = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
                    stream.write_all(format!("{last}{}", path(&head)).as_bytes()).unwrap();
                    return;
                }
                let upload = uploads.fetch_add(1, Ordering::SeqCst) + 1;
                eventually("it may answer", || may_answer.load(Ordering::SeqCst) >= upload);
                stream.write_all(&ok("early")).unwrap();
                eventually("the upload may be read", || may_read.load(Ordering::SeqCst) >= upload);
                let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
                let length = length.unwrap().parse().unwrap();
                let mut body = (&mut reader).take(length);
                if std::io::copy(&mut body, &mut std::io::sink()).ok() != Some(length) {
                    return;
                }
            }
        });
        Self { server, answer, read }
    }
}

/// The larger an upload, the more of it is still on its way when it is answered: in the sockets, in
/// the gateway's buffer, with the client.
#[test]
fn a_half_written_upload_swallows_no_request() {
    let early = Early::start();
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[early.server.address])]);
    let body = vec![b'A'; 12_000_000];
    let mut stalled = 0;
    for round in 1.. {
        let size = round * 200_000;
        let mut attacker = Client::connect(address);
        attacker.send(format!("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"));
        stalled += u32::from(!write_what_goes(attacker.reader.get_ref(), &body[..size]));
        early.answer.store(round, Ordering::SeqCst);
        assert_eq!(attacker.receive().text(), "early");
        let mut victim = Client::connect(address);
        victim.send(format!("GET /victim-{round} HTTP/1.1\r\nHost: a\r\n\r\n"));
        early.read.store(round, Ordering::SeqCst);
        assert_eq!(victim.receive().text(), format!("/victim-{round}"), "after {size} bytes");
        if stalled == 3 || size + 200_000 > body.len() {
            break;
        }
    }
    assert!(stalled > 0, "no upload was larger than what sockets hold");
}

#[test]
fn a_surplus_becomes_nobodys_answer() {
    const POISON: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nPOISONED";
    for size in [0_usize, 2_000, 300_000] {
        for chunked in [false, true] {
            for surplus in [b"X", POISON, b"\r\n"] {
                let backend = Server::start(move |mut stream, _| {
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    while let Some(head) = head(&mut reader) {
                        let mut answer = if path(&head) != "/big" {
                            ok(path(&head))
                        } else if chunked {
                            let body = "B".repeat(size.max(1));
                            format!(
                                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                                 {:x}\r\n{body}\r\n0\r\n\r\n",
                                body.len()
                            )
                            .into_bytes()
                        } else {
                            ok(&"B".repeat(size))
                        };
                        if path(&head) == "/big" {
                            answer.extend_from_slice(surplus);
                        }
                        if stream.write_all(&answer).is_err() {
                            return;
                        }
                    }
                });
                let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
                let mut client = Client::connect(address);
                let what = format!("{size} {chunked} {surplus:?}");
                assert_eq!(client.get("a", "/big").status(), 200, "{what}");
                assert_eq!(client.get("a", "/mine").text(), "/mine", "{what}");
                assert_eq!(get(address, "a", "/victim").text(), "/victim", "{what}");
                assert_eq!(backend.accepted.load(Ordering::SeqCst), 2, "{what}: closed, then kept");
            }
        }
    }
}

/// A 100 that was asked for may come late.
#[test]
fn a_pending_interim_response_reaches_nobody_else() {
    let backend = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(head) = head(&mut reader) {
            let mut body = vec![0; if head.starts_with("PUT") { 2 } else { 0 }];
            reader.read_exact(&mut body).unwrap();
            stream.write_all(&ok(path(&head))).unwrap();
        }
    });
    let (_gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    client
        .send("PUT /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.receive().text(), "/a");
    assert_eq!(get(address, "a", "/b").text(), "/b");
    assert_eq!(get(address, "a", "/c").text(), "/c");
    assert_eq!(backend.accepted.load(Ordering::SeqCst), 2);
}

/// No more are kept than a transport says; the others are closed once they have answered.
#[test]
fn so_many_idle_connections_are_kept_as_a_transport_says() {
    const AT_ONCE: usize = 4;
    let (open, together) = (Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(AT_ONCE)));
    let now = open.clone();
    let server = Server::start(move |mut stream, _| {
        now.fetch_add(1, Ordering::SeqCst);
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while head(&mut reader).is_some() {
            together.wait();
            if stream.write_all(&ok("it")).is_err() {
                break;
            }
        }
        now.fetch_sub(1, Ordering::SeqCst);
    });
    let options = GatewayOptions { workers: 1, ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&[], options);
    let mut map = routing(&[route("r", "*", "/", &[server.address])]);
    for (version, most_idle, kept) in
        [(2, Some(1), 1), (3, Some(0), 0), (4, Some(3), 3), (5, None, 4)]
    {
        let upkeep = Upkeep { most_idle, ..Upkeep::default() };
        speak(&mut map, "r", Transport { id: "kept".into(), upkeep, ..Transport::plain() });
        gateway.apply(&map, version);
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| assert_eq!(Client::connect(address).get("a", "/").text(), "it"));
            }
        });
        eventually("the others are closed", || open.load(Ordering::SeqCst) == kept);
    }
}
