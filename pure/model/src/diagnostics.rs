//! Diagnostics in the order people read them in, each once.
//!
//! As with [`Sorted`], of which it is made, clones share what did not change: of thousands of
//! findings an edit copies few.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::diagnostic::Diagnostic;
use crate::sorted::Sorted;

/// A sorted set of diagnostics, cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Sorted<Arc<Diagnostic>, ()>);

impl Diagnostics {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Diagnostic> + Clone {
        self.0.keys().map(|found| &**found)
    }

    /// Whether `found` is one of them.
    pub fn contains(&self, found: &Diagnostic) -> bool {
        self.0.contains_key(found)
    }

    /// Those that `before` does not have, in order; quick where the two share memory.
    pub fn since<'a>(&'a self, before: &'a Self) -> Vec<&'a Diagnostic> {
        let differing = self.0.differing(&before.0).into_iter().map(|found| &**found);
        differing.filter(|found| self.contains(found)).collect()
    }

    /// Those in a file.
    pub fn in_file<'a>(&'a self, file: &'a str) -> impl Iterator<Item = &'a Diagnostic> {
        let before = move |found: &Arc<Diagnostic>| found.file().is_some_and(|it| it < file);
        let rest = self.0.starting_after(before).map(|(found, ())| &**found);
        rest.take_while(move |found| found.file() == Some(file))
    }

    /// Those of which nobody knows where they are written.
    pub fn nowhere(&self) -> impl Iterator<Item = &Diagnostic> {
        let placed = |found: &Arc<Diagnostic>| found.location.is_some();
        self.0.starting_after(placed).map(|(found, ())| &**found)
    }

    /// Takes `gone` out, then `come` in.
    pub fn change(
        &mut self,
        gone: impl IntoIterator<Item = impl Into<Arc<Diagnostic>>>,
        come: impl IntoIterator<Item = impl Into<Arc<Diagnostic>>>,
    ) {
        let gone = gone.into_iter().map(|found| (found.into(), None));
        self.0.change(gone.chain(come.into_iter().map(|found| (found.into(), Some(())))));
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = Box<dyn Iterator<Item = &'a Diagnostic> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(found: I) -> Self {
        Self(found.into_iter().map(|found| (Arc::new(found), ())).collect())
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, found: I) {
        self.change(std::iter::empty::<Diagnostic>(), found);
    }
}

impl Serialize for Diagnostics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests;
