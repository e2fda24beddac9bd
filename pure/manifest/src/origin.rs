//! What an object of a cluster has in the place of a file and a line.

use std::sync::{Arc, LazyLock};

/// In the place of a file's name.
pub(crate) static CLUSTER: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("cluster"));

/// What an API server knows an object by. Who writes to it says so which version was decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterOrigin {
    /// `metadata.uid`: another object of this name has another one.
    pub uid: Box<str>,
    /// `metadata.resourceVersion`, of the first version that was as it is now. Opaque.
    pub resource_version: Box<str>,
    /// `metadata.generation`: counts changes of what is wanted; 0 where the kind has none.
    pub generation: i64,
}
