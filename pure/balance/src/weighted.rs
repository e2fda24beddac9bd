//! Smooth weighted round robin: shares as weighted, spread out rather than in bursts.
//!
//! Each pick adds every weight to its item's credit, takes the item with most credit, and takes
//! the sum of weights from it. Over one period every item is picked exactly as often as its weight.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// Credits by identity: an item that stays keeps its place when others come and go.
#[derive(Debug)]
pub struct SmoothWeighted<K> {
    credits: RefCell<BTreeMap<K, i64>>,
}

impl<K> Default for SmoothWeighted<K> {
    fn default() -> Self {
        Self { credits: RefCell::default() }
    }
}

impl<K: Ord + Clone> SmoothWeighted<K> {
    /// The index of the item whose turn it is; `None` when no weight is above zero.
    pub fn pick<'i>(&self, items: impl Iterator<Item = (&'i K, u32)> + Clone) -> Option<usize>
    where
        K: 'i,
    {
        let mut credits = self.credits.borrow_mut();
        let mut total = 0;
        let mut best: Option<(usize, &K, i64)> = None;
        for (index, (key, weight)) in items.clone().enumerate().filter(|(_, (_, w))| *w > 0) {
            let weight = i64::from(weight);
            total += weight;
            if !credits.contains_key(key) {
                credits.insert(key.clone(), 0);
            }
            let credit = credits.get_mut(key).expect("inserted above when missing");
            *credit += weight;
            if best.is_none_or(|(_, _, most)| *credit > most) {
                best = Some((index, key, *credit));
            }
        }
        let (index, key, credit) = best?;
        credits.insert(key.clone(), credit - total);
        Some(index)
    }

    /// Forgets items that are gone.
    pub fn retain(&self, is_known: impl Fn(&K) -> bool) {
        self.credits.borrow_mut().retain(|key, _| is_known(key));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn picks(
        state: &SmoothWeighted<&'static str>,
        items: &[(&'static str, u32)],
        n: usize,
    ) -> String {
        let names = items.iter().map(|(name, weight)| (name, *weight));
        (0..n).filter_map(|_| state.pick(names.clone())).map(|index| items[index].0).collect()
    }

    #[test]
    fn smooth() {
        let state = SmoothWeighted::default();
        assert_eq!(picks(&state, &[("a", 5), ("b", 1), ("c", 1)], 7), "aabacaa");
        assert_eq!(picks(&state, &[("a", 0), ("b", 1)], 2), "bb");
        assert_eq!(picks(&state, &[("a", 0)], 2), "");
        assert_eq!(picks(&state, &[], 2), "");
    }

    #[test]
    fn state_survives_a_change_of_the_list() {
        let state = SmoothWeighted::default();
        assert_eq!(picks(&state, &[("a", 1), ("b", 1)], 1), "a");
        assert_eq!(picks(&state, &[("c", 1), ("a", 1), ("b", 1)], 1), "b");
        state.retain(|key| *key == "a");
        assert_eq!(picks(&state, &[("a", 1)], 1), "a");
    }

    proptest! {
        #[test]
        fn shares_are_exact_over_a_period(weights in prop::collection::vec(0_u32..20, 1..6)) {
            let state = SmoothWeighted::default();
            let keys: Vec<usize> = (0..weights.len()).collect();
            let total: u32 = weights.iter().sum();
            let mut counts = vec![0; weights.len()];
            for _ in 0..total {
                let items = keys.iter().zip(weights.iter().copied());
                counts[state.pick(items).unwrap()] += 1;
            }
            prop_assert_eq!(counts, weights);
        }
    }
}
