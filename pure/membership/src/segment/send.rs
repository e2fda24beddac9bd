//! What goes out to other nodes.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::{Phase, Segment};
use crate::event::Output;
use crate::id::NodeId;
use crate::roster::Peer;
use crate::seal::Under;
use crate::swim::Id;
use crate::wire::{BUDGET, Beat, Body, MAX_HEARD, Message, OFFER, claim_size};

/// Datagrams to one node at once, at most.
const BURST: usize = 32;
/// How often a claim of ours is told without being asked for.
const TELL: u8 = 2;
/// Beyond a full mesh, claims are compared with so many others in each interval.
const COMPARE: usize = 2;
/// Beyond a full mesh, who is not heard is spoken to for so long.
const MISSING: Duration = Duration::from_secs(60);

impl Segment {
    /// The heartbeat of all that goes on.
    pub(super) fn tick(&mut self, now: Instant) {
        self.last_tick = now;
        self.next_tick = now + self.timing.interval;
        if !self.link {
            return;
        }
        self.choose_mode();
        if self.roster.swim {
            self.want(now);
        }
        let partners = self.partners(now);
        partners.iter().for_each(|node| self.repeat(now, *node));
        self.beat(now, partners);
        if now >= self.next_hello {
            self.hello(now);
        }
    }

    fn hello(&mut self, now: Instant) {
        // Twenty hellos a second on the segment at most, but for those who start.
        let many = self.roster.peers.len().try_into().unwrap_or(u32::MAX);
        let spread = Duration::from_millis(50) * many;
        let starting = matches!(self.phase, Phase::Listening { .. });
        let wait = if starting { self.timing.hello / 4 } else { self.timing.hello.max(spread) };
        self.next_hello = now + wait;
        self.roster.greeting = self.timing.hello.max(spread) * 4;
        let beat = Beat { state: self.state(), sent: self.clock(now), ..Beat::default() };
        let message = Message { sender: self.name.to_string(), body: Body::Hello(beat) };
        let message = message.encode();
        let older = self.sealer.has_two().then_some(Under::Older);
        for under in older.into_iter().chain([Under::Newest]) {
            let bytes = self.sealer.seal(under, &message);
            for to in &self.targets {
                self.outputs.push_back(Output::Send { to: *to, bytes: bytes.clone() });
            }
            self.outputs.push_back(Output::Multicast(bytes));
        }
    }

    /// To whom heartbeats go now.
    fn partners(&mut self, now: Instant) -> BTreeSet<NodeId> {
        let reachable = self.roster.peers.iter().filter(|(_, it)| it.address.is_some());
        if !self.roster.swim {
            return reachable.map(|(id, _)| *id).collect();
        }
        let wanting = reachable
            .clone()
            .filter(|(_, it)| it.wanted.is_some() || it.wants.is_some_and(|until| now < until));
        let missing = reachable.clone().filter(|(_, it)| !it.present && now < it.seen + MISSING);
        let mut partners: BTreeSet<NodeId> = wanting.chain(missing).map(|(id, _)| *id).collect();
        let present: Vec<NodeId> = reachable.filter(|it| it.1.present).map(|it| *it.0).collect();
        for _ in 0..COMPARE.min(present.len()) {
            let pick = self.random() % u64::try_from(present.len()).expect("64 bits");
            partners.extend(present.get(usize::try_from(pick).expect("less than the length")));
        }
        partners
    }

    /// Who is not heard may hear us all the same, and go on with a claim that ours beats.
    fn repeat(&mut self, now: Instant, node: NodeId) {
        let Some(peer) = self.roster.peers.get_mut(&node) else { return };
        let due = peer.repeated.is_none_or(|at| now >= at + self.timing.dead());
        if !peer.present && peer.established && due {
            peer.repeated = Some(now);
            let ours = self.ownership.table.iter().filter(|(_, claim)| claim.owner == self.me);
            let ours: Vec<IpAddr> = ours.map(|(vip, _)| vip).collect();
            for vip in ours {
                peer.pending.entry(vip).or_insert(1);
            }
        }
    }

    /// Beyond a full mesh: owners and their standbys hear each other.
    fn want(&mut self, now: Instant) {
        let mut wanted = BTreeSet::new();
        for (_, claim) in self.ownership.table.iter().filter(|(_, claim)| !claim.released) {
            if claim.owner == self.me || claim.standbys.contains(&self.me) {
                wanted.insert(claim.owner);
                wanted.extend(&claim.standbys);
            }
        }
        for (id, peer) in &mut self.roster.peers {
            let want = wanted.contains(id);
            if want != peer.wanted.is_some() {
                peer.wanted = want.then_some(now);
                self.roster.changed = true;
            }
        }
        self.roster.check_at(now);
    }

    pub(super) fn beat_all(&mut self, now: Instant) {
        let all: Vec<NodeId> = self.roster.peers.keys().copied().collect();
        self.beat(now, all);
    }

    /// Tells others at once what changed here.
    pub(super) fn publish(&mut self, now: Instant) {
        let news = std::mem::take(&mut self.ownership.news);
        let mut to = std::mem::take(&mut self.ownership.urgent);
        if !news.is_empty() {
            let told = self.roster.peers.iter_mut();
            for (id, peer) in told.filter(|(_, it)| it.established) {
                peer.pending.extend(news.iter().map(|vip| (*vip, TELL)));
                to.insert(*id);
            }
        }
        self.beat(now, to);
    }

    /// Sends heartbeats, and with each what that node is to know; in several datagrams if need be.
    pub(super) fn beat(&mut self, now: Instant, nodes: impl IntoIterator<Item = NodeId>) {
        let mut nodes = nodes.into_iter().peekable();
        if !self.link || nodes.peek().is_none() {
            return;
        }
        let to_all = self.beat_to_all(now);
        nodes.for_each(|node| self.beat_to(now, node, &to_all));
    }

    fn beat_to(&mut self, now: Instant, node: NodeId, to_all: &Beat) {
        let Some(peer) = self.roster.peers.get(&node) else { return };
        let Some(to) = peer.address else { return };
        let (under, established) = (under(peer), peer.established);
        let mut plain = Beat {
            wants: !self.roster.swim || peer.wanted.is_some(),
            echo: peer.echo(now),
            ..to_all.clone()
        };
        plain.heard.retain(|heard| heard.node != node);
        plain.heard.truncate(MAX_HEARD);
        let mut offers = VecDeque::from(self.ownership.offers(node));
        let mut claims = self.roster.peers.get(&node).map(pending).unwrap_or_default();
        for _ in 0..BURST {
            let mut beat = plain.clone();
            while beat.size() + OFFER <= self.room()
                && let Some(offer) = offers.pop_front()
            {
                beat.offers.push(offer);
                beat.addresses.clone_from(&self.addresses);
            }
            if established {
                let room = self.room().saturating_sub(beat.size());
                beat.claims = self.ownership.concessions(node, room);
            }
            self.fill(node, &mut beat, &mut claims);
            self.send(to, under, Body::Beat(beat));
            if offers.is_empty() && claims.is_empty() {
                break;
            }
        }
    }

    fn send(&mut self, to: SocketAddr, under: Under, body: Body) {
        let message = Message { sender: self.name.to_string(), body };
        let bytes = self.sealer.seal(under, &message.encode());
        self.outputs.push_back(Output::Send { to, bytes });
    }

    /// Bytes of a datagram beside our name.
    pub(super) fn room(&self) -> usize {
        BUDGET - self.name.len()
    }

    /// What a heartbeat says to whomever it goes.
    fn beat_to_all(&self, now: Instant) -> Beat {
        let heard = self.roster.tell(now);
        Beat {
            state: self.state(),
            alone: !self.roster.swim && self.roster.hears_nobody(now),
            sent: self.clock(now),
            digest: self.ownership.table.digest(),
            rebalance: self.rebalance,
            heard,
            ..Beat::default()
        }
    }

    /// Adds claims that the node does not know, as many as have room.
    fn fill(&mut self, node: NodeId, beat: &mut Beat, claims: &mut VecDeque<IpAddr>) {
        let mut room = self.room().saturating_sub(beat.size());
        let Some(peer) = self.roster.peers.get_mut(&node) else { return };
        while let Some(vip) = claims.front() {
            let claim = self.ownership.table.get(*vip);
            let size = claim.map_or(0, claim_size);
            if size > room {
                break;
            }
            room -= size;
            beat.claims.extend(claim.map(|claim| (*vip, claim.clone())));
            peer.told(*vip);
            claims.pop_front();
        }
    }

    pub(super) fn send_swim(&mut self) {
        let Some(swim) = &mut self.swim else { return };
        let mut sends = Vec::new();
        while let Some((node, bytes)) = swim.poll_send() {
            let peer = self.roster.peers.get(&node).filter(|it| it.established);
            let to = peer.and_then(|it| Some((it.address?, under(it))));
            sends.extend(to.map(|(to, under)| (to, under, bytes)));
        }
        sends.into_iter().for_each(|(to, under, bytes)| self.send(to, under, Body::Swim(bytes)));
    }

    /// A number by which SWIM knows a node's start.
    pub(super) fn swim_id(&self) -> Id {
        Id::new(self.me, self.sealer.session().epoch)
    }
}

/// Claims that a node is to be told, the least often told first: a long list is not begun over and
/// over.
fn pending(peer: &Peer) -> VecDeque<IpAddr> {
    if !peer.established {
        return VecDeque::new();
    }
    let mut pending: Vec<(&IpAddr, &u8)> = peer.pending.iter().collect();
    pending.sort_by_key(|(_, times)| Reverse(**times));
    pending.into_iter().map(|(vip, _)| *vip).collect()
}

/// What a node was seen to use is what it can open.
fn under(peer: &Peer) -> Under {
    if peer.newest_key { Under::Newest } else { Under::Older }
}
