//! What keeps a document from being an object.

use steelyard_model::{Code, Severity};

use crate::tree::Mark;

/// Why a document is no object, or a doubtful one.
#[derive(Debug)]
pub(crate) struct Nameless {
    pub(crate) severity: Severity,
    pub(crate) code: Code,
    pub(crate) mark: Mark,
    pub(crate) path: &'static str,
    pub(crate) message: String,
    pub(crate) help: String,
}
