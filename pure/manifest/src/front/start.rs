//! Files that could not be read to their end when they were first seen, at the start, and not
//! since.
//!
//! Of a file that was whole once what it held stays in force, and one that comes later changes
//! nothing before it can be read. At the start there is nothing of before: what such a file would
//! close is not known, and others may lead past it.

use std::collections::BTreeSet;
use std::sync::Arc;

use steelyard_model::{Diagnostic, Severity};

use super::files::{Edit, File};
use crate::codes;
use crate::tree::Mark;

/// What is known of the start.
#[derive(Default)]
pub(super) struct Start {
    /// Whether files are followed: others read them once, and say what is wrong with them.
    pub(super) is_followed: bool,
    /// Whether there were files.
    is_over: bool,
    never_read: BTreeSet<Arc<str>>,
}

impl Start {
    /// What is to be said of a file that has come, if it could never be read.
    pub(super) fn never_read<T>(&mut self, file: &File<T>) -> Option<Diagnostic> {
        let name = &file.source().name;
        if !file.content.is_broken || !self.is_followed {
            return None;
        }
        if !self.is_over {
            self.never_read.insert(name.clone());
        }
        let is_told = self.never_read.contains(name) && !is_unseen(file);
        is_told.then(|| finding(name, &file.told()))
    }

    /// Whether one that was never read is gone: it may be another one now.
    pub(super) fn has_left<T>(&self, edit: &Edit<T>) -> bool {
        let is_left = |name: &Arc<str>| !edit.come.iter().any(|it| it.source().name == *name);
        let is_unread = |it: &&File<T>| self.never_read.contains(&it.source().name);
        let gone = edit.gone.iter().filter(is_unread).filter(|it| !is_unseen(it));
        gone.map(|it| &it.source().name).any(is_left)
    }

    /// The same of a file that may be that one.
    pub(super) fn inherited<T>(&mut self, file: &File<T>) -> Option<Diagnostic> {
        self.never_read.insert(file.source().name.clone());
        self.never_read(file)
    }

    /// The files that have come are taken in.
    pub(super) fn goes_on(&mut self, broken: &BTreeSet<Arc<str>>, is_empty: bool) {
        self.is_over |= !is_empty;
        self.never_read.retain(|name| broken.contains(name));
    }
}

/// Whether it cannot be seen at all: who says so does, for as long as that is so.
fn is_unseen<T>(file: &File<T>) -> bool {
    file.told().iter().any(|found| found.code == codes::FILE_UNREADABLE)
}

fn finding(name: &Arc<str>, told: &[Diagnostic]) -> Diagnostic {
    let first = told.iter().find(|found| found.is_error() && found.location.is_some());
    let location = first.and_then(|found| found.location.clone());
    let location = location.unwrap_or_else(|| Mark::START.in_file(name));
    let message = format!(
        "{name} could not be read to its end since the start (line {}): what it would close is not \
         known, and requests may be led past it",
        location.line
    );
    let mend = first.map_or("mend what is said about it", |found| &*found.help);
    let help = format!(
        "{mend}; or take the file away. With --accept-broken-files this does not keep `up` from \
         being ready"
    );
    let code = codes::FILE_NEVER_READ;
    Diagnostic::in_file(Severity::Warning, code, location, message, help)
}
