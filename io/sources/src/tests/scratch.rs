//! A folder of its own for a test, removed afterwards also when the test fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use steelyard_manifest::{Sight, Source, SourceText};

/// The folder.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("steelyard-sources-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(fs::canonicalize(path).unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn link(&self, target: impl AsRef<Path>, name: &str) {
        std::os::unix::fs::symlink(target, self.join(name)).unwrap();
    }

    /// What was seen as `name=text` lines and what was not as `name!why`, names relative to the
    /// folder.
    pub(crate) fn lines(&self, sight: &Sight) -> Vec<String> {
        sight.clone().into_sources().iter().map(|source| self.line(source)).collect()
    }

    fn line(&self, source: &Source) -> String {
        let name = Path::new(&*source.name);
        let name = name.strip_prefix(&self.0).unwrap_or(name).display();
        match text(source) {
            Ok(text) => format!("{name}={text}"),
            Err(reason) => format!("{name}!{reason}"),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The text, or why there is none.
fn text(source: &Source) -> Result<String, String> {
    match &source.text {
        SourceText::Bytes(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        SourceText::TooLarge(bytes) => Err(format!("{bytes} bytes")),
        SourceText::Failed(reason) => Err(reason.to_string()),
        SourceText::Kept(..) => unreachable!("nothing is remembered here"),
    }
}
