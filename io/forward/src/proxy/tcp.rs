//! TCP in this process: bytes copied both ways; each half is closed when its sender closes it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use steelyard_host::own_sockets::{OwnSocket, OwnSockets};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};

use super::silence::{Seat, Silence};
use super::{Limits, Room, Rotation, keep_alive};
use crate::meter::{Direction, FlowCounts, FlowFailure};

const CONNECT_WITHIN: Duration = Duration::from_secs(3);
const BUFFER: usize = 32 * 1024;
/// Before accepting again when the process has no file descriptors left.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn run(
    listener: Arc<TcpListener>,
    rotation: Arc<Rotation>,
    room: Room,
    counts: Arc<FlowCounts>,
) {
    let seats = &room.flows;
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                // The next ones wait in the kernel.
                let seat = seats.seat(seats.place().await, room.limits.open);
                let (rotation, counts) = (Arc::clone(&rotation), Arc::clone(&counts));
                let own = room.own.clone();
                tokio::spawn(carry(client, (rotation, own), (seat, room.limits), counts));
            }
            Err(error) => {
                seats.places.note_failure();
                seats.make_room();
                tracing::debug!(%error, "accept failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn carry(
    client: TcpStream,
    (rotation, own): (Arc<Rotation>, OwnSockets),
    (seat, limits): (Seat, Limits),
    counts: Arc<FlowCounts>,
) {
    let _open = counts.begin();
    let endpoint = match connect(&rotation, &own).await {
        Ok(endpoint) => endpoint,
        Err(error) => {
            counts.fail(match error.kind() {
                io::ErrorKind::TimedOut => FlowFailure::ConnectTimeout,
                _ => FlowFailure::Connect,
            });
            reset(&client);
            return;
        }
    };
    keep_alive(&client);
    keep_alive(&endpoint);
    let silence = &*seat.silence;
    silence.broken();
    let broke = OnceLock::new();
    let [mut client, mut endpoint] = [
        (client, Direction::Went, FlowFailure::Client),
        (endpoint, Direction::Came, FlowFailure::Endpoint),
    ]
    .map(|(stream, direction, fault)| Heard {
        stream,
        silence,
        half_closed: limits.half_closed,
        counts: &counts,
        direction,
        fault,
        broke: &broke,
    });
    let failure = tokio::select! {
        copied = copy_bidirectional_with_sizes(&mut client, &mut endpoint, BUFFER, BUFFER) => {
            copied.err().map(|_| broke.get().copied().unwrap_or(FlowFailure::Endpoint))
        }
        () = silence.is_too_long() => Some(match silence.is_pressed() {
            true => FlowFailure::MadeRoom,
            false => FlowFailure::Silence,
        }),
    };
    if let Some(failure) = failure {
        counts.fail(failure);
        // One side broke off, or neither said anything: so shall they see it, and not an orderly
        // end.
        reset(&client.stream);
        reset(&endpoint.stream);
    }
}

/// A stream of which is noted when something goes through it.
struct Heard<'s> {
    stream: TcpStream,
    silence: &'s Silence,
    /// How long it may be silent when one side has closed.
    half_closed: Duration,
    counts: &'s FlowCounts,
    /// Where what is written goes.
    direction: Direction,
    /// What it is when this one breaks off; the first that does is kept.
    fault: FlowFailure,
    broke: &'s OnceLock<FlowFailure>,
}

impl Heard<'_> {
    fn note<T>(&self, polled: &Poll<io::Result<T>>) {
        if let Poll::Ready(Err(_)) = polled {
            let _ = self.broke.set(self.fault);
        }
    }
}

impl AsyncRead for Heard<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = room.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, room);
        self.note(&polled);
        if let Poll::Ready(Ok(())) = polled {
            self.silence.broken();
            if room.filled().len() == before {
                self.silence.limit(self.half_closed);
            }
        }
        polled
    }
}

impl AsyncWrite for Heard<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(&polled);
        if let Poll::Ready(Ok(count)) = polled {
            self.silence.broken();
            self.counts.pass(self.direction, count);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.note(&polled);
        polled
    }
}

/// To the endpoint whose turn it is; where that fails, to the next, each once.
async fn connect(rotation: &Rotation, own: &OwnSockets) -> io::Result<TcpStream> {
    let mut last = io::Error::other("there is no endpoint");
    for address in rotation.round() {
        match connect_to(address, own).await {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                tracing::debug!(%address, %error, "endpoint does not answer");
                last = error;
            }
        }
    }
    Err(last)
}

async fn connect_to(address: SocketAddr, own: &OwnSockets) -> io::Result<TcpStream> {
    if own.holds(address) {
        return Err(io::Error::other(OwnSocket));
    }
    match tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(address)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

fn reset(stream: &TcpStream) {
    // Closing with a linger time of zero sends a reset; failing that, an orderly end will do.
    let _ = stream.set_zero_linger();
}
