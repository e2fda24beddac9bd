//! Where cells lie, and who hangs on whom.

use std::collections::BTreeSet;
use std::ops::{Index, IndexMut};

use super::Tables;
use super::ids::{ByHash, Id, Ids, KeyHash};

/// All cells, by number. Places of cells that nobody needs any more are used again.
#[derive(Clone)]
pub(super) struct Cells<T: Tables> {
    /// In pieces of [`PIECE`] each: growing copies none, and leaves no more than one piece unused.
    pieces: Vec<Vec<Cell<T>>>,
    free: Vec<Id>,
    by_hash: ByHash,
    /// Those on demand that somebody reads.
    demanded: BTreeSet<Id>,
    /// Whether these are others than when it was last asked.
    demand_differs: bool,
}

/// Cells that lie together.
const PIECE: usize = 256;

/// A cell.
#[derive(Clone)]
pub(super) struct Cell<T: Tables> {
    pub(super) key: T::Key,
    pub(super) content: Content<T::Row>,
    /// What its derivation had to say; nearly always nothing, for which a thin pointer is enough.
    #[expect(clippy::box_collection, reason = "a Vec takes three times as much in each cell")]
    findings: Option<Box<Vec<T::Finding>>>,
    /// What its derivation read, in order of number.
    reads: Ids,
    /// Who has read it, in order of number.
    pub(super) readers: Ids,
    /// How many rows want it derived.
    pub(super) wanted: u32,
    pub(super) rank: u8,
    /// It waits to be derived.
    pub(super) is_dirty: bool,
    /// Its row is in the delta.
    pub(super) is_noted: bool,
    /// Its findings are in the delta.
    pub(super) is_retold: bool,
}

#[derive(Clone)]
pub(super) enum Content<R> {
    Nothing,
    Row(R),
    /// Of an entry of an index: the cells in it, in order of their keys.
    Keys(Ids),
}

impl<T: Tables> Cell<T> {
    pub(super) fn row(&self) -> Option<&T::Row> {
        match &self.content {
            Content::Row(row) => Some(row),
            _ => None,
        }
    }

    /// What its derivation had to say.
    pub(super) fn findings(&self) -> &[T::Finding] {
        self.findings.as_ref().map_or(&[], |findings| findings)
    }

    /// Whether these are others than before.
    pub(super) fn say(&mut self, findings: Vec<T::Finding>) -> bool {
        let is_new = self.findings() != findings;
        if is_new {
            self.findings = (!findings.is_empty()).then(|| Box::new(findings));
        }
        is_new
    }

    fn is_idle(&self) -> bool {
        matches!(self.content, Content::Nothing)
            && self.readers.is_empty()
            && self.reads.is_empty()
            && self.wanted == 0
            && !self.is_dirty
            && !self.is_noted
            && !self.is_retold
    }
}

impl<T: Tables> Cells<T> {
    pub(super) fn find(&self, key: &T::Key) -> Option<Id> {
        self.of_hash(KeyHash::of(key), key)
    }

    fn of_hash(&self, hash: KeyHash, key: &T::Key) -> Option<Id> {
        self.by_hash.find(hash, |id| self[id].key == *key)
    }

    /// The number of a key, which need not have a row.
    pub(super) fn intern(&mut self, key: &T::Key) -> Id {
        let hash = KeyHash::of(key);
        if let Some(known) = self.of_hash(hash, key) {
            return known;
        }
        let cell = Cell {
            key: key.clone(),
            content: Content::Nothing,
            findings: None,
            reads: Ids::default(),
            readers: Ids::default(),
            wanted: 0,
            rank: T::rank(key),
            is_dirty: false,
            is_noted: false,
            is_retold: false,
        };
        let id = match self.free.pop() {
            Some(id) => {
                self[id] = cell;
                id
            }
            None => {
                if self.pieces.last().is_none_or(|piece| piece.len() == PIECE) {
                    self.pieces.push(Vec::with_capacity(PIECE));
                }
                let last = self.pieces.len() - 1;
                self.pieces[last].push(cell);
                Id::at(last * PIECE + self.pieces[last].len() - 1)
            }
        };
        self.by_hash.add(hash, id);
        id
    }

    /// Forgets a cell that nobody needs.
    pub(super) fn release(&mut self, id: Id) {
        let hash = KeyHash::of(&self[id].key);
        if self[id].is_idle() && self.of_hash(hash, &self[id].key) == Some(id) {
            self.by_hash.remove(hash, id);
            self.free.push(id);
        }
    }

    /// Notes that the derivation of `id` has read these, and nothing else.
    pub(super) fn hang(&mut self, id: Id, mut read: Vec<Id>) {
        read.sort_unstable();
        read.dedup();
        if *self[id].reads == *read {
            return;
        }
        let before = std::mem::replace(&mut self[id].reads, read.clone().into());
        let now = read;
        for read in now.iter().filter(|read| before.binary_search(read).is_err()) {
            let readers = &mut self[*read].readers;
            if let Err(place) = readers.binary_search(&id) {
                readers.insert(place, id);
            }
            self.note_demand(*read);
        }
        for read in before.iter().filter(|read| now.binary_search(read).is_err()) {
            let readers = &mut self[*read].readers;
            if let Ok(place) = readers.binary_search(&id) {
                readers.remove(place);
            }
            self.note_demand(*read);
            self.release(*read);
        }
    }

    /// Somebody, or nobody any more, reads this one.
    fn note_demand(&mut self, id: Id) {
        let cell = &self[id];
        if cell.rank > 0 || !T::is_on_demand(&cell.key) {
            return;
        }
        self.demand_differs |= match cell.readers.is_empty() {
            true => self.demanded.remove(&id),
            false => self.demanded.insert(id),
        };
    }

    /// The keys on demand that somebody reads, where these are others than when it was last asked.
    pub(super) fn take_demand(&mut self) -> Option<BTreeSet<T::Key>> {
        let differs = std::mem::take(&mut self.demand_differs);
        differs.then(|| self.demanded.iter().map(|id| self[*id].key.clone()).collect())
    }

    /// Puts a cell into an entry of an index, or takes it out.
    pub(super) fn enter(&mut self, entry: Id, id: Id, is_in: bool) {
        let mut keys = match std::mem::replace(&mut self[entry].content, Content::Nothing) {
            Content::Keys(keys) => keys,
            Content::Nothing => Ids::default(),
            Content::Row(_) => panic!("{:?} has a row", self[entry].key),
        };
        let place = keys.binary_search_by(|known| self[*known].key.cmp(&self[id].key));
        match (place, is_in) {
            (Err(place), true) => keys.insert(place, id),
            (Ok(place), false) => keys.remove(place),
            _ => unreachable!("a row enters an entry once, and leaves what it entered"),
        }
        if !keys.is_empty() {
            self[entry].content = Content::Keys(keys);
        }
    }

    /// All cells; also those that are free, which have no row.
    pub(super) fn all(&self) -> impl Iterator<Item = &Cell<T>> {
        self.pieces.iter().flatten()
    }

    /// The keys of all cells there are.
    #[cfg(test)]
    pub(super) fn named(&self) -> impl Iterator<Item = &T::Key> {
        let all: usize = self.pieces.iter().map(Vec::len).sum();
        let ids = (0..all).map(Id::at).filter(|id| !self.free.contains(id));
        ids.map(|id| &self[id].key)
    }

    /// The keys in an entry of an index.
    pub(super) fn keys(&self, entry: Id) -> Vec<T::Key> {
        self.entered(entry).iter().map(|id| self[*id].key.clone()).collect()
    }

    /// The cells in an entry of an index.
    pub(super) fn entered(&self, entry: Id) -> &[Id] {
        match &self[entry].content {
            Content::Keys(keys) => keys,
            _ => &[],
        }
    }
}

impl<T: Tables> Default for Cells<T> {
    fn default() -> Self {
        let (pieces, free, by_hash) = (Vec::new(), Vec::new(), ByHash::default());
        Self { pieces, free, by_hash, demanded: BTreeSet::new(), demand_differs: false }
    }
}

impl<T: Tables> Index<Id> for Cells<T> {
    type Output = Cell<T>;

    fn index(&self, id: Id) -> &Cell<T> {
        &self.pieces[id.place() / PIECE][id.place() % PIECE]
    }
}

impl<T: Tables> IndexMut<Id> for Cells<T> {
    fn index_mut(&mut self, id: Id) -> &mut Cell<T> {
        &mut self.pieces[id.place() / PIECE][id.place() % PIECE]
    }
}
