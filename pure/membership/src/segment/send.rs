//! What goes out to other nodes.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{Phase, Segment};
use crate::event::Output;
use crate::id::NodeId;
use crate::swim::Id;
use crate::wire::{BUDGET, Beat, Body, Message, claim_size};

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
        for node in self.partners(now) {
            self.repeat(now, node);
            self.beat(now, node);
        }
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
        let bytes = self.sealer.seal(&message.encode());
        for to in &self.targets {
            self.outputs.push_back(Output::Send { to: *to, bytes: bytes.clone() });
        }
        self.outputs.push_back(Output::Multicast(bytes));
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
        all.into_iter().for_each(|node| self.beat(now, node));
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
        to.into_iter().for_each(|node| self.beat(now, node));
    }

    /// Sends a heartbeat, and with it what this node is to know; in several datagrams if need be.
    pub(super) fn beat(&mut self, now: Instant, node: NodeId) {
        let to = self.roster.peers.get(&node).and_then(|it| it.address).filter(|_| self.link);
        let Some(to) = to else { return };
        let plain = self.plain_beat(now, node);
        let mut offers = self.ownership.offers(node).into_iter().peekable();
        for _ in 0..BURST {
            let mut beat = plain.clone();
            while beat.size() < BUDGET
                && beat.offers.len() < 40
                && let Some(offer) = offers.next()
            {
                beat.offers.push(offer);
            }
            self.fill(node, &mut beat);
            let more = offers.peek().is_some() || beat.size() + 64 > BUDGET;
            let message = Message { sender: self.name.to_string(), body: Body::Beat(beat) };
            let bytes = self.sealer.seal(&message.encode());
            self.outputs.push_back(Output::Send { to, bytes });
            if !more {
                break;
            }
        }
    }

    fn plain_beat(&self, now: Instant, node: NodeId) -> Beat {
        let peer = self.roster.peers.get(&node);
        Beat {
            state: self.state(),
            wants: !self.roster.swim || peer.is_some_and(|it| it.wanted.is_some()),
            alone: !self.roster.swim && self.roster.heard_directly(now) == 0,
            sent: self.clock(now),
            echo: peer.and_then(|it| it.echo(now)),
            digest: self.ownership.table.digest(),
            rebalance: self.rebalance,
            heard: self.roster.tell(now, node),
            ..Beat::default()
        }
    }

    /// Adds claims that the node does not know, as many as have room.
    fn fill(&mut self, node: NodeId, beat: &mut Beat) {
        let Some(peer) = self.roster.peers.get_mut(&node).filter(|it| it.established) else {
            return;
        };
        let mut size = beat.size();
        let mut told: Vec<IpAddr> = Vec::new();
        // What was told least often comes first, so that a long list is not begun over and over.
        let mut pending: Vec<(IpAddr, u8)> = peer.pending.iter().map(|(a, b)| (*a, *b)).collect();
        pending.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
        for (vip, _) in pending {
            let Some(claim) = self.ownership.table.get(vip) else {
                told.push(vip);
                continue;
            };
            size += claim_size(claim);
            if size > BUDGET || beat.claims.len() >= 100 {
                break;
            }
            beat.claims.push((vip, claim.clone()));
            told.push(vip);
        }
        for vip in told {
            if let Some(times) = peer.pending.get_mut(&vip) {
                *times -= 1;
                if *times == 0 {
                    peer.pending.remove(&vip);
                }
            }
        }
    }

    pub(super) fn send_swim(&mut self) {
        let Some(swim) = &mut self.swim else { return };
        while let Some((node, bytes)) = swim.poll_send() {
            let address = self.roster.peers.get(&node).filter(|it| it.established);
            if let Some(to) = address.and_then(|it| it.address) {
                let message = Message { sender: self.name.to_string(), body: Body::Swim(bytes) };
                let bytes = self.sealer.seal(&message.encode());
                self.outputs.push_back(Output::Send { to, bytes });
            }
        }
    }

    /// A number by which SWIM knows a node's start.
    pub(super) fn swim_id(&self) -> Id {
        Id::new(self.me, self.sealer.session().epoch)
    }
}
