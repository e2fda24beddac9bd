//! Diagnostics of the running whole.

use steelyard_model::Code;

/// A faulty edit: the version before it stays in force.
pub const LAST_GOOD_KEPT: Code = Code::new("last-good-kept");
