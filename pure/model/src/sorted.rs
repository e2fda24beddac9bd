//! A sorted map whose clones share what did not change.
//!
//! Entries lie in chunks; a clone copies pointers to chunks, and a change copies one chunk. So the
//! world before an edit and the one after it can both be kept, and what differs between them is
//! found without looking at what they share ([`Sorted::differing`]).
//!
//! It is not for values that change all the time: a change costs about as much as copying
//! [`CHUNK`] entries, and inserting n entries one by one costs more than collecting them.
//!
//! Invariants: keys ascend strictly, no chunk is empty, none has more than [`CHUNK`] entries.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Index;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// Entries in a chunk, at most.
const CHUNK: usize = 64;
/// Changes are few as long as there are this many entries for each.
const FEW: usize = 8;

/// A sorted map, cheap to clone.
pub struct Sorted<K, V> {
    chunks: Vec<Arc<Vec<(K, V)>>>,
    len: usize,
}

impl<K: Ord, V> Sorted<K, V> {
    /// The value at `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let chunk = self.chunks.get(self.chunk_of(key)?)?;
        let at = chunk.binary_search_by(|(known, _)| known.borrow().cmp(key)).ok()?;
        Some(&chunk[at].1)
    }

    /// Whether there is a value at `key`.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// The entries from `key` on, in order.
    pub fn starting_at<'a, Q: Ord + ?Sized>(
        &'a self,
        key: &Q,
    ) -> impl Iterator<Item = (&'a K, &'a V)> + use<'a, Q, K, V>
    where
        K: Borrow<Q>,
    {
        let first = self.first_after(|known| known.borrow() < key);
        self.entries_from(first)
    }

    /// The entries after those `before` a place, in order; `before` holds for the first few keys,
    /// and for no other.
    pub fn starting_after<'a, P: Fn(&K) -> bool>(
        &'a self,
        before: P,
    ) -> impl Iterator<Item = (&'a K, &'a V)> + use<'a, P, K, V> {
        let first = self.first_after(before);
        self.entries_from(first)
    }

    /// The entries `before` a place, from the last to the first; `before` holds for the first few
    /// keys, and for no other.
    pub fn ending_before<'a, P: Fn(&K) -> bool>(
        &'a self,
        before: P,
    ) -> impl Iterator<Item = (&'a K, &'a V)> + use<'a, P, K, V> {
        let (chunk, entry) = self.first_after(before);
        let last = self.chunks.get(chunk).map_or(&[][..], |chunk| &chunk[..entry]);
        let earlier = self.chunks[..chunk.min(self.chunks.len())].iter().rev();
        let entries = last.iter().rev().chain(earlier.flat_map(|chunk| chunk.iter().rev()));
        entries.map(|(key, value)| (key, value))
    }

    /// Chunk, and place in it, of the first entry that is not `before`.
    fn first_after(&self, before: impl Fn(&K) -> bool) -> (usize, usize) {
        let after = self.chunks.partition_point(|chunk| before(&chunk[0].0));
        let chunk = after.saturating_sub(1);
        let entries = self.chunks.get(chunk);
        (chunk, entries.map_or(0, |chunk| chunk.partition_point(|(key, _)| before(key))))
    }

    fn entries_from(&self, (chunk, entry): (usize, usize)) -> impl Iterator<Item = (&K, &V)> {
        let rest = self.chunks[chunk.min(self.chunks.len())..].iter();
        rest.flat_map(|chunk| chunk.iter()).skip(entry).map(|(key, value)| (key, value))
    }

    /// Keys at which `self` and `other` differ: there in one only, or with another value.
    pub fn differing<'a>(&'a self, other: &'a Self) -> Vec<&'a K>
    where
        V: PartialEq,
    {
        let mut differing = Vec::new();
        let (mut ours, mut theirs) = (Walk::new(&self.chunks), Walk::new(&other.chunks));
        loop {
            while ours.is_at_same_chunk(&theirs) {
                ours.skip_chunk();
                theirs.skip_chunk();
            }
            match (ours.entry(), theirs.entry()) {
                (None, None) => return differing,
                (Some((key, value)), Some((known, before))) if key == known => {
                    if value != before {
                        differing.push(key);
                    }
                    ours.step();
                    theirs.step();
                }
                (Some((key, _)), theirs) if theirs.is_none_or(|(known, _)| key < known) => {
                    differing.push(key);
                    ours.step();
                }
                (_, known) => {
                    differing.extend(known.map(|(key, _)| key));
                    theirs.step();
                }
            }
        }
    }

    /// Index of the chunk in which `key` is, if it is; none when there is no chunk.
    fn chunk_of<Q: Ord + ?Sized>(&self, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        match self.chunks.len() {
            0 => None,
            1 => Some(0),
            _ => {
                let after = self.chunks.partition_point(|chunk| chunk[0].0.borrow() <= key);
                Some(after.saturating_sub(1))
            }
        }
    }

    /// Cuts entries that ascend strictly into chunks.
    fn cut(entries: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut entries = entries.into_iter();
        let mut sorted = Self::default();
        loop {
            let chunk: Vec<(K, V)> = entries.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                return sorted;
            }
            sorted.len += chunk.len();
            sorted.chunks.push(Arc::new(chunk));
        }
    }
}

impl<K: Ord + Clone, V: Clone> Sorted<K, V> {
    /// Sets the value at `key`; the one before, if there was one.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let Some(index) = self.chunk_of(&key) else {
            self.chunks.push(Arc::new(vec![(key, value)]));
            self.len = 1;
            return None;
        };
        let chunk = Arc::make_mut(&mut self.chunks[index]);
        match chunk.binary_search_by(|(known, _)| known.cmp(&key)) {
            Ok(at) => return Some(std::mem::replace(&mut chunk[at].1, value)),
            Err(at) => chunk.insert(at, (key, value)),
        }
        self.len += 1;
        if chunk.len() > CHUNK {
            let rest = chunk.split_off(CHUNK / 2);
            self.chunks.insert(index + 1, Arc::new(rest));
        }
        None
    }

    /// Takes out the value at `key`.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let index = self.chunk_of(key)?;
        let at = self.chunks[index].binary_search_by(|(known, _)| known.borrow().cmp(key)).ok()?;
        let chunk = Arc::make_mut(&mut self.chunks[index]);
        let (_, value) = chunk.remove(at);
        self.len -= 1;
        if chunk.is_empty() {
            self.chunks.remove(index);
        }
        Some(value)
    }

    /// Sets (or, with none, takes out) the value at each key; of a key that is there twice the
    /// last counts. Where much changes, it is all made anew.
    pub fn change(&mut self, changes: impl IntoIterator<Item = (K, Option<V>)>) {
        let mut changes: Vec<(K, Option<V>)> = changes.into_iter().collect();
        if changes.len() * FEW > self.len() {
            put_in_order(&mut changes);
            *self = self.merged(changes);
            return;
        }
        for (key, value) in changes {
            match value {
                Some(value) => _ = self.insert(key, value),
                None => _ = self.remove(&key),
            }
        }
    }

    /// All entries, with `changes`, whose keys ascend strictly.
    fn merged(&self, changes: Vec<(K, Option<V>)>) -> Self {
        let mut kept = self.iter().peekable();
        let mut entries = Vec::with_capacity(self.len + changes.len());
        for (key, value) in changes {
            while let Some((known, value)) = kept.next_if(|(known, _)| **known < key) {
                entries.push((known.clone(), value.clone()));
            }
            kept.next_if(|(known, _)| **known == key);
            entries.extend(value.map(|value| (key, value)));
        }
        entries.extend(kept.map(|(key, value)| (key.clone(), value.clone())));
        Self::cut(entries)
    }

    /// Keeps only entries that `keep` wants.
    pub fn retain(&mut self, keep: impl Fn(&K, &V) -> bool) {
        let unwanted: Vec<K> = self
            .iter()
            .filter(|(key, value)| !keep(key, value))
            .map(|(key, _)| key.clone())
            .collect();
        self.change(unwanted.into_iter().map(|key| (key, None)));
    }
}

impl<K, V> Sorted<K, V> {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entries, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> + Clone {
        self.chunks.iter().flat_map(|chunk| chunk.iter()).map(|(key, value)| (key, value))
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + Clone {
        self.iter().map(|(key, _)| key)
    }

    /// The values, in order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + Clone {
        self.iter().map(|(_, value)| value)
    }

    /// Serialises as the list of values (for `serialize_with`).
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn list_values<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>
    where
        V: Serialize,
    {
        serializer.collect_seq(self.values())
    }
}

/// Sorts by key; of equal keys the last stays.
fn put_in_order<K: Ord, V>(entries: &mut Vec<(K, V)>) {
    if entries.is_sorted_by(|(a, _), (b, _)| a < b) {
        return;
    }
    entries.reverse();
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    entries.dedup_by(|(a, _), (b, _)| a == b);
}

/// A place between entries.
struct Walk<'a, K, V> {
    chunks: &'a [Arc<Vec<(K, V)>>],
    at: usize,
}

impl<'a, K, V> Walk<'a, K, V> {
    fn new(chunks: &'a [Arc<Vec<(K, V)>>]) -> Self {
        Self { chunks, at: 0 }
    }

    fn entry(&self) -> Option<&'a (K, V)> {
        Some(&self.chunks.first()?[self.at])
    }

    fn step(&mut self) {
        self.at += 1;
        if self.chunks.first().is_some_and(|chunk| chunk.len() == self.at) {
            self.skip_chunk();
        }
    }

    fn skip_chunk(&mut self) {
        (self.chunks, self.at) = (self.chunks.split_first().map_or(&[][..], |(_, rest)| rest), 0);
    }

    fn is_at_same_chunk(&self, other: &Self) -> bool {
        let chunks = self.chunks.first().zip(other.chunks.first());
        self.at == 0 && other.at == 0 && chunks.is_some_and(|(a, b)| Arc::ptr_eq(a, b))
    }
}

impl<K, V> Clone for Sorted<K, V> {
    fn clone(&self) -> Self {
        Self { chunks: self.chunks.clone(), len: self.len }
    }
}

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<K: Ord, V: PartialEq> PartialEq for Sorted<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.differing(other).is_empty()
    }
}

impl<K: Ord, V: Eq> Eq for Sorted<K, V> {}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Sorted<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Sorted<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut entries: Vec<(K, V)> = entries.into_iter().collect();
        put_in_order(&mut entries);
        Self::cut(entries)
    }
}

impl<K: Ord, V, Q: Ord + ?Sized> Index<&Q> for Sorted<K, V>
where
    K: Borrow<Q>,
{
    type Output = V;

    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("whoever indexes knows that the key is there")
    }
}

#[cfg(test)]
mod tests;
