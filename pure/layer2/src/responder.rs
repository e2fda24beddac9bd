//! Answers for vips on one interface.
//!
//! It hears frames, and says who has our vips: ARP replies (RFC 826, RFC 5227), neighbor
//! advertisements (RFC 4861 §7.2), echo replies. Before first use it asks whether another has the
//! vip; then it announces it. It owns no socket and no clock: whoever drives it hands in frames and
//! the time, and sends what [`Responder::poll`] gives.
//!
//! Invariants: it answers for a vip only while that vip is announced; it never answers a frame that
//! is not for us or for everybody; one frame leads to at most one answer, and the last piece of a
//! ping to at most as many as there were pieces. Where a vip is shared with others (it has a
//! [`Mark`]), a question to everybody leads to one of ours as well, now and then: should another
//! answer too, that is settled as soon as it matters.

mod answer;
mod heard;
mod ping;
mod say;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use self::heard::Heard;
use crate::counters::{Counters, Ignored};
use crate::pace::Pace;
use crate::rate::Rate;
use crate::reassembly::Reassembly;
use crate::vip::{Claim, Phase, Send, Step, Timing, Vip, VipChange};
use crate::wire::{Mac, Mark};

/// How a responder behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The interface's own address.
    pub mac: Mac,
    /// Waits, and what to do about rivals.
    pub timing: Timing,
    /// Whether it answers `ping`.
    pub echo: bool,
    /// No frame of an echo reply is larger than this, in bytes of IP.
    pub echo_bytes: usize,
    /// Echo replies per second, all vips together; pieces count each.
    pub echo_rate: u32,
    /// Announcement frames per second, all vips together. Answers do not wait for them.
    pub announce_rate: u32,
    /// Vips per second that begin to be probed.
    pub start_rate: u32,
    /// Spreads the retries of machines that start at the same moment.
    pub seed: u64,
}

/// What a responder is told.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A frame came in on the interface. Frames that we sent ourselves do no harm.
    Frame(&'a [u8]),
    /// These vips, and no others, are ours to announce on this interface.
    Vips(&'a BTreeSet<IpAddr>),
    /// The same, where somebody made sure already that nobody else has them: those that are new
    /// are announced at once. Each with what is said beside it.
    Cleared(&'a BTreeMap<IpAddr, Option<Mark>>),
    /// The same of one vip, beside those there are: it is ours, and this is said beside it.
    Take(IpAddr, Option<Mark>),
    /// This vip is not ours any more.
    Release(IpAddr),
    /// Ask once who has this address; who answers soon is told, and so is who asks at the same
    /// moment and goes before us: the lower hardware address does.
    Probe(IpAddr),
    /// Ask `who`, as `sender`, whether it is there: only that anything comes is of interest
    /// ([`Responder::take_heard`]).
    Ask {
        /// A host of the LAN.
        who: IpAddr,
        /// An address of this host, of the same family.
        sender: IpAddr,
    },
    /// Announce this vip of ours anew.
    Announce(IpAddr),
    /// The interface's own address is now this.
    Mac(Mac),
    /// Addresses of this host's other interfaces: what they say is not a rival's.
    Siblings(&'a BTreeSet<Mac>),
    /// Time passed.
    Time,
}

/// What a responder wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this frame.
    Transmit(Vec<u8>),
    /// Listen to this multicast group.
    Join(Ipv6Addr),
    /// No longer listen to it.
    Leave(Ipv6Addr),
    /// Something happened to a vip.
    Changed(IpAddr, VipChange),
    /// This machine has an address that was probed for, or is about to; with what it says beside.
    Answered(IpAddr, Mac, Option<Mark>),
}

/// The machine of one interface. See the module.
#[derive(Debug)]
pub struct Responder {
    config: Config,
    siblings: BTreeSet<Mac>,
    vips: BTreeMap<IpAddr, Vip>,
    /// What is said beside each, to those who share it.
    marks: BTreeMap<IpAddr, Mark>,
    /// When it was last asked for one that is shared.
    checked: BTreeMap<IpAddr, Instant>,
    /// Who spoke on the LAN, the last one first.
    heard: Heard,
    /// When which vip wants attention: one entry per vip that does.
    timers: BTreeSet<(Instant, IpAddr)>,
    /// Multicast groups listened to, and by how many vips each.
    groups: BTreeMap<Ipv6Addr, usize>,
    outputs: VecDeque<Output>,
    /// Addresses that were probed for, and until when answers are told.
    probed: BTreeMap<IpAddr, Instant>,
    /// When there is none left of them.
    probed_until: Option<Instant>,
    echoes: Rate,
    /// Pings that come in pieces.
    pieces: Reassembly,
    /// Answers to all nodes, for askers without an address.
    to_all: Rate,
    /// Questions for vips that others asked for.
    checks: Rate,
    /// Vips that begin to be probed.
    starts: Rate,
    announcements: Pace,
    counters: BTreeMap<IpAddr, Counters>,
    ignored: Ignored,
    random: u64,
    /// How often a vip came, went or changed its phase.
    turns: u64,
}

impl Config {
    /// What suits an ordinary LAN.
    pub fn new(mac: Mac) -> Self {
        Self {
            mac,
            timing: Timing::default(),
            echo: true,
            echo_bytes: 9000,
            echo_rate: 10_000,
            announce_rate: 5000,
            start_rate: 1000,
            seed: 0,
        }
    }
}

impl Responder {
    /// A responder without vips: silent until it is given some.
    pub fn new(config: Config) -> Self {
        let per_second = |count: u32| Duration::from_secs(1) / count.max(1);
        let echoes = Rate::new(per_second(config.echo_rate), config.echo_rate.max(1));
        let to_all = Rate::new(per_second(TO_ALL), TO_ALL);
        let checks = Rate::new(per_second(CHECKS), CHECKS);
        let starts = Rate::new(per_second(config.start_rate), START_BURST);
        let announcements = Pace::new(config.announce_rate);
        // xorshift never leaves zero.
        let random = config.seed | 1;
        Self {
            config,
            siblings: BTreeSet::new(),
            vips: BTreeMap::new(),
            marks: BTreeMap::new(),
            checked: BTreeMap::new(),
            heard: Heard::default(),
            timers: BTreeSet::new(),
            groups: BTreeMap::new(),
            outputs: VecDeque::new(),
            probed: BTreeMap::new(),
            probed_until: None,
            echoes,
            pieces: Reassembly::default(),
            to_all,
            checks,
            starts,
            announcements,
            counters: BTreeMap::new(),
            ignored: Ignored::default(),
            random,
            turns: 0,
        }
    }

    /// Takes note of something; what follows from it is had by [`Responder::poll`].
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Frame(bytes) => self.on_frame(now, bytes),
            Input::Vips(wanted) => {
                self.keep(|vip| wanted.contains(vip));
                wanted.iter().for_each(|vip| self.begin(*vip, |it| it.unsure_vip(now)));
            }
            Input::Cleared(wanted) => {
                self.keep(|vip| wanted.contains_key(vip));
                for (vip, mark) in wanted {
                    self.set_mark(*vip, *mark);
                    self.begin(*vip, |it| it.cleared_vip(now));
                }
                self.on_time(now);
            }
            Input::Take(vip, mark) => self.on_take(now, vip, mark),
            Input::Release(vip) => self.forget(vip),
            Input::Probe(vip) => self.on_probe(now, vip),
            Input::Ask { who, sender } => self.ask(who, sender),
            Input::Announce(vip) => self.step(vip, |it, timing| it.on_own_mac(now, timing)),
            Input::Mac(mac) => self.on_mac(now, mac),
            Input::Siblings(macs) => {
                // A virtual router's address is another host's as well.
                let own = macs.iter().filter(|mac| !mac.is_virtual_router());
                self.siblings = own.copied().collect();
            }
            Input::Time => self.on_time(now),
        }
    }

    /// The next thing to do, until none.
    pub fn poll(&mut self, now: Instant) -> Option<Output> {
        if self.outputs.is_empty() {
            self.on_time(now);
        }
        // Answers go before announcements.
        if self.outputs.is_empty() {
            self.announce_next(now);
        }
        let next = self.outputs.pop_front();
        if next.is_none() {
            // Thousands may have been probed for at once.
            self.outputs.shrink_to(FEW);
        }
        next
    }

    /// Gives back memory that was taken while much happened. It takes about as long as looking at
    /// every vip.
    pub fn pack(&mut self) {
        pack(&mut self.vips);
        pack(&mut self.marks);
        self.timers = std::mem::take(&mut self.timers).into_iter().collect();
    }

    /// When it wants to be polled again without any input.
    pub fn deadline(&self) -> Option<Instant> {
        let timer = self.timers.first().map(|(at, _)| *at);
        timer.into_iter().chain(self.announcements.deadline()).min()
    }

    /// Where each vip stands.
    pub fn phases(&self, now: Instant) -> impl Iterator<Item = (IpAddr, Phase)> {
        self.vips.iter().map(move |(vip, it)| (*vip, it.phase(now, &self.config.timing)))
    }

    /// Where one of them stands.
    pub fn phase(&self, now: Instant, vip: IpAddr) -> Option<Phase> {
        self.vips.get(&vip).map(|it| it.phase(now, &self.config.timing))
    }

    /// A number that is another one whenever a vip came, went or is in another phase.
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// Whether another host was heard since the last call.
    pub fn take_heard(&mut self) -> bool {
        self.heard.take()
    }

    /// Hosts that were heard last: who can be asked whether this one hears at all.
    pub fn acquaintances(&self) -> impl Iterator<Item = IpAddr> {
        self.heard.hosts()
    }

    /// What was counted since the last call, by vip.
    pub fn take_counters(&mut self) -> BTreeMap<IpAddr, Counters> {
        std::mem::take(&mut self.counters)
    }

    /// Frames that were not used since the last call, by reason.
    pub fn take_ignored(&mut self) -> Ignored {
        std::mem::take(&mut self.ignored)
    }

    /// Forgets all others.
    fn keep(&mut self, is_wanted: impl Fn(&IpAddr) -> bool) {
        let gone = self.vips.keys().filter(|vip| !is_wanted(vip));
        for vip in gone.copied().collect::<Vec<_>>() {
            self.forget(vip);
        }
    }

    /// This is said beside a vip from now on.
    fn set_mark(&mut self, vip: IpAddr, mark: Option<Mark>) {
        match mark {
            Some(mark) => _ = self.marks.insert(vip, mark),
            None => _ = self.marks.remove(&vip),
        }
    }

    /// `new` makes a vip and says when its first step is due.
    fn begin(&mut self, vip: IpAddr, new: impl Fn(&mut Self) -> (Instant, Vip)) {
        if !is_unicast(vip) || self.vips.contains_key(&vip) {
            return;
        }
        self.join(vip);
        let (first, it) = new(self);
        self.vips.insert(vip, it);
        self.turns += 1;
        self.timers.insert((first, vip));
    }

    /// Who takes over thousands does so one by one: the others are not looked at.
    fn on_take(&mut self, now: Instant, vip: IpAddr, mark: Option<Mark>) {
        self.set_mark(vip, mark);
        self.begin(vip, |it| it.cleared_vip(now));
        self.on_time(now);
    }

    /// Many that begin do so one after the other: their probes are broadcasts too.
    fn unsure_vip(&mut self, now: Instant) -> (Instant, Vip) {
        let (first, random) = (self.starts.reserve(now), self.random());
        (first, Vip::new(first, random))
    }

    fn cleared_vip(&mut self, now: Instant) -> (Instant, Vip) {
        let random = self.random();
        (now, Vip::cleared(now, &self.config.timing, random))
    }

    fn on_probe(&mut self, now: Instant, vip: IpAddr) {
        if is_unicast(vip) && !self.vips.contains_key(&vip) {
            // Now and then: thousands that are probed for would each look at all.
            if self.probed.len().is_power_of_two() {
                self.probed.retain(|_, until| now < *until);
            }
            self.probed.insert(vip, now + ANSWER);
            self.probed_until = Some(now + ANSWER);
            self.probe(vip);
        }
    }

    fn forget(&mut self, vip: IpAddr) {
        let Some(old) = self.vips.remove(&vip) else { return };
        self.turns += 1;
        if let Some(due) = old.deadline() {
            self.timers.remove(&(due, vip));
        }
        self.marks.remove(&vip);
        self.checked.remove(&vip);
        self.leave(vip);
    }

    fn on_mac(&mut self, now: Instant, mac: Mac) {
        if mac == self.config.mac {
            return;
        }
        self.config.mac = mac;
        let all: Vec<IpAddr> = self.vips.keys().copied().collect();
        for vip in all {
            self.step(vip, |it, timing| it.on_own_mac(now, timing));
        }
    }

    fn on_time(&mut self, now: Instant) {
        if self.probed_until.is_some_and(|until| until <= now) {
            self.probed.clear();
            self.probed_until = None;
        }
        while let Some(&(at, vip)) = self.timers.first()
            && at <= now
        {
            self.step(vip, |it, timing| it.on_time(now, timing));
        }
    }

    /// Another machine claims `vip`.
    fn on_claim(&mut self, now: Instant, vip: IpAddr, (other, mark): Rival, claim: Claim) {
        if other == self.config.mac || self.siblings.contains(&other) {
            return;
        }
        let goes_first = claim == Claim::Has || other < self.config.mac;
        if goes_first && self.probed.get(&vip).is_some_and(|until| now < *until) {
            self.outputs.push_back(Output::Answered(vip, other, mark));
        }
        if !self.vips.contains_key(&vip) {
            return;
        }
        self.counters.entry(vip).or_default().conflicts += u64::from(claim == Claim::Has);
        let jitter = Duration::from_millis(self.random() % 1000);
        self.step(vip, |it, timing| it.on_claim(now, (other, mark), claim, jitter, timing));
    }

    /// Lets one vip take a step, and does what it says. Keeps `timers` true.
    fn step(&mut self, vip: IpAddr, act: impl FnOnce(&mut Vip, &Timing) -> Step) {
        let Some(it) = self.vips.get_mut(&vip) else { return };
        let before = it.deadline();
        let step = act(it, &self.config.timing);
        let after = it.deadline();
        if before != after {
            if let Some(at) = before {
                self.timers.remove(&(at, vip));
            }
            if let Some(at) = after {
                self.timers.insert((at, vip));
            }
        }
        match step.send {
            Some(Send::Probe) => self.probe(vip),
            Some(Send::Announcement) => self.announcements.push(vip, true),
            Some(Send::Repetition) => self.announcements.push(vip, false),
            Some(Send::Refresh) => {
                self.announcements.push(vip, false);
                self.probe(vip);
            }
            None => {}
        }
        self.turns += u64::from(step.change.is_some());
        self.outputs.extend(step.change.map(|change| Output::Changed(vip, change)));
    }

    fn join(&mut self, vip: IpAddr) {
        let IpAddr::V6(vip) = vip else { return };
        let group = crate::wire::solicited_node(vip);
        let users = self.groups.entry(group).or_default();
        *users += 1;
        if *users == 1 {
            self.outputs.push_back(Output::Join(group));
        }
    }

    fn leave(&mut self, vip: IpAddr) {
        let IpAddr::V6(vip) = vip else { return };
        let group = crate::wire::solicited_node(vip);
        let users = self.groups.get_mut(&group).expect("each IPv6 vip joined its group");
        *users -= 1;
        if *users == 0 {
            self.groups.remove(&group);
            self.outputs.push_back(Output::Leave(group));
        }
    }

    /// xorshift64: spreads retries, no more.
    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

/// Makes a map anew, all at once: one that grew in order, one by one, is hardly more than half
/// full.
fn pack<K: Ord, V>(map: &mut BTreeMap<K, V>) {
    *map = std::mem::take(map).into_iter().collect();
}

/// Places for outputs that are kept where there are none.
const FEW: usize = 64;

/// A machine that claims a vip, and what it says beside.
type Rival = (Mac, Option<Mark>);

/// Who shares a vip asks for it no more often, when others do.
const CHECK: Duration = Duration::from_millis(200);

/// How long answers to a probe are waited for; whoever asked may give up earlier.
const ANSWER: Duration = Duration::from_secs(1);

/// Such questions in a second, for all vips.
const CHECKS: u32 = 100;
/// Answers to all nodes in a second.
const TO_ALL: u32 = 100;
/// Vips that begin to be probed at once.
const START_BURST: u32 = 50;

/// Whether one machine can have this address.
fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => !(it.is_multicast() || it.is_broadcast() || first_octet_is_zero(it)),
        IpAddr::V6(it) => !(it.is_multicast() || it.is_unspecified()),
    }
}

/// `0.0.0.0/8` means "this network" (RFC 1122 §3.2.1.3).
fn first_octet_is_zero(address: Ipv4Addr) -> bool {
    address.octets()[0] == 0
}
