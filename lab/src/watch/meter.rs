//! From requests to outages: how long, and how many requests it took with it. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::ticker::{Fate, Outcome};

/// A time without answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outage {
    /// When the first request began that was not answered.
    pub(super) from: Instant,
    /// When the next one was.
    pub(super) to: Instant,
    /// Requests that were not answered.
    pub(super) unanswered: Unanswered,
}

/// Requests without an answer in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unanswered {
    /// Had no connection: refused, or not there by the deadline.
    pub(super) failed: u64,
    /// Had one that broke.
    pub(super) broken: u64,
    /// Had one, and no answer by the deadline.
    pub(super) late: u64,
}

impl Unanswered {
    /// All of them.
    pub(super) const fn total(self) -> u64 {
        self.failed + self.broken + self.late
    }

    const fn count(&mut self, fate: Fate) {
        match fate {
            Fate::Answered => {}
            Fate::Failed => self.failed += 1,
            Fate::Broken => self.broken += 1,
            Fate::Late => self.late += 1,
        }
    }
}

impl Outage {
    /// How long it was.
    pub(super) fn length(&self) -> Duration {
        self.to.saturating_duration_since(self.from)
    }
}

/// Takes outcomes as they come, and judges them in the order of their starts.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Outcomes of requests after one that is still open.
    waiting: BTreeMap<u64, Outcome>,
    /// The next to be judged.
    next: u64,
    /// Since when, and how many requests were not answered.
    open: Option<(Instant, Unanswered)>,
    outages: Vec<Outage>,
    unanswered: Unanswered,
    latencies: Vec<Duration>,
}

/// Everything so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Totals {
    /// Requests judged.
    pub(super) requests: u64,
    /// Of these not answered.
    pub(super) unanswered: Unanswered,
    /// Times without answers that are over.
    pub(super) outages: usize,
    /// The longest of them.
    pub(super) longest: Duration,
    /// Half of the answers took no longer.
    pub(super) median: Duration,
    /// 99 of 100 answers took no longer.
    pub(super) p99: Duration,
}

impl Meter {
    /// Takes one outcome; outages that are over by it.
    pub(super) fn take(&mut self, outcome: Outcome) -> Vec<Outage> {
        self.waiting.insert(outcome.number, outcome);
        let before = self.outages.len();
        while let Some(outcome) = self.waiting.remove(&self.next) {
            self.next += 1;
            self.judge(outcome);
        }
        self.outages[before..].to_vec()
    }

    /// Since when nothing is answered, as far as is known.
    pub(super) fn open_since(&self) -> Option<Instant> {
        self.open.map(|(since, _)| since)
    }

    /// Everything so far.
    pub(super) fn totals(&self) -> Totals {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let rank = |percent: usize| {
            let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(index).copied().unwrap_or_default()
        };
        Totals {
            requests: self.next,
            unanswered: self.unanswered,
            outages: self.outages.len(),
            longest: self.outages.iter().map(Outage::length).max().unwrap_or_default(),
            median: rank(50),
            p99: rank(99),
        }
    }

    fn judge(&mut self, outcome: Outcome) {
        if outcome.fate != Fate::Answered {
            self.unanswered.count(outcome.fate);
            let (_, counts) =
                self.open.get_or_insert_with(|| (outcome.started, Unanswered::default()));
            counts.count(outcome.fate);
            return;
        }
        self.latencies.push(outcome.ended - outcome.started);
        if let Some((from, unanswered)) = self.open.take() {
            self.outages.push(Outage { from, to: outcome.ended, unanswered });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests every 10 ms from a start; those without an answer are known after 100 ms, others
    /// after 1 ms.
    fn outcomes(start: Instant, fates: &[Fate]) -> Vec<Outcome> {
        let outcome = |(number, &fate): (u64, &Fate)| {
            let started = start + Duration::from_millis(number * 10);
            let took = Duration::from_millis(if fate == Fate::Answered { 1 } else { 100 });
            Outcome { number, started, ended: started + took, fate }
        };
        (0..).zip(fates).map(outcome).collect()
    }

    #[test]
    fn an_outage_lasts_until_the_next_answer_and_is_told_once_all_before_it_are_known() {
        use Fate::{Answered, Broken, Failed, Late};
        let start = Instant::now();
        let mut all = outcomes(
            start,
            &[Answered, Answered, Broken, Late, Failed, Failed, Answered, Answered],
        );
        // As they become known: answers first, the unanswered at their deadline.
        all.sort_by_key(|outcome| outcome.ended);
        let mut meter = Meter::default();
        let found: Vec<Outage> = all.into_iter().flat_map(|it| meter.take(it)).collect();
        let from = start + Duration::from_millis(20);
        let to = start + Duration::from_millis(61);
        let unanswered = Unanswered { failed: 2, broken: 1, late: 1 };
        assert_eq!(found, [Outage { from, to, unanswered }]);
        let totals = meter.totals();
        assert_eq!((totals.requests, totals.unanswered, totals.outages), (8, unanswered, 1));
        assert_eq!(unanswered.total(), 4);
        assert_eq!(totals.longest, Duration::from_millis(41));
        assert_eq!(
            (totals.median, totals.p99),
            (Duration::from_millis(1), Duration::from_millis(1))
        );
    }

    #[test]
    fn an_outage_that_goes_on_is_open() {
        let start = Instant::now();
        let mut meter = Meter::default();
        for outcome in outcomes(start, &[Fate::Answered, Fate::Late, Fate::Failed]) {
            assert_eq!(meter.take(outcome), []);
        }
        assert_eq!(meter.open_since(), Some(start + Duration::from_millis(10)));
        assert_eq!(meter.totals().outages, 0);
    }
}
