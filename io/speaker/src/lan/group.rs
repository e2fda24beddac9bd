//! One interface shared with other nodes: a [`Segment`]'s machine on its sockets.
//!
//! It keeps the order that the machine asks for: the time first, then datagrams; frames are the
//! port's, and come last.

mod moved;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime};

use steelyard_host::datagram::SegmentSocket;
use steelyard_host::links::Link;
use steelyard_layer2::Input as Asked;
use steelyard_layer2::wire::Mark;
use steelyard_membership::{
    Config, Event, HeartbeatTiming, Input, Output, OwnerCandidate, Segment, SegmentLegacy,
};

use crate::lan::former::{Formers, Pending};
use crate::lan::membership::PORT;
use crate::lan::port::Port;
use crate::lan::status::OwnerChange;
use moved::Moved;

/// Nodes and routers that are asked whether they are there, at most.
const SOME: usize = 8;
/// Datagrams taken off the socket before others have their turn.
const BATCH: usize = 64;

/// Vips that we answer for, and what is said beside each.
pub(crate) type Marked = BTreeMap<IpAddr, Option<Mark>>;

/// One interface.
pub(crate) struct Group {
    link: u32,
    pub(crate) name: String,
    pub(crate) segment: Segment,
    socket: Option<SegmentSocket>,
    /// What we answer for here.
    pub(crate) owned: Marked,
    /// What is to be said beside vips that are about to be ours.
    marks: Marked,
    /// Routers on it.
    pub(crate) gateways: Vec<IpAddr>,
    /// Other nodes that are named.
    peers: Vec<SocketAddr>,
    /// Our own addresses on it.
    addresses: Vec<IpAddr>,
    /// Those of this host on any interface.
    pub(crate) own: Arc<BTreeSet<IpAddr>>,
    /// Since when vips have the owner that they have, and why.
    pub(crate) since: BTreeMap<IpAddr, (SystemTime, Arc<str>)>,
    /// Whose vips were that have no owner now.
    given_up: BTreeMap<IpAddr, Arc<str>>,
    timing: HeartbeatTiming,
    pub(crate) left: bool,
}

/// What a group wants of the one that drives it.
pub(crate) enum Wish {
    Keep(IpAddr, u64),
    Tell(Event),
    Moved(IpAddr, OwnerChange),
}

impl Group {
    pub(crate) fn new(now: Instant, link: &Link, config: &Config) -> Self {
        Self::of(Segment::new(now, config), link, config)
    }

    /// One that goes on with what another process of this node had.
    pub(crate) fn resume(
        now: Instant,
        link: &Link,
        config: &Config,
        legacy: &SegmentLegacy,
    ) -> Self {
        Self::of(Segment::resume(now, config, legacy), link, config)
    }

    fn of(segment: Segment, link: &Link, config: &Config) -> Self {
        Self {
            link: link.index,
            name: link.name.clone(),
            segment,
            socket: None,
            owned: Marked::new(),
            marks: Marked::new(),
            gateways: Vec::new(),
            peers: Vec::new(),
            addresses: Vec::new(),
            own: Arc::default(),
            since: BTreeMap::new(),
            given_up: BTreeMap::new(),
            timing: config.timing,
            left: false,
        }
    }

    /// Tells it how things are.
    pub(crate) fn set(
        &mut self,
        now: Instant,
        link: &Link,
        vips: &BTreeMap<IpAddr, Arc<[OwnerCandidate]>>,
        peers: &[SocketAddr],
    ) {
        self.name.clone_from(&link.name);
        self.segment.handle(now, Input::Link(link.up && link.carrier));
        if self.socket.is_none() && link.up {
            match SegmentSocket::open(&link.name, link.index, PORT) {
                Ok(socket) => self.socket = Some(socket),
                Err(error) => {
                    let why = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::warn!(why, "{error}: nodes there are not found");
                }
            }
        }
        let here = |peer: &&SocketAddr| link.subnet_of(peer.ip()).is_some();
        let peers: Vec<SocketAddr> = peers.iter().filter(here).copied().collect();
        self.segment.handle(now, Input::Peers(&peers));
        self.peers = peers;
        self.addresses = addresses(link);
        self.segment.handle(now, Input::Addresses(&self.addresses));
        self.segment.handle(now, Input::Vips(vips));
    }

    /// Gives back memory that was taken while much happened.
    pub(crate) fn pack(&mut self) {
        self.segment.pack();
        self.owned = std::mem::take(&mut self.owned).into_iter().collect();
        self.since = std::mem::take(&mut self.since).into_iter().collect();
    }

    /// Nothing is heard of others, or said to them, before it is told again how things are.
    pub(crate) fn close_socket(&mut self) {
        self.socket = None;
    }

    /// This node stops: the others are told.
    pub(crate) fn stop(&mut self, now: Instant) {
        self.segment.handle(now, Input::Stop);
        self.work(now, None, None);
    }

    /// The interface is gone.
    pub(crate) fn lose(&mut self, now: Instant) {
        self.socket = None;
        self.segment.handle(now, Input::Link(false));
    }

    /// Does all that the machine wants done. Without a port nothing is asked or answered.
    pub(crate) fn work(
        &mut self,
        now: Instant,
        mut port: Option<&mut Port>,
        formers: Option<&dyn Formers>,
    ) -> Vec<Wish> {
        let (mut wishes, mut pending) = (Vec::new(), Pending::default());
        let mut moved = Moved::default();
        loop {
            let output = self.segment.poll(now);
            pending.take(output.as_ref(), self.link, formers);
            let Some(output) = output else { break };
            let port = port.as_deref_mut();
            match output {
                Output::Send { to, bytes } => {
                    // Lost, as it may be on its way.
                    let _ = self.socket.as_ref().map(|socket| socket.send(to, &bytes));
                }
                Output::Multicast(bytes) => {
                    self.socket.as_ref().map(|socket| socket.send_to_all(&bytes));
                }
                Output::Probe(vip) => ask(port, now, Asked::Probe(vip)),
                Output::Announce(vip) => ask(port, now, Asked::Announce(vip)),
                Output::Ask => self.ask_around(now, port),
                Output::Mark { vip, mark } => {
                    let mark = mark.map(Mark);
                    match self.owned.get_mut(&vip) {
                        Some(owned) => {
                            *owned = mark;
                            ask(port, now, Asked::Take(vip, mark));
                        }
                        None => _ = self.marks.insert(vip, mark),
                    }
                }
                Output::Own(vip) => {
                    let mark = self.marks.remove(&vip).flatten();
                    self.owned.insert(vip, mark);
                    ask(port, now, Asked::Take(vip, mark));
                }
                Output::Silence(vip) => {
                    self.owned.remove(&vip);
                    ask(port, now, Asked::Release(vip));
                }
                Output::Fence => {
                    self.owned.clear();
                    self.socket.as_ref().map(SegmentSocket::drain);
                    if let Some(port) = port {
                        port.responder.handle(now, Asked::Cleared(&self.owned));
                        port.drain(now);
                    }
                }
                Output::Keep { vip, epoch } => wishes.push(Wish::Keep(vip, epoch)),
                Output::Left => self.left = true,
                Output::Pass { .. } | Output::Forget(_) => {}
                Output::Event(event) => {
                    wishes.extend(moved.take(now, self, event).map(Wish::Tell));
                }
            }
        }
        for (vip, change) in moved.changes {
            self.since.insert(vip, (SystemTime::now(), change.why.clone()));
            wishes.push(Wish::Moved(vip, change));
        }
        wishes
    }

    /// Asks hosts of the LAN whether they are there. Without any that is known, or without a way
    /// to ask, it is taken for granted that we hear.
    fn ask_around(&mut self, now: Instant, port: Option<&mut Port>) {
        let Some(port) = port else { return self.segment.handle(now, Input::Heard) };
        let nodes = self.segment.members(now).into_iter().filter_map(|it| it.address);
        let nodes = nodes.chain(self.peers.iter().copied()).map(|it| it.ip());
        let known = nodes.chain(self.gateways.iter().copied()).take(SOME);
        let hosts: BTreeSet<IpAddr> = known.chain(port.responder.acquaintances()).collect();
        let mut asked = false;
        for who in hosts {
            let same = |own: &&IpAddr| own.is_ipv4() == who.is_ipv4();
            if let Some(sender) = self.addresses.iter().copied().find(|own| same(&own)) {
                port.responder.handle(now, Asked::Ask { who, sender });
                asked = true;
            }
        }
        if !asked {
            self.segment.handle(now, Input::Heard);
        }
    }

    /// Hands in datagrams that came; whether any did.
    pub(crate) fn poll_hear(
        &mut self,
        now: Instant,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> bool {
        let Some(socket) = &self.socket else { return false };
        for count in 0..BATCH {
            let Poll::Ready((length, from)) = socket.poll_receive(context, buffer) else {
                return count > 0;
            };
            // Two interfaces of one host on one LAN are two starts of one node, and hear each
            // other.
            if !self.own.contains(&from.ip()) {
                self.segment.handle(now, Input::Datagram { from, bytes: &buffer[..length] });
            }
        }
        true
    }
}

/// Where packets from others on the segment reach this host. Of IPv6, what has nothing to do with
/// which subnets there are.
fn addresses(link: &Link) -> Vec<IpAddr> {
    let all = || link.addresses.iter().map(|net| net.addr());
    let four = all().find(|it| it.is_ipv4());
    let local = |it: &IpAddr| matches!(it, IpAddr::V6(it) if it.is_unicast_link_local());
    let six = all().find(local).or_else(|| all().find(|it| it.is_ipv6()));
    four.into_iter().chain(six).collect()
}

fn ask(port: Option<&mut Port>, now: Instant, what: Asked<'_>) {
    if let Some(port) = port {
        port.responder.handle(now, what);
    }
}
