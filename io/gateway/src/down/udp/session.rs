//! A client's way to an endpoint, and back.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Instant;

use socket2::{Domain, Socket, Type};
use steelyard_host::places::TakenPlace;
use steelyard_host::udp::{self, Train};
use steelyard_model::Host;
use steelyard_model::routing::id::{BackendId, RouteId};
use steelyard_model::routing::route::Route;
use steelyard_model::routing::world::RoutingMap;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::task::{JoinHandle, spawn_local};

use super::super::over::{CARRIED, Over, UNREACHED};
use super::{Goal, Peer, Port, receive};
use crate::core::Core;
use crate::core::listener::Listener;
use crate::core::live::{BackendState, Target};
use crate::tell::carried::CarriedDatagrams;
use crate::tell::fault::Failed;
use crate::tell::turned_away::TurnedAway;

/// A session.
pub(super) struct Session {
    /// Towards its endpoint alone.
    socket: Rc<UdpSocket>,
    route: RouteId,
    service: BackendId,
    endpoint: (Host, u16),
    carried: Rc<CarriedDatagrams>,
    begun: Instant,
    /// When its endpoint was heard last; at first, when it began.
    answered: Rc<Cell<Instant>>,
    answering: JoinHandle<()>,
    /// Bytes of its client.
    up: Cell<u64>,
    told: Told,
    _counted: Counted,
    _place: TakenPlace,
}

/// What is told of it once it is over.
struct Told {
    port: Rc<Port>,
    peer: Peer,
    status: Cell<u16>,
    /// What its endpoint has answered.
    answers: Rc<Counts>,
}

/// What has come of an endpoint.
#[derive(Default)]
struct Counts {
    bytes: Cell<u64>,
    datagrams: Cell<u64>,
}

impl Session {
    pub(super) fn new(
        port: &Rc<Port>,
        peer: Peer,
        goal: &Goal,
        endpoint: SocketAddr,
        place: TakenPlace,
    ) -> Result<Self, TurnedAway> {
        let socket = connected(endpoint).map_err(|error| {
            let failed = Failed::connect(error);
            port.core.warn(&failed, &goal.service.name, &endpoint.to_string());
            TurnedAway::from(failed.fault)
        })?;
        let endpoint = match &goal.target {
            Target::Address(_) => (Host::Ip(endpoint.ip()), endpoint.port()),
            Target::Name(name, port) => (Host::Name(name.clone()), *port),
        };
        let whither = (goal.route.clone(), goal.service.clone(), endpoint);
        Ok(Self::of(port, peer, whither, socket, place))
    }

    /// One over a socket that hears its endpoint alone.
    pub(super) fn of(
        port: &Rc<Port>,
        peer: Peer,
        (route, service, endpoint): (RouteId, Rc<BackendState>, (Host, u16)),
        socket: UdpSocket,
        place: TakenPlace,
    ) -> Self {
        let Port { core, listener, .. } = &**port;
        let socket = Rc::new(socket);
        let carried = core.counters.count_session(&listener.entry_point, &service.name);
        let begun = Instant::now();
        let answered = Rc::new(Cell::new(begun));
        let counts = Rc::<Counts>::default();
        let most = listener.believed(core).answers;
        let status = Cell::new(CARRIED);
        let told = Told { port: port.clone(), peer, status, answers: counts.clone() };
        let answers = Answers {
            counts,
            most,
            port: port.clone(),
            socket: socket.clone(),
            peer,
            carried: carried.clone(),
            answered: answered.clone(),
        };
        Self {
            socket,
            route,
            service: service.id().clone(),
            endpoint,
            carried,
            begun,
            answered,
            answering: spawn_local(answers.run()),
            up: Cell::default(),
            told,
            _counted: Counted::new(core, listener),
            _place: place,
        }
    }

    /// Where it goes, and by what, for another process.
    pub(super) fn share(&self) -> io::Result<((String, u16), OwnedFd)> {
        let (host, port) = &self.endpoint;
        Ok(((host.to_string(), *port), self.socket.as_fd().try_clone_to_owned()?))
    }

    /// Whether its endpoint was heard.
    pub(super) fn is_answered(&self) -> bool {
        self.answered.get() > self.begun
    }

    /// When its endpoint was heard last.
    pub(super) fn answered(&self) -> Instant {
        self.answered.get()
    }

    /// Sends a client's datagrams on. What the socket does not take is lost.
    ///
    /// # Errors
    /// The endpoint has refused an earlier one.
    pub(super) fn send(&self, train: &Train<'_>) -> io::Result<()> {
        match train.send(&*self.socket, None, None) {
            Ok(()) => {
                self.carried.up.add(train);
                self.up.set(self.up.get() + train.bytes.len() as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Err(error),
            Err(_) => {}
        }
        Ok(())
    }

    /// Whether `route`, which its client's datagrams take now, still leads to its endpoint, be that
    /// ready or not.
    pub(super) fn is_on(&self, route: &Route, routing: &RoutingMap) -> bool {
        let (host, port) = &self.endpoint;
        let ends = if route.id == self.route { routing.ends(route) } else { Vec::new() };
        ends.iter().filter(|end| end.node.id == self.service).any(|end| {
            let mut all = end.endpoints.into_iter().flat_map(|set| &set.endpoints);
            all.any(|(it, _)| (&it.host, &it.port) == (host, port))
        })
    }
}

impl Session {
    /// Its endpoint takes nothing.
    pub(super) fn is_refused(&self) {
        self.told.status.set(UNREACHED);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.answering.abort();
        let Told { port, peer, status, answers } = &self.told;
        if port.is_handed.get() {
            return;
        }
        let (host, number) = &self.endpoint;
        let endpoint = match host {
            Host::Ip(ip) => SocketAddr::new(*ip, *number).to_string(),
            Host::Name(name) => format!("{name}:{number}"),
        };
        let over = Over {
            protocol: "UDP",
            peer: peer.client,
            port: None,
            endpoint: Some(&endpoint),
            status: status.get(),
            up: self.up.get(),
            down: answers.bytes.get(),
            began: self.begun,
        };
        over.log(&port.core, &port.listener);
    }
}

/// A session as the gauges have it, however it ends.
struct Counted {
    core: Rc<Core>,
    listener: Rc<Listener>,
}

impl Counted {
    fn new(core: &Rc<Core>, listener: &Rc<Listener>) -> Self {
        core.sessions.set(core.sessions.get() + 1);
        listener.open.set(listener.open.get() + 1);
        Self { core: core.clone(), listener: listener.clone() }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Self { core, listener } = self;
        core.sessions.set(core.sessions.get() - 1);
        listener.open.set(listener.open.get() - 1);
    }
}

/// Where answers come from, and whom they are for.
struct Answers {
    counts: Rc<Counts>,
    /// After how many of them it is over, where that is said.
    most: Option<u64>,
    port: Rc<Port>,
    socket: Rc<UdpSocket>,
    peer: Peer,
    carried: Rc<CarriedDatagrams>,
    answered: Rc<Cell<Instant>>,
}

impl Answers {
    /// Carries them until the endpoint refuses.
    async fn run(self) {
        // A refusal makes a socket no more readable, but is an error of it.
        let interest = Interest::READABLE | Interest::ERROR;
        while self.socket.async_io(interest, || self.pass()).await.is_ok() {
            if self.is_over() {
                return self.port.answered(&self.peer);
            }
        }
        self.port.refused(&self.peer);
    }

    fn is_over(&self) -> bool {
        self.most.is_some_and(|most| self.counts.datagrams.get() >= most)
    }

    fn pass(&self) -> io::Result<()> {
        let received = self.receive();
        // Else more would be waited for.
        if self.is_over() { Ok(()) } else { received }
    }

    fn receive(&self) -> io::Result<()> {
        receive(&self.socket, |trains| {
            self.answered.set(Instant::now());
            for train in trains {
                let Counts { bytes, datagrams } = &*self.counts;
                let length = train.bytes.len();
                bytes.set(bytes.get() + length as u64);
                datagrams.set(datagrams.get() + length.div_ceil(train.size.max(1)).max(1) as u64);
                let Peer { client, reached } = self.peer;
                if train.send(&self.port.socket, Some(client), reached).is_ok() {
                    self.carried.down.add(&train);
                }
            }
        })
    }
}

/// A socket that hears `endpoint` alone.
fn connected(endpoint: SocketAddr) -> io::Result<UdpSocket> {
    let kind = Type::DGRAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(endpoint), kind, None)?;
    socket.connect(&endpoint.into())?;
    udp::prepare(&socket, false)?;
    UdpSocket::from_std(socket.into())
}
