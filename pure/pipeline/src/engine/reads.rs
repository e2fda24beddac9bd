//! The only way for a derivation to see other rows.

use super::Tables;
use super::cells::Cells;
use super::ids::Id;

/// Gives rows of earlier tables, and records which.
pub(crate) struct Reads<'a, T: Tables> {
    cells: &'a mut Cells<T>,
    reader: &'a T::Key,
    read: Vec<Id>,
    findings: Vec<T::Finding>,
}

impl<'a, T: Tables> Reads<'a, T> {
    pub(super) fn new(cells: &'a mut Cells<T>, reader: &'a T::Key) -> Self {
        Self { cells, reader, read: Vec::new(), findings: Vec::new() }
    }

    pub(super) fn finish(self) -> (Vec<Id>, Vec<T::Finding>) {
        (self.read, self.findings)
    }

    /// The row at `key`.
    pub(crate) fn row(&mut self, key: &T::Key) -> Option<T::Row> {
        let id = self.record(key);
        self.cells[id].row().cloned()
    }

    /// The keys in an entry of an index, in order.
    pub(crate) fn keys(&mut self, entry: &T::Key) -> Vec<T::Key> {
        let id = self.record(entry);
        self.cells.keys(id)
    }

    /// Rows in an entry of an index, in order of their keys.
    pub(crate) fn rows(&mut self, entry: &T::Key) -> Vec<T::Row> {
        let id = self.record(entry);
        let entered = self.cells.entered(id).to_vec();
        self.read.extend_from_slice(&entered);
        entered.iter().filter_map(|id| self.cells[*id].row().cloned()).collect()
    }

    /// Whether anything is in an entry of an index.
    pub(crate) fn any(&mut self, entry: &T::Key) -> bool {
        let id = self.record(entry);
        !self.cells.entered(id).is_empty()
    }

    /// How many keys are in an entry, unrecorded: for a choice between entries that makes no
    /// difference for what is derived, only for the work.
    pub(crate) fn size(&self, entry: &T::Key) -> usize {
        self.cells.find(entry).map_or(0, |id| self.cells.entered(id).len())
    }

    /// Says something beside the row.
    pub(crate) fn say(&mut self, findings: impl IntoIterator<Item = T::Finding>) {
        self.findings.extend(findings);
    }

    fn record(&mut self, key: &T::Key) -> Id {
        let (reader, rank) = (self.reader, T::rank(key));
        assert!(rank < T::rank(reader), "{reader:?} may not read {key:?}, which comes later");
        let id = self.cells.intern(key);
        self.read.push(id);
        id
    }
}
