//! Keys as small numbers.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

/// A cell, by the place where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(u32);

impl Id {
    pub(super) fn at(place: usize) -> Self {
        Self(u32::try_from(place).expect("cells are fewer than four billion"))
    }

    pub(super) fn place(self) -> usize {
        self.0 as usize
    }
}

/// Cells by the hash of their key. The key itself lies in the cell, once: cells of one hash, which
/// nearly always is one, are told apart there.
#[derive(Default)]
pub(super) struct ByHash(HashMap<u64, Same, BuildHasherDefault<AsItIs>>);

/// Cells of one hash.
enum Same {
    One(Id),
    Several(Vec<Id>),
}

/// Hashes what is a hash already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only numbers are hashed with this");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

pub(super) fn hash(key: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

impl ByHash {
    /// Those that may have the key.
    pub(super) fn of(&self, hash: u64) -> &[Id] {
        match self.0.get(&hash) {
            None => &[],
            Some(Same::One(id)) => std::slice::from_ref(id),
            Some(Same::Several(ids)) => ids,
        }
    }

    pub(super) fn add(&mut self, hash: u64, id: Id) {
        let mut all = self.of(hash).to_vec();
        all.push(id);
        self.put(hash, all);
    }

    pub(super) fn remove(&mut self, hash: u64, id: Id) {
        let all = self.of(hash).iter().copied().filter(|known| *known != id).collect();
        self.put(hash, all);
    }

    fn put(&mut self, hash: u64, ids: Vec<Id>) {
        match *ids {
            [] => _ = self.0.remove(&hash),
            [id] => _ = self.0.insert(hash, Same::One(id)),
            _ => _ = self.0.insert(hash, Same::Several(ids)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_one_hash_are_kept_apart() {
        let mut known = ByHash::default();
        for place in 0..3 {
            known.add(7, Id::at(place));
        }
        known.remove(7, Id::at(1));
        assert_eq!(known.of(7), [Id::at(0), Id::at(2)]);
        known.remove(7, Id::at(0));
        known.remove(7, Id::at(2));
        assert!(known.of(7).is_empty() && known.0.is_empty());
    }
}
