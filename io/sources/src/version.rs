//! One file: read only when it may have changed.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::SystemTime;

use steelyard_manifest::SourceText;

/// A file changed within these seconds may change again without its time stamp telling.
const STAMP_GRAIN: u64 = 3;

/// A file as last read.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    stamp: Option<Stamp>,
    pub(crate) text: SourceText,
}

/// What is somewhere: tells one version of a file from another, where time stamps are fine enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    kind: FileType,
    place: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    /// The file at `real`, by its `stamp`: that of `earlier` where nothing differs, and not read
    /// where it has more than `limit` bytes.
    pub(crate) fn of(
        real: &Path,
        stamp: Stamp,
        earlier: Option<&Self>,
        limit: u64,
    ) -> io::Result<Self> {
        if let Some(kind) = stamp.special() {
            return Err(io::Error::other(format!("it is {kind}, not a file")));
        }
        if stamp.length > limit {
            return Ok(Self::unread(SourceText::TooLarge(stamp.length)));
        }
        if let Some(same) = earlier.filter(|earlier| earlier.stamp == Some(stamp)) {
            return Ok(same.clone());
        }
        let text = share(content(open(real)?, limit)?, earlier);
        let settled = stamp.is_settled() && matches!(text, SourceText::Bytes(_));
        Ok(Self { stamp: settled.then_some(stamp), text })
    }

    /// A file that is looked at again next time.
    pub(crate) fn unread(text: SourceText) -> Self {
        Self { stamp: None, text }
    }

    /// How many bytes of it are kept.
    pub(crate) fn length(&self) -> u64 {
        if let SourceText::Bytes(bytes) = &self.text { bytes.len() as u64 } else { 0 }
    }
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            kind: metadata.file_type(),
            place: (metadata.dev(), metadata.ino()),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// How many bytes there are to be read.
    pub(crate) fn length(&self) -> u64 {
        if self.kind.is_file() { self.length } else { 0 }
    }

    /// Whether it will differ when the file changes again.
    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let newest = self.modified.0.max(self.changed.0);
        u64::try_from(newest).is_ok_and(|newest| newest + STAMP_GRAIN < now.as_secs())
    }

    /// What it is when it is neither file nor folder: never opened, which may block or do
    /// something.
    fn special(&self) -> Option<&'static str> {
        match self.kind {
            kind if kind.is_file() => None,
            kind if kind.is_dir() => Some("a folder"),
            kind if kind.is_fifo() => Some("a named pipe"),
            kind if kind.is_socket() => Some("a socket"),
            _ => Some("a device"),
        }
    }
}

/// The same bytes as before are the same `Arc` as before.
fn share(text: SourceText, earlier: Option<&Version>) -> SourceText {
    match earlier {
        Some(earlier) if earlier.text == text => earlier.text.clone(),
        _ => text,
    }
}

/// Opens without waiting: a pipe put in the file's place must not stop us.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a file")) }
}

/// Reads to the end, or says that there is too much.
pub(crate) fn content(from: impl Read, limit: u64) -> io::Result<SourceText> {
    let mut bytes = Vec::new();
    from.take(limit + 1).read_to_end(&mut bytes)?;
    let length = bytes.len() as u64;
    let is_too_large = length > limit;
    Ok(if is_too_large { SourceText::TooLarge(length) } else { SourceText::Bytes(bytes.into()) })
}
