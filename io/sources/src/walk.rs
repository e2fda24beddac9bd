//! Which files lie under the given paths.
//!
//! Not read here, but given to who reads it. Links are followed; each real folder and each real
//! file is taken once, which ends loops.

use std::collections::{BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use steelyard_manifest::{Blindness, Extent, Unseen};

use crate::attention::Attention;
use crate::version::Stamp;
use crate::{SourceRoots, is_missing, is_stdin};

/// Folders within folders, at most.
const MAX_DEPTH: usize = 32;
/// Files, at most.
pub(crate) const MAX_FILES: usize = 10_000;
/// Names looked at, at most: a folder may hold millions of other files.
const MAX_ENTRIES: usize = 1_000_000;

/// What lies under the given paths.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// How many things were found.
    found: usize,
    /// Real folders whose content decides what is found: those walked, and those that hold a file
    /// or a given path.
    pub(crate) folders: BTreeSet<PathBuf>,
    /// What could not be listed.
    pub(crate) unseen: Vec<Unseen>,
    /// Folders that were listed, also those in folders.
    pub(crate) listed: Vec<Listed>,
    /// Links that lead nowhere now. They matter where they led to a folder before.
    pub(crate) dangling: Vec<Unseen>,
    /// Something vanished while it was looked at.
    pub(crate) torn: bool,
    /// The given paths, and folders: whatever becomes of them concerns more than one file.
    pub(crate) turns: HashSet<PathBuf>,
    /// Whether a link was met, or a name that is no text: then a file's name does not tell where
    /// it is.
    pub(crate) is_crooked: bool,
    /// The folder last given: where it is, and its name for people.
    pub(crate) top: Option<(PathBuf, PathBuf)>,
    attention: Attention,
    /// Folders, and standard input.
    seen: HashSet<PathBuf>,
    entries: usize,
    is_full: bool,
    /// What is looked for is dynamic configuration.
    is_dynamic: bool,
}

/// A folder that was listed.
#[derive(Debug)]
pub(crate) struct Listed {
    /// Its name for people.
    pub(crate) name: Arc<str>,
    /// Whether the user named it.
    pub(crate) is_named: bool,
    /// The mount that it is on, where the kernel tells.
    pub(crate) mount: Option<u64>,
    /// Whether there is a manifest in it, or deeper.
    pub(crate) holds: bool,
}

/// One thing found.
#[derive(Debug)]
pub(crate) enum Found {
    /// Standard input.
    Stdin,
    /// A file, or something else with a manifest's name.
    File {
        /// Its name for people.
        name: Arc<str>,
        /// Where it really is, links followed.
        real: PathBuf,
        /// What it is, by this look.
        stamp: Stamp,
    },
}

/// Who takes what a walk finds, in the order it is to be shown. No list is made of it: of thousands
/// of files each look would leave holes in memory as large.
pub(crate) trait Taker {
    /// Whether it was given the file that really is there.
    fn has(&self, real: &Path) -> bool;
    fn take(&mut self, found: Found);
}

impl Walk {
    /// Finds everything under `roots` for `taker`, and says with `attention` where it is.
    pub(crate) fn under(
        roots: &SourceRoots,
        attention: &Attention,
        taker: &mut impl Taker,
    ) -> Self {
        let (attention, is_dynamic) = (attention.clone(), true);
        let mut walk = Self { attention, is_dynamic, ..Self::default() };
        // First, since what is found twice is what it was found as at first.
        roots.dynamic.iter().for_each(|path| walk.root(path, taker));
        walk.is_dynamic = false;
        roots.manifests.iter().for_each(|path| walk.root(path, taker));
        walk
    }

    fn is_wanted(&self, path: &Path) -> bool {
        if self.is_dynamic { is_dynamic(path) } else { is_manifest(path) }
    }

    fn root(&mut self, path: &Path, taker: &mut impl Taker) {
        if is_stdin(path) {
            if self.seen.insert(path.to_owned()) {
                self.found += 1;
                taker.take(Found::Stdin);
            }
            return;
        }
        self.attention.turn_to(&shown(&plain(path)));
        self.heed_parent(path);
        match followed(path) {
            Ok((real, metadata)) => {
                self.is_crooked |= !self.turns.contains(&real);
                if metadata.is_dir() {
                    self.top = Some((real.clone(), plain(path)));
                    self.folder(&plain(path), real, 0, taker);
                } else {
                    self.file(path, real, &metadata, taker);
                }
            }
            Err(_) if is_missing(path) => self.blind(path, Blindness::Vanished),
            Err(error) => self.fault(path, &error),
        }
    }

    /// Where a file is that another one names, and what it is.
    pub(crate) fn named(&mut self, path: &Path) -> io::Result<(PathBuf, Stamp)> {
        self.attention.turn_to(&shown(path));
        self.heed_parent(path);
        let (real, metadata) = followed(path)?;
        self.is_crooked |= !self.turns.contains(&real);
        self.folders.extend(real.parent().map(Path::to_owned));
        Ok((real, Stamp::of(&metadata)))
    }

    /// The folder in which `path` comes and goes.
    fn heed_parent(&mut self, path: &Path) {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if let Some(Ok(parent)) = absolute.parent().map(fs::canonicalize) {
            self.turns.extend(absolute.file_name().map(|name| parent.join(name)));
            self.folders.insert(parent);
        }
    }

    fn folder(&mut self, path: &Path, real: PathBuf, depth: usize, taker: &mut impl Taker) {
        if !self.seen.insert(real.clone()) {
            return;
        }
        if depth > MAX_DEPTH {
            return self.blind(path, Blindness::TooDeep(MAX_DEPTH));
        }
        self.folders.insert(real.clone());
        self.turns.insert(real.clone());
        let shown_name = shown(path);
        self.attention.turn_to(&shown_name);
        let names = match listing(&real) {
            Ok(names) => names,
            Err(error) if error.kind() == ErrorKind::NotFound && depth > 0 => {
                return self.torn = true;
            }
            Err(error) => return self.fault(path, &error),
        };
        let before = self.found;
        for name in names {
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                self.fill(path);
            }
            if self.is_full {
                break;
            }
            let is_passed = if self.is_dynamic { is_aside(&name) } else { is_hidden(&name) };
            if is_passed {
                continue;
            }
            self.attention.turn_to(&shown_name);
            if let Err(error) = self.entry(&path.join(&name), &real.join(&name), depth, taker) {
                // It may be listed, but not entered: the same holds for all that is in it.
                self.fault(path, &error);
                break;
            }
        }
        let is_named = depth == 0;
        let mount = mount(&real).unwrap_or_else(|error| {
            self.torn |= error.kind() == ErrorKind::NotFound;
            None
        });
        let holds = self.found > before;
        self.listed.push(Listed { name: shown_name, is_named, mount, holds });
    }

    fn entry(
        &mut self,
        path: &Path,
        real: &Path,
        depth: usize,
        taker: &mut impl Taker,
    ) -> io::Result<()> {
        let metadata = match fs::symlink_metadata(real) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.torn = true;
                return Ok(());
            }
            metadata => metadata?,
        };
        if metadata.is_symlink() {
            self.is_crooked = true;
            match followed(real) {
                Ok((real, metadata)) => self.thing(path, real, &metadata, depth, taker),
                Err(error) => self.leads_nowhere(path, &error),
            }
        } else {
            self.thing(path, real.to_owned(), &metadata, depth, taker);
        }
        Ok(())
    }

    fn thing(
        &mut self,
        path: &Path,
        real: PathBuf,
        metadata: &Metadata,
        depth: usize,
        taker: &mut impl Taker,
    ) {
        if metadata.is_dir() {
            self.folder(path, real, depth + 1, taker);
        } else if self.is_wanted(path) {
            self.file(path, real, metadata, taker);
        }
    }

    fn file(&mut self, path: &Path, real: PathBuf, metadata: &Metadata, taker: &mut impl Taker) {
        if taker.has(&real) {
            return;
        }
        // What is no manifest takes nobody's place: a full folder is seen whole.
        if self.found >= MAX_FILES {
            return self.fill(path.parent().unwrap_or(path));
        }
        if let Some(parent) = real.parent().filter(|parent| !self.folders.contains(*parent)) {
            self.folders.insert(parent.to_owned());
        }
        self.is_crooked |= path.to_str().is_none();
        let stamp = Stamp::of(metadata);
        self.found += 1;
        taker.take(Found::File { name: shown(path), real, stamp });
    }

    /// Nothing more is looked at.
    fn fill(&mut self, path: &Path) {
        if !std::mem::replace(&mut self.is_full, true) {
            let why = Blindness::TooMany(MAX_FILES);
            self.unseen.push(Unseen { name: shown(path), extent: Extent::Rest, why });
        }
    }

    fn fault(&mut self, path: &Path, error: &io::Error) {
        self.torn |= error.kind() == ErrorKind::NotFound;
        let unseen = failed(&shown(path), error);
        self.unseen.push(unseen);
    }

    fn leads_nowhere(&mut self, path: &Path, error: &io::Error) {
        if self.is_wanted(path) {
            self.fault(path, error);
        } else {
            self.dangling.push(failed(&shown(path), error));
        }
    }

    fn blind(&mut self, path: &Path, why: Blindness) {
        self.unseen.push(Unseen { name: shown(path), extent: Extent::Below, why });
    }
}

/// A place that cannot be looked at for this reason. Where this process, or the machine, has run
/// out of something, the rest cannot be looked at either.
pub(crate) fn failed(name: &Arc<str>, error: &io::Error) -> Unseen {
    let is_want = matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS)
    );
    let extent = if is_want { Extent::Rest } else { Extent::Below };
    Unseen { name: name.clone(), extent, why: Blindness::Failed(error.to_string().into()) }
}

/// Where `path` leads to, and what is there.
fn followed(path: &Path) -> io::Result<(PathBuf, Metadata)> {
    let real = fs::canonicalize(path)?;
    let metadata = fs::symlink_metadata(&real)?;
    Ok((real, metadata))
}

/// The names in a folder, sorted. One that fails midway was not seen at all.
fn listing(folder: &Path) -> io::Result<Vec<OsString>> {
    let names = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name()));
    let mut names: Vec<OsString> = names.take(MAX_ENTRIES + 1).collect::<io::Result<_>>()?;
    names.sort_unstable();
    Ok(names)
}

/// The mount that a folder is on; older kernels do not say.
fn mount(folder: &Path) -> io::Result<Option<u64>> {
    let told = statx(CWD, folder, AtFlags::empty(), StatxFlags::MNT_ID)?;
    Ok((told.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(told.stx_mnt_id))
}

/// A manifest by its name. `steelyard.lock` is none.
pub(crate) fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    matches!(extension, Some("yaml" | "yml" | "json"))
}

/// A file of Traefik's dynamic configuration by its name; as there, in any case.
pub(crate) fn is_dynamic(path: &Path) -> bool {
    let Some(extension) = path.extension() else { return false };
    ["toml", "yaml", "yml"].iter().any(|it| extension.eq_ignore_ascii_case(it))
}

/// What Traefik's folders are read without: a ConfigMap's `..data`, and what editors leave beside a
/// file. Others may begin with a dot.
fn is_aside(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.is_empty() || [&b".."[..], b".#", b"#", b"~"].iter().any(|it| name.starts_with(it))
}

/// Hidden files and folders (also a ConfigMap's `..data`), and what editors leave beside a file.
pub(crate) fn is_hidden(name: &OsStr) -> bool {
    matches!(name.as_encoded_bytes().first(), None | Some(b'.' | b'#' | b'~'))
}

/// The current folder without its `./`, so that files show as people write them.
pub(crate) fn plain(path: &Path) -> PathBuf {
    path.strip_prefix(".").unwrap_or(path).to_owned()
}

pub(crate) fn shown(path: &Path) -> Arc<str> {
    if path.as_os_str().is_empty() { ".".into() } else { path.to_string_lossy().into() }
}
