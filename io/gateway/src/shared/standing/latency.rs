//! How soon somebody answers lately: one word, which all cores write.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A mean that forgets: microseconds above, and when it was written, in milliseconds, below. Of two
/// who write at once one is lost, which a mean can bear.
#[derive(Default)]
pub(super) struct Latency(AtomicU64);

/// The part of what is known that a new answer takes the place of.
const PART: u64 = 8;

/// Of what nobody says anew, half is believed after so long, in milliseconds: who was slow once is
/// tried again.
const HALF_LIFE: u64 = 5_000;

impl Latency {
    /// It took so long, at `now` in milliseconds.
    pub(super) fn add(&self, took: Duration, now: u64) {
        let took = u32::try_from(took.as_micros()).unwrap_or(u32::MAX).max(1);
        let mean = match self.0.load(Ordering::Relaxed) {
            0 => took,
            word => {
                let known = u64::from(above(word));
                let mean = (known * (PART - 1) + u64::from(took)).div_ceil(PART);
                u32::try_from(mean).unwrap_or(u32::MAX)
            }
        };
        self.0.store(u64::from(mean) << 32 | u64::from(below(now)), Ordering::Relaxed);
    }

    /// What is believed at `now`; none where nobody ever answered.
    pub(super) fn get(&self, now: u64) -> Option<Duration> {
        let word = self.0.load(Ordering::Relaxed);
        if word == 0 {
            return None;
        }
        let age = below(now).wrapping_sub(below(word));
        let halvings = (u64::from(age) / HALF_LIFE).min(31);
        Some(Duration::from_micros(u64::from(above(word)) >> halvings))
    }
}

fn above(word: u64) -> u32 {
    u32::try_from(word >> 32).unwrap_or(u32::MAX)
}

fn below(word: u64) -> u32 {
    u32::try_from(word & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_that_forgets() {
        let latency = Latency::default();
        assert_eq!(latency.get(0), None);
        latency.add(Duration::from_millis(80), 1_000);
        assert_eq!(latency.get(1_000), Some(Duration::from_millis(80)));
        latency.add(Duration::from_millis(160), 1_000);
        assert_eq!(latency.get(5_999), Some(Duration::from_millis(90)));
        assert_eq!(latency.get(6_000), Some(Duration::from_millis(45)));
        for _ in 0..99 {
            latency.add(Duration::from_millis(8), 7_000);
        }
        assert!(latency.get(7_000).unwrap() < Duration::from_millis(9));
        latency.add(Duration::MAX, u64::MAX);
        assert!(latency.get(u64::MAX).unwrap() > Duration::from_secs(500));
    }
}
