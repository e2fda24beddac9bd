//! A connection through a proxy that carries as much as it can, both ways: what comes to the
//! backend is dropped, and it sends as much itself.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// A first flight of a client, for the server name of [`super::SERVER_NAME`].
pub(super) const HELLO: &str = include_str!("../../../pure/preface/src/tests/hellos/go.hex");

const PIECE: usize = 128 * 1024;

/// Connections at a time.
const CONNECTIONS: usize = 4;

/// How many bytes the proxy at `to` carried in so many seconds, both ways.
pub(super) fn exchange(
    (to, backend): (SocketAddr, SocketAddr),
    is_tls: bool,
    seconds: f64,
) -> Result<u64> {
    let listener =
        TcpListener::bind(backend).with_context(|| format!("cannot listen on {backend}"))?;
    listener.set_nonblocking(true)?;
    let (carried, ends) = (AtomicU64::new(0), AtomicBool::new(false));
    let hello = if is_tls { bytes(HELLO) } else { Vec::new() };
    let streams = (0..CONNECTIONS).map(|_| {
        let mut client = TcpStream::connect(to)?;
        // Who has a part of a handshake only is not led anywhere yet.
        client.write_all(&hello)?;
        client.write_all(b"begin")?;
        Ok([client, accept(&listener)?])
    });
    let streams = streams.collect::<Result<Vec<_>>>()?;
    std::thread::scope(|scope| {
        for stream in streams.iter().flatten() {
            let (carried, ends) = (&carried, &ends);
            scope.spawn(move || receive(stream, carried));
            scope.spawn(move || send(stream, ends));
        }
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        ends.store(true, Ordering::Relaxed);
        for stream in streams.iter().flatten() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    });
    let carried = carried.into_inner();
    ensure!(carried > 0, "nothing comes through");
    Ok(carried)
}

/// What the proxy connects to the backend, if it does.
fn accept(listener: &TcpListener) -> Result<TcpStream> {
    let end = Instant::now() + Duration::from_secs(1);
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error.into()),
            Err(_) => ensure!(Instant::now() < end, "nothing comes to the backend"),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn receive(mut stream: &TcpStream, carried: &AtomicU64) {
    let mut room = vec![0; PIECE];
    while let Ok(length @ 1..) = stream.read(&mut room) {
        carried.fetch_add(length as u64, Ordering::Relaxed);
    }
}

fn send(mut stream: &TcpStream, ends: &AtomicBool) {
    let piece = vec![b'x'; PIECE];
    while !ends.load(Ordering::Relaxed) && stream.write_all(&piece).is_ok() {}
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits are a byte");
    digits.chunks_exact(2).map(byte).collect()
}
