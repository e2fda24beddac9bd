//! UDP as clients speak it: what one client sends to one address of ours is a session, and goes to
//! one endpoint of its route's backend, whose answers come from the address that was asked.
//!
//! A session ends when both have been silent for as long as its entry point says, when its endpoint
//! or the way there is gone, when its endpoint refuses, or to make room for another: each port has
//! so many on a core. Otherwise it outlives reloads. Datagrams that nobody takes are lost: none is
//! kept.
//!
//! Each core has a socket of its own for each port, and the kernel leads a client always to the
//! same one; so no two cores know one session.

mod session;
mod sessions;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use steelyard_host::places::TakenPlace;
use steelyard_host::udp::{self, Inbox, Train};
use steelyard_model::routing::id::RouteId;
use steelyard_model::routing::route::Route;
use steelyard_preface::ClientHello;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::spawn_local;
use tokio::time::MissedTickBehavior;

use super::opening::Caller;
use super::tcp;
use crate::core::Core;
use crate::core::datagrams::{DatagramOrder, Datagrams, HandedSession};
use crate::core::listener::Listener;
use crate::core::live::{BackendState, Live, Target};
use crate::tell::fault::{Failed, Fault};
use crate::tell::turned_away::TurnedAway;
use session::Session;
use sessions::Sessions;

/// Sessions of one port on one core; one more makes one leave (`Sessions::end_oldest`).
const MOST: usize = 4096;

/// All sessions take one in so many of the places that there are: whoever sends datagrams, from
/// however many ports and addresses, keeps no connection out.
const SHARE: usize = 4;

/// Clients of one port on one core for whom the name of an endpoint is looked up.
const MOST_SOUGHT: usize = 64;

thread_local! {
    /// One for all sockets of a core: what is received is sent on before more is received.
    static INBOX: RefCell<Inbox> = RefCell::default();
}

/// A port on one core.
struct Port {
    core: Rc<Core>,
    listener: Rc<Listener>,
    socket: UdpSocket,
    sessions: RefCell<Sessions<Peer, Session>>,
    /// For whom a name is looked up.
    sought: RefCell<HashSet<Peer>>,
    /// How long a session may be silent.
    quiet: Duration,
    /// The configuration that sessions are known to be in line with.
    version: Cell<u64>,
    /// Another process goes on with the sessions, and tells of them.
    is_handed: Cell<bool>,
}

/// Whose a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Peer {
    client: SocketAddr,
    /// The address of ours that it sends to.
    reached: Option<IpAddr>,
}

/// Where a session goes.
struct Goal {
    route: RouteId,
    service: Rc<BackendState>,
    target: Target,
}

/// Carries what comes to `socket`, as long as it is polled.
pub(super) async fn serve(core: Rc<Core>, listener: Rc<Listener>, port: Datagrams) {
    let Datagrams { socket, mut told, orders } = port;
    while told.changed().await.is_ok() {}
    if let Err(error) = udp::prepare(&socket, true) {
        tracing::error!(%error, address = listener.address, "a port is of no use");
        return;
    }
    let quiet = listener.terms.udp_silent.unwrap_or_else(|| core.options().timeouts.udp_silent);
    let sessions = RefCell::new(Sessions::new(MOST, Instant::now()));
    let (sought, version) = (RefCell::default(), Cell::new(core.live().version));
    core.datagram_ports.set(core.datagram_ports.get() + 1);
    let is_handed = Cell::default();
    let port = Port { core, listener, socket, sessions, sought, quiet, version, is_handed };
    Rc::new(port).run(orders).await;
}

impl Port {
    async fn run(self: Rc<Self>, mut orders: UnboundedReceiver<DatagramOrder>) {
        // Sessions hold the port, so it has to end them.
        let _ends = Ends(self.clone());
        let pace = (self.quiet / 4).clamp(Duration::from_millis(20), Duration::from_secs(1));
        let mut sweep = tokio::time::interval(pace);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_taking = true;
        loop {
            tokio::select! {
                // Sessions before what is theirs.
                biased;
                Some(order) = orders.recv() => match order {
                    DatagramOrder::HandOn(listener, to) => {
                        is_taking = false;
                        self.hand_on(&listener, &to);
                    }
                    DatagramOrder::GoOn => {
                        is_taking = true;
                        self.is_handed.set(false);
                    }
                    DatagramOrder::Adopt(session) => self.adopt(session),
                },
                _ = self.socket.async_io(Interest::READABLE, || self.take()), if is_taking => {}
                _ = sweep.tick(), if is_taking => self.sweep(),
            }
        }
    }

    /// Tells another process which sessions there are.
    fn hand_on(&self, listener: &str, to: &Sender<HandedSession>) {
        self.is_handed.set(true);
        let core = self.core.index;
        self.sessions.borrow().each(|peer, session| {
            let Ok((endpoint, socket)) = session.share() else { return };
            let Peer { client, reached } = *peer;
            let listener = listener.to_owned();
            let _ = to.send(HandedSession { listener, core, client, reached, endpoint, socket });
        });
    }

    /// Goes on with a session of another process, if its client's route leads where that one's did.
    fn adopt(self: &Rc<Self>, session: HandedSession) {
        let HandedSession { client, reached, endpoint: (host, port), socket, .. } = session;
        let peer = Peer { client, reached };
        let live = self.core.live();
        let Some(route) = self.route(&live, &peer) else { return };
        let ends = live.config.routing.ends(route);
        let found = ends.iter().find_map(|end| {
            let mut all = end.endpoints.into_iter().flat_map(|set| &set.endpoints);
            let (it, _) = all.find(|(it, _)| it.port == port && it.host.to_string() == host)?;
            Some((&end.node.id, (it.host.clone(), it.port)))
        });
        let Some((service, endpoint)) = found else { return };
        let service = self.core.scene(&live).backend(service);
        let socket = UdpSocket::from_std(socket.into());
        if let (Some(place), Ok(socket)) = (self.place(), socket) {
            let whither = (route.id.clone(), service, endpoint);
            self.keep(peer, Session::of(self, peer, whither, socket, place), Instant::now());
        }
    }

    /// Takes what has come.
    fn take(self: &Rc<Self>) -> io::Result<()> {
        self.follow();
        receive(&self.socket, |trains| {
            let now = Instant::now();
            // Nobody can be answered at port 0.
            for train in trains.filter(|train| train.from.port() != 0) {
                self.pass(&train, now);
            }
        })
    }

    fn pass(self: &Rc<Self>, train: &Train<'_>, now: Instant) {
        let peer = Peer { client: train.from, reached: train.to };
        let mut sessions = self.sessions.borrow_mut();
        let sent = sessions.hear(&peer, now, Session::is_answered).map(|it| it.send(train));
        drop(sessions);
        match sent {
            Some(Ok(())) => return,
            // That is what became of an earlier one, and another endpoint may take this one.
            Some(Err(_)) => self.refused(&peer),
            None => {}
        }
        if let Err(why) = self.begin(peer, train, now) {
            self.turn_away(&peer, why);
        }
    }

    /// Begins a session with a client's first datagrams.
    fn begin(
        self: &Rc<Self>,
        peer: Peer,
        train: &Train<'_>,
        now: Instant,
    ) -> Result<(), TurnedAway> {
        let goal = self.goal(&peer)?;
        let place = self.place().ok_or(TurnedAway::NoPlace)?;
        match &goal.target {
            Target::Address(upstream) => {
                let session = Session::new(self, peer, &goal, upstream.address, place)?;
                // Who refuses says so later.
                let _ = session.send(train);
                self.keep(peer, session, now);
            }
            Target::Name(name, port) => {
                let name = (name.clone(), *port);
                self.look_up(peer, name, goal, (place, train));
            }
        }
        Ok(())
    }

    /// Where a client's datagrams go.
    fn goal(&self, peer: &Peer) -> Result<Goal, TurnedAway> {
        let core = &self.core;
        if self.listener.closing.get() {
            return Err(TurnedAway::Dismissed);
        }
        let live = core.live();
        let route = self.route(&live, peer).ok_or(Fault::NoRoute)?;
        let state = core.scene(&live).route(route);
        let leaf = tcp::pick(core, peer.client.ip(), &state).map_err(|failed| failed.fault)?;
        // Datagrams know no TLS here, and nobody is spoken to by less than was asked for.
        if leaf.backend.is_secure() {
            core.refused(&state.name, "TLS over datagrams");
            return Err(Fault::Refused.into());
        }
        let index = leaf.attempts().next().ok_or(Fault::NoneFit)?;
        let target = leaf.target(index).clone();
        Ok(Goal { route: state.id(), service: leaf.backend, target })
    }

    fn route<'l>(&self, live: &'l Live, peer: &Peer) -> Option<&'l Arc<Route>> {
        let table = live.config.table.entry_point(&self.listener.point)?;
        let address = peer.client.ip().to_canonical();
        let caller = Caller { address, hello: ClientHello::default() };
        table.datagrams(&caller).map(|choice| choice.candidate)
    }

    /// A place; where there is none, somebody at this port makes room.
    fn place(&self) -> Option<TakenPlace> {
        let most = self.most();
        while self.sessions.borrow().len() >= most && self.ends_oldest() {}
        let places = &self.core.options().places;
        let place =
            places.take_now().or_else(|| self.ends_oldest().then(|| places.take_now()).flatten());
        if place.is_none() {
            // What comes next finds what others leave.
            self.core.make_room();
        }
        place
    }

    /// How many sessions there may be at this port, on this core.
    fn most(&self) -> usize {
        let options = self.core.options();
        let parts = SHARE * options.workers * self.core.datagram_ports.get();
        (options.places.limit() / parts.max(1)).clamp(1, MOST)
    }

    fn ends_oldest(&self) -> bool {
        let silent = self.sessions.borrow_mut().end_oldest();
        silent.map(|silent| self.makes_room(silent)).is_some()
    }

    /// Has the name of an endpoint looked up; what its client sends meanwhile is lost.
    fn look_up(
        self: &Rc<Self>,
        peer: Peer,
        (name, port): (Arc<str>, u16),
        goal: Goal,
        (place, train): (TakenPlace, &Train<'_>),
    ) {
        {
            let mut sought = self.sought.borrow_mut();
            if sought.len() >= MOST_SOUGHT || !sought.insert(peer) {
                return;
            }
        }
        let (port_of_ours, bytes, size) = (self.clone(), train.bytes.to_vec(), train.size);
        spawn_local(async move {
            let (this, core) = (&port_of_ours, &port_of_ours.core);
            let limit = core.options().timeouts.connect;
            let found = core.upstreams.resolve(&name, port, Instant::now(), limit).await;
            this.sought.borrow_mut().remove(&peer);
            let endpoint = found.ok().and_then(|all| all.first().copied());
            if endpoint.is_none() {
                core.warn(&Failed::new(Fault::Unresolved), &goal.service.name, &name);
            }
            let begun = endpoint.ok_or_else(|| Fault::Unresolved.into());
            match begun.and_then(|it| Session::new(this, peer, &goal, it, place)) {
                Ok(session) => {
                    let (from, to) = (peer.client, peer.reached);
                    let _ = session.send(&Train { bytes: &bytes, size, from, to });
                    this.keep(peer, session, Instant::now());
                }
                Err(why) => this.turn_away(&peer, why),
            }
        });
    }

    fn keep(&self, peer: Peer, session: Session, now: Instant) {
        let silent = self.sessions.borrow_mut().begin(peer, session, now);
        if let Some(silent) = silent {
            self.makes_room(silent);
        }
    }

    fn makes_room(&self, _silent: Session) {
        self.core.counters.count_room(&self.listener.entry_point, "datagram");
    }

    /// The endpoint of a client's session has answered as often as it may.
    fn answered(&self, peer: &Peer) {
        drop(self.sessions.borrow_mut().end(peer));
    }

    /// The endpoint of a client's session takes nothing: the next datagram may go to another.
    fn refused(&self, peer: &Peer) {
        let session = self.sessions.borrow_mut().end(peer);
        session.iter().for_each(Session::is_refused);
        drop(session);
        self.turn_away(peer, Fault::Connect.into());
    }

    fn turn_away(&self, peer: &Peer, why: TurnedAway) {
        let entry_point = &self.listener.entry_point;
        if let Some(cause) = why.cause() {
            self.core.counters.count_turned_away(entry_point, cause);
        }
        tracing::debug!(?why, peer = %peer.client, %entry_point, "datagrams are lost");
    }

    /// Ends sessions that a new configuration leads elsewhere.
    fn follow(&self) {
        let live = self.core.live();
        if self.version.replace(live.version) != live.version {
            let stays = |peer: &Peer, session: &Session| {
                let route = self.route(&live, peer);
                route.is_some_and(|route| session.is_on(route, &live.config.routing))
            };
            self.sessions.borrow_mut().retain(stays);
        }
    }

    /// Ends those who are silent.
    fn sweep(&self) {
        self.follow();
        let Some(since) = Instant::now().checked_sub(self.quiet) else { return };
        self.sessions.borrow_mut().end_silent(since, Session::answered);
    }
}

/// Ends all sessions of a port.
struct Ends(Rc<Port>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.sessions.borrow_mut().retain(|_, _| false);
        let ports = &self.0.core.datagram_ports;
        ports.set(ports.get() - 1);
    }
}

/// Shows what has come to a socket. Where that was all, the socket is said to have no more: it is
/// waited for without another question.
fn receive(
    socket: &UdpSocket,
    see: impl FnOnce(&mut dyn Iterator<Item = Train<'_>>),
) -> io::Result<()> {
    INBOX.with_borrow_mut(|inbox| {
        inbox.receive(socket)?;
        see(&mut inbox.trains());
        if inbox.was_full() { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
    })
}
