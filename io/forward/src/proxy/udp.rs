//! UDP in this process: each client has a socket of its own towards one endpoint, until either it
//! has been silent for a while, or the endpoint is gone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use steelyard_host::udp::{Inbox, Train, prepare};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::silence::{Seat, Silence};
use super::{Room, Rotation};
use crate::meter::{Direction, FlowCounts, FlowFailure};

/// Clients of one port at a time; more make those leave that are silent longest.
const MOST_CLIENTS: usize = 16 * 1024;

struct Session {
    socket: Arc<UdpSocket>,
    endpoint: SocketAddr,
    silence: Arc<Silence>,
    task: tokio::task::JoinHandle<()>,
}

/// The clients of one port.
struct Clients {
    listening: Arc<UdpSocket>,
    sessions: HashMap<SocketAddr, Session>,
    rotation: Arc<Rotation>,
    /// Of the endpoints that sessions are known to go to.
    generation: u64,
    room: Room,
    counts: Arc<FlowCounts>,
}

pub(super) async fn run(
    listening: Arc<UdpSocket>,
    rotation: Arc<Rotation>,
    room: Room,
    counts: Arc<FlowCounts>,
) {
    // Without it each datagram comes by itself, and nothing else is different.
    let _ = prepare(&*listening, false);
    let (socket, generation) = (listening.clone(), rotation.generation());
    let sessions = HashMap::new();
    let turns = Arc::clone(&rotation);
    let mut clients = Clients { listening, sessions, rotation, generation, room, counts };
    let mut inbox = Inbox::default();
    loop {
        let received = tokio::select! {
            received = receive(&socket, &mut inbox) => received,
            // What endpoints have yet to say goes back to clients by this process.
            () = turns.let_go.notified() => return std::future::pending().await,
        };
        // An error here is the refusal of an earlier answer; it concerns no other client.
        if received.is_err() {
            continue;
        }
        clients.follow();
        for train in inbox.trains() {
            clients.pass(&train).await;
        }
    }
}

/// Waits for something to come, and takes it. Where that was all, the socket is said to have no
/// more: it is waited for without another question.
async fn receive(socket: &UdpSocket, inbox: &mut Inbox) -> io::Result<()> {
    let mut came = 0;
    while came == 0 {
        socket.readable().await?;
        let taken = socket.try_io(Interest::READABLE, || {
            came = inbox.receive(socket)?;
            if inbox.was_full() { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
        });
        match taken {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

impl Clients {
    /// Ends sessions whose endpoint is gone.
    fn follow(&mut self) {
        if self.generation != self.rotation.generation() {
            let (now, endpoints) = self.rotation.current();
            self.sessions.retain(|_, session| endpoints.contains(&session.endpoint));
            self.generation = now;
        }
    }

    async fn pass(&mut self, train: &Train<'_>) {
        let Some(session) = self.session(train.from).await else { return };
        session.silence.broken();
        // Lost datagrams are the protocols' business.
        match train.send(&*session.socket, None, None) {
            Ok(()) => self.counts.pass_many(Direction::Came, train),
            // That is what became of an earlier one, which was lost.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                self.counts.fail(FlowFailure::Endpoint);
                self.sessions.remove(&train.from);
            }
            Err(_) => {}
        }
    }

    /// The session of a client, which begins if there is none; none where there is no place.
    async fn session(&mut self, client: SocketAddr) -> Option<&Session> {
        let is_over = |session: &Session| session.task.is_finished();
        if self.sessions.get(&client).is_none_or(is_over) {
            if self.sessions.len() >= MOST_CLIENTS {
                self.sessions.retain(|_, session| !is_over(session));
            }
            if self.sessions.len() >= MOST_CLIENTS && !self.sessions.contains_key(&client) {
                self.counts.fail(FlowFailure::NoPlace);
                self.room.sessions.make_room();
                return None;
            }
            let Some(place) = self.room.sessions.place_now().await else {
                self.counts.fail(FlowFailure::NoPlace);
                // Those that are over give theirs back.
                self.sessions.retain(|_, session| !is_over(session));
                return None;
            };
            let seat = self.room.sessions.seat(place, self.room.limits.unanswered);
            let seated = (seat, self.room.limits.answered);
            let Self { listening, rotation, counts, .. } = self;
            let begun = Session::begin(listening, client, rotation, seated, counts).await;
            let Ok(session) = begun else {
                self.counts.fail(FlowFailure::Connect);
                return None;
            };
            self.sessions.insert(client, session);
        }
        self.sessions.get(&client)
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
        let _ = prepare(&*socket, false);
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
        let mut heard = || {
            silence.broken();
            if !std::mem::replace(&mut is_answered, true) {
                silence.limit(answered);
            }
        };
        // A refusal makes a socket no more readable, but is an error of it.
        let interest = Interest::READABLE | Interest::ERROR;
        while self.from.async_io(interest, || self.pass(counts, &mut heard)).await.is_ok() {}
    }

    /// Passes answers on, if there are any; those that cannot be sent are lost. An error is the
    /// endpoint's.
    fn pass(&self, counts: &FlowCounts, heard: &mut impl FnMut()) -> io::Result<()> {
        thread_local! {
            // One for all sessions: thousands of them would fill the memory with buffers.
            static INBOX: RefCell<Inbox> = RefCell::default();
        }
        INBOX.with_borrow_mut(|inbox| {
            inbox.receive(&*self.from)?;
            heard();
            for train in inbox.trains() {
                if train.send(&*self.to, Some(self.client), None).is_ok() {
                    counts.pass_many(Direction::Went, &train);
                }
            }
            if inbox.was_full() { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
        })
    }
}
