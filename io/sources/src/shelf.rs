//! What was last read of each file, so that what did not change is not read again and its bytes
//! are shared between one set of sources and the next.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use steelyard_manifest::{Source, SourceText};

use crate::walk::{Found, Walk, is_manifest};

/// All files together, at most.
const MAX_TOTAL: u64 = 256 * 1024 * 1024;
/// When something vanished between listing and reading, it was likely replaced (kubelet removes
/// the old files of a ConfigMap just after the swap): looked at again so many times.
const RETRIES: usize = 4;
/// A file changed within these seconds may change again without its time stamp telling.
const STAMP_GRAIN: u64 = 3;

/// The files as last read.
#[derive(Debug)]
pub(crate) struct Shelf {
    limit: u64,
    files: BTreeMap<PathBuf, Kept>,
    stdin: Option<Source>,
    last: Vec<Source>,
}

/// One look at everything.
#[derive(Debug)]
pub(crate) struct Look {
    /// All sources, in order.
    pub(crate) sources: Vec<Source>,
    /// Folders whose content decides what is found.
    pub(crate) folders: BTreeSet<PathBuf>,
    torn: bool,
}

#[derive(Debug)]
struct Kept {
    stamp: Option<Stamp>,
    text: SourceText,
}

/// Tells one version of a file from another, where time stamps are fine enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    place: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Shelf {
    /// An empty shelf that refuses files of more than `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        Self { limit, files: BTreeMap::new(), stdin: None, last: Vec::new() }
    }

    /// Reads what changed under `paths`.
    pub(crate) fn read(&mut self, paths: &[PathBuf]) -> Look {
        let mut look = self.attempt(paths);
        for _ in 0..RETRIES {
            if !look.torn {
                break;
            }
            look = self.attempt(paths);
        }
        self.last.clone_from(&look.sources);
        look
    }

    /// Whether it makes a difference what is written to the file at `real`.
    pub(crate) fn minds(&self, real: &Path) -> bool {
        is_manifest(real) || self.files.contains_key(real)
    }

    fn attempt(&mut self, paths: &[PathBuf]) -> Look {
        let walk = Walk::under(paths);
        let earlier = std::mem::take(&mut self.files);
        let mut sources = Vec::with_capacity(walk.found.len());
        let mut torn = walk.torn;
        let mut total = 0;
        for found in walk.found {
            match found {
                Found::Stdin => sources.push(self.stdin()),
                Found::File { name, real } => {
                    let Some(kept) = self.file(&real, earlier.get(&real), total) else {
                        torn = true;
                        continue;
                    };
                    total += length(&kept.text);
                    sources.push(Source { name, text: kept.text.clone() });
                    self.files.insert(real, kept);
                }
                Found::Gone { name } => sources.extend(self.gone(name)),
                Found::Fault { name, reason } => sources.push(Source::failed(name, &reason)),
            }
        }
        Look { sources, folders: walk.folders, torn }
    }

    /// Standard input; it can be read once only.
    fn stdin(&mut self) -> Source {
        let limit = self.limit;
        let read = || Source { name: "-".into(), text: content(io::stdin().lock(), limit) };
        self.stdin.get_or_insert_with(read).clone()
    }

    /// A path the user named has vanished: that is a fault of its own, and what it last held stays
    /// (a folder being replaced, a share that is unmounted, must not take everything down).
    fn gone(&self, name: Arc<str>) -> Vec<Source> {
        let root = Path::new(&*name);
        let below =
            |source: &&Source| *source.name != *name && Path::new(&*source.name).starts_with(root);
        let mut sources: Vec<_> = self.last.iter().filter(below).cloned().collect();
        sources.push(Source::failed(
            name,
            "it does not exist any more; what it last held stays in use",
        ));
        sources
    }

    /// The file at `real`, read again only when it may have changed; none when it is not there.
    fn file(&self, real: &Path, earlier: Option<&Kept>, total: u64) -> Option<Kept> {
        let is = |text| Some(Kept { stamp: None, text });
        let fault = |reason: String| is(SourceText::Failed(reason.into()));
        let metadata = match real.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return fault(error.to_string()),
        };
        if let Some(kind) = special(&metadata) {
            return fault(format!("it is {kind}, not a file"));
        }
        if metadata.len() > self.limit {
            return is(SourceText::TooLarge(metadata.len()));
        }
        if total + metadata.len() > MAX_TOTAL {
            return fault("it is left out: all files together exceed 256 MiB".to_owned());
        }
        let stamp = Stamp::of(&metadata);
        if let Some(kept) = earlier.filter(|kept| kept.stamp == Some(stamp)) {
            return Some(Kept { stamp: kept.stamp, text: kept.text.clone() });
        }
        let text = match open(real) {
            Ok(file) => content(file, self.limit),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => SourceText::Failed(error.to_string().into()),
        };
        let text = share(text, earlier);
        let settled = is_settled(&metadata) && matches!(text, SourceText::Bytes(_));
        Some(Kept { stamp: settled.then_some(stamp), text })
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            place: (metadata.dev(), metadata.ino()),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Whether nothing differs between two sets of sources.
pub(crate) fn equal(one: &[Source], other: &[Source]) -> bool {
    let equal = |(a, b): (&Source, &Source)| a.name == b.name && same(&a.text, &b.text);
    one.len() == other.len() && one.iter().zip(other).all(equal)
}

fn same(one: &SourceText, other: &SourceText) -> bool {
    match (one, other) {
        (SourceText::Bytes(a), SourceText::Bytes(b)) => Arc::ptr_eq(a, b) || a == b,
        (SourceText::TooLarge(a), SourceText::TooLarge(b)) => a == b,
        (SourceText::Failed(a), SourceText::Failed(b)) => a == b,
        _ => false,
    }
}

fn length(text: &SourceText) -> u64 {
    if let SourceText::Bytes(bytes) = text { bytes.len() as u64 } else { 0 }
}

/// The same bytes as before are the same `Arc` as before.
fn share(text: SourceText, earlier: Option<&Kept>) -> SourceText {
    match earlier {
        Some(kept) if same(&kept.text, &text) => kept.text.clone(),
        _ => text,
    }
}

/// Whether its stamp will differ when it changes again.
fn is_settled(metadata: &Metadata) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let newest = metadata.mtime().max(metadata.ctime());
    u64::try_from(newest).is_ok_and(|newest| newest + STAMP_GRAIN < now.as_secs())
}

/// What it is when it is neither file nor folder: never opened, which may block or do something.
fn special(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    match () {
        () if kind.is_file() => None,
        () if kind.is_dir() => Some("a folder"),
        () if kind.is_fifo() => Some("a named pipe"),
        () if kind.is_socket() => Some("a socket"),
        () => Some("a device"),
    }
}

/// Opens without waiting: a pipe put in the file's place must not stop us.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a file")) }
}

/// Reads to the end, or says that there is too much.
fn content(from: impl Read, limit: u64) -> SourceText {
    let mut bytes = Vec::new();
    match from.take(limit + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 > limit => SourceText::TooLarge(bytes.len() as u64),
        Ok(_) => SourceText::Bytes(bytes.into()),
        Err(error) => SourceText::Failed(error.to_string().into()),
    }
}
