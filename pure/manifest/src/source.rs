//! A file's bytes, and the text in them. Bytes are read elsewhere and handed in.

use std::sync::Arc;

use steelyard_model::{Diagnostic, Location, Severity};

use crate::codes;
use crate::tree::Mark;

/// A file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name as shown to the user; `-` for standard input.
    pub name: Arc<str>,
    /// Its bytes, or why there are none.
    pub text: SourceText,
    /// Whether it is there because dynamic configuration names it: then it is taken as it is
    /// (`named.rs`), and nothing of it is ever shown, since it may be a key.
    pub is_named: bool,
}

/// What reading a file gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceText {
    /// The bytes.
    Bytes(Arc<[u8]>),
    /// It was not read, because it has this many bytes.
    TooLarge(u64),
    /// It could not be read: the operating system's reason.
    Failed(Arc<str>),
    /// The bytes of before, since those of now are not to be had, or not to be trusted yet. Hardly
    /// any are so, and each file has room for what it may be.
    Kept(Box<KeptText>),
}

/// Bytes of before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptText {
    /// As they were.
    pub bytes: Arc<[u8]>,
    /// Why they stand.
    pub lapse: Lapse,
}

/// Why the bytes of before stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// It cannot be read: the operating system's reason.
    Failed(Arc<str>),
    /// It has this many bytes now.
    TooLarge(u64),
    /// It has nothing in it any more; believed when that stays so.
    Emptied,
    /// It has nothing in it yet, while Services hold addresses.
    NothingYet,
    /// It ends earlier than before, as a file that is being saved; believed when that stays so.
    EndsEarly,
}

/// Bounds on what is loaded, so that no file can exhaust memory.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// Bytes of one file.
    pub file_bytes: usize,
    /// Keys and values in one file, those that aliases repeat counted as often as they appear.
    pub nodes: usize,
    /// Nesting of mappings and lists.
    pub depth: usize,
    /// Documents with a problem, after which the rest of a file is not looked at.
    pub problems: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { file_bytes: 32 << 20, nodes: 3_000_000, depth: 100, problems: 100 }
    }
}

impl SourceText {
    /// The bytes of before, for that reason.
    pub fn kept(bytes: Arc<[u8]>, lapse: Lapse) -> Self {
        Self::Kept(Box::new(KeptText { bytes, lapse }))
    }

    /// The bytes, be they those of before.
    pub fn bytes(&self) -> Option<&Arc<[u8]>> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Kept(kept) => Some(&kept.bytes),
            Self::TooLarge(_) | Self::Failed(_) => None,
        }
    }
}

impl Source {
    /// A file that was read.
    pub fn new(name: impl Into<Arc<str>>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::of(name, SourceText::Bytes(bytes.into()))
    }

    /// A file that could not be read.
    pub fn failed(name: impl Into<Arc<str>>, reason: &str) -> Self {
        Self::of(name, SourceText::Failed(reason.into()))
    }

    /// A file, however much of it was read.
    pub fn of(name: impl Into<Arc<str>>, text: SourceText) -> Self {
        Self { name: name.into(), text, is_named: false }
    }

    /// One that dynamic configuration names.
    pub fn named(name: impl Into<Arc<str>>, text: SourceText) -> Self {
        Self { is_named: true, ..Self::of(name, text) }
    }

    /// The same file with another text.
    #[must_use]
    pub(crate) fn with(&self, text: SourceText) -> Self {
        Self { name: self.name.clone(), text, is_named: self.is_named }
    }

    /// Whether both are equal; quick where they share memory.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let is_one = match (&self.text, &other.text) {
            (SourceText::Bytes(ours), SourceText::Bytes(theirs)) => Arc::ptr_eq(ours, theirs),
            _ => false,
        };
        is_one && Arc::ptr_eq(&self.name, &other.name) || self == other
    }

    /// The text as far as it can be shown: without a byte order mark, and with replacement
    /// characters where it is not UTF-8.
    pub(crate) fn shown(&self) -> std::borrow::Cow<'_, str> {
        let bytes = self.text.bytes();
        bytes.map_or_else(Default::default, |bytes| String::from_utf8_lossy(without_mark(bytes)))
    }

    /// The text, if it is one, within `limits`.
    pub(crate) fn decode(&self, limits: &ReadLimits) -> Result<&str, Box<Diagnostic>> {
        let bytes = match &self.text {
            SourceText::Bytes(bytes) if bytes.len() > limits.file_bytes => {
                return Err(self.too_large(bytes.len() as u64, limits));
            }
            SourceText::Bytes(bytes) => bytes,
            SourceText::Kept(kept) => &kept.bytes,
            SourceText::TooLarge(bytes) => return Err(self.too_large(*bytes, limits)),
            SourceText::Failed(reason) => return Err(self.failure(reason)),
        };
        self.utf8(bytes)
    }

    /// The text from byte `start` of it up to the next line that begins a document. What is before
    /// and after is not looked at: it was, when the text was decoded.
    pub(crate) fn part(&self, start: usize) -> Option<&str> {
        let rest = without_mark(self.text.bytes()?).get(start..)?;
        let begins = |at: &usize| {
            let line = &rest[at + 1..];
            line.starts_with(b"---") && line.get(3).is_none_or(u8::is_ascii_whitespace)
        };
        let ends = (0..rest.len()).filter(|at| rest[*at] == b'\n');
        let end = ends.into_iter().find(|at| begins(at)).map_or(rest.len(), |at| at + 1);
        std::str::from_utf8(&rest[..end]).ok()
    }

    /// What is to be said where bytes of before stand.
    pub(crate) fn lapse(&self, limits: &ReadLimits) -> Option<Box<Diagnostic>> {
        let SourceText::Kept(kept) = &self.text else { return None };
        let (message, help) = match &kept.lapse {
            Lapse::Failed(reason) => return Some(self.failure(reason)),
            Lapse::TooLarge(bytes) => return Some(self.too_large(*bytes, limits)),
            Lapse::Emptied => (
                format!("{} has nothing in it any more; what it held stays for now", self.name),
                "nothing needs to change if that is meant: what it held goes when it stays so",
            ),
            Lapse::NothingYet => (
                format!(
                    "{} has no manifests, and Services hold addresses: they keep them",
                    self.name
                ),
                "mount or fill it; if no Service shall hold an address, delete the lock file",
            ),
            Lapse::EndsEarly => (
                format!("{} ends earlier than before; what it held stays for now", self.name),
                "nothing needs to change if that is meant: it is taken when it stays so",
            ),
        };
        let location = Mark::START.in_file(&self.name);
        let code = codes::FILE_LAPSED;
        Some(Box::new(Diagnostic::in_file(Severity::Warning, code, location, message, help)))
    }

    fn failure(&self, reason: &str) -> Box<Diagnostic> {
        let message = format!("{} cannot be read: {reason}", self.name);
        let help = "check that the path exists and that you may read it; `up` keeps what it held";
        self.unreadable(Mark::START, message, help)
    }

    fn utf8<'a>(&self, bytes: &'a [u8]) -> Result<&'a str, Box<Diagnostic>> {
        if is_utf16(bytes) {
            let message = format!("{} is UTF-16, not UTF-8", self.name);
            let help = "save it as UTF-8, e.g. `iconv -f UTF-16 -t UTF-8 FILE`";
            return Err(self.unreadable(Mark::START, message, help));
        }
        let bytes = without_mark(bytes);
        if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
            let message = format!("{} is binary: it has a NUL byte here", self.name);
            let help = "name only YAML or JSON files, unpacked and in UTF-8";
            return Err(self.unreadable(mark_of(bytes, at), message, help));
        }
        std::str::from_utf8(bytes).map_err(|error| {
            let at = error.valid_up_to();
            let message = format!("{} is not UTF-8: byte 0x{:02x} here", self.name, bytes[at]);
            let help = "save it as UTF-8, e.g. `iconv -f LATIN1 -t UTF-8 FILE`";
            self.unreadable(mark_of(bytes, at), message, help)
        })
    }

    fn too_large(&self, bytes: u64, limits: &ReadLimits) -> Box<Diagnostic> {
        let message = format!(
            "{} has {}, more than the {} that are read from one file",
            self.name,
            size(bytes),
            size(limits.file_bytes as u64)
        );
        self.unreadable(Mark::START, message, "split it into several files")
    }

    fn unreadable(&self, mark: Mark, message: String, help: &str) -> Box<Diagnostic> {
        let location = mark.in_file(&self.name);
        let severity = Severity::Error;
        let code = codes::FILE_UNREADABLE;
        Box::new(Diagnostic::in_file(severity, code, location, message, help))
    }

    pub(crate) fn location(&self, mark: Mark) -> Location {
        mark.in_file(&self.name)
    }
}

/// The lines of `text`, which end as in YAML: by LF, CR LF or a lone CR.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// `104.9 MiB`; of what is less than that, bytes.
fn size(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    match bytes {
        0..MIB => format!("{bytes} bytes"),
        _ if bytes.is_multiple_of(MIB) => format!("{} MiB", bytes / MIB),
        _ => format!("{}.{} MiB", bytes / MIB, bytes % MIB * 10 / MIB),
    }
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// By its byte order mark, or by a first ASCII character that takes two bytes.
fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [0, second, 0, fourth, ..] => *second != 0 && *fourth != 0,
        [first, 0, third, 0, ..] => *first != 0 && *third != 0,
        _ => false,
    }
}

/// Line and column of the byte at `at`; what is before it is UTF-8.
fn mark_of(bytes: &[u8], at: usize) -> Mark {
    let before = String::from_utf8_lossy(&bytes[..at]);
    let mut mark = Mark::START;
    let mut characters = before.chars().peekable();
    while let Some(character) = characters.next() {
        let breaks = match character {
            '\n' => true,
            '\r' => characters.peek() != Some(&'\n'),
            _ => false,
        };
        if breaks {
            mark = Mark { line: mark.line.saturating_add(1), column: 1 };
        } else {
            mark.column = mark.column.saturating_add(1);
        }
    }
    mark
}
