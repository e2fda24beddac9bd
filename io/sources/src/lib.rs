//! Files and folders of manifests: reading them once, and watching them.
//!
//! A path is a file, a folder (recursive; `*.yaml`, `*.yml`, `*.json`, sorted by name) or `-` for
//! standard input; of Traefik's dynamic configuration a folder's files are `*.toml`, `*.yaml` and
//! `*.yml`. What cannot be read is not an error here: its [`Source`] carries the reason, and
//! what cannot even be listed is [`steelyard_manifest::Unseen`]; both become diagnostics, so that
//! one bad file costs only itself. Only a path that never existed is a [`ReadError`].
//!
//! It is not a parser: nothing here looks into the bytes.
//!
//! Invariants:
//! - No file beyond the size limit is read, no special file is opened, and folder depth, number of
//!   files and total size are bounded, so that a link to `/` ends in a sentence.
//! - The same file reached twice (two paths, a link) is one source.
//! - A file is absent from a sight only when its folder was listed to the end without it, or the
//!   sight says that it may be there all the same. Nothing is remembered here for anybody: what to
//!   make of an incomplete sight is decided elsewhere.
//! - Sources come in a fixed order: paths as given, inside a folder by name.

mod attention;
mod glance;
mod shelf;
mod signs;
mod version;
mod walk;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use steelyard_manifest::ReadLimits;
pub use steelyard_manifest::{Sight, Source};

use crate::shelf::Shelf;
pub use crate::watch::{FolderWatch, watch};

/// Why nothing was read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A path the user named does not exist.
    #[error("`{}` does not exist; {HELP}", .path.display())]
    Missing {
        /// The path as given.
        path: PathBuf,
    },
    /// There was no path.
    #[error("no path is given; {HELP}")]
    NoPath,
}

const HELP: &str = "give a file, a folder of *.yaml, *.yml or *.json files, or `-` for standard \
                    input (relative paths start at the current folder); Traefik's own files need \
                    no path: --configfile, or --providers.file.directory";

/// Where files are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceRoots {
    /// Manifests.
    pub manifests: Vec<PathBuf>,
    /// Traefik's dynamic configuration.
    pub dynamic: Vec<PathBuf>,
}

impl SourceRoots {
    /// Manifests alone.
    pub fn of(manifests: &[PathBuf]) -> Self {
        Self { manifests: manifests.to_vec(), dynamic: Vec::new() }
    }

    /// How what is under the second kind is shown.
    pub fn dynamic_names(&self) -> Vec<Arc<str>> {
        self.dynamic.iter().map(|path| walk::shown(&walk::plain(path))).collect()
    }

    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        self.manifests.iter().chain(&self.dynamic)
    }
}

/// Reads everything under `roots`, with the size limit of [`ReadLimits::default`].
pub fn read(roots: &SourceRoots) -> Result<Sight, ReadError> {
    demand(roots)?;
    Ok(Shelf::new(ReadLimits::default().file_bytes).read(roots).sight)
}

/// Checks that there is at least one path and that all of them exist.
fn demand(roots: &SourceRoots) -> Result<(), ReadError> {
    if roots.all().next().is_none() {
        return Err(ReadError::NoPath);
    }
    let missing = |path: &&PathBuf| !is_stdin(path) && is_missing(path);
    match roots.all().find(missing) {
        Some(path) => Err(ReadError::Missing { path: path.clone() }),
        None => Ok(()),
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Whether there is nothing at `path`; what exists and cannot be reached is not missing.
fn is_missing(path: &Path) -> bool {
    std::fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests;
