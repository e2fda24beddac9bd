//! How many requests may be tried again.
//!
//! Where few endpoints fail, the others take what these had. Where many do, each request that is
//! tried again and again is more load on what is left, and takes it down too. So of a hundred
//! requests fifteen may be tried again, and a few a second in any case: with little to do, that is
//! enough for every request to find the one endpoint that works.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Of a hundred requests so many earn another attempt.
const EARNED: u32 = 15;

/// Attempts that are there in any case, a second, of all cores together.
const FLOOR: u32 = 20;

/// Seconds of them that are kept for later.
const KEPT: u32 = 5;

/// A hundredth is what the smallest share is counted in.
const WHOLE: u32 = 100;

/// What one core may spend on one backend. That all keep to theirs is enough for what they do
/// together, and none has to ask another.
#[derive(Debug)]
pub struct RetryBudget {
    /// Hundredths of an attempt.
    left: Cell<u32>,
    most: u32,
    /// Hundredths in a second.
    floor: u32,
    filled: Cell<Option<Instant>>,
}

impl RetryBudget {
    /// A full one, of one of so many cores.
    pub fn of_one_in(cores: usize) -> Self {
        let cores = u32::try_from(cores.max(1)).unwrap_or(u32::MAX);
        let floor = (FLOOR * WHOLE / cores).max(1);
        let most = (floor * KEPT).max(10 * WHOLE);
        Self { left: Cell::new(most), most, floor, filled: Cell::new(None) }
    }

    /// A request is made for the first time.
    pub fn earn(&self) {
        self.left.set((self.left.get() + EARNED).min(self.most));
    }

    /// Whether one may be made again, which is counted then.
    pub fn spend(&self, now: Instant) -> bool {
        self.fill(now);
        match self.left.get().checked_sub(WHOLE) {
            None => false,
            Some(left) => {
                self.left.set(left);
                true
            }
        }
    }

    fn fill(&self, now: Instant) {
        let since = self.filled.get().unwrap_or(now);
        let passed = now.saturating_duration_since(since).min(Duration::from_secs(KEPT.into()));
        let gained = u128::from(self.floor) * passed.as_millis() / 1_000;
        if gained > 0 || self.filled.get().is_none() {
            let gained = u32::try_from(gained).unwrap_or(self.most);
            self.left.set(self.left.get().saturating_add(gained).min(self.most));
            self.filled.set(Some(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[allow(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_share_and_a_few_a_second() {
        let budget = RetryBudget::of_one_in(2);
        let now = start();
        let spent = |now| (0..9_999).take_while(|_| budget.spend(now)).count();
        assert_eq!(spent(now), 50, "it is full at first");
        (0..100).for_each(|_| budget.earn());
        assert_eq!(spent(now), 15);
        assert_eq!(spent(now + Duration::from_secs(1)), 10);
        (0..9_999).for_each(|_| budget.earn());
        assert_eq!(spent(now + Duration::from_secs(99)), 50, "no more is kept");
        let many = RetryBudget::of_one_in(64);
        assert!((0..10).all(|_| many.spend(now)) && !many.spend(now));
    }

    proptest! {
        /// Where every attempt fails and each is followed by another while there may be one.
        #[test]
        fn load_stays_below_that_share_more(cores in 1_usize..9, gaps in 1_u64..200) {
            let budgets = Vec::from_iter((0..cores).map(|_| RetryBudget::of_one_in(cores)));
            let mut now = start();
            let (requests, mut again) = (20_000_u64, 0);
            let began = now;
            for (turn, budget) in (0..requests).zip(budgets.iter().cycle()) {
                now += Duration::from_micros(gaps * (turn % 3));
                budget.earn();
                again += u64::from(budget.spend(now)) + u64::from(budget.spend(now));
            }
            let seconds = (now - began).as_secs() + 1;
            let most = requests * 15 / 100 + u64::from(FLOOR) * (seconds + u64::from(KEPT)) + 100;
            prop_assert!(again <= most, "{again} of {most}");
        }
    }
}
