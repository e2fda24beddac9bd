//! Routes, compiled: which one a request takes, at a cost that does not grow with their number.
//!
//! Per ladder: hosts by hash, wildcards by suffix, then what names no host; per host exact paths
//! by hash, prefixes by length, header lines by value, then what names none of these. At each of
//! these places stand the candidates that may match, in the ladder's order; what of their rules the
//! place does not say by itself is asked, so the index decides only who is asked.
//!
//! A clone shares everything; a change copies the places of the one route that changed
//! ([`RuleTable::insert`], [`RuleTable::remove`]), and building from nothing is inserting all.

mod hosts;
mod paths;
mod slot;

use std::sync::Arc;

use crate::candidate::{Candidate, Indexed};
use crate::choice::{Bid, Choice, Side, decide};
use crate::necessary::places;
use hosts::Hosts;
use slot::{Best, Highest};
use steelyard_model::routing::rank::Ladder;
use steelyard_model::routing::subject::Subject;
use steelyard_model::suggest;

/// Most routes of one place that a sample has.
const SAMPLE: usize = 4;

/// The routes of one listener, ready for lookups. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RuleTable<T> {
    indexed: Indexed,
    specific: Hosts<T>,
    priority: Hosts<T>,
    len: usize,
}

impl<T: Candidate> RuleTable<T> {
    /// A table without routes.
    pub fn new(indexed: Indexed) -> Self {
        Self { indexed, specific: Hosts::default(), priority: Hosts::default(), len: 0 }
    }

    /// How many routes there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a route. One of its id must not be there.
    pub fn insert(&mut self, candidate: Arc<T>) {
        let places = places(candidate.rule(), self.indexed);
        let hosts = self.ladder_mut(candidate.rank().ladder);
        places.iter().for_each(|place| hosts.insert(place, &candidate));
        self.len += 1;
    }

    /// Takes a route out, as it was put in.
    pub fn remove(&mut self, candidate: &T) {
        let places = places(candidate.rule(), self.indexed);
        let hosts = self.ladder_mut(candidate.rank().ladder);
        places.iter().for_each(|place| hosts.remove(place, candidate));
        self.len -= 1;
    }

    /// The route that serves `subject`.
    pub fn choose(&self, subject: &impl Subject) -> Option<Choice<'_, T>> {
        Self::choose_among(std::iter::once(self), subject)
    }

    /// The route that serves `subject`, of several tables as if they were one.
    pub fn choose_among<'t>(
        tables: impl Iterator<Item = &'t Self> + Clone,
        subject: &impl Subject,
    ) -> Option<Choice<'t, T>>
    where
        T: 't,
    {
        let specific = side(tables.clone(), |table| &table.specific, subject);
        let priority = side(tables, |table| &table.priority, subject);
        decide(specific, priority)
    }

    /// Some routes for the host of `subject`, or nearly, whatever else they ask for: so many of
    /// each place, and no more however many there are.
    pub(crate) fn sample<'t>(&'t self, host: &str, found: &mut Vec<&'t Arc<T>>) {
        for hosts in [&self.specific, &self.priority] {
            hosts.sample(host, &mut |slot| found.extend(slot.iter().take(SAMPLE)));
        }
    }

    /// Some routes of the host whose name is the most similar to `host`.
    pub(crate) fn sample_similar<'t>(&'t self, host: &str, found: &mut Vec<&'t Arc<T>>) {
        for hosts in [&self.specific, &self.priority] {
            if let Some(meant) = suggest::nearest(host, hosts.similar(host)) {
                hosts.sample_own(meant, &mut |slot| found.extend(slot.iter().take(SAMPLE)));
            }
        }
    }

    fn key<'s>(&self, subject: &'s impl Subject) -> &'s str {
        match self.indexed {
            Indexed::Host => subject.host(),
            Indexed::Sni => subject.server_name().unwrap_or_default(),
        }
    }

    fn ladder_mut(&mut self, ladder: Ladder) -> &mut Hosts<T> {
        match ladder {
            Ladder::Specific => &mut self.specific,
            Ladder::Priority => &mut self.priority,
        }
    }
}

/// The best route of one ladder over several tables, and how its bid is learnt.
fn side<'t, 's, T: Candidate + 't, S: Subject, I>(
    tables: I,
    ladder: impl Fn(&'t RuleTable<T>) -> &'t Hosts<T> + 's,
    subject: &'s S,
) -> Option<Side<'t, T, impl FnOnce() -> Bid>>
where
    I: Iterator<Item = &'t RuleTable<T>> + Clone,
{
    let mut best = Best::new(subject);
    for table in tables.clone() {
        ladder(table).visit(table.key(subject), subject, &mut |slot| best.look(slot));
    }
    let best = best.found()?;
    let highest = move || {
        let mut highest = Highest::new(subject, best.rank());
        for table in tables {
            ladder(table).visit(table.key(subject), subject, &mut |slot| highest.look(slot));
        }
        highest.bid()
    };
    Some(Side { best, highest })
}
