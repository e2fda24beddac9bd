//! `steelyard.lock` on disk: its one writer.
//!
//! Replaced atomically (a temporary file beside it, synced, renamed, the folder synced), so that a
//! kill at any moment leaves the old file or the new one, never a part. A new one is for the owner
//! of its folder alone, who may commit it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};
use steelyard_host::private;
use steelyard_manifest::lock;
use steelyard_model::{Diagnostic, Holdings};

/// What the file at `path` says; nothing when there is no file yet.
///
/// # Errors
/// When it cannot be read, or (the inner diagnostic) is not a lock file: then nothing may be
/// planned, since addresses would move.
pub fn read(path: &Path) -> Result<Result<Holdings, Box<Diagnostic>>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(lock::parse(path.to_string_lossy().as_ref(), &text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Ok(Holdings::default())),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    length: u64,
    /// When it was last written, and when anything about it last changed: seconds and nanoseconds.
    times: [(i64, i64); 2],
}

/// The state that the file at `path` is in; none while there is none.
pub fn stamp(path: &Path) -> Option<Stamp> {
    let it = std::fs::metadata(path).ok()?;
    let times = [(it.mtime(), it.mtime_nsec()), (it.ctime(), it.ctime_nsec())];
    Some(Stamp { inode: it.ino(), length: it.len(), times })
}

/// Writes `held` to `path`, unless that is what stands there.
///
/// # Errors
/// When the folder does not let us.
pub fn write(path: &Path, held: &Holdings) -> Result<()> {
    let text = lock::print(held);
    if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    replace(path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    // A committed lock may be a symbolic link into another folder: replace what it points to.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    private::replace(&path, content)
}

#[cfg(test)]
mod tests {
    use steelyard_model::{Holding, NamespacedName};

    use super::*;

    #[test]
    fn what_is_written_is_read_and_an_absent_file_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steelyard.lock");
        assert_eq!(read(&path).unwrap().unwrap(), Holdings::default());
        let addresses = vec!["10.0.0.1".parse().unwrap()];
        let holding = Holding { addresses, pool: "a".into(), ..Holding::default() };
        let held =
            Holdings([(NamespacedName::new("default", "web"), holding)].into_iter().collect());
        write(&path, &held).unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), held);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_of_another_kind_is_a_diagnostic_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steelyard.lock");
        std::fs::write(&path, "services: 7\n").unwrap();
        let diagnostic = read(&path).unwrap().unwrap_err();
        assert!(diagnostic.location.is_some(), "{diagnostic:?}");
    }
}
