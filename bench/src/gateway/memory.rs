//! Memory of client connections: of those that wait, and of those that are gone.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::workload::Workload;
use crate::memory::resident;
use crate::peer::Proxy;
use crate::results::Row;

/// Connections that have asked once and wait. HAProxy takes 4,096 at most as it is started here.
const WAITING: usize = 3_000;

/// Connections of a burst that ask nothing, and such that do not finish their head.
const BURST: usize = 10_000;
const HALVES: usize = 9_500;

/// KiB of a connection that waits, and MiB that a burst may leave.
const GOAL_WAITING: f64 = 4.0;
const GOAL_LEFT: f64 = 2.0;

/// How long a burst's memory may take to go.
const PATIENCE: Duration = Duration::from_secs(12);

const ASK: &[u8] = b"GET /s HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: bench\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// Answers whoever asks, as long as the program runs.
pub(super) fn answer(at: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(at).with_context(|| format!("cannot listen on {at}"))?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer_all(stream));
        }
    });
    Ok(())
}

fn answer_all(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while matches!(stream.read(&mut buffer), Ok(1..)) {
        if stream.write_all(ANSWER).is_err() {
            return;
        }
    }
}

/// KiB of a connection that has asked once and waits.
fn waiting(proxy: &Proxy) -> Result<f64> {
    for _ in 0..100 {
        ask(&mut TcpStream::connect(proxy.address)?)?; // what is set aside once
    }
    let before = resident(proxy.worker())?;
    let mut streams = Vec::with_capacity(WAITING);
    for _ in 0..WAITING {
        let mut stream = TcpStream::connect(proxy.address)?;
        ask(&mut stream)?;
        streams.push(stream);
    }
    std::thread::sleep(Duration::from_secs(3));
    let after = resident(proxy.worker())?;
    Ok((after - before) * 1024.0 / WAITING as f64)
}

fn ask(stream: &mut TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(ASK)?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while !answer.ends_with(b"hello") {
        let count = stream.read(&mut buffer)?;
        ensure!(count > 0, "closed after {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..count]);
    }
    Ok(())
}

/// MiB that are left of `count` connections that said `text` and went away.
fn left(proxy: &Proxy, count: usize, text: &[u8]) -> Result<f64> {
    let before = resident(proxy.worker())?;
    let mut streams = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = TcpStream::connect(proxy.address)?;
        stream.write_all(text)?;
        streams.push(stream);
    }
    std::thread::sleep(Duration::from_secs(1));
    drop(streams);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let more = resident(proxy.worker())? - before;
        if more <= GOAL_LEFT || Instant::now() > deadline {
            return Ok(more.max(0.0));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Rows of ours, and what the others need, as sentences.
pub(super) fn rows(ours: &Proxy, peers: &[&Proxy]) -> Result<(Vec<Row>, Vec<String>)> {
    let begin = Workload::Memory.name();
    let row = |what: &str, unit, value, goal| {
        Row::alone(&format!("{begin}, {what}"), unit, value, goal, 1)
    };
    let rows = vec![
        row("a connection that waits", "KiB", waiting(ours)?, GOAL_WAITING),
        row("left of 10,000 connections", "MiB", left(ours, BURST, b"")?, GOAL_LEFT),
        row("left of 9,500 half heads", "MiB", left(ours, HALVES, &ASK[..40])?, GOAL_LEFT),
    ];
    let mut notes = Vec::new();
    for peer in peers {
        let kib = waiting(peer)?;
        notes.push(format!("{begin}, a connection that waits: {kib:.2} KiB of {}.", peer.name));
    }
    Ok((rows, notes))
}
