//! A gateway simulated, with its clients and endpoints: the real machines, over sockets that are
//! short of room, with whoever does what is allowed or not, all from one seed.
//!
//! In each run clients ask some things, one by one or ahead, slowly, and leave when they like;
//! endpoints answer early or late, with interim responses, surplus bytes, or not at all. Held in
//! each: no byte of one exchange reaches another; who asks gets its own answer, or an error with a
//! reason; connections are used again when they may be; nothing is left of who is gone.
//! Variables that begin with `STEELYARD_HTTP_SIM` say what is run
//! ([`steelyard_testbed::simulation`]).

mod ask;
mod client;
mod endpoint;
mod gateway;
mod pipe;
mod reader;
mod run;
mod stage;
mod world;

use steelyard_testbed::Simulation;

use self::run::run;

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

const SIMULATION: Simulation<Broken> = Simulation {
    variables: "STEELYARD_HTTP_SIM",
    command: "cargo test -p steelyard-http sim::every_promise",
    rules: &[
        Broken::ReuseHalfWritten,
        Broken::ReuseWithSurplus,
        Broken::ReusePending,
        Broken::NeverReuse,
        Broken::LosesAhead,
        Broken::SentTwice,
        Broken::DeafWhenAhead,
        Broken::CutsHalfClosed,
        Broken::SilentClose,
        Broken::NoLinger,
        Broken::BlankIsRequest,
    ],
    run,
    runs: 5000,
    noticed: 3000,
};

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
