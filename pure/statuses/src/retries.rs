//! When what is to be written is written: one write per object at a time, and again later where it
//! did not come to anything. One object that cannot be written keeps no other waiting.
//!
//! What was written and is wanted all the same came to nothing either: the API server left out what
//! it does not know, or somebody between puts back what was there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use steelyard_model::NamespacedName;

use crate::kind::StatusKind;
use crate::scope::Scope;
use crate::timetable::Timetable;
use crate::wanted::{StatusChange, StatusWrite};

/// After the first failure.
const SHORTEST: Duration = Duration::from_millis(50);
/// After many conflicts: whoever is changed all the time gets its turn between two changes.
const LONGEST_CONFLICT: Duration = Duration::from_millis(400);
/// After many others.
const LONGEST: Duration = Duration::from_secs(30);

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// It is written.
    Written,
    /// The object is not there any more.
    Gone,
    /// The object changed since: what is to be written is decided anew.
    Conflict,
    /// It could not be written; the API server may have said how long to wait.
    Failed(Option<Duration>),
    /// It was not tried: somebody else leads.
    Deposed,
}

/// What is being written, and what waits.
#[derive(Clone, Debug, Default)]
pub struct Retries {
    running: BTreeMap<Place, Attempt>,
    /// Until they are due.
    waiting: Timetable<Place, Waiting>,
}

/// Which object.
type Place = (StatusKind, NamespacedName);

#[derive(Clone, Debug)]
struct Attempt {
    failures: u32,
    change: StatusChange,
}

/// What came to nothing, so far.
#[derive(Clone, Debug)]
struct Waiting {
    attempt: Attempt,
    /// Whether it was taken: then only the same once more has to wait.
    is_taken: bool,
}

impl Retries {
    /// Those of `writes` that are to be carried out now.
    pub fn begin(&mut self, now: Instant, writes: Vec<StatusWrite>) -> Vec<StatusWrite> {
        writes.into_iter().filter(|write| self.admit(now, write)).collect()
    }

    fn admit(&mut self, now: Instant, write: &StatusWrite) -> bool {
        let place = (write.kind, write.id.clone());
        if self.running.contains_key(&place) {
            return false;
        }
        let failures = match self.waiting.get(&place) {
            None => 0,
            Some((_, known)) if known.is_taken && known.attempt.change != write.change => 0,
            Some((due, _)) if *due > now => return false,
            Some((_, known)) => known.attempt.failures,
        };
        self.waiting.take(&place);
        self.running.insert(place, Attempt { failures, change: write.change.clone() });
        true
    }

    /// Takes in what became of one.
    pub fn end(
        &mut self,
        now: Instant,
        kind: StatusKind,
        id: &NamespacedName,
        outcome: WriteOutcome,
    ) {
        let place = (kind, id.clone());
        let Some(mut attempt) = self.running.remove(&place) else { return };
        let (asked, longest) = match outcome {
            WriteOutcome::Gone | WriteOutcome::Deposed => return,
            WriteOutcome::Conflict => (None, LONGEST_CONFLICT),
            WriteOutcome::Written => (None, LONGEST),
            WriteOutcome::Failed(asked) => (asked, LONGEST),
        };
        let pause = SHORTEST.saturating_mul(1 << attempt.failures.min(16)).min(longest);
        attempt.failures = attempt.failures.saturating_add(1);
        let due = now + pause.max(asked.unwrap_or_default().min(LONGEST));
        let is_taken = outcome == WriteOutcome::Written;
        self.waiting.put(place, due, Waiting { attempt, is_taken });
    }

    /// Those that wait and are due.
    pub fn due(&self, now: Instant) -> impl Iterator<Item = (StatusKind, &NamespacedName)> {
        self.waiting.until(now).map(|(kind, id)| (*kind, id))
    }

    /// When one that waits is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.waiting.first()
    }

    /// Forgets those that wait and are no longer wanted, of those that were looked at.
    pub fn settle(
        &mut self,
        scope: &Scope,
        is_wanted: impl Fn(StatusKind, &NamespacedName) -> bool,
    ) {
        let is_over = |(kind, id): &&Place| !is_wanted(*kind, id);
        let over: Vec<Place> = match scope {
            Scope::All => self.waiting.keys().filter(is_over).cloned().collect(),
            Scope::These(these) => {
                let waiting = these.iter().filter(|it| self.waiting.get(it).is_some());
                // Those of all other kinds were looked at: they lie behind.
                let first = (StatusKind::Pool, NamespacedName::new("", ""));
                let others = self.waiting.range(first..);
                waiting.chain(others).filter(is_over).cloned().collect()
            }
        };
        for place in over {
            self.waiting.take(&place);
        }
    }

    /// How many are being written.
    pub fn running(&self) -> usize {
        self.running.len()
    }
}
