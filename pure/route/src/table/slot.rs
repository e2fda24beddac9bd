//! The candidates of one place, in order, and how they are asked.

use std::sync::Arc;

use crate::candidate::Candidate;
use crate::choice::Bid;
use steelyard_model::routing::rank::Rank;
use steelyard_model::routing::subject::Subject;

/// Candidates of one place, the first in order first.
#[derive(Debug)]
pub(crate) struct Slot<T>(Vec<Arc<T>>);

impl<T: Candidate> Slot<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.0.iter()
    }

    pub(crate) fn insert(&mut self, candidate: &Arc<T>) {
        let at = self.0.partition_point(|known| known.before(candidate).is_lt());
        self.0.insert(at, candidate.clone());
    }

    /// Takes a candidate out; whether it was there.
    pub(crate) fn remove(&mut self, candidate: &T) -> bool {
        let at = self.0.partition_point(|known| known.before(candidate).is_lt());
        let is_there = self.0.get(at).is_some_and(|known| known.id() == candidate.id());
        if is_there {
            self.0.remove(at);
        }
        is_there
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The first candidate in order whose rule holds, over several places.
pub(crate) struct Best<'t, 's, T, S> {
    subject: &'s S,
    found: Option<&'t Arc<T>>,
}

impl<'t, 's, T: Candidate, S: Subject> Best<'t, 's, T, S> {
    pub(crate) fn new(subject: &'s S) -> Self {
        Self { subject, found: None }
    }

    pub(crate) fn look(&mut self, slot: &'t Slot<T>) {
        let better = slot.iter().take_while(|candidate| match self.found {
            Some(found) => candidate.before(found).is_lt(),
            None => true,
        });
        let found = better.into_iter().find(|candidate| candidate.rule().holds(self.subject));
        self.found = found.or(self.found);
    }

    pub(crate) fn found(self) -> Option<&'t Arc<T>> {
        self.found
    }
}

/// The highest bid among the candidates whose rules hold.
pub(crate) struct Highest<'s, S> {
    subject: &'s S,
    bid: Bid,
}

impl<'s, S: Subject> Highest<'s, S> {
    /// Starts with a route that is known to match.
    pub(crate) fn new(subject: &'s S, known: &Rank) -> Self {
        Self { subject, bid: Bid::of(known) }
    }

    pub(crate) fn look<T: Candidate>(&mut self, slot: &Slot<T>) {
        for candidate in slot.iter() {
            let bid = Bid::of(candidate.rank());
            if bid.beats(self.bid) && candidate.rule().holds(self.subject) {
                self.bid = bid;
            }
        }
    }

    pub(crate) fn bid(self) -> Bid {
        self.bid
    }
}
