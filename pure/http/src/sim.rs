//! A gateway simulated, with its clients and endpoints: the real machines, over sockets that are
//! short of room, with whoever does what is allowed or not, all from one seed.
//!
//! In each run clients ask some things, one by one or ahead, slowly, and leave when they like;
//! endpoints answer early or late, with interim responses, surplus bytes, or not at all. Held in
//! each: no byte of one exchange reaches another; who asks gets its own answer, or an error with a
//! reason; connections are used again when they may be; nothing is left of who is gone.
//! `STEELYARD_HTTP_SIM_RUNS` says how many runs, `STEELYARD_HTTP_SIM_FROM` from which seed on;
//! `STEELYARD_HTTP_SIM_SEED` replays one, `STEELYARD_HTTP_SIM_BROKEN` by its name a rule broken.

mod ask;
mod chance;
mod client;
mod endpoint;
mod gateway;
mod pipe;
mod reader;
mod run;
mod stage;
mod world;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use self::run::run;

#[allow(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Where the tests' time begins.
fn start() -> Instant {
    *START
}

/// A rule that is broken on purpose, to see that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    /// A connection is used again although the request was not written whole.
    ReuseHalfWritten,
    /// Bytes behind an answer are thrown away.
    ReuseWithSurplus,
    /// A connection is used again although a 100 may still come.
    ReusePending,
    /// Every exchange gets a connection of its own.
    NeverReuse,
    /// What a client sends ahead is dropped with its exchange.
    LosesAhead,
    /// A request is sent again although something of an answer came.
    SentTwice,
    /// A client that has sent something ahead is not watched.
    DeafWhenAhead,
    /// Who has closed its side has a limit for all of its answer.
    CutsHalfClosed,
    /// Connections are closed without a word.
    SilentClose,
    /// Connections are closed while the client writes.
    NoLinger,
    /// An empty line is the beginning of a request.
    BlankIsRequest,
}

impl Broken {
    const ALL: [Self; 11] = [
        Self::ReuseHalfWritten,
        Self::ReuseWithSurplus,
        Self::ReusePending,
        Self::NeverReuse,
        Self::LosesAhead,
        Self::SentTwice,
        Self::DeafWhenAhead,
        Self::CutsHalfClosed,
        Self::SilentClose,
        Self::NoLinger,
        Self::BlankIsRequest,
    ];
}

/// Within so many runs a rule that is broken is noticed.
const NOTICED: u64 = 3000;
/// How to see a run that failed once more.
const REPLAY: &str = "cargo test -p steelyard-http sim::every_promise -- --nocapture";

#[allow(clippy::disallowed_methods, reason = "what to test is the caller's to say")]
fn text_from(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

fn number_from(variable: &str) -> Option<u64> {
    text_from(variable)?.parse().ok()
}

#[test]
fn every_promise_is_kept() {
    if let Some(seed) = number_from("STEELYARD_HTTP_SIM_SEED") {
        let rule = text_from("STEELYARD_HTTP_SIM_BROKEN");
        let rule = Broken::ALL.into_iter().find(|it| rule.as_deref() == Some(&format!("{it:?}")));
        println!("{}", run(seed, rule, true).unwrap_or_else(|failure| panic!("{failure}")));
        return;
    }
    let from = number_from("STEELYARD_HTTP_SIM_FROM").unwrap_or(0);
    let runs = number_from("STEELYARD_HTTP_SIM_RUNS").unwrap_or(5000);
    let failures = on_every_core(from..from + runs, |seed| run(seed, None, false).err());
    for failure in failures.values().take(20) {
        println!("{}", failure.lines().next().unwrap_or_default());
    }
    if let Some((seed, first)) = failures.first_key_value() {
        let count = failures.len();
        panic!(
            "{count} of {runs} runs break a promise, the first of them so: {first}\n\
             replay: STEELYARD_HTTP_SIM_SEED={seed} {REPLAY}"
        );
    }
}

/// What came of which seed, where anything did.
fn on_every_core<T: Send>(
    seeds: Range<u64>,
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
    for seed in 0..20 {
        assert_eq!(run(seed, None, false), run(seed, None, false), "seed {seed}");
    }
}

#[test]
fn a_broken_rule_is_noticed() {
    for rule in Broken::ALL {
        let noticed = (0..NOTICED).find_map(|seed| run(seed, Some(rule), false).err());
        let noticed = noticed.unwrap_or_else(|| panic!("{rule:?} goes unnoticed"));
        println!("{rule:?}: {}", noticed.lines().next().unwrap_or_default());
    }
}
