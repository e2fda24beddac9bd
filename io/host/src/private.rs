//! Files and folders that are nobody else's: other users of the machine can neither read what is
//! in them, nor lock them, nor lead us elsewhere by a link that stands in the place of one.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use crate::{files, random};

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;
/// Tries for a name that nobody has.
const TRIES: usize = 16;

/// Makes `path`, and what is missing above it, for this user alone. A folder that is there stays
/// as it is.
///
/// # Errors
/// Those of making it.
pub fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER).create(path)
}

/// Makes a folder of a new name in `place`, for this user alone.
///
/// # Errors
/// Those of making it.
pub fn fresh_folder(place: &Path, name: &str) -> io::Result<PathBuf> {
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..TRIES {
        let path = place.join(format!("{name}-{:016x}", u64::from_ne_bytes(random::bytes()?)));
        // Not recursive: what is there already may be somebody else's.
        match DirBuilder::new().mode(FOLDER).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// Opens `path` for writing, made where it is not there; never through a link.
///
/// # Errors
/// Those of opening it.
pub fn open(path: &Path) -> io::Result<File> {
    let mut open = OpenOptions::new();
    open.write(true).create(true).truncate(false).mode(FILE).custom_flags(libc::O_NOFOLLOW);
    let file = open.open(path)?;
    if file.metadata()?.uid() == own_id() {
        // One that an earlier version left open to all.
        file.set_permissions(std::fs::Permissions::from_mode(FILE))?;
    }
    Ok(file)
}

/// What is in the file at `path`, at most so many bytes of it; never through a link, and nothing of
/// what is no file: who opens a pipe may wait for ever.
///
/// # Errors
/// Those of opening and reading it, and `InvalidData` where it is no file, or a larger one.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    files::read_by(libc::O_NOFOLLOW, path, most)
}

/// Puts `content` in the place of the file at `path`, so that a kill at any moment leaves the old
/// one or the new one. A new file is for the owner of its folder alone; one that takes another's
/// place keeps its owner and mode, so that who could read it still can.
///
/// # Errors
/// When the folder does not let us.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let temporary = temporary_beside(path);
    // What a kill left; the name is always the same, so that there is one at most.
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut open = OpenOptions::new();
    open.write(true).create_new(true).mode(FILE).custom_flags(libc::O_NOFOLLOW);
    let mut file = open.open(&temporary)?;
    let former = std::fs::metadata(path);
    let like = former.as_ref().ok().cloned().map_or_else(|| std::fs::metadata(folder), Ok)?;
    // Only root may give files away; nobody else needs to.
    let _ = fchown(&file, Some(like.uid()), Some(like.gid()));
    if let Ok(former) = former {
        file.set_permissions(std::fs::Permissions::from_mode(former.mode() & 0o777))?;
    }
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    File::open(folder)?.sync_all()
}

/// A hidden name in the same folder.
fn temporary_beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    path.with_file_name(name)
}

#[allow(unsafe_code, reason = "the standard library has no call for it")]
fn own_id() -> u32 {
    // SAFETY: geteuid(2) takes nothing, cannot fail and touches no memory.
    unsafe { libc::geteuid() }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Self {
            Self(fresh_folder(&std::env::temp_dir(), "sy-private").unwrap())
        }

        fn mode(&self, name: &str) -> u32 {
            std::fs::symlink_metadata(self.0.join(name)).unwrap().mode() & 0o777
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_new_is_for_its_owner_alone() {
        let scratch = Scratch::new();
        assert_eq!(scratch.mode("."), 0o700);
        folder(&scratch.0.join("a/b")).unwrap();
        assert_eq!(scratch.mode("a/b"), 0o700);
        open(&scratch.0.join("lock")).unwrap();
        replace(&scratch.0.join("state"), b"x").unwrap();
        assert_eq!((scratch.mode("lock"), scratch.mode("state")), (0o600, 0o600));
    }

    #[test]
    fn what_takes_anothers_place_keeps_its_mode() {
        let scratch = Scratch::new();
        let path = scratch.0.join("steelyard.lock");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(scratch.mode("steelyard.lock"), 0o644);
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(&scratch.0).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_file_or_too_large_is_not_read() {
        let scratch = Scratch::new();
        let (file, link, pipe) =
            (scratch.0.join("file"), scratch.0.join("link"), scratch.0.join("pipe"));
        std::fs::write(&file, "four").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert_eq!(read(&file, 4).unwrap(), b"four");
        let kind = |result: io::Result<Vec<u8>>| result.unwrap_err().kind();
        assert_eq!(kind(read(&file, 3)), io::ErrorKind::InvalidData);
        assert_eq!(kind(read(&pipe, 4)), io::ErrorKind::InvalidData);
        assert_eq!(kind(read(&scratch.0, 4)), io::ErrorKind::InvalidData);
        assert_eq!(kind(read(&scratch.0.join("none"), 4)), io::ErrorKind::NotFound);
        assert!(read(&link, 4).is_err());
    }

    #[test]
    fn a_link_leads_nowhere_else() {
        let scratch = Scratch::new();
        let (victim, lock) = (scratch.0.join("victim"), scratch.0.join("lock"));
        std::fs::write(&victim, "untouched").unwrap();
        std::os::unix::fs::symlink(&victim, &lock).unwrap();
        assert!(open(&lock).is_err());
        // In the place of the temporary file, which is known beforehand.
        let state = scratch.0.join("state");
        std::os::unix::fs::symlink(&victim, temporary_beside(&state)).unwrap();
        replace(&state, b"new").unwrap();
        assert_eq!(std::fs::read(&victim).unwrap(), b"untouched");
        assert_eq!(std::fs::read(&state).unwrap(), b"new");
        assert!(std::fs::symlink_metadata(&state).unwrap().is_file());
    }
}
