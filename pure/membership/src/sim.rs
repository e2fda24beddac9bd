//! Whole segments simulated: the real machines, on a network, with clocks and hosts that fail, all
//! from one seed.
//!
//! In each run: one thread, one heap of events, one generator of chance. Each run makes up nodes,
//! vips and a network, lets things go wrong for a while, and holds what is to be seen against the
//! promises of [`checks`]. Variables that begin with
//! `STEELYARD_SIM` say what is run ([`steelyard_testbed::simulation`]).

mod checks;
mod run;
mod scenarios;
mod world;

use steelyard_testbed::Simulation;

use self::run::run;

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

const SIMULATION: Simulation<Broken> = Simulation {
    variables: "STEELYARD_SIM",
    command: "cargo test -p steelyard-membership sim::every_promise",
    rules: &[
        Broken::NoYield,
        Broken::DeafProbe,
        Broken::NoFence,
        Broken::SameEpoch,
        Broken::NoProbe,
        Broken::ForgottenEpochs,
        Broken::BothAnswer,
        Broken::SilentWinner,
        Broken::NoMark,
        Broken::NotDeaf,
    ],
    run,
    runs: 200,
    noticed: 300,
};

#[test]
fn every_promise_is_kept() {
    SIMULATION.every_promise_is_kept();
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    SIMULATION.a_seed_tells_the_same_story_twice(0..5);
}

#[test]
fn a_broken_rule_is_noticed() {
    SIMULATION.a_broken_rule_is_noticed();
}
