//! UDP in this process: each client has a socket of its own towards one endpoint, until either it
//! has been silent for a while, or the endpoint is gone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::silence::{Seat, Silence};
use super::{Room, Rotation};
use crate::meter::{Direction, FlowCounts, FlowFailure};

/// Clients of one port at a time; more make those leave that are silent longest.
const MOST_CLIENTS: usize = 16 * 1024;
const LARGEST: usize = 65_536;

struct Session {
    socket: Arc<UdpSocket>,
    endpoint: SocketAddr,
    silence: Arc<Silence>,
    task: tokio::task::JoinHandle<()>,
}

pub(super) async fn run(
    socket: UdpSocket,
    rotation: Arc<Rotation>,
    room: Room,
    counts: Arc<FlowCounts>,
) {
    let socket = Arc::new(socket);
    let mut sessions: HashMap<SocketAddr, Session> = HashMap::new();
    let mut buffer = vec![0; LARGEST];
    let mut generation = rotation.generation();
    loop {
        // An error here is the refusal of an earlier answer; it concerns no other client.
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else { continue };
        if generation != rotation.generation() {
            let (now, endpoints) = rotation.current();
            sessions.retain(|_, session| endpoints.contains(&session.endpoint));
            generation = now;
        }
        if sessions.get(&client).is_none_or(|session| session.task.is_finished()) {
            if sessions.len() >= MOST_CLIENTS {
                sessions.retain(|_, session| !session.task.is_finished());
            }
            if sessions.len() >= MOST_CLIENTS && !sessions.contains_key(&client) {
                counts.fail(FlowFailure::NoPlace);
                room.sessions.make_room();
                continue;
            }
            let Some(place) = room.sessions.place_now().await else {
                counts.fail(FlowFailure::NoPlace);
                // Those that are over give theirs back.
                sessions.retain(|_, session| !session.task.is_finished());
                continue;
            };
            let seat = room.sessions.seat(place, room.limits.unanswered);
            let seated = (seat, room.limits.answered);
            let Ok(session) = Session::begin(&socket, client, &rotation, seated, &counts).await
            else {
                counts.fail(FlowFailure::Connect);
                continue;
            };
            sessions.insert(client, session);
        }
        if let Some(session) = sessions.get(&client) {
            session.silence.broken();
            // Lost datagrams are the protocols' business.
            match session.socket.send(&buffer[..length]).await {
                Ok(_) => counts.pass(Direction::Came, length),
                // That is what became of an earlier one, which was lost.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    counts.fail(FlowFailure::Endpoint);
                    sessions.remove(&client);
                }
                Err(_) => {}
            }
        }
    }
}

impl Session {
    async fn begin(
        listening: &Arc<UdpSocket>,
        client: SocketAddr,
        rotation: &Rotation,
        (seat, answered): (Seat, Duration),
        counts: &Arc<FlowCounts>,
    ) -> io::Result<Self> {
        let endpoint = *rotation.round().first().ok_or(io::ErrorKind::NotConnected)?;
        let any = if endpoint.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = Arc::new(UdpSocket::bind(any).await?);
        socket.connect(endpoint).await?;
        let silence = Arc::clone(&seat.silence);
        let way = Way { from: Arc::clone(&socket), to: Arc::clone(listening), client };
        let (open, counts) = (counts.begin(), Arc::clone(counts));
        let task = tokio::spawn(async move {
            let _open = open;
            tokio::select! {
                () = way.answer(&seat.silence, answered, &counts) => {
                    counts.fail(FlowFailure::Endpoint);
                }
                // That is how clients of UDP end, unless others need the place.
                () = seat.silence.is_too_long() => {
                    if seat.silence.is_pressed() {
                        counts.fail(FlowFailure::MadeRoom);
                    }
                }
            }
        });
        Ok(Self { socket, endpoint, silence, task })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where answers come from, and whom they are for.
struct Way {
    from: Arc<UdpSocket>,
    to: Arc<UdpSocket>,
    client: SocketAddr,
}

impl Way {
    /// Carries answers back until the endpoint refuses: the client's next datagram then goes to
    /// another. With the first one it may be silent for longer.
    async fn answer(&self, silence: &Silence, answered: Duration, counts: &FlowCounts) {
        let mut is_answered = false;
        // A refusal makes a socket no more readable, but is an error of it.
        let interest = Interest::READABLE | Interest::ERROR;
        while let Ok(length) = self.from.async_io(interest, || self.pass()).await {
            silence.broken();
            if let Some(length) = length {
                counts.pass(Direction::Went, length);
            }
            if !std::mem::replace(&mut is_answered, true) {
                silence.limit(answered);
            }
        }
    }

    /// Passes one answer on; its length, or nothing of one that is lost since it cannot be sent. An
    /// error is the endpoint's.
    fn pass(&self) -> io::Result<Option<usize>> {
        thread_local! {
            // One for all sessions: thousands of them would fill the memory with buffers.
            static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; LARGEST]);
        }
        BUFFER.with_borrow_mut(|buffer| {
            let length = (&*SockRef::from(&*self.from)).read(buffer)?;
            Ok(self.to.try_send_to(&buffer[..length], self.client).ok().map(|_| length))
        })
    }
}
