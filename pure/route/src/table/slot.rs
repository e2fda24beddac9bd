//! The candidates of one place, in order, and how they are asked.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::candidate::Candidate;
use crate::choice::Bid;
use crate::necessary::Left;
use steelyard_model::routing::rank::Rank;
use steelyard_model::routing::subject::Subject;

/// Candidates of one place, the first in order first. Most places have one, which stands where the
/// place does: of 100,000 routes nothing is in the processor's cache.
#[derive(Debug)]
pub(crate) struct Slot<T>(SmallVec<[Tenant<T>; 1]>);

/// A candidate at a place, and what is left to be asked of it.
#[derive(Debug)]
struct Tenant<T> {
    candidate: Arc<T>,
    left: Left,
}

impl<T: Candidate> Slot<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.0.iter().map(|it| &it.candidate)
    }

    pub(crate) fn insert(&mut self, candidate: &Arc<T>, left: Left) {
        let at = self.0.partition_point(|known| known.candidate.before(candidate).is_lt());
        self.0.insert(at, Tenant { candidate: candidate.clone(), left });
    }

    /// Takes a candidate out; whether it was there.
    pub(crate) fn remove(&mut self, candidate: &T) -> bool {
        let at = self.0.partition_point(|known| known.candidate.before(candidate).is_lt());
        let is_there = self.0.get(at).is_some_and(|known| known.candidate.id() == candidate.id());
        if is_there {
            self.0.remove(at);
        }
        is_there
    }
}

impl<T: Candidate> Tenant<T> {
    fn holds(&self, subject: &impl Subject) -> bool {
        self.left.holds(|| self.candidate.rule().holds(subject), subject)
    }
}

impl<T> Clone for Tenant<T> {
    fn clone(&self) -> Self {
        Self { candidate: self.candidate.clone(), left: self.left }
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(SmallVec::new())
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
        let mut better = slot.0.iter().take_while(|it| match self.found {
            Some(found) => it.candidate.before(found).is_lt(),
            None => true,
        });
        let found = better.find(|it| it.holds(self.subject)).map(|it| &it.candidate);
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
        for tenant in &slot.0 {
            let bid = Bid::of(tenant.candidate.rank());
            if bid.beats(self.bid) && tenant.holds(self.subject) {
                self.bid = bid;
            }
        }
    }

    pub(crate) fn bid(self) -> Bid {
        self.bid
    }
}
