//! Which files lie under the given paths.
//!
//! Not read here, only listed. Links are followed; each real folder and each real file is taken
//! once, which ends loops.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{is_missing, is_stdin};

/// Folders within folders, at most.
const MAX_DEPTH: usize = 32;
/// Files, at most.
const MAX_FILES: usize = 10_000;
/// Names looked at, at most: a folder may hold millions of other files.
const MAX_ENTRIES: usize = 1_000_000;

/// What lies under the given paths.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// In the order they are to be shown.
    pub(crate) found: Vec<Found>,
    /// Real folders whose content decides what is found: those walked, and those that hold a file
    /// or a given path.
    pub(crate) folders: BTreeSet<PathBuf>,
    /// Something vanished while it was looked at.
    pub(crate) torn: bool,
    seen: BTreeSet<PathBuf>,
    entries: usize,
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
    },
    /// A path the user named is not there now.
    Gone {
        /// The path as given.
        name: Arc<str>,
    },
    /// Something that could not be listed.
    Fault {
        /// The file or folder.
        name: Arc<str>,
        /// Why.
        reason: String,
    },
}

impl Walk {
    /// Lists everything under `paths`.
    pub(crate) fn under(paths: &[PathBuf]) -> Self {
        let mut walk = Self::default();
        for path in paths {
            walk.root(path);
        }
        walk
    }

    fn root(&mut self, path: &Path) {
        if is_stdin(path) {
            if self.seen.insert(path.to_owned()) {
                self.found.push(Found::Stdin);
            }
            return;
        }
        self.heed_parent(path);
        match fs::canonicalize(path) {
            Ok(real) if real.is_dir() => self.folder(&plain(path), real, 0),
            Ok(real) => self.file(path, real),
            Err(_) if is_missing(path) => self.found.push(Found::Gone { name: shown(path) }),
            Err(error) => self.fault(path, &error),
        }
    }

    /// The folder in which `path` comes and goes.
    fn heed_parent(&mut self, path: &Path) {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if let Some(Ok(parent)) = absolute.parent().map(fs::canonicalize) {
            self.folders.insert(parent);
        }
    }

    fn folder(&mut self, path: &Path, real: PathBuf, depth: usize) {
        if !self.seen.insert(real.clone()) {
            return;
        }
        if depth > MAX_DEPTH {
            return self.refuse(path, format!("it is more than {MAX_DEPTH} folders deep"));
        }
        self.folders.insert(real.clone());
        let mut names = Vec::new();
        match fs::read_dir(&real) {
            Ok(entries) => names.extend(entries.flatten().map(|entry| entry.file_name())),
            Err(error) if error.kind() == ErrorKind::NotFound => return self.torn = true,
            Err(error) => return self.fault(path, &error),
        }
        names.sort_unstable();
        for name in names {
            self.entries += 1;
            if self.is_full() {
                return self.refuse(
                    path,
                    format!("it holds more than {MAX_FILES} manifests; the rest is left out"),
                );
            }
            if !is_hidden(&name) {
                self.entry(&path.join(&name), &real.join(&name), depth);
            }
        }
    }

    fn entry(&mut self, path: &Path, real: &Path, depth: usize) {
        let Ok(kind) = fs::symlink_metadata(real) else { return self.torn = true };
        let (real, is_folder) = if kind.is_symlink() {
            match fs::canonicalize(real) {
                Ok(real) => (real.clone(), real.is_dir()),
                Err(error) if is_manifest(path) => return self.fault(path, &error),
                Err(_) => return,
            }
        } else {
            (real.to_owned(), kind.is_dir())
        };
        if is_folder {
            self.folder(path, real, depth + 1);
        } else if is_manifest(path) {
            self.file(path, real);
        }
    }

    fn file(&mut self, path: &Path, real: PathBuf) {
        if !self.seen.insert(real.clone()) {
            return;
        }
        self.folders.extend(real.parent().map(Path::to_owned));
        self.found.push(Found::File { name: shown(path), real });
    }

    fn is_full(&self) -> bool {
        self.found.len() >= MAX_FILES || self.entries > MAX_ENTRIES
    }

    fn fault(&mut self, path: &Path, error: &std::io::Error) {
        self.torn |= error.kind() == ErrorKind::NotFound;
        self.found.push(Found::Fault { name: shown(path), reason: error.to_string() });
    }

    fn refuse(&mut self, path: &Path, reason: String) {
        self.found.push(Found::Fault { name: shown(path), reason });
    }
}

/// A manifest by its name. `steelyard.lock` is none.
pub(crate) fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    matches!(extension, Some("yaml" | "yml" | "json"))
}

/// Hidden files and folders (also a ConfigMap's `..data`), and what editors leave beside a file.
fn is_hidden(name: &OsStr) -> bool {
    matches!(name.as_encoded_bytes().first(), None | Some(b'.' | b'#' | b'~'))
}

/// The current folder without its `./`, so that files show as people write them.
fn plain(path: &Path) -> PathBuf {
    path.strip_prefix(".").unwrap_or(path).to_owned()
}

fn shown(path: &Path) -> Arc<str> {
    if path.as_os_str().is_empty() { ".".into() } else { path.to_string_lossy().into() }
}
