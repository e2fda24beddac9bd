//! A listener on one core, as its connections see it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use steelyard_http::Spelling;
use steelyard_model::routing::id::EntryPointId;

/// Where connections come in.
pub(crate) struct Listener {
    /// Its entry point, as routes know it.
    pub(crate) point: EntryPointId,
    /// The same, as metrics and logs know it.
    pub(crate) entry_point: Arc<str>,
    /// `address:port`, for Host when a client names none.
    pub(crate) address: String,
    /// In which spelling paths are forwarded, unless their route says so.
    pub(crate) path: Spelling,
    /// No further requests: connections close after the one they are at.
    pub(crate) closing: Cell<bool>,
    /// How many are open at the entry point.
    pub(crate) open: Rc<Cell<i64>>,
}
