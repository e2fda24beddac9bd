//! What everybody of a run shares: the time, chance, the wires, and what went wrong.

use std::time::Instant;

use steelyard_testbed::Chance;
use steelyard_testbed::simulation::start;

use super::Broken;
use super::ask::Ask;
use super::pipe::Pipe;
use crate::Clean;

/// What is there whoever plays.
pub(super) struct Stage {
    pub(super) now: Instant,
    pub(super) chance: Chance,
    pub(super) pipes: Vec<Pipe>,
    pub(super) asks: Vec<Ask>,
    /// Idle connections to endpoints, as the gateway keeps them.
    pub(super) pool: Vec<Clean<usize>>,
    /// Size of buffers for bodies.
    pub(super) bulk: usize,
    /// Everybody behaves: every answer is the endpoint's.
    pub(super) calm: bool,
    pub(super) broken: Option<Broken>,
    pub(super) failure: Option<String>,
    verbose: bool,
}

impl Stage {
    pub(super) fn new(seed: u64, broken: Option<Broken>, verbose: bool) -> Self {
        let mut chance = Chance::new(seed);
        let calm = chance.percent(50);
        Self {
            now: start(),
            bulk: chance.pick(&[1200, 2000]),
            chance,
            pipes: Vec::new(),
            asks: Vec::new(),
            pool: Vec::new(),
            calm,
            broken,
            failure: None,
            verbose,
        }
    }

    pub(super) fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
    }

    pub(super) fn note(&self, what: impl FnOnce() -> String) {
        if self.verbose {
            println!("{:>6} ms {}", (self.now - start()).as_millis(), what());
        }
    }

    /// A new connection.
    pub(super) fn lay(&mut self) -> usize {
        self.pipes.push(Pipe::new(&mut self.chance));
        self.pipes.len() - 1
    }
}
