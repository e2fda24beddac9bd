//! What keeps a text from being a tree.

use steelyard_model::Code;

use crate::tree::Mark;

/// Why a document is not a tree.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) mark: Mark,
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: String,
}
