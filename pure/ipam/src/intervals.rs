//! Sets of numbers as intervals: what is used of a range.
//!
//! Invariant: intervals are disjoint and not adjacent, so the smallest number that is absent is
//! read off the first interval. Every operation is logarithmic in the number of intervals, never
//! in the numbers they hold.

use std::collections::BTreeMap;

/// A set of `u128`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Intervals {
    /// First number of each interval → its last.
    last: BTreeMap<u128, u128>,
}

impl Intervals {
    /// Whether `number` is in the set.
    pub(crate) fn contains(&self, number: u128) -> bool {
        self.around(number).is_some()
    }

    /// The smallest number that is not in the set and not above `limit`.
    pub(crate) fn first_absent(&self, limit: u128) -> Option<u128> {
        match self.last.first_key_value() {
            Some((0, &last)) => last.checked_add(1).filter(|&next| next <= limit),
            _ => Some(0),
        }
    }

    /// Adds `number`; false if it is there already.
    pub(crate) fn insert(&mut self, number: u128) -> bool {
        if self.contains(number) {
            return false;
        }
        let before = number.checked_sub(1).and_then(|before| self.around(before));
        let first = before.map_or(number, |(first, _)| first);
        let after = number.checked_add(1).and_then(|after| self.last.remove(&after));
        self.last.insert(first, after.unwrap_or(number));
        true
    }

    /// Takes `number` out; false if it is not there.
    pub(crate) fn remove(&mut self, number: u128) -> bool {
        let Some((first, last)) = self.around(number) else { return false };
        self.last.remove(&first);
        if first < number {
            self.last.insert(first, number - 1);
        }
        if number < last {
            self.last.insert(number + 1, last);
        }
        true
    }

    /// The interval that holds `number`.
    fn around(&self, number: u128) -> Option<(u128, u128)> {
        let (&first, &last) = self.last.range(..=number).next_back()?;
        (number <= last).then_some((first, last))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::Intervals;

    #[test]
    fn the_ends_of_the_numbers() {
        let mut set = Intervals::default();
        for number in [u128::MAX, 0, 1] {
            assert!(set.insert(number) && !set.insert(number));
        }
        assert_eq!(set.first_absent(u128::MAX), Some(2));
        assert_eq!(set.first_absent(1), None);
        assert!(set.remove(u128::MAX) && !set.contains(u128::MAX));
    }

    proptest! {
        #[test]
        fn as_a_plain_set(steps in prop::collection::vec((any::<bool>(), 0u128..24), 0..200)) {
            let (mut set, mut plain) = (Intervals::default(), BTreeSet::new());
            for (add, number) in steps {
                if add {
                    prop_assert_eq!(set.insert(number), plain.insert(number));
                } else {
                    prop_assert_eq!(set.remove(number), plain.remove(&number));
                }
                let absent = (0..=23).find(|number| !plain.contains(number));
                prop_assert_eq!(set.first_absent(23), absent);
                prop_assert_eq!(set.contains(number), plain.contains(&number));
                let apart = set.last.iter().zip(set.last.keys().skip(1)).all(|(a, b)| a.1 + 1 < *b);
                prop_assert!(apart);
            }
        }
    }
}
