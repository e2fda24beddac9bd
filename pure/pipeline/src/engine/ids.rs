//! Cells as small numbers.

use std::hash::{BuildHasher, Hash};
use std::num::NonZeroU32;
use std::ops::Deref;

use foldhash::fast::FixedState;

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

/// Cells in an order that others keep; nearly always few, for which no memory is set aside.
#[derive(Clone)]
pub(super) enum Ids {
    /// So many of these.
    Few(u8, [Id; FEW]),
    #[expect(clippy::box_collection, reason = "a Vec takes twice as much in each cell")]
    Several(Box<Vec<Id>>),
}

/// As many as take no more room than a pointer and what says that it is one.
const FEW: usize = 3;

impl Ids {
    /// Puts one more at `place`.
    pub(super) fn insert(&mut self, place: usize, id: Id) {
        match self {
            Self::Few(len, ids) if usize::from(*len) < FEW => {
                ids[place..].rotate_right(1);
                ids[place] = id;
                *len += 1;
            }
            Self::Few(..) => {
                let mut several = self.to_vec();
                several.insert(place, id);
                *self = Self::Several(Box::new(several));
            }
            Self::Several(ids) => ids.insert(place, id),
        }
    }

    /// Takes out the one at `place`.
    pub(super) fn remove(&mut self, place: usize) {
        match self {
            Self::Few(len, ids) => {
                ids[place..].rotate_left(1);
                *len -= 1;
            }
            Self::Several(ids) => {
                ids.remove(place);
                if ids.len() <= FEW {
                    *self = Self::from(std::mem::take(&mut **ids));
                }
            }
        }
    }
}

impl From<Vec<Id>> for Ids {
    fn from(mut ids: Vec<Id>) -> Self {
        if ids.len() > FEW {
            ids.shrink_to_fit();
            return Self::Several(Box::new(ids));
        }
        let mut few = [Id(0); FEW];
        few[..ids.len()].copy_from_slice(&ids);
        Self::Few(u8::try_from(ids.len()).expect("they are few"), few)
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self::Few(0, [Id(0); FEW])
    }
}

impl Deref for Ids {
    type Target = [Id];

    fn deref(&self) -> &[Id] {
        match self {
            Self::Few(len, ids) => &ids[..usize::from(*len)],
            Self::Several(ids) => ids,
        }
    }
}

/// Cells by the hash of their key, eight bytes for each place. The keys themselves lie in the
/// cells, once, so whoever asks says which cell is meant; those of other hashes are not looked at,
/// since each lies somewhere else in memory.
///
/// Open addressing: a cell lies at the first free place from that of its hash on, and none between
/// is free, also after others left.
#[derive(Clone, Default)]
pub(super) struct ByHash {
    /// A power of two, or none; at least a quarter of them is free.
    places: Box<[Option<Place>]>,
    len: usize,
}

/// Where a cell lies.
#[derive(Clone, Copy)]
struct Place {
    /// Its number, plus one.
    cell: NonZeroU32,
    hash: KeyHash,
}

/// The hash of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyHash(u32);

impl KeyHash {
    #[expect(clippy::cast_possible_truncation, reason = "each half of a good hash is one")]
    pub(super) fn of(key: &impl Hash) -> Self {
        Self(FixedState::default().hash_one(key) as u32)
    }
}

impl Place {
    fn id(self) -> Id {
        Id(self.cell.get() - 1)
    }
}

/// Places of the smallest table.
const SMALLEST: usize = 16;

impl ByHash {
    /// The cell of this hash that `is_meant`.
    pub(super) fn find(&self, hash: KeyHash, is_meant: impl Fn(Id) -> bool) -> Option<Id> {
        if self.places.is_empty() {
            return None;
        }
        let mut at = self.home(hash);
        while let Some(place) = self.places[at] {
            if place.hash == hash && is_meant(place.id()) {
                return Some(place.id());
            }
            at = self.next(at);
        }
        None
    }

    /// Takes in a cell that is not in it.
    pub(super) fn add(&mut self, hash: KeyHash, cell: Id) {
        if (self.len + 1) * 4 > self.places.len() * 3 {
            let larger = vec![None; (self.places.len() * 2).max(SMALLEST)].into_boxed_slice();
            let smaller = std::mem::replace(&mut self.places, larger);
            smaller.into_iter().flatten().for_each(|place| self.put(place));
        }
        let cell = NonZeroU32::new(cell.0 + 1).expect("one more than a number");
        self.put(Place { cell, hash });
        self.len += 1;
    }

    /// Takes out a cell that is in it.
    pub(super) fn remove(&mut self, hash: KeyHash, cell: Id) {
        let mut free = self.home(hash);
        while self.places[free].map(Place::id) != Some(cell) {
            free = self.next(free);
        }
        self.len -= 1;
        let mut at = free;
        loop {
            self.places[free] = None;
            // Whoever could lie where it is free now moves there.
            loop {
                at = self.next(at);
                let Some(place) = self.places[at] else { return };
                let home = self.home(place.hash);
                if self.distance(home, free) < self.distance(home, at) {
                    self.places[free] = Some(place);
                    free = at;
                    break;
                }
            }
        }
    }

    fn put(&mut self, place: Place) {
        let mut at = self.home(place.hash);
        while self.places[at].is_some() {
            at = self.next(at);
        }
        self.places[at] = Some(place);
    }

    fn home(&self, hash: KeyHash) -> usize {
        hash.0 as usize & (self.places.len() - 1)
    }

    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.places.len() - 1)
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.places.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Hashes that often meet.
    fn hash_of(id: Id) -> KeyHash {
        KeyHash(id.0.wrapping_mul(0x9e37_79b9) % 61)
    }

    #[test]
    fn a_few_are_as_many() {
        let mut ids = Ids::default();
        let mut plain = Vec::new();
        for (place, number) in [(0, 5), (0, 3), (1, 4), (3, 9), (2, 7)] {
            ids.insert(place, Id::at(number));
            plain.insert(place, Id::at(number));
            assert_eq!(*ids, *plain);
            assert_eq!(*Ids::from(plain.clone()), *plain);
        }
        for place in [1, 2, 0, 1, 0] {
            ids.remove(place);
            plain.remove(place);
            assert_eq!(*ids, *plain);
        }
        assert!(ids.is_empty() && size_of::<Ids>() == 16);
    }

    #[test]
    fn cells_that_meet_are_kept_apart() {
        let (mut known, mut there) = (ByHash::default(), BTreeSet::new());
        let mut number: u64 = 7;
        for _ in 0..4_000 {
            number ^= number << 13;
            number ^= number >> 7;
            number ^= number << 17;
            let cell = Id::at(usize::try_from(number % 97).unwrap());
            if there.remove(&cell) {
                known.remove(hash_of(cell), cell);
            } else {
                there.insert(cell);
                known.add(hash_of(cell), cell);
            }
            assert_eq!(known.len, there.len());
            for cell in (0..97).map(Id::at) {
                let found = known.find(hash_of(cell), |it| it == cell);
                assert_eq!(found, there.contains(&cell).then_some(cell));
            }
        }
    }
}
