//! Elections simulated: replicas with clocks of their own, an API server that is slow, loses
//! questions and answers, or carries out late what nobody waits for any more, and hosts that sleep
//! and die; all from one seed. Variables that begin with `STEELYARD_LEASE` say what is run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use steelyard_testbed::{Chance, Simulation, simulation::start};

use crate::{Election, ElectionInput, ElectionOutput, ElectionTiming, LeaseRecord, SeenLease};

/// A rule that is broken on purpose, to see that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Who was asleep goes on leading.
    NoDeadline,
    /// A leader counts from when it was answered.
    FromAnswer,
    /// A lease is taken while it stands.
    NoWait,
    /// A lease is written whatever it has become.
    NoVersion,
}

const SIMULATION: Simulation<Broken> = Simulation {
    variables: "STEELYARD_LEASE",
    command: "cargo test -p steelyard-lease sim::every_promise",
    rules: &[Broken::NoDeadline, Broken::FromAnswer, Broken::NoWait, Broken::NoVersion],
    run,
    runs: 2_000,
    noticed: 2_000,
};

/// What whoever drives an election waits for an answer at most.
const PATIENCE: Duration = Duration::from_secs(5);
/// Things go wrong for so long, and then no more for so long.
const TROUBLE: Duration = Duration::from_secs(120);
const CALM: Duration = Duration::from_secs(60);

enum Event {
    /// Time for a replica to look what is due.
    Wake(u64),
    /// A question reaches the API server.
    Arrives(u64, ElectionOutput),
    /// An answer, or the end of patience, reaches the replica that asked.
    Answered(u64, ElectionInput),
    Falls(Duration),
    Dies,
    Leaves,
}

struct Replica {
    election: Election,
    /// How fast its clock goes, in thousandths.
    rate: u32,
    asleep_until: Instant,
    /// The question it waits for.
    asked: u64,
    /// The only time to look that counts, of several that were set.
    wake: u64,
}

struct World {
    chance: Chance,
    now: Instant,
    server: Option<SeenLease>,
    writes: u64,
    /// Of questions and events.
    count: u64,
    starts: u64,
    replicas: Vec<Replica>,
    queue: BTreeMap<(Instant, u64), (usize, Event)>,
    broken: Option<Broken>,
    story: String,
    is_told: bool,
}

fn run(seed: u64, broken: Option<Broken>, is_told: bool) -> Result<String, String> {
    let mut world = World {
        chance: Chance::new(seed),
        now: start(),
        server: None,
        writes: 0,
        count: 0,
        starts: 0,
        replicas: Vec::new(),
        queue: BTreeMap::new(),
        broken,
        story: String::new(),
        is_told,
    };
    for _ in 0..2 + world.chance.below(2) {
        let replica = world.replica();
        world.replicas.push(replica);
        world.plan_trouble(world.replicas.len() - 1);
    }
    let outcome = world.play();
    outcome.map_err(|why| format!("seed {seed}: {why}\n{}", world.story)).map(|()| world.story)
}

impl World {
    /// A process of its own name.
    fn replica(&mut self) -> Replica {
        self.starts += 1;
        let mut election =
            Election::new(format!("replica-{}", self.starts), ElectionTiming::default(), self.now);
        election.broken = self.broken;
        let rate = u32::try_from(self.chance.within(900..1100)).expect("small");
        Replica { election, rate, asleep_until: self.now, asked: 0, wake: 0 }
    }

    fn plan_trouble(&mut self, replica: usize) {
        self.wake(Duration::ZERO, replica);
        for _ in 0..self.chance.below(4) {
            let at = self.chance.millis(0..120_000);
            let event = match self.chance.below(4) {
                0 => Event::Dies,
                1 => Event::Leaves,
                _ => Event::Falls(self.chance.millis(0..40_000)),
            };
            self.after(at, replica, event);
        }
    }

    fn after(&mut self, wait: Duration, replica: usize, event: Event) {
        self.count += 1;
        self.queue.insert((self.now + wait, self.count), (replica, event));
    }

    fn wake(&mut self, wait: Duration, replica: usize) {
        self.replicas[replica].wake = self.count + 1;
        self.after(wait, replica, Event::Wake(self.count + 1));
    }

    fn play(&mut self) -> Result<(), String> {
        while let Some(((at, _), (replica, event))) = self.queue.pop_first() {
            if at > start() + TROUBLE + CALM {
                break;
            }
            self.now = at;
            self.happen(replica, event);
            let leaders = self.leaders();
            if leaders.len() > 1 {
                return Err(format!("{leaders:?} lead at once"));
            }
        }
        match self.leaders().len() {
            1 => Ok(()),
            _ => Err("nobody leads, though nothing has gone wrong for a minute".to_owned()),
        }
    }

    fn leaders(&self) -> Vec<usize> {
        let leads = |n: &usize| self.replicas[*n].election.leads(self.clock(*n));
        (0..self.replicas.len()).filter(leads).collect()
    }

    /// What time it is for a replica.
    fn clock(&self, replica: usize) -> Instant {
        start() + (self.now - start()) * self.replicas[replica].rate / 1000
    }

    fn happen(&mut self, replica: usize, event: Event) {
        let asleep_until = self.replicas[replica].asleep_until;
        match event {
            Event::Arrives(question, output) => self.serve(replica, question, output),
            Event::Falls(wait) => {
                self.tell(replica, "falls asleep");
                self.replicas[replica].asleep_until = asleep_until.max(self.now + wait);
            }
            Event::Dies => {
                self.tell(replica, "dies; another one starts");
                self.replicas[replica] = self.replica();
                self.wake(Duration::ZERO, replica);
            }
            event if asleep_until > self.now => {
                self.after(asleep_until - self.now, replica, event);
            }
            Event::Leaves => {
                self.tell(replica, "leaves");
                self.replicas[replica].election.leave();
                self.drive(replica);
            }
            Event::Wake(wake) if wake < self.replicas[replica].wake => {}
            Event::Wake(_) => self.drive(replica),
            Event::Answered(question, input) => {
                if self.replicas[replica].asked == question {
                    self.replicas[replica].asked = 0;
                    self.tell(replica, &format!("hears {input:?}"));
                    let now = self.clock(replica);
                    self.replicas[replica].election.handle(now, input);
                    self.drive(replica);
                }
            }
        }
    }

    /// Does what whoever drives an election does.
    fn drive(&mut self, replica: usize) {
        let now = self.clock(replica);
        if let Some(output) = self.replicas[replica].election.poll(now) {
            self.count += 1;
            let question = self.count;
            self.replicas[replica].asked = question;
            self.tell(replica, &format!("asks {output:?}"));
            self.after(PATIENCE, replica, Event::Answered(question, ElectionInput::Failed));
            if let Some(wait) = self.travel() {
                self.after(wait, replica, Event::Arrives(question, output));
            }
        }
        if self.replicas[replica].election.is_gone() {
            self.replicas[replica] = self.replica();
            self.wake(Duration::from_secs(1), replica);
        } else if let Some(due) = self.replicas[replica].election.deadline() {
            let wait = due.saturating_duration_since(now) * 1000 / self.replicas[replica].rate;
            self.wake(wait + Duration::from_millis(1), replica);
        }
    }

    /// How long something takes on its way; none: it is lost.
    fn travel(&mut self) -> Option<Duration> {
        let is_calm = self.now > start() + TROUBLE;
        match self.chance.below(10) {
            0 if !is_calm => None,
            1 if !is_calm => Some(self.chance.millis(0..20_000)),
            _ => Some(self.chance.millis(0..200)),
        }
    }

    fn serve(&mut self, replica: usize, question: u64, output: ElectionOutput) {
        let answer = match output {
            ElectionOutput::Read => ElectionInput::Read(self.server.clone()),
            ElectionOutput::Write { holder, duration, transitions, acquired, version } => {
                let is_current =
                    version.as_ref() == self.server.as_ref().map(|lease| &lease.version);
                let is_forced = self.broken == Some(Broken::NoVersion);
                if is_current || is_forced {
                    self.writes += 1;
                    let written = self.writes.to_string();
                    let times = (acquired.unwrap_or_else(|| written.clone()), written.clone());
                    let record = LeaseRecord { holder, duration, transitions, times };
                    self.server = Some(SeenLease { record, version: written });
                    ElectionInput::Written(self.server.clone().expect("just written"))
                } else {
                    ElectionInput::Conflict
                }
            }
        };
        if let Some(wait) = self.travel() {
            self.after(wait, replica, Event::Answered(question, answer));
        }
    }

    fn tell(&mut self, replica: usize, what: &str) {
        if self.is_told {
            let at = self.now - start();
            let _ = writeln!(self.story, "{at:>12.3?} {replica}: {what}");
        }
    }
}

#[test]
fn every_promise_is_kept() {
    SIMULATION.every_promise_is_kept();
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    SIMULATION.a_seed_tells_the_same_story_twice(0..20);
}

#[test]
fn a_broken_rule_is_noticed() {
    SIMULATION.a_broken_rule_is_noticed();
}
