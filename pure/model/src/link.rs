//! Objects that are named by others, and have not been looked up yet.

use std::sync::Arc;

use crate::object::{NamespacedName, Provenance};

/// An object named by another, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectLink {
    /// Which.
    pub to: LinkTarget,
    /// Where it is named.
    pub place: Provenance,
}

/// What is named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkTarget {
    /// An object of the cluster.
    Object(NamespacedName),
    /// What another provider has: `api@internal`.
    Provided(Arc<str>),
}

impl LinkTarget {
    /// The object, if it is one of the cluster.
    pub fn object(&self) -> Option<&NamespacedName> {
        match self {
            Self::Object(id) => Some(id),
            Self::Provided(_) => None,
        }
    }
}
