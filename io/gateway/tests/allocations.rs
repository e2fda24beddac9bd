//! A request that passes no filters takes no memory: what it needs is there already.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use steelyard_gateway::{AccessLog, GatewayOptions, LogFields, LogFormat, Shown};
use steelyard_host::allocations::{CountingAllocator, taken};
use support::{gateway_with, route};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const ASK: &[u8] = b"GET /a?b=c HTTP/1.1\r\nHost: a\r\nUser-Agent: test\r\nCookie: d=e\r\n\r\n";
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
/// The same from who tells its connection, which is not passed on: such a head is rewritten.
const TELLING: &[u8] =
    b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello";

/// Requests that are counted. What the gateway does each second is not theirs.
const REQUESTS: u64 = 2_000;
const ALLOWED: u64 = REQUESTS / 20;

/// Answers so, without taking memory.
fn answering(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while matches!(stream.read(&mut buffer), Ok(1..)) {
                    stream.write_all(answer).unwrap();
                }
            });
        }
    });
    address
}

fn ask(client: &mut TcpStream) {
    client.write_all(ASK).unwrap();
    let (mut buffer, mut filled) = ([0; 1024], 0);
    while !buffer[..filled].ends_with(b"hello") {
        let count = client.read(&mut buffer[filled..]).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&buffer[..filled]));
        filled += count;
    }
}

/// How often memory is taken while so many requests are answered over eight connections.
fn taken_by(log: Option<AccessLog>, answer: &'static [u8]) -> u64 {
    let backend = answering(answer);
    let options = GatewayOptions { workers: 1, access_log: log, ..GatewayOptions::default() };
    let (_gateway, address) = gateway_with(&[route("one", "a", "/", &[backend])], options);
    let mut clients: Vec<TcpStream> =
        (0..8).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut round = |requests: u64| {
        for n in 0..requests {
            let at = usize::try_from(n).unwrap() % clients.len();
            ask(&mut clients[at]);
        }
    };
    round(400);
    let before = taken();
    round(REQUESTS);
    taken() - before
}

/// One test, since it counts the whole process.
#[test]
fn a_request_takes_no_memory() {
    let null = || AccessLog { path: Some("/dev/null".into()), ..AccessLog::default() };
    let json = || AccessLog { format: LogFormat::Json, ..null() };
    let headers_otherwise = Some(Shown::Keep);
    let fields = LogFields { headers_otherwise, ..LogFields::default() };
    let heads = || AccessLog { fields: fields.clone(), ..json() };
    let mut wrong = Vec::new();
    for (what, log, answer, allowed) in [
        ("without a log", None, ANSWER, ALLOWED),
        ("with a log", Some(null()), ANSWER, ALLOWED),
        ("with a log of objects", Some(json()), ANSWER, ALLOWED),
        ("with a log of objects that have heads", Some(heads()), TELLING, ALLOWED),
        ("rewritten", None, TELLING, ALLOWED),
    ] {
        let taken = taken_by(log, answer);
        if taken > allowed {
            wrong.push(format!("{what}: {taken} times in {REQUESTS} requests"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}
