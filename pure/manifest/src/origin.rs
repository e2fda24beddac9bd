//! What an object of a cluster has in the place of a file and a line.

use std::sync::{Arc, LazyLock};

/// In the place of a file's name.
pub(crate) static CLUSTER: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("cluster"));

/// What an API server knows an object by. Who writes to it says so which version was decided on.
///
/// There are many, so its texts are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterOrigin {
    /// The uid, and after it the version.
    texts: Box<str>,
    uid: usize,
    /// `metadata.generation`: counts changes of what is wanted; 0 where the kind has none.
    pub generation: i64,
}

impl ClusterOrigin {
    pub(crate) fn new(uid: &str, resource_version: &str, generation: i64) -> Self {
        let texts = [uid, resource_version].concat().into();
        Self { texts, uid: uid.len(), generation }
    }

    /// `metadata.uid`: another object of this name has another one.
    pub fn uid(&self) -> &str {
        &self.texts[..self.uid]
    }

    /// `metadata.resourceVersion`, of the first version that was as it is now. Opaque.
    pub fn resource_version(&self) -> &str {
        &self.texts[self.uid..]
    }
}
