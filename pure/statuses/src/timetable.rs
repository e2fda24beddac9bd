//! What is known for a time, in the order of the times: what is due is found without a look at all
//! the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeFrom;
use std::time::Instant;

/// Values by key, each with a time.
#[derive(Clone, Debug)]
pub(crate) struct Timetable<K, V> {
    all: BTreeMap<K, (Instant, V)>,
    order: BTreeSet<(Instant, K)>,
}

impl<K, V> Default for Timetable<K, V> {
    fn default() -> Self {
        Self { all: BTreeMap::new(), order: BTreeSet::new() }
    }
}

impl<K: Ord + Clone, V> Timetable<K, V> {
    /// In the place of what was known of the key.
    pub(crate) fn put(&mut self, key: K, at: Instant, value: V) {
        self.take(&key);
        self.order.insert((at, key.clone()));
        self.all.insert(key, (at, value));
    }

    pub(crate) fn get(&self, key: &K) -> Option<&(Instant, V)> {
        self.all.get(key)
    }

    pub(crate) fn take(&mut self, key: &K) -> Option<(Instant, V)> {
        let (key, (at, value)) = self.all.remove_entry(key)?;
        self.order.remove(&(at, key));
        Some((at, value))
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// The first time.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Those whose time has come.
    pub(crate) fn until(&self, now: Instant) -> impl Iterator<Item = &K> {
        self.order.iter().take_while(move |(at, _)| *at <= now).map(|(_, key)| key)
    }

    /// All keys from this one on, by key.
    pub(crate) fn range(&self, keys: RangeFrom<K>) -> impl Iterator<Item = &K> {
        self.all.range(keys).map(|(key, _)| key)
    }

    /// All keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.all.keys()
    }

    /// Forgets those whose time has come, and then the first ones, until there are at most so many.
    pub(crate) fn forget(&mut self, now: Instant, most: usize) {
        while self.first().is_some_and(|first| first <= now) || self.len() > most {
            let Some((_, key)) = self.order.pop_first() else { return };
            self.all.remove(&key);
        }
    }
}
