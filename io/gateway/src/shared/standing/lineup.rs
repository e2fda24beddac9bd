//! Who of a backend's endpoints may be asked now: sorted when something has changed, and not for
//! each request.

use std::sync::Arc;
use std::time::Instant;

use steelyard_balance::health::{Fitness, is_heeded};

use super::EndpointStanding;

/// Endpoints by their fitness, as places in the list they are of.
pub(crate) struct Lineup {
    /// All of them, in the order of the list.
    pub(crate) all: Vec<Arc<EndpointStanding>>,
    /// How many, from the first, may have new requests.
    open: usize,
    /// Whether one is among those that are picked from.
    fit: Vec<bool>,
    /// Those that are asked when all others have failed.
    pub(crate) last: Vec<usize>,
    /// Whether one that is well again gets less than its share at first.
    pub(crate) starts_slowly: bool,
    /// What it was made at.
    changes: u64,
    /// Somebody is shunned until then.
    until: Option<Instant>,
}

impl Lineup {
    /// The first `open` of them may have new requests, the others those who were there before.
    /// `changes` was read before.
    pub(crate) fn new(
        all: Vec<Arc<EndpointStanding>>,
        open: usize,
        changes: u64,
        now: Instant,
    ) -> Self {
        let fitness = Vec::from_iter(all.iter().map(|it| it.fitness(now)));
        let shunned = |at: &usize| fitness[*at] == Fitness::Shunned;
        let mut last = Vec::from_iter((0..open).filter(shunned));
        let until = last.iter().filter_map(|at| all[*at].shunned_until(now)).min();
        let well = fitness[..open].iter().filter(|it| **it == Fitness::Fit).count();
        let is_heeded = is_heeded(well, last.len());
        let is_fit = |it: &Fitness| *it == Fitness::Fit || (*it == Fitness::Shunned && !is_heeded);
        let fit = fitness.iter().map(is_fit).collect();
        if !is_heeded {
            last.clear();
        }
        let starts_slowly = all.iter().any(|it| it.spot.care.slow_start.is_some());
        Self { all, open, fit, last, starts_slowly, changes, until }
    }

    /// Whether any may have a new request.
    pub(crate) fn has_any(&self) -> bool {
        !self.last.is_empty() || self.fit[..self.open].contains(&true)
    }

    /// Whether one is among those that are picked from.
    pub(crate) fn is_fit(&self, at: usize) -> bool {
        self.fit[at]
    }

    /// Whether it is as it was made.
    pub(crate) fn is_present(&self, changes: u64, now: impl FnOnce() -> Instant) -> bool {
        self.changes == changes && self.until.is_none_or(|until| now() < until)
    }

    /// The same of now.
    pub(crate) fn anew(&self, changes: u64, now: Instant) -> Self {
        Self::new(self.all.clone(), self.open, changes, now)
    }
}
