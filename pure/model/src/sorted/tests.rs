//! Against the standard map, over many random changes.

use std::collections::BTreeMap;

use super::*;

/// The same numbers for everybody.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn check(sorted: &Sorted<u64, u64>, map: &BTreeMap<u64, u64>) {
    assert!(sorted.iter().eq(map.iter()));
    assert!(sorted.iter().rev().eq(map.iter().rev()));
    assert_eq!(sorted.len(), map.len());
    assert!(sorted.chunks.iter().all(|chunk| (1..=CHUNK).contains(&chunk.len())));
}

#[test]
fn it_is_a_map() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut sorted, mut map) = (Sorted::default(), BTreeMap::new());
    for round in 0..6_000 {
        // It grows, then shrinks to nothing.
        let (key, value) = (numbers.below(900), numbers.below(3));
        if numbers.below(10) < if round < 3_000 { 8 } else { 2 } {
            assert_eq!(sorted.insert(key, value), map.insert(key, value));
        } else {
            assert_eq!(sorted.remove(&key), map.remove(&key));
        }
        assert_eq!(sorted.get(&key), map.get(&key));
        let from = numbers.below(900);
        assert!(sorted.starting_at(&from).eq(map.range(from..)));
        if round % 50 == 0 {
            check(&sorted, &map);
        }
    }
    check(&sorted, &map);
    let all: Vec<u64> = map.keys().copied().collect();
    sorted.retain(|key, _| !all.contains(key));
    check(&sorted, &BTreeMap::new());
}

#[test]
fn what_differs_is_found_and_the_rest_is_shared() {
    let mut numbers = Numbers(7);
    let mut now: Sorted<u64, u64> = (0..2_000).map(|key| (key * 3, 0)).collect();
    for _ in 0..200 {
        let before = now.clone();
        let changes: Vec<(u64, Option<u64>)> = (0..numbers.below(6))
            .map(|_| (numbers.below(6_000), (numbers.below(3) > 0).then(|| numbers.below(4))))
            .collect();
        now.change(changes.iter().copied());
        let (old, new): (BTreeMap<_, _>, BTreeMap<_, _>) =
            (before.iter().collect(), now.iter().collect());
        let keys = old.keys().chain(new.keys());
        let mut expected: Vec<_> = keys.filter(|key| old.get(*key) != new.get(*key)).collect();
        expected.sort();
        expected.dedup();
        assert!(now.differing(&before).into_iter().eq(expected.iter().copied().copied()));
        assert_eq!(now == before, expected.is_empty());
        let shared =
            now.chunks.iter().filter(|it| before.chunks.iter().any(|b| Arc::ptr_eq(it, b)));
        assert!(now.chunks.len() - shared.count() <= 2 * changes.len());
    }
}

#[test]
fn of_equal_keys_the_last_counts() {
    let sorted: Sorted<u8, char> = [(2, 'a'), (1, 'b'), (2, 'c')].into_iter().collect();
    assert!(sorted.iter().eq([(&1, &'b'), (&2, &'c')]));
    let mut changed = Sorted::default();
    changed.change([(2, Some('a')), (1, None), (2, None), (3, Some('d'))]);
    assert!(changed.iter().eq([(&3, &'d')]));
    assert_eq!(sorted[&1], 'b');
}
