//! What comes in from other nodes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Segment;
use crate::event::{Event, Output};
use crate::id::NodeId;
use crate::roster::Peer;
use crate::seal::{Opened, Refused};
use crate::swim::Id;
use crate::wire::{Beat, Body, Message, State};

/// A node that has our name is spoken of no more often.
const NAME_TAKEN: Duration = Duration::from_secs(60);
/// No node is answered more often out of turn.
const REPLY: Duration = Duration::from_millis(10);

impl Segment {
    pub(super) fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        if let Err(why) = self.try_receive(now, from, bytes) {
            *self.refused.entry(why).or_default() += 1;
        }
    }

    fn try_receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) -> Result<(), Refused> {
        let mut opened = self.opener.open(bytes)?;
        let message = Message::decode(&opened.content).map_err(|_| Refused::Malformed)?;
        let sender = NodeId::of(&message.sender);
        if sender == self.me {
            self.namesake(now, from, &message, &mut opened);
            return Ok(());
        }
        self.hearing.sign(now);
        if let Err(why) = self.opener.admit(sender, &mut opened) {
            if why == Refused::Stale {
                self.note_stale(now, sender, from);
            }
            let is_twin = why == Refused::Replayed && self.is_twin(sender, from, &message, &opened);
            return if is_twin { Ok(()) } else { Err(why) };
        }
        let peer = self.roster.entry(now, sender).ok_or(Refused::TooMany)?;
        if peer.name.as_deref().is_some_and(|name| *name != *message.sender) {
            return Err(Refused::TooMany);
        }
        let session = opened.session;
        if session.epoch > peer.epoch || (session.tag() != peer.tag && peer.tag != 0) {
            peer.restarted(session.epoch, session.tag());
        }
        peer.tag = session.tag();
        peer.newest_key |= opened.newest;
        peer.name.get_or_insert_with(|| Arc::from(message.sender));
        // What was sent to others, and is sent to us again from elsewhere, must not lead us there,
        // as long as the node itself is heard.
        if !peer.established || !peer.is_fresh(now, self.timing.dead()) {
            peer.address = Some(from);
        }
        peer.seen = now;
        peer.missed = false;
        if matches!(message.body, Body::Hello(_)) {
            peer.hello = Some((opened.counter, from));
        }
        match message.body {
            Body::Hello(beat) => self.on_hello(now, sender, &beat),
            Body::Beat(beat) => self.on_beat(now, from, sender, beat),
            Body::Swim(bytes) => self.on_swim(now, sender, &bytes)?,
        }
        Ok(())
    }

    /// A node may have lost which start it is at, and its address as well. It learns that from our
    /// heartbeats, where they reach it; as long as it is not heard they may as well go there.
    fn note_stale(&mut self, now: Instant, sender: NodeId, from: SocketAddr) {
        let dead = self.timing.dead();
        if let Some(peer) = self.roster.peers.get_mut(&sender).filter(|it| !it.is_fresh(now, dead))
        {
            peer.address = Some(from);
        }
    }

    /// A hello goes to the groups of both families, and is heard by both. The second one is no
    /// replay, once.
    fn is_twin(
        &mut self,
        sender: NodeId,
        from: SocketAddr,
        message: &Message,
        opened: &Opened,
    ) -> bool {
        let Some(peer) = self.roster.peers.get_mut(&sender) else { return false };
        let other_family = |(counter, before): &mut (u64, SocketAddr)| {
            *counter == opened.counter && before.is_ipv4() != from.is_ipv4()
        };
        matches!(message.body, Body::Hello(_)) && peer.hello.take_if(other_family).is_some()
    }

    /// Our own hello came back, or somebody has our name. Who started earlier falls silent: others
    /// refuse what it says, as of a node that was started again since.
    fn namesake(&mut self, now: Instant, from: SocketAddr, message: &Message, opened: &mut Opened) {
        // An earlier session of ours may be a recording, and so may what was heard before.
        let later = opened.session > self.sealer.session() && *message.sender == *self.name;
        if !later || self.opener.admit(self.me, opened).is_err() {
            return;
        }
        self.namesake = Some(now);
        if self.name_taken.is_none_or(|at| now >= at + NAME_TAKEN) {
            self.name_taken = Some(now);
            self.outputs.push_back(Output::Event(Event::NameTaken(from)));
        }
    }

    fn on_hello(&mut self, now: Instant, sender: NodeId, beat: &Beat) {
        let clock = self.clock(now);
        let Some(peer) = self.roster.peers.get_mut(&sender) else { return };
        peer.time(now, beat, clock);
        peer.greeted = Some(now);
        let (established, id) = (peer.established, Id::new(sender, peer.epoch));
        let changes = established && peer.state != State::Gone && peer.state != beat.state;
        if changes {
            peer.state = beat.state;
            self.roster.changed = true;
        }
        self.roster.check_at(now);
        if !established {
            self.reply(now, sender);
        }
        if let Some(swim) = &mut self.swim {
            swim.announce(now, id);
        }
    }

    fn on_beat(&mut self, now: Instant, from: SocketAddr, sender: NodeId, beat: Beat) {
        let ours = self.sealer.session();
        let clock = self.clock(now);
        let knows_me = beat.echo.is_some_and(|it| it.epoch == ours.epoch && it.tag == ours.tag());
        if let Some(echo) = beat.echo.filter(|_| !knows_me) {
            self.outlive(echo.epoch, echo.tag);
        }
        let Some(peer) = self.roster.peers.get_mut(&sender) else { return };
        peer.time(now, &beat, clock);
        if !knows_me {
            // It may be a recording; if it is not, what we answer makes the next one good.
            return self.reply(now, sender);
        }
        peer.address = Some(from);
        let met = !peer.established || !peer.present;
        if !std::mem::replace(&mut peer.established, true) {
            self.reply(now, sender);
        }
        self.believe(now, sender, beat, met);
    }

    /// Takes in a heartbeat that is of now. `met`: it was not heard before, or not for long.
    fn believe(&mut self, now: Instant, sender: NodeId, mut beat: Beat, met: bool) {
        self.roster.hear(now, sender, &beat);
        for (vip, claim) in std::mem::take(&mut beat.claims) {
            self.ownership.merge(now, sender, vip, claim);
        }
        // Who starts takes over the count; only who was there when it grew acts on it. What it is
        // offered by the same heartbeat is its share of that.
        let acts = self.rebalance > 0 || self.ownership.owns_any();
        let start = self.roster.peers.get(&sender).map_or(0, |peer| peer.epoch);
        for offer in &beat.offers {
            self.ownership.offered(now, (sender, start), *offer, &beat.addresses);
        }
        if beat.rebalance > self.rebalance {
            self.rebalance = beat.rebalance;
            if acts {
                self.ownership.rebalance(now, &self.roster);
            }
        }
        self.compare(now, sender, beat.digest, met);
    }

    /// Who believes other claims than we do, and goes on to, is told all that we know.
    fn compare(&mut self, now: Instant, sender: NodeId, digest: u64, met: bool) {
        let table = &self.ownership.table;
        let Some(peer) = self.roster.peers.get_mut(&sender) else { return };
        if digest == table.digest() {
            peer.differs = None;
            return;
        }
        let since = *peer.differs.get_or_insert(now);
        let overdue = now >= since + self.timing.interval * 2;
        if peer.pending.is_empty() && (met || overdue) {
            peer.differs = Some(now);
            peer.pending = table.iter().map(|(vip, _)| (vip, 1)).collect();
        }
        if met && !peer.pending.is_empty() {
            self.beat(now, [sender]);
        }
    }

    /// Others know a later start of ours than this one: the clock was set back, or what was kept
    /// is lost. Without that they would refuse us for ever.
    fn outlive(&mut self, epoch: u64, tag: u32) {
        let ours = self.sealer.session();
        let passed = epoch > ours.epoch || (epoch == ours.epoch && tag != ours.tag());
        if passed && epoch < u64::MAX / 2 {
            self.sealer.renew(epoch + 1);
        }
    }

    fn reply(&mut self, now: Instant, to: NodeId) {
        let Some(peer) = self.roster.peers.get_mut(&to) else { return };
        if peer.replied.is_none_or(|at| now >= at + REPLY) {
            peer.replied = Some(now);
            self.beat(now, [to]);
        }
    }

    fn on_swim(&mut self, now: Instant, sender: NodeId, bytes: &[u8]) -> Result<(), Refused> {
        let established = |it: &Peer| it.established;
        if !self.roster.peers.get(&sender).is_some_and(established) {
            return Ok(());
        }
        let Some(swim) = &mut self.swim else { return Ok(()) };
        if swim.handle(now, bytes) { Ok(()) } else { Err(Refused::Malformed) }
    }
}
