//! Tables of cells, each derived from cells before it, and derived again exactly when one of them
//! differs.
//!
//! A cell is a row of a table, by key. [`Tables::derive`] makes its row from other rows, which it
//! may only get through [`Reads`]: each is recorded, those that are not there included. Whoever has
//! read a row hangs on it; nobody keeps a list of that by hand. A row that comes out equal wakes
//! nobody, and what a derivation has to say beside its row (its findings) nobody can read.
//!
//! - Tables stand in one fixed order ([`Tables::rank`]), and a row reads rows of earlier tables
//!   only. So taking the dirty cell of the lowest rank first derives each at most once, and there
//!   are no cycles.
//! - Rows of rank 0 are the input ([`Engine::set`]); of some it is told which are read
//!   ([`Engine::take_demand`]).
//! - An entry of an index is a cell too: its value is the set of keys of rows that belong to it
//!   ([`Links::entry`]), in order.
//! - A derived cell is there for as long as a row wants it ([`Links::cell`]), or always.
//!
//! From scratch is an engine in which every cell is dirty: there is no second way. What came of a
//! batch is told as a delta ([`Engine::take_delta`]).

mod cells;
mod ids;
mod reads;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;

use cells::{Cells, Content};
use ids::Id;
pub(crate) use reads::Reads;

/// What is derived.
pub(crate) trait Tables: Sized {
    /// Names a cell.
    type Key: Clone + Ord + Hash + Debug;
    /// What a cell holds; cheap to clone.
    type Row: Clone + PartialEq;
    /// What there is to say beside it.
    type Finding: Clone + PartialEq;

    /// Where the table of `key` stands in the order.
    fn rank(key: &Self::Key) -> u8;

    /// Whether a row of the input is there only where somebody reads it: whoever sets it is told.
    fn is_on_demand(_key: &Self::Key) -> bool {
        false
    }

    /// Makes the row at `key`, which is not an input.
    fn derive(&self, key: &Self::Key, reads: &mut Reads<'_, Self>) -> Option<Self::Row>;

    /// What hangs on there being this row.
    fn links(&self, key: &Self::Key, row: &Self::Row, links: &mut Links<Self::Key>);
}

/// What hangs on there being a row.
#[derive(Debug)]
pub(crate) struct Links<K> {
    entries: Vec<K>,
    cells: Vec<K>,
}

/// What a batch came to.
pub(crate) struct Delta<T: Tables> {
    /// Rows that differ, as they were before.
    pub(crate) rows: Vec<(T::Key, Option<T::Row>)>,
    /// Cells that have other things to say.
    pub(crate) retold: Vec<T::Key>,
}

/// All cells.
#[derive(Clone)]
pub(crate) struct Engine<T: Tables> {
    tables: T,
    cells: Cells<T>,
    dirty: BTreeSet<(u8, Id)>,
    /// Rows that were put since the delta was taken, as they were then.
    noted: Vec<(Id, Option<T::Row>)>,
    /// Cells that said something else since.
    retold: Vec<Id>,
    /// Cells derived so far.
    derived: u64,
}

impl<T: Tables> Engine<T> {
    /// No input yet; `always` are cells that are there whatever the input.
    pub(crate) fn new(tables: T, always: impl IntoIterator<Item = T::Key>) -> Self {
        let (noted, retold) = (Vec::new(), Vec::new());
        let (cells, dirty) = (Cells::default(), BTreeSet::new());
        let mut engine = Self { tables, cells, dirty, noted, retold, derived: 0 };
        for key in always {
            let id = engine.cells.intern(&key);
            engine.want(id, 1);
        }
        engine
    }

    /// Sets (or, with none, takes out) a row of the input.
    pub(crate) fn set(&mut self, key: &T::Key, row: Option<T::Row>) {
        assert_eq!(T::rank(key), 0, "{key:?} is derived, not input");
        let id = self.cells.intern(key);
        self.put(id, row);
        self.cells.release(id);
    }

    /// The rows of the input.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&T::Key, &T::Row)> {
        self.cells.all().filter(|it| it.rank == 0).filter_map(|it| Some((&it.key, it.row()?)))
    }

    /// Derives all that is dirty.
    pub(crate) fn run(&mut self) {
        while let Some((_, id)) = self.dirty.pop_first() {
            self.cells[id].is_dirty = false;
            if self.cells[id].wanted == 0 {
                self.note(id, None, Vec::new(), Vec::new());
                self.cells.release(id);
                continue;
            }
            self.derived += 1;
            let key = self.cells[id].key.clone();
            let mut reads = Reads::new(&mut self.cells, &key);
            let row = self.tables.derive(&key, &mut reads);
            let (read, findings) = reads.finish();
            self.note(id, row, read, findings);
        }
    }

    /// What differs since this was asked last.
    pub(crate) fn take_delta(&mut self) -> Delta<T> {
        let (noted, retold) = (std::mem::take(&mut self.noted), std::mem::take(&mut self.retold));
        let mut delta = Delta { rows: Vec::new(), retold: Vec::new() };
        for id in retold {
            delta.retold.push(self.cells[id].key.clone());
            self.cells[id].is_retold = false;
            self.cells.release(id);
        }
        for (id, before) in noted {
            // What went there and back again in one batch is as it was.
            if self.cells[id].row() != before.as_ref() {
                delta.rows.push((self.cells[id].key.clone(), before));
            }
            self.cells[id].is_noted = false;
            self.cells.release(id);
        }
        delta
    }

    /// The input on demand that is read, be it there or not; none where that is as before.
    pub(crate) fn take_demand(&mut self) -> Option<BTreeSet<T::Key>> {
        self.cells.take_demand()
    }

    /// The row at `key`, as it stands.
    pub(crate) fn row(&self, key: &T::Key) -> Option<&T::Row> {
        self.cells[self.cells.find(key)?].row()
    }

    /// The keys in an entry of an index, as it stands.
    #[cfg(test)]
    pub(crate) fn keys(&self, entry: &T::Key) -> Vec<T::Key> {
        let id = self.cells.find(entry);
        id.map_or_else(Vec::new, |id| self.cells.keys(id))
    }

    /// What the derivation of `key` had to say.
    pub(crate) fn findings(&self, key: &T::Key) -> &[T::Finding] {
        let id = self.cells.find(key);
        id.map_or(&[], |id| self.cells[id].findings())
    }

    /// How many cells were derived so far.
    pub(crate) fn derived(&self) -> u64 {
        self.derived
    }

    /// Takes in what a derivation came to.
    fn note(&mut self, id: Id, row: Option<T::Row>, read: Vec<Id>, findings: Vec<T::Finding>) {
        self.cells.hang(id, read);
        let cell = &mut self.cells[id];
        if cell.say(findings) && !std::mem::replace(&mut cell.is_retold, true) {
            self.retold.push(id);
        }
        self.put(id, row);
    }

    /// Puts a row in the place of the one before; one that is equal wakes nobody.
    fn put(&mut self, id: Id, row: Option<T::Row>) {
        let cell = &mut self.cells[id];
        let is_equal = cell.row() == row.as_ref();
        let content = row.map_or(Content::Nothing, Content::Row);
        let is_entry = matches!(cell.content, Content::Keys(_));
        assert!(!is_entry, "{:?} is an entry of an index", cell.key);
        let before = match std::mem::replace(&mut cell.content, content) {
            Content::Row(row) => Some(row),
            _ => None,
        };
        if is_equal {
            return;
        }
        let key = cell.key.clone();
        self.relink(id, &key, before.as_ref());
        if !std::mem::replace(&mut self.cells[id].is_noted, true) {
            self.noted.push((id, before));
        }
        self.wake_readers(id);
    }

    /// What hangs on the row at `id` changes as it does.
    fn relink(&mut self, id: Id, key: &T::Key, before: Option<&T::Row>) {
        let rank = T::rank(key);
        let old = Links::of(&self.tables, key, before);
        let new = Links::of(&self.tables, key, self.cells[id].row());
        for (entry, is_in) in differing(&old.entries, &new.entries) {
            assert!(T::rank(entry) > rank, "{entry:?} stands before {key:?}, which is in it");
            let entry_id = self.cells.intern(entry);
            self.cells.enter(entry_id, id, is_in);
            self.wake_readers(entry_id);
            self.cells.release(entry_id);
        }
        for (cell, is_wanted) in differing(&old.cells, &new.cells) {
            assert!(T::rank(cell) > rank, "{cell:?} stands before {key:?}, which wants it");
            let cell_id = self.cells.intern(cell);
            self.want(cell_id, if is_wanted { 1 } else { -1 });
        }
    }

    /// One row more, or less, wants a cell.
    fn want(&mut self, id: Id, change: i32) {
        let cell = &mut self.cells[id];
        let before = cell.wanted;
        cell.wanted = before.checked_add_signed(change).expect("who wants it no more did");
        if (before == 0) != (cell.wanted == 0) {
            cell.is_dirty = true;
            self.dirty.insert((cell.rank, id));
        }
    }

    fn wake_readers(&mut self, id: Id) {
        let readers = std::mem::take(&mut self.cells[id].readers);
        for reader in readers.iter() {
            let cell = &mut self.cells[*reader];
            cell.is_dirty = true;
            self.dirty.insert((cell.rank, *reader));
        }
        self.cells[id].readers = readers;
    }
}

/// What is in one of two sorted lists only, and whether in the second.
fn differing<'a, K: Ord>(
    old: &'a [K],
    new: &'a [K],
) -> impl Iterator<Item = (&'a K, bool)> + use<'a, K> {
    let left = old.iter().filter(|key| new.binary_search(key).is_err());
    let come = new.iter().filter(|key| old.binary_search(key).is_err());
    left.map(|key| (key, false)).chain(come.map(|key| (key, true)))
}

impl<K: Ord> Links<K> {
    fn of<T: Tables<Key = K>>(tables: &T, key: &K, row: Option<&T::Row>) -> Self {
        let mut links = Self { entries: Vec::new(), cells: Vec::new() };
        row.iter().for_each(|row| tables.links(key, row, &mut links));
        for list in [&mut links.entries, &mut links.cells] {
            list.sort();
            list.dedup();
        }
        links
    }

    /// It belongs to this entry of an index.
    pub(crate) fn entry(&mut self, entry: K) {
        self.entries.push(entry);
    }

    /// There is this derived cell.
    pub(crate) fn cell(&mut self, cell: K) {
        self.cells.push(cell);
    }
}
