//! What a source of objects sends: this became of that one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_model::Diagnostic;

use crate::key::Key;
use crate::watched::Selection;

/// A batch of changes, taken in as a whole.
#[derive(Debug)]
pub struct ObjectChanges<T> {
    /// What became of objects: a version, perhaps the one of before, or (none) gone.
    pub objects: Vec<(Key, Option<Arc<T>>)>,
    /// What the source has to say itself, in the place of what it said before.
    pub told: BTreeMap<Teller, Vec<Diagnostic>>,
    /// Files (or the cluster) of which not all could be read: what was in them is not known to be
    /// gone. All there are, not those of this batch.
    pub broken: BTreeSet<Arc<str>>,
}

/// Who says something about what was sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Teller {
    /// A file, about its text.
    File(Arc<str>),
    /// A name, about the objects that have it.
    Name(Key),
    /// Whoever looks at part of a cluster, about that.
    Selection(Selection),
}

impl<T> Default for ObjectChanges<T> {
    fn default() -> Self {
        Self { objects: Vec::new(), told: BTreeMap::new(), broken: BTreeSet::new() }
    }
}

impl<T> ObjectChanges<T> {
    /// Whether what was sent, in this batch and before, is all there is.
    pub fn is_complete(&self) -> bool {
        self.broken.is_empty()
    }
}
