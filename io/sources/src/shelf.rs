//! What was last read of each file, so that what did not change is not read again and its bytes
//! are shared between one set of sources and the next.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use steelyard_manifest::{Blindness, Extent, Sight, Source, SourceText, Unseen};

use crate::attention::Attention;
use crate::walk::{Found, Walk, failed, is_manifest};

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
    files: HashMap<PathBuf, Kept>,
    stdin: Option<Source>,
    /// The mounts that folders were on when there last was a manifest in them.
    homes: BTreeMap<Arc<str>, Option<u64>>,
    /// What it looks at.
    pub(crate) attention: Attention,
}

/// One look at everything.
#[derive(Debug)]
pub(crate) struct Look {
    /// What was seen, and what not.
    pub(crate) sight: Sight,
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
        Self {
            limit,
            files: HashMap::new(),
            stdin: None,
            homes: BTreeMap::new(),
            attention: Attention::default(),
        }
    }

    /// Reads what changed under `paths`.
    pub(crate) fn read(&mut self, paths: &[PathBuf]) -> Look {
        self.attention.begin();
        let mut look = self.attempt(paths);
        for _ in 0..RETRIES {
            if !look.torn {
                break;
            }
            look = self.attempt(paths);
        }
        self.attention.rest();
        look
    }

    /// Whether it makes a difference what is written to the file at `real`.
    pub(crate) fn minds(&self, real: &Path) -> bool {
        is_manifest(real) || self.files.contains_key(real)
    }

    fn attempt(&mut self, paths: &[PathBuf]) -> Look {
        let mut walk = Walk::under(paths, &self.attention);
        let earlier = std::mem::take(&mut self.files);
        let mut sight = Sight { unseen: std::mem::take(&mut walk.unseen), ..Sight::default() };
        let mut total = 0;
        for found in std::mem::take(&mut walk.found) {
            let (name, real) = match found {
                Found::Stdin => {
                    sight.sources.push(self.stdin());
                    continue;
                }
                Found::File { name, real } => (name, real),
            };
            self.attention.turn_to(&name);
            match self.file(&real, earlier.get(&real), total) {
                Ok(kept) => {
                    total += length(&kept.text);
                    sight.sources.push(Source { name, text: kept.text.clone() });
                    self.files.insert(real, kept);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => walk.torn = true,
                Err(error) => match failed(&name, &error) {
                    Unseen { extent: Extent::Below, .. } => {
                        sight.sources.push(Source::failed(name, &error.to_string()));
                    }
                    rest => {
                        sight.unseen.push(rest);
                        break;
                    }
                },
            }
        }
        self.compare_homes(&walk, &mut sight);
        Look { sight, folders: walk.folders, torn: walk.torn }
    }

    /// A folder that is empty, on another mount than when it held manifests, says nothing of them;
    /// nor does a link to where it was.
    fn compare_homes(&mut self, walk: &Walk, sight: &mut Sight) {
        for listed in &walk.listed {
            if listed.holds {
                self.homes.insert(listed.name.clone(), listed.mount);
            } else if self.homes.get(&listed.name).is_some_and(|home| *home != listed.mount) {
                let (name, extent) = (listed.name.clone(), Extent::Below);
                sight.unseen.push(Unseen { name, extent, why: Blindness::Unmounted });
            }
        }
        let known = walk.dangling.iter().filter(|it| self.homes.contains_key(&it.name));
        sight.unseen.extend(known.cloned());
        let named = walk.listed.iter().filter(|listed| listed.is_named);
        sight.folders = named.map(|listed| listed.name.clone()).collect();
    }

    /// Standard input; it can be read once only.
    fn stdin(&mut self) -> Source {
        let limit = self.limit;
        let failed = |error: io::Error| SourceText::Failed(error.to_string().into());
        let read = || content(io::stdin().lock(), limit).unwrap_or_else(failed);
        let text = || Source { name: "-".into(), text: read() };
        self.attention.rest(); // whoever writes it may be a person
        let stdin = self.stdin.get_or_insert_with(text).clone();
        self.attention.begin();
        stdin
    }

    /// The file at `real`, read again only when it may have changed.
    fn file(&self, real: &Path, earlier: Option<&Kept>, total: u64) -> io::Result<Kept> {
        let is = |text| Ok(Kept { stamp: None, text });
        let metadata = real.metadata()?;
        if let Some(kind) = special(&metadata) {
            return Err(io::Error::other(format!("it is {kind}, not a file")));
        }
        if metadata.len() > self.limit {
            return is(SourceText::TooLarge(metadata.len()));
        }
        if total + metadata.len() > MAX_TOTAL {
            let why = "it is left out: all files together exceed 256 MiB";
            return is(SourceText::Failed(why.into()));
        }
        let stamp = Stamp::of(&metadata);
        if let Some(kept) = earlier.filter(|kept| kept.stamp == Some(stamp)) {
            return Ok(Kept { stamp: kept.stamp, text: kept.text.clone() });
        }
        let text = share(content(open(real)?, self.limit)?, earlier);
        let settled = is_settled(&metadata) && matches!(text, SourceText::Bytes(_));
        Ok(Kept { stamp: settled.then_some(stamp), text })
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

fn length(text: &SourceText) -> u64 {
    if let SourceText::Bytes(bytes) = text { bytes.len() as u64 } else { 0 }
}

/// The same bytes as before are the same `Arc` as before.
fn share(text: SourceText, earlier: Option<&Kept>) -> SourceText {
    match earlier {
        Some(kept) if kept.text == text => kept.text.clone(),
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
fn content(from: impl Read, limit: u64) -> io::Result<SourceText> {
    let mut bytes = Vec::new();
    from.take(limit + 1).read_to_end(&mut bytes)?;
    let length = bytes.len() as u64;
    let is_too_large = length > limit;
    Ok(if is_too_large { SourceText::TooLarge(length) } else { SourceText::Bytes(bytes.into()) })
}
