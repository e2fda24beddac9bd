//! One node's part on one segment: the machine that callers drive.
//!
//! ```text
//!              heard for two dead times              enough nodes
//!  Listening ───────────────────────────► Up ◄────────────────────► NoQuorum
//!      ▲                                  │ │
//!      │ timer late by the dead time, or  │ │ Leave      Stop
//!      └──────────────────────────────────┘ └──► Leaving ──► Gone
//!        the interface was gone
//! ```
//!
//! From `Up` and `NoQuorum` it is `Deaf` while nothing comes in from the LAN ([`hearing`]), and
//! `Doubled` while a node is heard that has its name and started later.
//!
//! [`hearing`]: crate::hearing
//!
//! Whoever drives it keeps an order, or a node that was stopped answers once more before it knows
//! better: first the time ([`Segment::poll`]), then datagrams, then frames. The time it is told
//! must go on while the machine sleeps (`CLOCK_BOOTTIME`).

mod legacy;
mod receive;
mod send;
mod status;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::legacy::SegmentLegacy;
pub use self::status::{ClaimStatus, MemberStatus, NAME_TAKEN};
use crate::config::{Config, HeartbeatTiming};
use crate::event::{Event, Input, MacBytes, Output};
use crate::hearing::Hearing;
use crate::id::NodeId;
use crate::mark::{ClaimMark, Marker};
use crate::ownership::{Happening, Numbering, Ownership};
use crate::roster::{Passage, Roster};
use crate::seal::{Keyring, Opener, Refused, Sealer, Session};
use crate::swim::Swim;
use crate::wire::State;

/// Places for outputs that are kept where there are none.
const FEW: usize = 64;
/// A leaver that could not give everything away by then gives it up.
const LEAVE: Duration = Duration::from_secs(2);

/// The machine. See the module.
#[derive(Debug)]
pub struct Segment {
    name: Arc<str>,
    me: NodeId,
    timing: HeartbeatTiming,
    mesh: usize,
    quorum: Option<usize>,
    seed: u64,
    start: Instant,
    sealer: Sealer,
    opener: Opener,
    marker: Marker,
    hearing: Hearing,
    roster: Roster,
    ownership: Ownership,
    swim: Option<Swim>,
    phase: Phase,
    link: bool,
    last_tick: Instant,
    next_tick: Instant,
    next_hello: Instant,
    targets: Vec<SocketAddr>,
    /// Where packets of our flows are taken.
    addresses: Vec<IpAddr>,
    names: BTreeMap<NodeId, Arc<str>>,
    rebalance: u64,
    /// When it was last told that another node has our name, and when that was last heard.
    name_taken: Option<Instant>,
    namesake: Option<Instant>,
    outputs: VecDeque<Output>,
    refused: BTreeMap<Refused, u64>,
    random: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Listening {
        until: Instant,
        fenced: bool,
    },
    Up,
    NoQuorum,
    Deaf,
    Doubled,
    /// `left`: it may stop.
    Leaving {
        since: Instant,
        left: bool,
    },
    Gone,
}

impl Segment {
    /// A node that just started: it listens first.
    pub fn new(now: Instant, config: &Config) -> Self {
        let me = NodeId::of(&config.name);
        let timing = config.timing;
        let session = Session { epoch: config.epoch, salt: config.salt };
        let until = now + timing.dead() * 2;
        Self {
            name: Arc::clone(&config.name),
            me,
            timing,
            mesh: config.mesh,
            quorum: config.quorum,
            seed: config.seed,
            start: now,
            sealer: Sealer::new(config.keys.clone(), session),
            opener: Opener::new(config.keys.clone()),
            marker: Marker::new(&config.keys),
            hearing: Hearing::new(timing),
            roster: Roster::new(me, timing.dead(), timing.interval),
            ownership: Ownership::new(me, config),
            swim: None,
            phase: Phase::Listening { until, fenced: false },
            link: true,
            last_tick: now,
            next_tick: now,
            next_hello: now,
            targets: Vec::new(),
            addresses: Vec::new(),
            names: BTreeMap::from([(me, Arc::clone(&config.name))]),
            rebalance: 0,
            name_taken: None,
            namesake: None,
            outputs: VecDeque::new(),
            refused: BTreeMap::new(),
            // xorshift never leaves zero.
            random: config.seed | 1,
        }
    }

    /// Takes note of something; what follows from it is had by [`Segment::poll`].
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        if self.phase == Phase::Gone {
            return;
        }
        let late = self.notice_sleep(now);
        match input {
            // What was received before the machine slept tells of a world that is gone.
            Input::Datagram { .. } | Input::Answered { .. } | Input::Rival { .. } if late => {}
            // It was on its way when the cable was pulled.
            Input::Datagram { .. } if !self.link => {}
            Input::Datagram { from, bytes } => self.receive(now, from, bytes),
            Input::Vips(vips) => self.set_vips(vips),
            Input::Peers(peers) => self.targets = peers.to_vec(),
            Input::Quorum(of) => self.quorum = of,
            Input::Keys(keys) => self.set_keys(now, keys),
            Input::Answered { vip, by, mark } => self.on_answer(now, vip, by, mark),
            Input::Rival { vip, by, mark } => self.on_rival(now, vip, by, mark),
            Input::Heard if !self.hearing.sign(now) => return,
            Input::Heard => {}
            Input::Addresses(all) => self.set_addresses(all),
            Input::Link(up) => self.set_link(now, up),
            Input::Leave => self.leave(now),
            Input::Stop => return self.go(now),
            Input::Rebalance => {
                self.rebalance += 1;
                self.ownership.rebalance(now, &self.roster);
                self.beat_all(now);
            }
            Input::Time => {}
        }
        self.settle(now);
    }

    fn on_answer(&mut self, now: Instant, vip: IpAddr, by: MacBytes, mark: Option<ClaimMark>) {
        if let Some(claim) = self.read(vip, mark) {
            self.ownership.seen(now, vip, claim);
        }
        self.ownership.answered(vip, by);
    }

    fn on_rival(&mut self, now: Instant, vip: IpAddr, by: MacBytes, mark: Option<ClaimMark>) {
        match self.read(vip, mark) {
            Some(claim) => self.ownership.seen(now, vip, claim),
            None => self.ownership.rival(now, vip, by),
        }
    }

    /// The claim of another node that a mark tells of.
    fn read(&self, vip: IpAddr, mark: Option<ClaimMark>) -> Option<(u64, NodeId)> {
        self.marker.read(vip, &mark?).filter(|(_, owner)| *owner != self.me)
    }

    /// The next thing to do, until none.
    pub fn poll(&mut self, now: Instant) -> Option<Output> {
        if self.outputs.is_empty() && self.deadline().is_some_and(|at| at <= now) {
            self.notice_sleep(now);
            self.settle(now);
        }
        let next = self.outputs.pop_front();
        if next.is_none() {
            // Thousands of vips may have moved at once.
            self.outputs.shrink_to(FEW);
        }
        next
    }

    /// Gives back memory that was taken while much happened. It takes about as long as looking at
    /// every vip.
    pub fn pack(&mut self) {
        self.ownership.table.pack();
    }

    /// When it wants to be polled again without any input.
    pub fn deadline(&self) -> Option<Instant> {
        if self.phase == Phase::Gone {
            return None;
        }
        let swim = self.swim.as_ref().and_then(Swim::deadline);
        let hearing = self.hearing.deadline().filter(|_| self.link);
        let due = [self.roster.deadline(), self.ownership.deadline(), swim, hearing];
        due.into_iter().flatten().chain([self.next_tick]).min()
    }

    fn set_vips(&mut self, vips: &BTreeMap<IpAddr, Arc<[crate::OwnerCandidate]>>) {
        for candidate in vips.values().flat_map(|it| it.iter()) {
            let id = NodeId::of(&candidate.name);
            self.names.entry(id).or_insert_with(|| Arc::clone(&candidate.name));
        }
        let mut numbering = Numbering::default();
        let numbered = vips.iter().map(|(vip, it)| (*vip, numbering.of(it))).collect();
        self.ownership.set_vips(&numbered);
    }

    fn set_addresses(&mut self, all: &[IpAddr]) {
        let four = all.iter().find(|it| it.is_ipv4());
        let six = all.iter().find(|it| it.is_ipv6());
        self.addresses = four.into_iter().chain(six).copied().collect();
    }

    fn set_keys(&mut self, now: Instant, keys: &Keyring) {
        self.opener.set_keys(keys.clone());
        self.marker = Marker::new(keys);
        let ours: Vec<IpAddr> = self.ownership.owned().collect();
        ours.into_iter().for_each(|vip| self.mark(vip));
        if self.sealer.set_keys(keys.clone()) {
            self.roster.peers.values_mut().for_each(|peer| peer.newest_key = false);
            // Those who have it already learn that we do.
            self.next_hello = now;
            self.next_tick = now;
        }
    }

    fn set_link(&mut self, now: Instant, up: bool) {
        if self.link == up {
            return;
        }
        self.link = up;
        if !matches!(self.phase, Phase::Leaving { .. }) {
            self.ownership.sleep(false);
            self.listen(now);
        }
    }

    fn leave(&mut self, now: Instant) {
        match self.phase {
            Phase::Gone | Phase::Leaving { .. } => {}
            Phase::Up => {
                self.phase = Phase::Leaving { since: now, left: false };
                self.ownership.leave();
            }
            // Nothing is ours.
            Phase::Listening { .. } | Phase::NoQuorum | Phase::Deaf | Phase::Doubled => {
                self.go(now);
            }
        }
    }

    /// Says farewell.
    fn go(&mut self, now: Instant) {
        let told = matches!(self.phase, Phase::Leaving { left: true, .. });
        self.ownership.release_all();
        self.drain(now);
        self.phase = Phase::Gone;
        // Twice, in case one is lost: else we are missed for the dead time.
        self.beat_all(now);
        self.beat_all(now);
        if !told {
            self.outputs.push_back(Output::Left);
        }
    }

    /// Whether we were asleep for so long that others took us for dead. Then we are silent, and
    /// listen.
    fn notice_sleep(&mut self, now: Instant) -> bool {
        let slept = now.saturating_duration_since(self.last_tick);
        if slept >= self.timing.interval + self.timing.interval / 2 {
            self.roster.hold(now + self.timing.interval);
        }
        if slept < self.timing.dead() {
            return false;
        }
        self.last_tick = now;
        self.next_tick = now;
        #[cfg(test)]
        if self.ownership.broken == Some(crate::sim::Broken::NoFence) {
            return false;
        }
        if !matches!(self.phase, Phase::Leaving { .. } | Phase::Gone) {
            self.outputs.push_back(Output::Event(Event::Fenced(slept)));
            self.ownership.sleep(true);
            self.listen(now);
        }
        true
    }

    fn listen(&mut self, now: Instant) {
        let until = now + self.timing.dead() * 2;
        let fenced = !matches!(self.phase, Phase::Listening { fenced: false, .. });
        self.phase = Phase::Listening { until, fenced };
    }

    /// All that follows from what was taken note of.
    fn settle(&mut self, now: Instant) {
        if self.phase == Phase::Gone {
            return;
        }
        if now >= self.next_tick {
            self.tick(now);
        }
        self.run_swim(now);
        let mut passages = Vec::new();
        self.roster.review(now, |node, passage| passages.push((node, passage)));
        for (node, passage) in passages {
            let name = self.name(node);
            self.outputs.push_back(Output::Event(match passage {
                Passage::Came => Event::MemberUp(name),
                Passage::Missing => Event::MemberDown(name),
                Passage::Left => Event::MemberLeft(name),
            }));
        }
        let changed = std::mem::take(&mut self.roster.changed);
        if changed {
            self.ownership.touch_all();
        }
        if changed || self.ownership.misses_formers() {
            self.ownership.forget_gone(now, &self.roster);
        }
        if std::mem::take(&mut self.roster.healed) {
            // By then who has the worse claim is silent.
            self.ownership.announce_all(now + self.timing.interval * 2);
        }
        if self.link && self.hearing.review(now, self.roster.hears_nobody(now)) {
            self.outputs.push_back(Output::Ask);
        }
        self.ownership.hears = self.hearing.is_sure() || self.takes_for_granted();
        self.advance(now);
        self.ownership.review(now, &self.roster);
        let late = matches!(self.phase, Phase::Leaving { since, .. } if now >= since + LEAVE);
        if late {
            self.ownership.release_all();
        }
        self.drain(now);
        if let Phase::Leaving { left, .. } = &mut self.phase
            && !*left
            && !self.ownership.owns_any()
        {
            *left = true;
            self.outputs.push_back(Output::Left);
        }
    }

    fn advance(&mut self, now: Instant) {
        let quorum = self.quorum.map(|of| (self.roster.heard(now) + 1, of));
        let enough = quorum.is_none_or(|(heard, of)| heard > of / 2);
        let silent = self.silent(now);
        match (self.phase, silent) {
            // Whoever is heard, but was not spoken with, may own anything.
            (Phase::Listening { until, .. }, _)
                if self.link
                    && now >= until
                    && !self.roster.has_strangers(now, self.timing.hello * 2) =>
            {
                self.phase = Phase::NoQuorum;
                if enough && silent.is_none() {
                    self.wake();
                }
            }
            (Phase::Up | Phase::NoQuorum, Some(phase)) => {
                self.phase = phase;
                self.ownership.sleep(false);
                if phase == Phase::Deaf {
                    self.outputs.push_back(Output::Event(Event::Deaf));
                }
            }
            (Phase::Deaf | Phase::Doubled, Some(phase)) => self.phase = phase,
            (Phase::Deaf | Phase::Doubled, None) => {
                self.phase = Phase::NoQuorum;
                self.ownership.be_patient(now + self.timing.dead() * 2);
                if enough {
                    self.wake();
                }
            }
            (Phase::NoQuorum, None) if enough => self.wake(),
            (Phase::Up, None) if !enough => {
                self.phase = Phase::NoQuorum;
                self.ownership.sleep(false);
                let (heard, of) = quorum.expect("missing only where one is asked for");
                self.outputs.push_back(Output::Event(Event::NoQuorum { heard, of }));
            }
            _ => {}
        }
    }

    /// Why nothing may be answered for, although this node is up.
    fn silent(&self, now: Instant) -> Option<Phase> {
        // Of two under one name others know the one that started later only.
        let patience = self.roster.greeting.max(self.timing.hello * 4);
        if self.namesake.is_some_and(|at| now < at + patience) {
            return Some(Phase::Doubled);
        }
        self.is_deaf().then_some(Phase::Deaf)
    }

    fn is_deaf(&self) -> bool {
        self.hearing.is_deaf() && !self.takes_for_granted()
    }

    /// That it hears: only where a test breaks that rule.
    fn takes_for_granted(&self) -> bool {
        #[cfg(test)]
        return self.ownership.broken == Some(crate::sim::Broken::NotDeaf);
        #[cfg(not(test))]
        false
    }

    fn wake(&mut self) {
        self.phase = Phase::Up;
        self.next_hello = self.next_tick;
        self.ownership.wake();
        self.outputs.push_back(Output::Event(Event::Awake));
    }

    /// What vips want done, in the order that [`Output`]s have: kept before told, told before
    /// answered.
    fn drain(&mut self, now: Instant) {
        self.outputs.append(&mut std::mem::take(&mut self.ownership.before));
        self.publish(now);
        for output in std::mem::take(&mut self.ownership.after) {
            if let Output::Own(vip) | Output::Announce(vip) = output {
                self.mark(vip);
            }
            self.outputs.push_back(output);
        }
        for happening in std::mem::take(&mut self.ownership.happened) {
            let event = match happening {
                Happening::Event(event) => event,
                Happening::Owner { vip, owner, before, epoch } => {
                    let (owner, before) = (owner.map(|it| self.name(it)), before);
                    Event::Owner { vip, owner, before: before.map(|it| self.name(it)), epoch }
                }
            };
            self.outputs.push_back(Output::Event(event));
        }
    }

    /// Says by which claim we answer for a vip.
    fn mark(&mut self, vip: IpAddr) {
        let epoch = self.ownership.epoch(vip);
        let mark = epoch.and_then(|epoch| self.marker.make(vip, epoch, self.me));
        self.outputs.push_back(Output::Mark { vip, mark });
    }

    /// The name of a node, or its number as long as that is not known.
    fn name(&self, node: NodeId) -> Arc<str> {
        let known = self.roster.peers.get(&node).and_then(|it| it.name.as_ref());
        let known = known.or_else(|| self.names.get(&node));
        known.map_or_else(|| node.to_string().into(), Arc::clone)
    }

    fn run_swim(&mut self, now: Instant) {
        let Some(swim) = &mut self.swim else { return };
        swim.on_time(now);
        while let Some((node, up)) = swim.poll_change() {
            if let Some(peer) = self.roster.peers.get_mut(&node) {
                peer.down = !up;
                self.roster.check_at(now);
            }
        }
        self.send_swim();
    }

    fn state(&self) -> State {
        match self.phase {
            Phase::Listening { fenced: false, .. } => State::Starting,
            Phase::Listening { .. } | Phase::Deaf | Phase::Doubled => State::Fenced,
            Phase::Up => State::Up,
            Phase::NoQuorum => State::NoQuorum,
            Phase::Leaving { .. } => State::Leaving,
            Phase::Gone => State::Gone,
        }
    }

    /// Milliseconds since the start, as sent.
    fn clock(&self, now: Instant) -> u32 {
        let millis = now.saturating_duration_since(self.start).as_millis() & u128::from(u32::MAX);
        u32::try_from(millis).expect("masked")
    }

    /// xorshift64: picks whom to compare claims with, no more.
    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// Too many for a full mesh, or few enough again.
    fn choose_mode(&mut self) {
        let known = self.roster.peers.values().filter(|it| it.address.is_some()).count() + 1;
        let swim = known > self.mesh;
        if swim == self.roster.swim {
            return;
        }
        self.roster.swim = swim;
        self.ownership.few_standbys = swim;
        let nodes = u32::try_from(known).unwrap_or(u32::MAX);
        let id = self.swim_id();
        let packet = self.room() - 64;
        self.swim = swim.then(|| Swim::new(id, nodes, packet, self.seed));
        self.roster.peers.values_mut().for_each(|peer| {
            peer.down = false;
            peer.wanted = None;
        });
    }
}

#[cfg(test)]
impl Segment {
    /// Breaks a rule, so that a test can see that it is noticed.
    pub(crate) fn break_rule(&mut self, rule: Option<crate::sim::Broken>) {
        self.ownership.broken = rule;
    }
}
