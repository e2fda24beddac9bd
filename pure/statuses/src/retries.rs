//! When what is to be written is written: one write per object at a time, and again later where it
//! did not come to anything. One object that cannot be written keeps no other waiting.
//!
//! What was written and is wanted all the same came to nothing either: the API server left out what
//! it does not know, or somebody between puts back what was there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use steelyard_model::NamespacedName;

use crate::kind::StatusKind;
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
pub struct Retries(BTreeMap<(StatusKind, NamespacedName), Attempt>);

#[derive(Clone, Debug)]
struct Attempt {
    /// None while it is being written.
    due: Option<Instant>,
    failures: u32,
    change: StatusChange,
    /// Whether it was taken: then only the same once more has to wait.
    is_taken: bool,
}

impl Retries {
    /// Those of `writes` that are to be carried out now.
    pub fn begin(&mut self, now: Instant, writes: Vec<StatusWrite>) -> Vec<StatusWrite> {
        let admit = |write: &StatusWrite| {
            let key = (write.kind, write.id.clone());
            let failures = match self.0.get(&key) {
                None => 0,
                Some(Attempt { due: None, .. }) => return false,
                Some(known) if known.is_taken && known.change != write.change => 0,
                Some(Attempt { due: Some(due), .. }) if *due > now => return false,
                Some(known) => known.failures,
            };
            let change = write.change.clone();
            self.0.insert(key, Attempt { due: None, failures, change, is_taken: false });
            true
        };
        writes.into_iter().filter(admit).collect()
    }

    /// Takes in what became of one.
    pub fn end(
        &mut self,
        now: Instant,
        kind: StatusKind,
        id: &NamespacedName,
        outcome: WriteOutcome,
    ) {
        let key = (kind, id.clone());
        let (asked, longest) = match outcome {
            WriteOutcome::Gone | WriteOutcome::Deposed => {
                self.0.remove(&key);
                return;
            }
            WriteOutcome::Conflict => (None, LONGEST_CONFLICT),
            WriteOutcome::Written => (None, LONGEST),
            WriteOutcome::Failed(asked) => (asked, LONGEST),
        };
        let Some(attempt) = self.0.get_mut(&key) else { return };
        let pause = SHORTEST.saturating_mul(1 << attempt.failures.min(16)).min(longest);
        attempt.failures = attempt.failures.saturating_add(1);
        attempt.due = Some(now + pause.max(asked.unwrap_or_default().min(LONGEST)));
        attempt.is_taken = outcome == WriteOutcome::Written;
    }

    /// Those that wait and are due.
    pub fn due(&self, now: Instant) -> impl Iterator<Item = (StatusKind, &NamespacedName)> {
        let is_due = move |attempt: &Attempt| attempt.due.is_some_and(|due| due <= now);
        self.0.iter().filter(move |(_, it)| is_due(it)).map(|((kind, id), _)| (*kind, id))
    }

    /// When one that waits is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.values().filter_map(|attempt| attempt.due).min()
    }

    /// Forgets those that wait and are no longer wanted.
    pub fn settle(&mut self, is_wanted: impl Fn(StatusKind, &NamespacedName) -> bool) {
        self.0.retain(|(kind, id), attempt| attempt.due.is_none() || is_wanted(*kind, id));
    }

    /// How many are being written.
    pub fn running(&self) -> usize {
        self.0.values().filter(|attempt| attempt.due.is_none()).count()
    }
}
