//! What tells objects apart.

use std::sync::Arc;

use steelyard_model::ObjectRef;

use crate::object::Object;

/// An object's name and API group: there is more than one kind called `Service`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Kind, namespace and name.
    pub reference: Arc<ObjectRef>,
    /// The group; empty for the core group.
    pub group: Arc<str>,
}

impl Key {
    /// Of an object.
    pub fn of(object: &Object) -> Self {
        Self { reference: object.reference.clone(), group: object.group.clone() }
    }

    /// The first of a name, whatever its group.
    pub fn first(reference: Arc<ObjectRef>) -> Self {
        Self { reference, group: Arc::default() }
    }
}
