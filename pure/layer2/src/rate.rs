//! A bound on how often something is done.

use std::time::{Duration, Instant};

/// A token bucket: `burst` at once, then one each `interval`.
#[derive(Clone, Debug)]
pub(crate) struct Rate {
    interval: Duration,
    burst: u32,
    /// The bucket is full at this time (or was).
    full: Option<Instant>,
}

impl Rate {
    pub(crate) fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, burst, full: None }
    }

    /// Whether it may be done once more now.
    pub(crate) fn allow(&mut self, now: Instant) -> bool {
        let full = self.full.map_or(now, |full| full.max(now)) + self.interval;
        let allowed = full <= now + self.interval * self.burst;
        if allowed {
            self.full = Some(full);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_each_interval() {
        let start = crate::tests::start();
        let mut rate = Rate::new(Duration::from_millis(10), 3);
        let allowed = |rate: &mut Rate, at| {
            (0..10).filter(|_| rate.allow(start + Duration::from_millis(at))).count()
        };
        assert_eq!(allowed(&mut rate, 0), 3);
        assert_eq!(allowed(&mut rate, 9), 0);
        assert_eq!(allowed(&mut rate, 10), 1);
        assert_eq!(allowed(&mut rate, 35), 2);
        assert_eq!(allowed(&mut rate, 10_000), 3, "never more than the burst");
    }
}
