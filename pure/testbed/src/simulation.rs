//! Many runs, each from one seed: promises hold in all of them, and a rule that is broken on
//! purpose is noticed.
//!
//! Variables of the environment say what is run: `…_RUNS` how many runs, `…_FROM` from which seed
//! on; `…_SEED` replays one run, `…_BROKEN` by its name a rule broken.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

#[allow(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Where the tests' time begins.
pub fn start() -> Instant {
    *START
}

/// What is simulated. `R` names the rules that can be broken.
pub struct Simulation<R: 'static> {
    /// How the variables begin.
    pub variables: &'static str,
    /// The command that runs the test of the promises.
    pub command: &'static str,
    /// The rules that can be broken.
    pub rules: &'static [R],
    /// A run by seed, with a rule broken, told as it goes: what happened, or why it must not.
    pub run: fn(u64, Option<R>, bool) -> Result<String, String>,
    /// How many runs there are where nobody says.
    pub runs: u64,
    /// Within so many runs a rule that is broken is noticed.
    pub noticed: u64,
}

impl<R: Copy + Debug + Sync> Simulation<R> {
    /// No run breaks a promise.
    pub fn every_promise_is_kept(&self) {
        if let Some(seed) = self.number("SEED") {
            let rule = self.text("BROKEN").and_then(|name| self.rule(&name));
            println!("{}", (self.run)(seed, rule, true).unwrap_or_else(|why| panic!("{why}")));
            return;
        }
        let (from, runs) = (self.number("FROM").unwrap_or(0), self.number("RUNS"));
        let runs = runs.unwrap_or(self.runs);
        let failures = on_every_core(from..from + runs, |seed| (self.run)(seed, None, false).err());
        for failure in failures.values().take(20) {
            println!("{}", first_line(failure));
        }
        if let Some((seed, first)) = failures.first_key_value() {
            let (count, Self { variables, command, .. }) = (failures.len(), self);
            panic!(
                "{count} of {runs} runs break a promise, the first of them so: {first}\n\
                 replay: {variables}_SEED={seed} {command} -- --nocapture"
            );
        }
    }

    /// Runs of one seed are the same.
    pub fn a_seed_tells_the_same_story_twice(&self, seeds: Range<u64>) {
        for seed in seeds {
            let once = (self.run)(seed, None, false);
            assert_eq!(once, (self.run)(seed, None, false), "seed {seed}");
        }
    }

    /// Each rule that is broken breaks a promise in some run.
    pub fn a_broken_rule_is_noticed(&self) {
        on_every_core(0..self.rules.len() as u64, |n| {
            let rule = self.rules[usize::try_from(n).expect("few")];
            let run = |seed| (self.run)(seed, Some(rule), false).err();
            let noticed = (0..self.noticed).find_map(run);
            let noticed = noticed.unwrap_or_else(|| panic!("{rule:?} goes unnoticed"));
            println!("{rule:?}: {}", first_line(&noticed));
            None::<()>
        });
    }

    fn rule(&self, name: &str) -> Option<R> {
        let mut rules = self.rules.iter();
        rules.find(|rule| format!("{rule:?}") == name).copied()
    }

    #[allow(clippy::disallowed_methods, reason = "what to test is the caller's to say")]
    fn text(&self, variable: &str) -> Option<String> {
        std::env::var(format!("{}_{variable}", self.variables)).ok()
    }

    fn number(&self, variable: &str) -> Option<u64> {
        self.text(variable)?.parse().ok()
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Rule {
        Odd,
        None,
    }

    /// Fails for seed 7, and for odd ones where that rule is broken.
    fn run(seed: u64, broken: Option<Rule>, _: bool) -> Result<String, String> {
        let breaks = seed == 7 || matches!(broken, Some(Rule::Odd)) && seed % 2 == 1;
        if breaks { Err(format!("seed {seed} fails")) } else { Ok(String::new()) }
    }

    fn simulation(runs: u64, rules: &'static [Rule]) -> Simulation<Rule> {
        let (variables, command) = ("STEELYARD_NONE", "cargo test");
        Simulation { variables, command, rules, run, runs, noticed: 6 }
    }

    #[test]
    fn a_run_that_fails_is_told_with_how_to_see_it_again() {
        simulation(7, &[]).every_promise_is_kept();
        let told = std::panic::catch_unwind(|| simulation(8, &[]).every_promise_is_kept());
        let told = *told.expect_err("seed 7").downcast::<String>().expect("a text");
        assert!(told.contains("seed 7 fails\nreplay: STEELYARD_NONE_SEED=7 cargo test"), "{told}");
    }

    #[test]
    fn a_rule_whose_break_nobody_sees_is_a_failure() {
        simulation(0, &[Rule::Odd]).a_broken_rule_is_noticed();
        let unseen = || simulation(0, &[Rule::Odd, Rule::None]).a_broken_rule_is_noticed();
        assert!(std::panic::catch_unwind(unseen).is_err());
    }
}
