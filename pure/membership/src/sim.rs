//! Whole segments simulated: the real machines, on a network, with clocks and hosts that fail, all
//! from one seed.
//!
//! In each run: one thread, one heap of events, one generator of chance. Each run makes up nodes,
//! vips and a network, lets things go wrong for a while, and holds what is to be seen against the
//! promises of [`checks`]. `STEELYARD_SIM_RUNS` says how many runs, `STEELYARD_SIM_FROM` from which
//! seed on; `STEELYARD_SIM_SEED` replays one, `STEELYARD_SIM_BROKEN` by its name a rule broken.

mod chance;
mod checks;
mod run;
mod scenarios;
mod world;

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use self::run::run;

#[allow(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Where the tests' time begins.
pub(crate) fn start() -> Instant {
    *START
}

/// A rule that is broken on purpose, to see that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Who hears a better claim goes on answering.
    NoYield,
    /// An answer to a probe is not heeded.
    DeafProbe,
    /// Who was asleep goes on as if nothing had been.
    NoFence,
    /// Who takes over claims the epoch that the former owner has.
    SameEpoch,
    /// Who takes over does not ask the LAN first.
    NoProbe,
    /// Who starts does not know which epochs there were.
    ForgottenEpochs,
    /// Who handed over goes on answering.
    BothAnswer,
    /// Who has the better claim when a cut heals says nothing to those who remember another.
    SilentWinner,
    /// By which claim an owner answers, is not heeded where only the LAN tells.
    NoMark,
    /// Who hears nothing at all goes on as the last one.
    NotDeaf,
}

impl Broken {
    const ALL: [Self; 10] = [
        Self::NoYield,
        Self::DeafProbe,
        Self::NoFence,
        Self::SameEpoch,
        Self::NoProbe,
        Self::ForgottenEpochs,
        Self::BothAnswer,
        Self::SilentWinner,
        Self::NoMark,
        Self::NotDeaf,
    ];
}

/// Within so many runs a rule that is broken is noticed.
const NOTICED: u64 = 300;
/// How to see a run that failed once more.
const REPLAY: &str = "cargo test -p steelyard-membership sim::every_promise -- --nocapture";

#[allow(clippy::disallowed_methods, reason = "what to test is the caller's to say")]
fn text_from(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

fn number_from(variable: &str) -> Option<u64> {
    text_from(variable)?.parse().ok()
}

#[test]
fn every_promise_is_kept() {
    if let Some(seed) = number_from("STEELYARD_SIM_SEED") {
        let rule = text_from("STEELYARD_SIM_BROKEN");
        let rule = Broken::ALL.into_iter().find(|it| rule.as_deref() == Some(&format!("{it:?}")));
        println!("{}", run(seed, rule, true).unwrap_or_else(|failure| panic!("{failure}")));
        return;
    }
    let from = number_from("STEELYARD_SIM_FROM").unwrap_or(0);
    let runs = number_from("STEELYARD_SIM_RUNS").unwrap_or(200);
    let failures = on_every_core(from..from + runs, |seed| run(seed, None, false).err());
    for failure in failures.values() {
        println!("{}", failure.lines().next().unwrap_or_default());
    }
    if let Some((seed, first)) = failures.first_key_value() {
        let count = failures.len();
        panic!(
            "{count} of {runs} runs break a promise, the first of them so: {first}\n\
             replay: STEELYARD_SIM_SEED={seed} {REPLAY}"
        );
    }
}

/// What came of which seed, where anything did.
fn on_every_core<T: Send>(
    seeds: std::ops::Range<u64>,
    run: impl Fn(u64) -> Option<T> + Sync,
) -> BTreeMap<u64, T> {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let mut outcomes = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !seeds.contains(&seed) {
                return outcomes;
            }
            outcomes.extend(run(seed).map(|outcome| (seed, outcome)));
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|it| it.join().expect("a run does not panic")).collect()
    })
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    for seed in 0..5 {
        assert_eq!(run(seed, None, false), run(seed, None, false), "seed {seed}");
    }
}

#[test]
fn a_broken_rule_is_noticed() {
    let rules = 0..Broken::ALL.len() as u64;
    on_every_core(rules, |n| {
        let rule = Broken::ALL[usize::try_from(n).expect("few")];
        let noticed = (0..NOTICED).find_map(|seed| run(seed, Some(rule), false).err());
        let noticed = noticed.unwrap_or_else(|| panic!("{rule:?} goes unnoticed"));
        println!("{rule:?}: {}", noticed.lines().next().unwrap_or_default());
        None::<()>
    });
}
