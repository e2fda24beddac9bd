//! What is in force.

use std::sync::Arc;
use std::time::Duration;

use crate::hands::Applied;
use crate::mind::Decided;

/// A decision that was carried out, and what was observed.
#[derive(Clone)]
pub(crate) struct Current {
    pub(crate) decided: Arc<Decided>,
    pub(crate) applied: Applied,
    /// From the change seen to everything applied.
    pub(crate) took: Duration,
}
