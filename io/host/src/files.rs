//! Files that somebody names: read without waiting, whatever stands in their place.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// What a file has in it, links followed: `most` bytes at most, and nothing of what is no file,
/// since who opens a pipe may wait for ever.
///
/// # Errors
/// Those of opening and reading it, and `InvalidData` where it is no file, or a larger one.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_by(0, path, most)
}

/// The same, opened by `flags` (open(2)) besides.
pub(crate) fn read_by(flags: i32, path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let flags = flags | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no file"));
    }
    let mut content = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut content)?;
    match u64::try_from(content.len()).is_ok_and(|length| length <= most) {
        true => Ok(content),
        false => {
            let why = format!("it has more than {most} bytes");
            Err(io::Error::new(io::ErrorKind::InvalidData, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let folder = std::env::temp_dir().join(format!("steelyard-files-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (pipe, plain, link) = (folder.join("pipe"), folder.join("plain"), folder.join("link"));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.is_ok_and(|status| status.success()));
        std::fs::write(&plain, "1234").unwrap();
        std::os::unix::fs::symlink(&plain, &link).unwrap();
        for path in [&pipe, &folder] {
            assert_eq!(read(path, 9).unwrap_err().to_string(), "it is no file");
        }
        for path in [&plain, &link] {
            assert_eq!(read(path, 4).unwrap(), b"1234");
        }
        assert_eq!(read(&link, 3).unwrap_err().to_string(), "it has more than 3 bytes");
        assert_eq!(read(&folder.join("none"), 3).unwrap_err().kind(), io::ErrorKind::NotFound);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
