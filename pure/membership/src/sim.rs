//! Whole segments simulated: the real machines, on a network, with clocks and hosts that fail, all
//! from one seed.
//!
//! In each run: one thread, one heap of events, one generator of chance. Each run makes up nodes, vips and a
//! network, lets things go wrong for a while, and holds what is to be seen against the promises of
//! [`checks`]. `STEELYARD_SIM_RUNS` says how many runs; `STEELYARD_SIM_SEED` replays one.

mod chance;
mod checks;
mod run;
mod scenarios;
mod world;

use std::sync::LazyLock;
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
}

/// How to see a run that failed once more.
const REPLAY: &str = "replay: STEELYARD_SIM_SEED=<seed> \
                      cargo test -p steelyard-membership sim::every_promise -- --nocapture";

#[allow(clippy::disallowed_methods, reason = "how long to test is the caller's to say")]
fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn every_promise_is_kept() {
    if let Some(seed) = number_from("STEELYARD_SIM_SEED") {
        println!("{}", run(seed, None, true).unwrap_or_else(|failure| panic!("{failure}")));
        return;
    }
    let runs = number_from("STEELYARD_SIM_RUNS").unwrap_or(200);
    let every_other =
        |first| (first..runs).step_by(2).filter_map(|seed| run(seed, None, false).err());
    let failures: Vec<String> = std::thread::scope(|scope| {
        let odd = scope.spawn(|| every_other(1).collect::<Vec<_>>());
        let even: Vec<_> = every_other(0).collect();
        even.into_iter().chain(odd.join().expect("a run does not panic")).collect()
    });
    for failure in &failures {
        println!("{}", failure.lines().next().unwrap_or_default());
    }
    if let Some(first) = failures.first() {
        let count = failures.len();
        panic!("{count} of {runs} runs break a promise, the first of them so: {first}\n{REPLAY}");
    }
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    for seed in 0..5 {
        assert_eq!(run(seed, None, false), run(seed, None, false), "seed {seed}");
    }
}

#[test]
fn a_broken_rule_is_noticed() {
    for rule in [Broken::NoYield, Broken::DeafProbe, Broken::NoFence] {
        let noticed = (0..300).any(|seed| run(seed, Some(rule), false).is_err());
        assert!(noticed, "{rule:?} goes unnoticed");
    }
}
