//! UDP in this process: each client has a socket of its own towards one endpoint, until either it
//! has been silent for a while, or the endpoint is gone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use steelyard_host::places::{Place, Places};
use tokio::net::UdpSocket;
use tokio::time::Instant;

use super::Rotation;

/// As the kernel's connection tracking forgets a flow that was answered.
const IDLE: Duration = Duration::from_secs(120);
/// Clients of one port at a time; more are not answered.
const MOST_CLIENTS: usize = 16 * 1024;
const LARGEST: usize = 65_536;

struct Session {
    socket: Arc<UdpSocket>,
    endpoint: SocketAddr,
    used: Arc<Used>,
    task: tokio::task::JoinHandle<()>,
}

/// When a session was last used, in milliseconds since it began.
struct Used {
    began: Instant,
    last: AtomicU64,
}

pub(super) async fn run(socket: UdpSocket, rotation: Arc<Rotation>, places: Places) {
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
                continue;
            }
            let Some(place) = places.take_now() else {
                // Those that are over give theirs back.
                sessions.retain(|_, session| !session.task.is_finished());
                continue;
            };
            let Ok(session) = Session::begin(&socket, client, &rotation, place).await else {
                continue;
            };
            sessions.insert(client, session);
        }
        if let Some(session) = sessions.get(&client) {
            session.used.now();
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
        place: Place,
    ) -> io::Result<Self> {
        let endpoint = *rotation.round().first().ok_or(io::ErrorKind::NotConnected)?;
        let any = if endpoint.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = Arc::new(UdpSocket::bind(any).await?);
        socket.connect(endpoint).await?;
        let used = Arc::new(Used { began: Instant::now(), last: AtomicU64::new(0) });
        let task = tokio::spawn(answer(
            Arc::clone(&socket),
            Arc::clone(listening),
            client,
            Arc::clone(&used),
            place,
        ));
        Ok(Self { socket, endpoint, used, task })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Used {
    fn now(&self) {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(since, Ordering::Relaxed);
    }

    fn until(&self) -> Instant {
        self.began + Duration::from_millis(self.last.load(Ordering::Relaxed)) + IDLE
    }
}

/// Carries answers back until nothing was said for a while, or the endpoint refuses: the client's
/// next datagram then goes to another.
async fn answer(
    from: Arc<UdpSocket>,
    to: Arc<UdpSocket>,
    client: SocketAddr,
    used: Arc<Used>,
    _place: Place,
) {
    loop {
        match tokio::time::timeout_at(used.until(), from.readable()).await {
            Ok(Ok(())) => {}
            Err(_) if used.until() > Instant::now() => continue,
            Ok(Err(_)) | Err(_) => return,
        }
        match pass(&from, &to, client) {
            Ok(()) => used.now(),
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
