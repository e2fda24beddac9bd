//! Values by name, spread over maps of which a change copies one.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use smallvec::SmallVec;

/// Keys come from configuration, so a fixed hasher is safe: clients cannot insert.
pub(crate) type Map<V> = HashMap<Arc<str>, V, FixedState>;

/// Names of hosts stand where their values do, but for few that are long: of 100,000 nothing is in
/// the processor's cache, and each place that one leads to is waited for.
type Name = SmallVec<[u8; 31]>;

/// How many maps there are once there is any value.
const SHARDS: usize = 256;

/// What is there only as long as it holds something.
pub(crate) trait Vacant: Clone + Default {
    /// Whether it holds nothing.
    fn is_vacant(&self) -> bool;
}

/// Values by name. Cheap to clone.
#[derive(Debug)]
pub(crate) struct Shards<V> {
    shards: Vec<Arc<HashMap<Name, V, FixedState>>>,
    len: usize,
}

/// What became of a name by a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Came,
    Stayed,
    Went,
}

impl<V> Shards<V> {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn get(&self, name: &str) -> Option<&V> {
        if self.len == 0 {
            return None;
        }
        self.shards[shard_of(name)].get(name.as_bytes())
    }
}

impl<V: Vacant> Shards<V> {
    /// Changes the value of `name`, which comes and goes with what it holds.
    pub(crate) fn change(&mut self, name: &str, change: impl FnOnce(&mut V)) -> Turn {
        if self.shards.is_empty() {
            self.shards = vec![Arc::default(); SHARDS];
        }
        let shard = Arc::make_mut(&mut self.shards[shard_of(name)]);
        let before = shard.len();
        let value = shard.entry(Name::from_slice(name.as_bytes())).or_default();
        change(value);
        if value.is_vacant() {
            shard.remove(name.as_bytes());
        }
        self.len = self.len + shard.len() - before;
        match shard.len().cmp(&before) {
            std::cmp::Ordering::Greater => Turn::Came,
            std::cmp::Ordering::Equal => Turn::Stayed,
            std::cmp::Ordering::Less => Turn::Went,
        }
    }
}

fn shard_of(name: &str) -> usize {
    let hash = FixedState::default().hash_one(name.as_bytes());
    // Not the low bits, by which the maps spread.
    usize::from(hash.to_be_bytes()[2])
}

impl<T: Clone> Vacant for Vec<T> {
    fn is_vacant(&self) -> bool {
        self.is_empty()
    }
}

impl<V> Default for Shards<V> {
    fn default() -> Self {
        Self { shards: Vec::new(), len: 0 }
    }
}

impl<V> Clone for Shards<V> {
    fn clone(&self) -> Self {
        Self { shards: self.shards.clone(), len: self.len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: usize = 1_000;

    /// Short ones and long ones.
    fn names() -> Vec<String> {
        (0..MANY).map(|number| format!("name-{number}{}", ".x".repeat(number % 30))).collect()
    }

    #[test]
    fn values_come_and_go_with_what_they_hold() {
        let mut shards: Shards<Vec<u8>> = Shards::default();
        assert!(shards.is_empty());
        for name in &names() {
            assert_eq!(shards.change(name, |value| value.push(1)), Turn::Came);
            assert_eq!(shards.change(name, |value| value.push(2)), Turn::Stayed);
            assert_eq!(shards.get(name), Some(&vec![1, 2]));
        }
        assert!(!shards.is_empty());
        for name in &names() {
            assert_eq!(shards.change(name, Vec::clear), Turn::Went);
            assert_eq!(shards.get(name), None);
        }
        assert!(shards.is_empty());
    }

    #[test]
    fn a_change_copies_few_of_many() {
        let mut shards: Shards<Vec<u8>> = Shards::default();
        for name in &names() {
            shards.change(name, |value| value.push(1));
        }
        let fullest = shards.shards.iter().map(|shard| shard.len()).max();
        assert!(fullest.is_some_and(|len| len < MANY / 20), "{fullest:?}");
    }
}
