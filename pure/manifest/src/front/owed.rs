//! Files that are not there in a look only because what names them is not.
//!
//! Whoever looks at files follows those that dynamic configuration names, and so has none of them
//! to show where the file that names them is removed or emptied. While that one stands all the
//! same, so do they: what leads to a certificate is nothing without it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::files::{ByName, File, Reading};
use crate::followed::files_named;
use crate::source::{Source, SourceText};
use crate::written::Extract;

/// The paths of named files that were not seen, and that a file names which was not seen as it
/// stands either. `stands` says as what a file does that is not there, or has lost something.
pub(super) fn owed<T: Extract>(
    files: &[File<T>],
    seen: &ByName<'_, Source>,
    stands: impl Fn(&File<T>) -> Option<Source>,
    reading: &Reading<T>,
) -> BTreeSet<Arc<str>> {
    let is_seen = |file: &File<T>| seen.contains_key(&*file.source().name);
    let missing = files.iter().filter(|file| file.source().is_named && !is_seen(file));
    let mut missing: BTreeSet<Arc<str>> = missing.map(|file| file.source().name.clone()).collect();
    if missing.is_empty() {
        return missing;
    }
    let is_read = |file: &File<T>| {
        let now = seen.get(&*file.source().name);
        now.is_some_and(|now| matches!(now.text, SourceText::Bytes(_))) && stands(file).is_none()
    };
    let naming = files.iter().filter(|file| reading.dynamic.holds(&file.source().name));
    let lapsed = naming.filter(|file| !is_read(file) && (is_seen(file) || stands(file).is_some()));
    let named: BTreeSet<Arc<str>> =
        lapsed.flat_map(|file| files_named(file.source(), &reading.limits).paths).collect();
    missing.retain(|name| named.contains(name));
    missing
}
