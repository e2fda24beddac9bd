//! A request's head is given up once it was read, though its body may take hours.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use steelyard_host::allocations::{CountingAllocator, held};
use support::h2::{Raw, frame};
use support::{eventually, gateway, route};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Bytes of the one large field of a head.
const FIELD: usize = 60_000;
const REQUESTS: usize = 12;

/// Takes whatever comes, answers nothing, and tells how much it was.
fn taking() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, taken) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
    let count = taken.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let count = count.clone();
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    count.fetch_add(read, Ordering::SeqCst);
                }
            });
        }
    });
    (address, taken)
}

/// HEADERS and what continues them, of a POST whose body is to come.
fn large(stream: u32) -> Vec<u8> {
    // `x-a` with so many bytes, as HPACK says it.
    let field = [&[0, 3][..], b"x-a", &[0x7f, 0xe1, 0xd3, 0x03], &[b'x'; FIELD]].concat();
    let block = [&[0x83, 0x86, 0x84, 0x41, 1, b'a'][..], &field].concat();
    let pieces: Vec<&[u8]> = block.chunks(16_000).collect();
    let frames = pieces.iter().enumerate().map(|(at, piece)| {
        let (kind, is_last) = (if at == 0 { 1 } else { 9 }, at + 1 == pieces.len());
        frame(kind, if is_last { 4 } else { 0 }, stream, piece)
    });
    frames.collect::<Vec<_>>().concat()
}

/// One test, since it counts the whole process.
#[test]
fn heads_are_not_kept_while_bodies_come() {
    let (backend, taken) = taking();
    let (_gateway, address) = gateway(&[route("one", "a", "/", &[backend])]);
    let mut raw = Raw::connect(address, &[]);
    let mut ask = |requests: std::ops::Range<usize>| {
        let end = requests.end;
        for at in requests {
            raw.send(large(u32::try_from(2 * at + 1).unwrap()));
        }
        let all = end * FIELD;
        eventually("they are on their way", || taken.load(Ordering::SeqCst) >= all);
    };
    // With what a connection and its first requests take.
    ask(0..2);
    let before = held();
    ask(2..REQUESTS + 2);
    let kept = (held() - before) / REQUESTS;
    // What the endpoint got, in case another is to get it, in memory that grew by doubling.
    assert!(kept < 3 * FIELD, "{kept} bytes a request");
}
