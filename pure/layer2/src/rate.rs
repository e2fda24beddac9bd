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
        let allowed = self.ready().is_none_or(|ready| ready <= now);
        if allowed {
            self.take(now);
        }
        allowed
    }

    /// Takes the next turn, which comes now or later; when it comes.
    pub(crate) fn reserve(&mut self, now: Instant) -> Instant {
        let turn = self.ready().map_or(now, |ready| ready.max(now));
        self.take(now);
        turn
    }

    /// When it may be done once more, past or future; none when it never was done.
    pub(crate) fn ready(&self) -> Option<Instant> {
        let empty = self.full? + self.interval;
        Some(empty.checked_sub(self.interval * self.burst).unwrap_or(empty))
    }

    fn take(&mut self, now: Instant) {
        self.full = Some(self.full.map_or(now, |full| full.max(now)) + self.interval);
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

    #[test]
    fn turns_are_taken_ahead() {
        let start = crate::tests::start();
        let mut rate = Rate::new(Duration::from_millis(10), 3);
        let turns: Vec<u128> = (0..6).map(|_| (rate.reserve(start) - start).as_millis()).collect();
        assert_eq!(turns, [0, 0, 0, 10, 20, 30]);
    }
}
