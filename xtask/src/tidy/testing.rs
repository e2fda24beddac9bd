//! Files that a test makes up.

use super::SourceFile;

/// A file of this path and text.
pub(super) fn source(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.into(), text: text.into() }
}
