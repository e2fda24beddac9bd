//! What is written down while a request is under way: its rewritten head, and what is noted of it.
//!
//! A connection that waits for a request has no memory for that. It is lent from a stack, so that
//! most requests write where another one wrote a moment ago, however many connections there are.

use std::cell::{Cell, RefCell};
use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;

use crate::tell::access_log::Note;

/// What nobody writes on.
#[derive(Default)]
pub(crate) struct Sheets {
    free: RefCell<Vec<(Vec<u8>, Box<Note>)>>,
    /// How many of them were never needed since the last trim.
    spare: Cell<usize>,
}

/// A note, as long as there is something to be noted.
#[derive(Default)]
pub(crate) struct LentNote(Option<Box<Note>>);

/// Capacity that is kept for rewritten requests.
const KEEP_CAPACITY: usize = 8 * 1024;

/// Unused ones that are kept in any case.
const KEEP: usize = 16;

static NOTHING: LazyLock<Note> = LazyLock::new(Note::default);

impl Sheets {
    /// Something begins.
    pub(crate) fn lend(&self, out: &mut Vec<u8>, note: &mut LentNote) {
        if note.0.is_some() {
            return;
        }
        let mut free = self.free.borrow_mut();
        let (paper, blank) = free.pop().unwrap_or_default();
        self.spare.set(self.spare.get().min(free.len()));
        (*out, note.0) = (paper, Some(blank));
    }

    /// Nothing is under way.
    pub(crate) fn take_back(&self, out: &mut Vec<u8>, note: &mut LentNote) {
        let Some(note) = note.0.take() else { return };
        let mut paper = std::mem::take(out);
        if paper.capacity() > KEEP_CAPACITY {
            paper = Vec::new();
        }
        self.free.borrow_mut().push((paper, note));
    }

    /// Once a second: half of what was not needed since is given up. Returns how many bytes.
    pub(crate) fn trim(&self) -> usize {
        let mut free = self.free.borrow_mut();
        let left = free.len() - self.spare.get().min(free.len()).div_ceil(2);
        let surplus = free.iter().skip(left.max(KEEP));
        let bytes = surplus.map(|(paper, _)| paper.capacity() + size_of::<Note>()).sum();
        free.truncate(left.max(KEEP));
        if free.capacity() > 2 * left.max(KEEP) {
            free.shrink_to(left.max(KEEP));
        }
        self.spare.set(free.len());
        bytes
    }
}

impl Deref for LentNote {
    type Target = Note;

    fn deref(&self) -> &Note {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for LentNote {
    fn deref_mut(&mut self) -> &mut Note {
        self.0.get_or_insert_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_on_last_is_lent_first() {
        let sheets = Sheets::default();
        let mut all: Vec<(Vec<u8>, LentNote)> = (0..3).map(|_| Default::default()).collect();
        for (n, (out, note)) in all.iter_mut().enumerate() {
            sheets.lend(out, note);
            out.resize(n + 1, b'x');
            note.method.push_str("GET");
            sheets.lend(out, note);
            assert_eq!((out.len(), &*note.method), (n + 1, "GET"), "who has one keeps it");
        }
        all.iter_mut().for_each(|(out, note)| sheets.take_back(out, note));
        assert!(all.iter().all(|(out, note)| out.capacity() == 0 && note.method.is_empty()));
        let (out, note) = &mut all[0];
        sheets.lend(out, note);
        assert_eq!(out.len(), 3);
        sheets.take_back(out, note);
        sheets.take_back(out, note);
        assert_eq!(sheets.free.borrow().len(), 3);
    }

    #[test]
    fn what_many_needed_at_once_is_given_up() {
        let sheets = Sheets::default();
        let mut all: Vec<(Vec<u8>, LentNote)> = (0..1_000).map(|_| Default::default()).collect();
        all.iter_mut().for_each(|(out, note)| sheets.lend(out, note));
        all[0].0.reserve(KEEP_CAPACITY + 1);
        all.iter_mut().for_each(|(out, note)| sheets.take_back(out, note));
        assert!(sheets.free.borrow().iter().all(|(out, _)| out.capacity() <= KEEP_CAPACITY));
        assert_eq!(sheets.trim(), 0, "a moment ago all were needed");
        assert_eq!(sheets.trim(), 500 * size_of::<Note>(), "nothing was written on them");
        let rounds = std::iter::repeat_with(|| sheets.trim()).take_while(|bytes| *bytes > 0);
        assert!((2..20).contains(&rounds.count()));
        let free = sheets.free.borrow();
        assert!(free.len() == KEEP && free.capacity() <= 2 * KEEP, "{}", free.capacity());
    }
}
