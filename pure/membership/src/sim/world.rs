//! A segment with its hosts: what is sent arrives, late, twice over, or never.

mod lan;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use steelyard_testbed::Chance;
use steelyard_testbed::simulation::start;

use self::lan::Frame;
use super::Broken;
use crate::{
    ClaimMark, Config, Event, HeartbeatTiming, Input, Key, Keyring, Output, OwnerCandidate, Policy,
    Segment,
};

/// What a socket's buffer holds while its host sleeps.
const BUFFER: usize = 400;
/// What happens in a run at most, of everything that a node sends each other node.
const MOST: u64 = 200_000;
/// What a machine wants done at once, at most.
const AT_ONCE: usize = 100_000;

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) chance: Chance,
    pub(super) hosts: Vec<Host>,
    /// By sender and receiver.
    pub(super) links: BTreeMap<(usize, usize), Link>,
    /// Datagrams lost, in a thousand.
    pub(super) loss: u64,
    pub(super) delay: Duration,
    pub(super) timing: HeartbeatTiming,
    /// For how long flows outlive the processes that answer.
    pub(super) flows_stay: Duration,
    pub(super) quorum: Option<usize>,
    pub(super) policy: Policy,
    pub(super) balance: bool,
    pub(super) keys: Keyring,
    pub(super) mesh: usize,
    pub(super) vips: BTreeMap<IpAddr, Vec<OwnerCandidate>>,
    /// Vips for which a machine answers that is none of ours.
    pub(super) squatted: BTreeSet<IpAddr>,
    pub(super) broken: Option<Broken>,
    /// Who took what, since this was last cleared.
    pub(super) taken: Vec<(Instant, usize, IpAddr)>,
    pub(super) refused: usize,
    /// The network is whole, loses nothing, and nobody sleeps: there are never two owners.
    pub(super) calm: bool,
    /// Since when two answer for one vip.
    pub(super) doubles: BTreeMap<(IpAddr, usize, usize), Instant>,
    /// How often that was looked at.
    pub(super) looks: u32,
    /// What went wrong on the way.
    pub(super) complaints: Vec<String>,
    pub(super) story: String,
    pub(super) verbose: bool,
    pub(super) sent: u64,
    events: BinaryHeap<Reverse<(Instant, u64, Happens)>>,
    count: u64,
    /// How much happened so far, and how much may.
    happened: u64,
    most: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    /// Nothing gets through.
    pub(super) cut: bool,
    /// Frames do, our datagrams do not.
    pub(super) mute: bool,
}

pub(super) struct Host {
    pub(super) name: String,
    pub(super) machine: Option<Segment>,
    pub(super) answers: BTreeSet<IpAddr>,
    /// What is said beside its answers.
    pub(super) marks: BTreeMap<IpAddr, Option<ClaimMark>>,
    /// What it asked for, and until when that is of interest.
    pub(super) probed: BTreeMap<IpAddr, Instant>,
    /// Nothing gets in to it.
    pub(super) deaf: bool,
    /// Nothing gets out of it.
    pub(super) silent: bool,
    /// In which net its own address is.
    pub(super) net: u8,
    /// Whom a client that stands beside it takes for the owner of a vip.
    pub(super) beside: BTreeMap<IpAddr, usize>,
    keys: Keyring,
    /// On disk.
    kept: BTreeMap<IpAddr, u64>,
    epoch: u64,
    pub(super) paused: Option<Paused>,
    /// How much its clock is behind.
    lag: Duration,
    queue: Vec<(SocketAddr, Vec<u8>)>,
    wake: Option<Instant>,
    /// Highest epoch told of each vip.
    told: BTreeMap<IpAddr, u64>,
    /// Highest epoch of each vip that it claimed, or had kept when it started.
    claimed: BTreeMap<IpAddr, u64>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Paused {
    since: Instant,
    /// Its clock stands still as well.
    clock: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Happens {
    Wake(usize),
    Datagram {
        from: SocketAddr,
        to: usize,
        bytes: Vec<u8>,
    },
    /// A host answers, or says anything.
    Sign(usize),
    /// It is looked whether two answer for one vip.
    Look,
    Frame {
        from: usize,
        to: usize,
        vip: IpAddr,
        frame: Frame,
    },
    /// A vip's announcement is repeated, so often still.
    Announcing {
        from: usize,
        vip: IpAddr,
        left: u8,
    },
    /// A machine that is none of ours announces a vip, as long as it has it.
    Squatting(IpAddr),
    /// By now all know who took it.
    Sole {
        owner: usize,
        vip: IpAddr,
    },
}

impl World {
    pub(super) fn new(seed: u64, nodes: usize) -> Self {
        let keys = Keyring::new(Key::new([1; 32]));
        let host = |n: usize| Host {
            name: format!("node-{n}"),
            machine: None,
            answers: BTreeSet::new(),
            marks: BTreeMap::new(),
            probed: BTreeMap::new(),
            deaf: false,
            silent: false,
            net: 0,
            beside: BTreeMap::new(),
            keys: keys.clone(),
            kept: BTreeMap::new(),
            epoch: 100,
            paused: None,
            lag: Duration::ZERO,
            queue: Vec::new(),
            wake: None,
            told: BTreeMap::new(),
            claimed: BTreeMap::new(),
        };
        Self {
            now: start(),
            chance: Chance::new(seed),
            hosts: (0..nodes).map(host).collect(),
            links: BTreeMap::new(),
            loss: 0,
            delay: Duration::from_millis(2),
            timing: HeartbeatTiming::default(),
            flows_stay: Duration::ZERO,
            quorum: None,
            policy: Policy::Defend,
            balance: true,
            keys: keys.clone(),
            mesh: 16,
            vips: BTreeMap::new(),
            squatted: BTreeSet::new(),
            broken: None,
            taken: Vec::new(),
            refused: 0,
            calm: false,
            doubles: BTreeMap::new(),
            looks: 0,
            complaints: Vec::new(),
            story: String::new(),
            verbose: false,
            sent: 0,
            events: BinaryHeap::new(),
            count: 0,
            happened: 0,
            most: MOST * u64::try_from(nodes).expect("few"),
        }
    }

    /// Vips that every node may own.
    pub(super) fn with_vips(&mut self, count: u8) {
        let all: Vec<OwnerCandidate> = self
            .hosts
            .iter()
            .map(|host| OwnerCandidate { name: host.name.as_str().into(), score: 0 })
            .collect();
        self.vips = (0..count).map(|n| (vip(n), all.clone())).collect();
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        let at = (self.now - start()).as_secs_f64();
        let text = text();
        if self.verbose {
            println!("{at:9.4} {text}");
        }
        let _ = writeln!(self.story, "{at:9.4} {text}");
    }

    pub(super) fn boot(&mut self, n: usize, lost: bool) {
        if self.count == 0 {
            self.look();
        }
        self.note(|| format!("start node-{n}{}", if lost { " without what it kept" } else { "" }));
        let host = &mut self.hosts[n];
        if host.machine.is_some() {
            return;
        }
        host.told.clear();
        if lost {
            host.kept.clear();
            host.epoch = 1;
        }
        host.claimed.clone_from(&host.kept);
        // That a way to its neighbours was cut meanwhile, nobody of ours was there to notice.
        host.beside.clear();
        host.epoch += 1;
        host.lag = Duration::ZERO;
        host.paused = None;
        let config = self.config(n);
        self.install(n, Segment::new(self.now, &config));
    }

    /// Another process of a node goes on in the place of the one there is. With `fails` it is the
    /// old one after all, the new one having said a word.
    pub(super) fn replace(&mut self, n: usize, fails: bool) {
        let config = self.config(n);
        let old = self.hosts[n].machine.take().expect("it runs");
        let legacy = old.legacy(self.now).expect("it is up");
        self.install(n, Segment::resume(self.now, &config, &legacy));
        if fails {
            let mut old = old;
            old.go_on();
            self.hosts[n].machine = Some(old);
            self.settle(n);
        }
    }

    /// Of a start of its own.
    fn config(&mut self, n: usize) -> Config {
        let forgotten = self.broken == Some(Broken::ForgottenEpochs);
        let mut salt = [0; 16];
        salt[..8].copy_from_slice(&self.chance.next().to_be_bytes());
        let host = &self.hosts[n];
        Config {
            epoch: host.epoch,
            salt,
            seed: self.chance.next(),
            kept: if forgotten { BTreeMap::new() } else { host.kept.clone() },
            timing: self.timing,
            mesh: self.mesh,
            quorum: self.quorum,
            policy: self.policy,
            balance: self.balance,
            flows_stay: self.flows_stay,
            ..Config::new(&host.name, host.keys.clone())
        }
    }

    fn install(&mut self, n: usize, mut machine: Segment) {
        machine.break_rule(self.broken);
        machine.handle(self.now, Input::Vips(&shared(&self.vips)));
        if !self.flows_stay.is_zero() {
            let last = u8::try_from(n + 1).expect("few hosts");
            machine.handle(self.now, Input::Addresses(&[[10, 0, 0, last].into()]));
        }
        self.hosts[n].machine = Some(machine);
        self.settle(n);
    }

    pub(super) fn crash(&mut self, n: usize) {
        self.note(|| format!("kill node-{n}"));
        let host = &mut self.hosts[n];
        host.machine = None;
        host.paused = None;
        host.answers.clear();
        host.queue.clear();
        self.forget(n);
    }

    pub(super) fn pause(&mut self, n: usize, clock: bool) {
        let what = if clock { "suspend" } else { "stop" };
        self.note(|| format!("{what} node-{n}"));
        let host = &mut self.hosts[n];
        if host.machine.is_some() && host.paused.is_none() {
            host.paused = Some(Paused { since: self.now, clock });
        }
    }

    /// In the order that whoever drives the machine keeps: the time, datagrams, frames.
    pub(super) fn resume(&mut self, n: usize) {
        let Some(paused) = self.hosts[n].paused.take() else { return };
        let slept = self.now - paused.since;
        self.note(|| format!("continue node-{n} after {slept:?}"));
        if paused.clock {
            self.hosts[n].lag += slept;
        }
        self.settle(n);
        if !paused.clock && slept > self.timing.dead() + Duration::from_millis(100) {
            let stale = self.hosts[n].answers.clone();
            let others = self.hosts.iter().filter(|it| it.name != self.hosts[n].name);
            let elsewhere: BTreeSet<IpAddr> = others.flat_map(|it| it.answers.clone()).collect();
            if let Some(vip) = stale.intersection(&elsewhere).next() {
                self.complaints.push(format!("node-{n} wakes and answers for {vip}"));
            }
        }
        for (from, bytes) in std::mem::take(&mut self.hosts[n].queue) {
            self.tell(n, Input::Datagram { from, bytes: &bytes });
        }
    }

    pub(super) fn tell(&mut self, n: usize, input: Input<'_>) {
        let now = self.now;
        let host = &mut self.hosts[n];
        let Some(machine) = host.machine.as_mut().filter(|_| host.paused.is_none()) else { return };
        machine.handle(now - host.lag, input);
        self.settle(n);
    }

    /// Who answers for each vip.
    pub(super) fn owners(&self) -> BTreeMap<IpAddr, BTreeSet<usize>> {
        let mut owners: BTreeMap<IpAddr, BTreeSet<usize>> = BTreeMap::new();
        for (n, host) in self.hosts.iter().enumerate() {
            for vip in host.answers.iter().filter(|_| host.paused.is_none()) {
                owners.entry(*vip).or_default().insert(n);
            }
        }
        owners
    }

    pub(super) fn tell_vips(&mut self) {
        let vips = shared(&self.vips);
        for n in 0..self.hosts.len() {
            self.tell(n, Input::Vips(&vips));
        }
    }

    pub(super) fn link(&mut self, from: usize, to: usize) -> &mut Link {
        self.links.entry((from, to)).or_default()
    }

    pub(super) fn passes(&mut self, from: usize, to: usize, datagram: bool) -> bool {
        let link = self.links.get(&(from, to)).copied().unwrap_or_default();
        let lost = self.loss > 0 && self.chance.permille(self.loss);
        let kept = link.cut || (datagram && link.mute);
        let kept = kept || self.hosts[from].silent || self.hosts[to].deaf;
        !kept && !lost && from != to
    }

    pub(super) fn after(&mut self, wait: Duration, what: Happens) {
        self.count += 1;
        self.events.push(Reverse((self.now + wait, self.count, what)));
    }

    /// How long something is on its way; now and then much longer, so that it is overtaken.
    pub(super) fn way(&mut self) -> Duration {
        let most = u64::try_from(self.delay.as_micros()).expect("short");
        let way = Duration::from_micros(self.chance.within(50..most.max(51)));
        if self.loss > 0 && self.chance.permille(10) { way + self.delay * 20 } else { way }
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(Reverse((at, _, _))) = self.events.peek()
            && *at <= end
        {
            let Some(Reverse((at, _, what))) = self.events.pop() else { break };
            self.now = at;
            self.happen(what);
            self.happened += 1;
            if self.happened > self.most {
                self.complaints.push("it does not come to rest".to_owned());
                break;
            }
        }
        self.now = end;
    }

    fn happen(&mut self, what: Happens) {
        match what {
            // Another one was asked for since, which is the one that counts.
            Happens::Wake(n) if self.hosts[n].wake != Some(self.now) => {}
            Happens::Wake(n) => {
                self.hosts[n].wake = None;
                self.settle(n);
            }
            Happens::Sign(n) => self.tell(n, Input::Heard),
            Happens::Look => self.look(),
            Happens::Datagram { from, to, bytes } => {
                let host = &mut self.hosts[to];
                if host.paused.is_some() {
                    if host.queue.len() < BUFFER {
                        host.queue.push((from, bytes));
                    }
                    return;
                }
                self.tell(to, Input::Datagram { from, bytes: &bytes });
            }
            Happens::Frame { from, to, vip, frame } => self.hear(from, to, vip, frame),
            Happens::Announcing { from, vip, left } => self.announce(from, vip, left),
            Happens::Squatting(vip) => self.squatting(vip),
            Happens::Sole { owner, vip } => self.check_sole(owner, vip),
        }
    }

    pub(super) fn seal_with(&mut self, key: Key) {
        self.keys = Keyring::new(key);
        self.hosts.iter_mut().for_each(|host| host.keys = self.keys.clone());
    }

    /// A new key makes its way from node to node; the one before the last is forgotten.
    pub(super) fn rotate(&mut self) {
        let mut secret = [0; 32];
        secret[..8].copy_from_slice(&self.chance.next().to_be_bytes());
        let older = Some(self.keys.newest.clone());
        self.keys = Keyring { newest: Key::new(secret), older };
        let first = self.chance.below(self.hosts.len());
        for n in 0..self.hosts.len() {
            let n = (n + first) % self.hosts.len();
            self.note(|| format!("node-{n} has a new key"));
            let keys = self.keys.clone();
            self.hosts[n].keys = keys.clone();
            self.tell(n, Input::Keys(&keys));
            let gap = self.chance.millis(0..2000);
            self.run_for(gap);
        }
    }

    /// Does all that a machine wants done.
    fn settle(&mut self, n: usize) {
        let host = &mut self.hosts[n];
        if host.paused.is_some() {
            return;
        }
        let local = self.now - host.lag;
        let mut outputs = Vec::new();
        let Some(machine) = &mut host.machine else { return };
        while let Some(output) = machine.poll(local) {
            outputs.push(output);
            assert!(outputs.len() < AT_ONCE, "node-{n} never comes to an end");
        }
        let due = machine.deadline().map(|at| at + host.lag);
        for output in outputs {
            self.perform(n, output);
        }
        let host = &mut self.hosts[n];
        if let Some(due) = due
            && host.wake.is_none_or(|wake| due < wake)
        {
            host.wake = Some(due);
            let wait = due.saturating_duration_since(self.now);
            self.after(wait, Happens::Wake(n));
        }
    }

    fn perform(&mut self, n: usize, output: Output) {
        match output {
            Output::Send { to, bytes } => {
                // Who has another address by now does not hear it.
                let there = number(to);
                if self.address(there) == to {
                    self.send(n, there, bytes);
                }
            }
            Output::Multicast(bytes) => {
                for to in 0..self.hosts.len() {
                    self.send(n, to, bytes.clone());
                }
            }
            Output::Probe(vip) => self.probe(n, vip),
            Output::Ask => self.ask(n),
            Output::Mark { vip, mark } => drop(self.hosts[n].marks.insert(vip, mark)),
            Output::Own(vip) => {
                self.note(|| format!("node-{n} answers for {vip}"));
                self.hosts[n].answers.insert(vip);
                self.taken.push((self.now, n, vip));
                self.begin_announcing(n, vip);
            }
            Output::Silence(vip) => {
                self.note(|| format!("node-{n} is silent for {vip}"));
                self.hosts[n].answers.remove(&vip);
            }
            Output::Fence => {
                self.hosts[n].answers.clear();
                self.hosts[n].queue.clear();
            }
            Output::Keep { vip, epoch } => self.keep(n, vip, epoch),
            Output::Left => {
                self.note(|| format!("node-{n} left"));
                self.tell(n, Input::Stop);
                self.hosts[n].machine = None;
                self.forget(n);
            }
            Output::Event(event) => self.witness(n, &event),
            Output::Pass { .. } | Output::Forget(_) => {}
            Output::Announce(vip) => self.begin_announcing(n, vip),
        }
    }

    fn keep(&mut self, n: usize, vip: IpAddr, epoch: u64) {
        let old = self.hosts[n].kept.insert(vip, epoch);
        if old.is_some_and(|old| epoch <= old) {
            self.complaints.push(format!("node-{n} keeps epoch {epoch} of {vip} after {old:?}"));
        }
    }

    fn witness(&mut self, n: usize, event: &Event) {
        self.note(|| format!("node-{n}: {event:?}"));
        if let Event::Owner { vip, epoch, .. } = event {
            let told = self.hosts[n].told.insert(*vip, *epoch);
            if told.is_some_and(|told| *epoch < told) {
                self.complaints.push(format!("node-{n} goes back to epoch {epoch} of {vip}"));
            }
        }
        if let Event::Took { vip, .. } = event {
            self.check_claim(n, *vip);
        }
        self.refused += usize::from(matches!(event, Event::Refused { .. }));
    }

    /// A node's own claims go up, also over a restart.
    fn check_claim(&mut self, n: usize, vip: IpAddr) {
        let claims = self.hosts[n].machine.iter().flat_map(Segment::vips);
        let Some(epoch) = claims.filter(|it| it.vip == vip).map(|it| it.epoch).next() else {
            return;
        };
        let before = self.hosts[n].claimed.insert(vip, epoch);
        if before.is_some_and(|before| epoch <= before) {
            self.complaints
                .push(format!("node-{n} claims epoch {epoch} of {vip} after {before:?}"));
        }
    }

    /// Where a node is.
    fn address(&self, n: usize) -> SocketAddr {
        let last = u8::try_from(n + 1).expect("fewer than 255 nodes");
        SocketAddr::from(([10, 0, self.hosts[n].net, last], 7946))
    }

    fn send(&mut self, sender: usize, to: usize, bytes: Vec<u8>) {
        self.sent += 1;
        let from = self.address(sender);
        if self.passes(sender, to, true) {
            if self.loss > 0 && self.chance.permille(5) {
                let way = self.way();
                self.after(way, Happens::Datagram { from, to, bytes: bytes.clone() });
            }
            let way = self.way();
            self.after(way, Happens::Datagram { from, to, bytes });
        }
    }
}

pub(super) fn vip(n: u8) -> IpAddr {
    [10, 0, 1, n].into()
}

fn number(address: SocketAddr) -> usize {
    match address.ip() {
        IpAddr::V4(it) => usize::from(it.octets()[3]) - 1,
        IpAddr::V6(_) => unreachable!("addresses here are IPv4"),
    }
}

/// As a machine is told.
fn shared(vips: &BTreeMap<IpAddr, Vec<OwnerCandidate>>) -> BTreeMap<IpAddr, Arc<[OwnerCandidate]>> {
    vips.iter().map(|(vip, candidates)| (*vip, candidates.as_slice().into())).collect()
}
