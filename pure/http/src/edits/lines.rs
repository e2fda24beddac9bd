//! Header lines that are left out and lines that are added.

use super::BadLine;
use crate::name::{Name, is_taken_for, is_token};

/// Lines left out and lines added. All of their text lies together, as it is written.
#[derive(Clone, Debug, Default)]
pub struct LineEdits {
    /// `Name: value` and a line end each.
    text: Vec<u8>,
    edits: Vec<Edit>,
    /// How long names are that were ever left out, a bit each: most lines of a head are none of
    /// them, and that is to be seen at a glance.
    lengths: u64,
}

/// One line of the text. At least one of the two is true.
#[derive(Clone, Copy, Debug)]
struct Edit {
    start: usize,
    colon: usize,
    /// Behind the line end.
    end: usize,
    /// The lines of this name that came are left out.
    removes: bool,
    /// The line is added.
    adds: bool,
}

/// Bytes of text that there is room for from the first line on.
const ROOM: usize = 192;

/// Edits that there is room for beside those that are made together.
const MORE: usize = 4;

impl LineEdits {
    /// No edit.
    pub(crate) const NONE: Self = Self { text: Vec::new(), edits: Vec::new(), lengths: 0 };

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Bytes of lines that there is room for.
    pub fn capacity(&self) -> usize {
        self.text.capacity()
    }

    /// No edit any more; memory stays.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.edits.clear();
        self.lengths = 0;
    }

    /// Adds a line behind all others.
    pub fn add(&mut self, name: &str, value: &[u8]) -> Result<(), BadLine> {
        check(name, value)?;
        self.push(name.as_bytes(), value, (false, true));
        Ok(())
    }

    /// Puts one line in the place of all of this name.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<(), BadLine> {
        check(name, value)?;
        let is_out = self.take_out(name.as_bytes());
        self.push(name.as_bytes(), value, (!is_out, true));
        Ok(())
    }

    /// Leaves all lines of this name out.
    pub fn remove(&mut self, name: &str) -> Result<(), BadLine> {
        check(name, b"")?;
        if !self.take_out(name.as_bytes()) {
            self.push(name.as_bytes(), b"", (true, false));
        }
        Ok(())
    }

    /// Makes the edits of `others` as well, which were made before.
    pub fn apply(&mut self, others: &Self) {
        if self.is_empty() {
            self.text.clear();
            self.text.reserve(others.text.len().max(ROOM));
            self.text.extend_from_slice(&others.text);
            self.edits.reserve(others.edits.len() + MORE);
            self.edits.extend_from_slice(&others.edits);
            self.lengths = others.lengths;
            return;
        }
        for edit in &others.edits {
            let name = &others.text[edit.start..edit.colon];
            let is_out = edit.removes && self.take_out(name);
            let does = (edit.removes && !is_out, edit.adds);
            if does.0 || does.1 {
                self.push(name, &others.text[edit.colon + 2..edit.end - 2], does);
            }
        }
    }

    /// Whether the lines of this name that came are left out of a response.
    #[inline]
    pub fn removes(&self, name: &[u8]) -> bool {
        self.lengths & bit(name) != 0
            && self.edits.iter().any(|edit| edit.removes && edit.is(&self.text, name))
    }

    /// Whether the lines of this name that came are left out of a request: those too that some
    /// servers take for one that is left out. They would hear beside our word, or instead of it,
    /// what a client says.
    #[inline]
    pub fn hides(&self, name: &[u8]) -> bool {
        self.lengths & bit(name) != 0
            && self.edits.iter().any(|edit| edit.removes && edit.is_taken_for(&self.text, name))
    }

    /// Whether lines are left out that came.
    pub fn removes_any(&self) -> bool {
        self.lengths != 0
    }

    /// The lines that are added.
    pub fn added(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.edits.iter().filter(|edit| edit.adds).map(|edit| {
            let name = str::from_utf8(&self.text[edit.start..edit.colon]).unwrap_or_default();
            (name, &self.text[edit.colon + 2..edit.end - 2])
        })
    }

    /// Appends the lines that are added.
    pub(crate) fn push_added(&self, out: &mut Vec<u8>) {
        let added = self.edits.iter().filter(|edit| edit.adds);
        added.for_each(|edit| out.extend_from_slice(&self.text[edit.start..edit.end]));
    }

    /// The names of which no line stays.
    pub(crate) fn removed(&self) -> impl Iterator<Item = &[u8]> {
        let removed = self.edits.iter().filter(|edit| edit.removes);
        removed.map(|edit| &self.text[edit.start..edit.colon])
    }

    /// Whether a line of this name was to be left out before; none that was added stays.
    fn take_out(&mut self, name: &[u8]) -> bool {
        let (text, mut is_out) = (&self.text, false);
        self.edits.retain_mut(|edit| {
            let is_it = edit.is(text, name);
            edit.adds &= !is_it;
            is_out |= is_it && edit.removes;
            edit.adds || edit.removes
        });
        is_out
    }

    fn push(&mut self, name: &[u8], value: &[u8], (removes, adds): (bool, bool)) {
        let start = self.text.len();
        self.text.reserve((name.len() + value.len() + 4).max(if start == 0 { ROOM } else { 0 }));
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(b": ");
        self.text.extend_from_slice(value);
        self.text.extend_from_slice(b"\r\n");
        let (colon, end) = (start + name.len(), self.text.len());
        self.lengths |= if removes { bit(name) } else { 0 };
        self.edits.push(Edit { start, colon, end, removes, adds });
    }

    /// The first line of this name; `came` is what came of it, as far as it stays.
    pub(super) fn first<'s>(&'s self, came: Option<&'s [u8]>, name: &str) -> Option<&'s [u8]> {
        came.or_else(|| {
            let is_it = |edit: &&Edit| edit.adds && edit.is(&self.text, name.as_bytes());
            let added = self.edits.iter().find(is_it)?;
            Some(&self.text[added.colon + 2..added.end - 2])
        })
    }
}

/// The bit of a name's length.
fn bit(name: &[u8]) -> u64 {
    1 << (name.len() % 64)
}

impl Edit {
    fn is(&self, text: &[u8], name: &[u8]) -> bool {
        self.colon - self.start == name.len()
            && text[self.start..self.colon].eq_ignore_ascii_case(name)
    }

    fn is_taken_for(&self, text: &[u8], name: &[u8]) -> bool {
        is_taken_for(&text[self.start..self.colon], name)
    }
}

/// What was written and is not any more makes no difference.
impl PartialEq for LineEdits {
    fn eq(&self, other: &Self) -> bool {
        self.removed()
            .map(<[u8]>::to_ascii_lowercase)
            .eq(other.removed().map(<[u8]>::to_ascii_lowercase))
            && self.added().eq(other.added())
    }
}

impl Eq for LineEdits {}

/// Whether anybody may write this line.
fn check(name: &str, value: &[u8]) -> Result<(), BadLine> {
    if !is_token(name) {
        return Err(BadLine::Name);
    }
    let is_bad = |byte: u8| byte != b'\t' && byte < b' ' || byte == 127;
    if value.iter().fold(false, |bad, byte| bad | is_bad(*byte)) {
        return Err(BadLine::Value);
    }
    match Name::of(name.as_bytes()) {
        Name::ContentLength
        | Name::TransferEncoding
        | Name::Connection
        | Name::Upgrade
        | Name::Host
        | Name::CdnLoop
        | Name::HopByHop => Err(BadLine::Framing),
        _ => Ok(()),
    }
}
