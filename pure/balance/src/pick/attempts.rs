//! The order in which one request tries endpoints.

/// Each endpoint once, by its number. Most requests try one and no other: what the others depend on
/// is found out when they are asked for. It waits as long as a request does, so it is small.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    at: u32,
    left: u32,
    count: u32,
    order: Order,
}

/// How the next one is found.
#[derive(Clone, Copy, Debug)]
enum Order {
    Step(u32),
    Chance(u32),
}

impl Attempts {
    /// From `first` on, one after the other.
    pub(super) fn in_order(first: usize, count: usize) -> Self {
        let [at, count] = [first, count].map(|it| u32::try_from(it).unwrap_or(u32::MAX));
        Self { at, left: count, count, order: Order::Step(1) }
    }

    /// From `first` on, in an order that `chance` decides: what one that is gone had is spread
    /// among all others.
    #[allow(clippy::cast_possible_truncation, reason = "half of it is chance enough")]
    pub(super) fn scattered(first: usize, count: usize, chance: u64) -> Self {
        Self { order: Order::Chance(chance as u32), ..Self::in_order(first, count) }
    }

    fn go_on(&mut self) {
        let step = match self.order {
            Order::Step(step) => step,
            Order::Chance(chance) => stride(self.count, chance),
        };
        self.order = Order::Step(step);
        // Neither is more than the count, and both together may be more than a number holds.
        let rest = self.count - self.at;
        self.at = if step < rest { self.at + step } else { step - rest };
    }
}

impl Default for Order {
    fn default() -> Self {
        Self::Step(1)
    }
}

/// A step by which every one of `count` numbers is come to.
fn stride(count: u32, chance: u32) -> u32 {
    if count < 3 {
        return 1;
    }
    let mut step = 1 + chance % (count - 1);
    while common_divisor(step, count) > 1 {
        step = if step + 1 < count { step + 1 } else { 1 };
    }
    step
}

fn common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Iterator for Attempts {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let left = self.left.checked_sub(1)?;
        if self.left < self.count {
            self.go_on();
        }
        self.left = left;
        usize::try_from(self.at).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn everyone_is_tried_once(count in 1_usize..200, first: usize, chance: u64) {
            let first = first % count;
            for attempts in [
                Attempts::in_order(first, count),
                Attempts::scattered(first, count, chance),
            ] {
                let mut all: Vec<usize> = attempts.collect();
                prop_assert_eq!(all[0], first);
                all.sort_unstable();
                prop_assert!(all.into_iter().eq(0..count));
            }
        }
    }

    #[test]
    fn nobody_is_nobody() {
        assert_eq!(Attempts::default().next(), None);
    }

    /// The second is not always the neighbour.
    #[test]
    fn what_one_had_is_spread_among_the_others() {
        let seconds = (0..400).map(|chance| Attempts::scattered(3, 7, chance).nth(1));
        let mut counts = [0; 7];
        seconds.for_each(|second| counts[second.unwrap_or(3)] += 1);
        assert_eq!(counts[3], 0);
        assert!(counts.iter().enumerate().all(|(at, count)| at == 3 || *count > 50), "{counts:?}");
    }
}
