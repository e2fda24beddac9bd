//! What an API server does not let us do.

use std::fmt;

use steelyard_model::{Diagnostic, Location, Severity};

use crate::codes;
use crate::origin::CLUSTER;
use crate::watched::Selection;

/// What is done with a kind of objects; the words of RBAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Read one.
    Get,
    /// Read all.
    List,
    /// Be told of changes.
    Watch,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
        })
    }
}

/// What is to be said while we may not look at `watch`.
pub fn refusal(watch: &Selection, verb: Verb) -> Diagnostic {
    let location = Location { file: CLUSTER.clone(), line: 0, column: 0, width: 0 };
    let message = format!(
        "the API server does not let this account {verb} {watch}; what was known of them stands"
    );
    let mut help = format!(
        "allow `get`, `list` and `watch` of {} to its role; `kubectl auth can-i {verb} {}",
        watch.kind, watch.kind
    );
    if let Some(namespace) = &watch.reach.namespace {
        help += &format!(" -n {namespace}");
    }
    help += " --as ACCOUNT` says whether it may";
    Diagnostic::in_file(Severity::Error, codes::ACCESS_REFUSED, location, message, help)
}
