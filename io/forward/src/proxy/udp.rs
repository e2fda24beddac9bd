//! UDP in this process: each client has a socket of its own towards one endpoint, until either it
//! has been silent for a while, or the endpoint is gone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;

use super::silence::{Seat, Silence};
use super::{Room, Rotation};

/// Clients of one port at a time; more make those leave that are silent longest.
const MOST_CLIENTS: usize = 16 * 1024;
const LARGEST: usize = 65_536;

struct Session {
    socket: Arc<UdpSocket>,
    endpoint: SocketAddr,
    silence: Arc<Silence>,
    task: tokio::task::JoinHandle<()>,
}

pub(super) async fn run(socket: UdpSocket, rotation: Arc<Rotation>, room: Room) {
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
                room.sessions.make_room();
                continue;
            }
            let Some(place) = room.sessions.place_now().await else {
                // Those that are over give theirs back.
                sessions.retain(|_, session| !session.task.is_finished());
                continue;
            };
            let seat = room.sessions.seat(place, room.limits.unanswered);
            let answered = room.limits.answered;
            let Ok(session) = Session::begin(&socket, client, &rotation, seat, answered).await
            else {
                continue;
            };
            sessions.insert(client, session);
        }
        if let Some(session) = sessions.get(&client) {
            session.silence.broken();
            // Lost datagrams are the protocols' business.
            let _ = session.socket.send(&buffer[..length]).await;
        }
    }
}

impl Session {
    async fn begin(
        listening: &Arc<UdpSocket>,
        client: SocketAddr,
        rotation: &Rotation,
        seat: Seat,
        answered: Duration,
    ) -> io::Result<Self> {
        let endpoint = *rotation.round().first().ok_or(io::ErrorKind::NotConnected)?;
        let any = if endpoint.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = Arc::new(UdpSocket::bind(any).await?);
        socket.connect(endpoint).await?;
        let silence = Arc::clone(&seat.silence);
        let (from, to) = (Arc::clone(&socket), Arc::clone(listening));
        let task = tokio::spawn(async move {
            tokio::select! {
                () = answer(&from, &to, client, &seat.silence, answered) => {}
                () = seat.silence.is_too_long() => {}
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

/// Carries answers back until the endpoint refuses: the client's next datagram then goes to
/// another. With the first one it may be silent for longer.
async fn answer(
    from: &UdpSocket,
    to: &UdpSocket,
    client: SocketAddr,
    silence: &Silence,
    answered: Duration,
) {
    let mut is_answered = false;
    while from.readable().await.is_ok() {
        match pass(from, to, client) {
            Ok(()) => {
                silence.broken();
                if !std::mem::replace(&mut is_answered, true) {
                    silence.limit(answered);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// Passes one answer on. An error is the endpoint's; answers that cannot be sent are lost.
fn pass(from: &UdpSocket, to: &UdpSocket, client: SocketAddr) -> io::Result<()> {
    thread_local! {
        // One for all sessions: thousands of them would fill the memory with buffers.
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; LARGEST]);
    }
    BUFFER.with_borrow_mut(|buffer| {
        let length = from.try_recv(buffer)?;
        let _ = to.try_send_to(&buffer[..length], client);
        Ok(())
    })
}
