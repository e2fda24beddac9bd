//! Temporary folders of manifests.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use crate::wait;

/// A folder of its own for one test; removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Scratch {
    /// An empty folder.
    pub fn new() -> Result<Self> {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("steelyard-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self { path })
    }

    /// A copy of the files of `folder`.
    pub fn copy_of(folder: &Path) -> Result<Self> {
        let scratch = Self::new()?;
        for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            // Not fs::copy: it would copy write protection too.
            scratch.write(
                &entry.file_name().to_string_lossy(),
                &std::fs::read_to_string(entry.path())?,
            )?;
        }
        Ok(scratch)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file as editors do: whole, beside the old one, then in its place.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let fresh = self.path.join(format!(".{name}.new"));
        std::fs::write(&fresh, text)?;
        std::fs::rename(&fresh, self.file(name)).context("cannot replace the file")
    }

    /// Removes a file.
    pub fn remove(&self, name: &str) -> Result<()> {
        std::fs::remove_file(self.file(name)).with_context(|| name.to_owned())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A process that was told to end may still be writing.
        let _ = wait::until("an empty folder", || {
            let gone = std::fs::remove_dir_all(&self.path);
            gone.is_ok() || !self.path.exists()
        });
    }
}
