//! The forwarder inside this process: what carries a port when the kernel cannot.
//!
//! One task per port listens, one per connection (TCP) or client (UDP) copies. It does not know
//! why it is used. Endpoints may change at any time: TCP connections stay where they are, UDP
//! clients of an endpoint that is gone are sent to another.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use steelyard_forwarding::VipPort;
use steelyard_host::inherited::Inherited;
use steelyard_host::own_sockets::OwnSockets;
use steelyard_host::places::Places;
use steelyard_model::Protocol;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::legacy;
use crate::meter::{FlowCounts, Meter};

mod silence;
mod tcp;
mod udp;

use silence::Seats;

/// The ports carried in this process.
#[derive(Debug, Default)]
pub(crate) struct Proxies {
    open: BTreeMap<VipPort, Proxy>,
    places: Room,
    meter: Meter,
    /// Sockets that another process opened.
    inherited: Inherited,
    /// Closed, but with connections that go on: their packets must still be let in.
    lingering: Vec<(VipPort, Arc<Rotation>)>,
}

/// Places for TCP connections, and for clients of UDP ports.
#[derive(Clone, Debug, Default)]
struct Room {
    flows: Seats,
    sessions: Seats,
    limits: Limits,
    /// To none of these is anybody led.
    own: OwnSockets,
}

/// How long a connection or session may be silent, as flows may be that the kernel translates.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// A TCP connection. A peer that is gone is noticed before, by keep-alive.
    open: Duration,
    /// One that a side has closed.
    half_closed: Duration,
    /// A client of a UDP port that was answered.
    answered: Duration,
    /// One that was not.
    unanswered: Duration,
}

/// Those of Kubernetes' own proxy for TCP, and of Linux for UDP.
impl Default for Limits {
    fn default() -> Self {
        Self {
            open: Duration::from_hours(24),
            half_closed: Duration::from_hours(1),
            answered: Duration::from_secs(120),
            unanswered: Duration::from_secs(30),
        }
    }
}

#[derive(Debug)]
struct Proxy {
    at: At,
    listen: SocketAddr,
    socket: Listened,
    rotation: Arc<Rotation>,
    task: JoinHandle<()>,
}

/// What is listened by; the task has it, too.
#[derive(Clone, Debug)]
enum Listened {
    Tcp(Arc<TcpListener>),
    Udp(Arc<UdpSocket>),
}

/// Where a port goes, in turn. Each connection or session holds it while it lives.
#[derive(Debug, Default)]
struct Rotation {
    state: Mutex<Turns>,
    /// Datagrams are another process's to take.
    let_go: Notify,
}

#[derive(Debug, Default)]
struct Turns {
    endpoints: Vec<SocketAddr>,
    next: usize,
    generation: u64,
}

/// Where a port is to be listened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// At the vip itself.
    Vip,
    /// At another port of the vip, where its packets are led: the port stays free for others.
    Led,
    /// On loopback, at a port of an unprivileged process.
    Loopback,
}

const BACKLOG: i32 = 4096;

impl Proxies {
    /// None yet; connections take these places.
    pub(crate) fn new(
        (flows, sessions): (Places, Places),
        meter: Meter,
        (inherited, own): (Inherited, OwnSockets),
    ) -> Self {
        let (open, lingering) = Default::default();
        let (flows, sessions) = (Seats::new(flows), Seats::new(sessions));
        let places = Room { flows, sessions, limits: Limits::default(), own };
        Self { open, lingering, places, meter, inherited }
    }

    /// Carries `key` to `endpoints` and returns where it listens.
    pub(crate) fn carry(
        &mut self,
        key: VipPort,
        at: At,
        endpoints: &[SocketAddr],
    ) -> io::Result<SocketAddr> {
        if self.open.get(&key).is_some_and(|proxy| proxy.at != at) {
            self.close(key);
        }
        if let Some(proxy) = self.open.get(&key) {
            proxy.rotation.set(endpoints);
            return Ok(proxy.reached(key));
        }
        let rotation = Arc::new(Rotation::default());
        rotation.set(endpoints);
        let counts = self.meter.counts(key);
        let given = self.inherited.take(&legacy::port(key, at)).pop();
        let socket = given.map_or_else(|| open(key, at), |it| Ok(it.into()))?;
        let proxy = Proxy::start(key, at, socket, rotation, (self.places.clone(), counts))?;
        let reached = proxy.reached(key);
        self.open.insert(key, proxy);
        Ok(reached)
    }

    /// Stops listening on what `keep` does not want; connections go on.
    pub(crate) fn retain(&mut self, keep: impl Fn(VipPort) -> bool) {
        let gone: Vec<VipPort> = self.open.keys().copied().filter(|key| !keep(*key)).collect();
        for key in gone {
            self.close(key);
        }
        self.lingering.retain(|(_, rotation)| Arc::strong_count(rotation) > 1);
    }

    /// Vip ports that `keep` wants, and the port of the vip where each is listened for.
    pub(crate) fn at_vips(&self, keep: impl Fn(VipPort) -> bool) -> Vec<(VipPort, u16)> {
        let open = self.open.iter().filter(|(_, proxy)| proxy.at != At::Loopback);
        let kept = open.filter(|(key, _)| keep(**key));
        kept.map(|(key, proxy)| (*key, proxy.listen.port())).collect()
    }

    /// What is listened by, by the name under which another process asks for it.
    pub(crate) fn sockets(&self) -> Vec<(String, OwnedFd)> {
        let shared = |(key, proxy): (&VipPort, &Proxy)| {
            let socket = match &proxy.socket {
                Listened::Tcp(socket) => socket.as_fd().try_clone_to_owned(),
                Listened::Udp(socket) => socket.as_fd().try_clone_to_owned(),
            };
            Some((legacy::port(*key, proxy.at), socket.ok()?))
        };
        self.open.iter().filter_map(shared).collect()
    }

    /// Another process listens from now on; connections go on here, and answers to datagrams.
    pub(crate) fn let_go(&mut self) {
        for proxy in self.open.values().filter(|it| matches!(it.socket, Listened::Udp(_))) {
            proxy.rotation.let_go.notify_one();
        }
        let udp = |key: VipPort| key.protocol == Protocol::Udp;
        self.retain(udp);
    }

    /// Vips with connections that go on, whether or not anything new is taken in for them.
    pub(crate) fn busy(&self) -> BTreeSet<IpAddr> {
        let open = self.open.iter().filter(|(_, proxy)| proxy.at != At::Loopback);
        let open = open.filter(|(_, proxy)| proxy.connections() > 0).map(|(key, _)| key.address);
        let lingering = self.lingering.iter();
        let lingering = lingering.filter(|(_, rotation)| Arc::strong_count(rotation) > 1);
        lingering.map(|(key, _)| key.address).chain(open).collect()
    }

    /// TCP connections that go on.
    pub(crate) fn connections(&self) -> usize {
        let open = self.open.iter().filter(|(key, _)| key.protocol == Protocol::Tcp);
        let open: usize = open.map(|(_, proxy)| proxy.connections()).sum();
        let lingering = self.lingering.iter();
        open + lingering.map(|(_, it)| Arc::strong_count(it).saturating_sub(1)).sum::<usize>()
    }

    fn close(&mut self, key: VipPort) {
        let Some(proxy) = self.open.remove(&key) else { return };
        proxy.task.abort();
        if proxy.at != At::Loopback && key.protocol == Protocol::Tcp {
            self.lingering.push((key, Arc::clone(&proxy.rotation)));
        }
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        for proxy in self.open.values() {
            proxy.task.abort();
        }
    }
}

impl Proxy {
    fn start(
        key: VipPort,
        at: At,
        socket: Socket,
        rotation: Arc<Rotation>,
        (room, counts): (Room, Arc<FlowCounts>),
    ) -> io::Result<Self> {
        let listen = socket.local_addr()?.as_socket().expect("it was bound to an IP address");
        let shared = Arc::clone(&rotation);
        let socket = match key.protocol {
            Protocol::Udp => Listened::Udp(Arc::new(UdpSocket::from_std(socket.into())?)),
            _ => Listened::Tcp(Arc::new(TcpListener::from_std(socket.into())?)),
        };
        let task = match socket.clone() {
            Listened::Udp(socket) => tokio::spawn(udp::run(socket, shared, room, counts)),
            Listened::Tcp(listener) => tokio::spawn(tcp::run(listener, shared, room, counts)),
        };
        Ok(Self { at, listen, socket, rotation, task })
    }

    /// Where clients reach it.
    fn reached(&self, key: VipPort) -> SocketAddr {
        if self.at == At::Loopback { self.listen } else { key.socket() }
    }

    /// Each TCP connection holds the rotation; so do this and the listening task.
    fn connections(&self) -> usize {
        Arc::strong_count(&self.rotation).saturating_sub(2)
    }
}

impl Rotation {
    fn set(&self, endpoints: &[SocketAddr]) {
        let mut turns = self.turns();
        if turns.endpoints != endpoints {
            turns.endpoints = endpoints.to_vec();
            turns.generation += 1;
        }
    }

    /// All endpoints, whose turn it is first.
    fn round(&self) -> Vec<SocketAddr> {
        let mut turns = self.turns();
        let mut round = turns.endpoints.clone();
        if !round.is_empty() {
            let first = turns.next % round.len();
            turns.next = first + 1;
            round.rotate_left(first);
        }
        round
    }

    /// The endpoints, and a number that changes with them.
    fn current(&self) -> (u64, Vec<SocketAddr>) {
        let turns = self.turns();
        (turns.generation, turns.endpoints.clone())
    }

    fn generation(&self) -> u64 {
        self.turns().generation
    }

    fn turns(&self) -> std::sync::MutexGuard<'_, Turns> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(key: VipPort, at: At) -> io::Result<Socket> {
    match at {
        At::Vip => return open_at(key.socket(), key.protocol, true),
        At::Led => return open_at(SocketAddr::new(key.address, 0), key.protocol, true),
        At::Loopback => {}
    }
    let loopback: IpAddr = match key.address {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    // The same port where that is allowed and free, else one that resembles it, else any.
    let resembling = if key.port < 1024 { key.port + 30_000 } else { key.port };
    open_at(SocketAddr::new(loopback, resembling), key.protocol, false)
        .or_else(|_| open_at(SocketAddr::new(loopback, 0), key.protocol, false))
}

fn open_at(address: SocketAddr, protocol: Protocol, transparent: bool) -> io::Result<Socket> {
    let kind = if protocol == Protocol::Udp { Type::DGRAM } else { Type::STREAM };
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    socket.set_nonblocking(true)?;
    if kind == Type::STREAM {
        socket.set_reuse_address(true)?;
    }
    match address {
        SocketAddr::V4(_) if transparent => socket.set_ip_transparent_v4(true)?,
        SocketAddr::V6(_) => {
            socket.set_only_v6(true)?;
            if transparent {
                socket.set_ip_transparent_v6(true)?;
            }
        }
        SocketAddr::V4(_) => {}
    }
    socket.bind(&address.into())?;
    if kind == Type::STREAM {
        // Only now is it known whether the port was free.
        socket.listen(BACKLOG)?;
    }
    Ok(socket)
}

/// A dead peer is noticed, and its connection does not stay for ever.
fn keep_alive(stream: &tokio::net::TcpStream) {
    let alive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(300))
        .with_interval(Duration::from_secs(30));
    // A socket that is already broken says so at the next read.
    let _ = SockRef::from(stream).set_tcp_keepalive(&alive);
    let _ = stream.set_nodelay(true);
}

#[cfg(test)]
mod tests;
