//! How a place in the tree was reached.

use steelyard_model::FieldPath;

/// The way from the root, innermost step first; spelled out only for a message.
#[derive(Clone, Copy)]
pub(super) enum Trail<'a> {
    Root,
    Key(&'a Self, &'a str),
    Index(&'a Self, usize),
}

/// What every object has at its top, and every metadata below it, though a type need not read it.
const TOP: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];
const METADATA: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

impl Trail<'_> {
    pub(super) fn path(&self) -> FieldPath {
        match self {
            Self::Root => FieldPath::root(),
            Self::Key(above, key) => above.path().key(key),
            Self::Index(above, index) => above.path().index(*index),
        }
    }

    /// Fields that are fine here whatever the type.
    pub(super) fn always(&self) -> &'static [&'static str] {
        match self {
            Self::Root => &TOP,
            Self::Key(Trail::Root, "metadata") => &METADATA,
            _ => &[],
        }
    }
}
