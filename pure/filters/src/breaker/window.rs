//! What came of all requests of the last ten seconds, counted by all cores.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use steelyard_model::routing::filter::trigger::{Measure, Trigger};

/// Seconds that count.
const SECONDS: usize = 10;
/// Statuses: 0 to 599.
const STATUSES: usize = 600;
/// Parts of a doubling of time: a latency is known to a sixteenth.
const PARTS: u32 = 16;
/// Classes of latency: up to 2^30 microseconds.
const CLASSES: usize = 28 * PARTS as usize;

/// Counts by second, in a ring.
#[derive(Debug)]
pub(crate) struct Window(Box<[Second]>);

#[derive(Debug)]
struct Second {
    /// Which one, from 1; 0 is none.
    which: AtomicU64,
    statuses: Box<[AtomicU32]>,
    latencies: Box<[AtomicU32]>,
}

impl Default for Window {
    fn default() -> Self {
        Self((0..SECONDS).map(|_| Second::default()).collect())
    }
}

impl Default for Second {
    fn default() -> Self {
        let counters = |count: usize| (0..count).map(|_| AtomicU32::default()).collect();
        Self { which: 0.into(), statuses: counters(STATUSES), latencies: counters(CLASSES) }
    }
}

impl Window {
    /// Takes in a response. `now` is in milliseconds.
    pub(super) fn record(&self, status: u16, time: Duration, now: u64) {
        let which = now / 1000 + 1;
        #[expect(clippy::cast_possible_truncation, reason = "less than ten")]
        let second = &self.0[(which % SECONDS as u64) as usize];
        let former = second.which.load(Ordering::Acquire);
        // What others count at the turn of a second may be lost.
        if former != which
            && second
                .which
                .compare_exchange(former, which, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
        {
            second.clear();
        }
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let status = usize::from(status).min(STATUSES - 1);
        second.statuses[status].fetch_add(1, Ordering::Relaxed);
        second.latencies[class(micros)].fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the condition holds. Where there were no requests, nothing does.
    pub(super) fn meets(&self, condition: &Trigger, now: u64) -> bool {
        let statuses = |from: u16, to: u16| {
            let range = usize::from(from).min(STATUSES)..usize::from(to).min(STATUSES);
            self.sum(now, |it| if range.is_empty() { &[] } else { &it.statuses[range.clone()] })
        };
        condition.holds(false, &mut |measure| match measure {
            Measure::NetworkErrorRatio => {
                (statuses(502, 503) + statuses(504, 505)) / statuses(0, 600)
            }
            Measure::ResponseCodeRatio([a, b], [c, d]) => statuses(a, b) / statuses(c, d),
            Measure::LatencyAtQuantile(share) => self.latency(share, now),
            Measure::Attempts | Measure::ResponseCode => f64::NAN,
        })
    }

    pub(super) fn forget(&self) {
        self.0.iter().for_each(|second| second.which.store(0, Ordering::Release));
    }

    fn sum<'w>(&'w self, now: u64, of: impl Fn(&'w Second) -> &'w [AtomicU32]) -> f64 {
        let counts = self.present(now).flat_map(of);
        counts.map(|it| f64::from(it.load(Ordering::Relaxed))).sum()
    }

    /// Milliseconds in which this share of requests, in percent, was answered.
    fn latency(&self, share: f64, now: u64) -> f64 {
        let mut left = self.sum(now, |it| &it.latencies) * share / 100.0;
        let in_class = |at: usize| self.sum(now, |it| std::slice::from_ref(&it.latencies[at]));
        for at in 0..CLASSES {
            left -= in_class(at);
            if left <= 0.0 && in_class(at) > 0.0 {
                return micros(at) / 1000.0;
            }
        }
        f64::NAN
    }

    /// Seconds that count.
    fn present(&self, now: u64) -> impl Iterator<Item = &Second> {
        let last = now / 1000 + 1;
        let first = last.saturating_sub(SECONDS as u64 - 1).max(1);
        self.0.iter().filter(move |it| (first..=last).contains(&it.which.load(Ordering::Acquire)))
    }
}

impl Second {
    fn clear(&self) {
        let all = self.statuses.iter().chain(&self.latencies);
        all.for_each(|it| it.store(0, Ordering::Relaxed));
    }
}

/// The class of a latency: so many microseconds, or a sixteenth of a doubling.
fn class(micros: u64) -> usize {
    let parts = u64::from(PARTS);
    let class = match micros.checked_ilog2() {
        Some(power) if micros >= parts => {
            let power = power - PARTS.ilog2();
            u64::from(power) * parts + (micros >> power)
        }
        _ => micros,
    };
    usize::try_from(class).unwrap_or(usize::MAX).min(CLASSES - 1)
}

/// The least of a class.
fn micros(class: usize) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "there are a few hundred")]
    let (class, parts) = (class as u32, PARTS);
    if class < 2 * parts {
        return f64::from(class);
    }
    let power = class / parts - 1;
    f64::from(parts + class % parts) * f64::from(power).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_known_to_a_sixteenth() {
        for time in (0..100).chain([1000, 1024, 99_999, 123_456_789, 1 << 29]) {
            let low = micros(class(time));
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let time = time as f64;
            assert!(low <= time && time - low <= time / 16.0, "{time}: {low}");
        }
        assert_eq!(class(u64::MAX), CLASSES - 1);
    }
}
