//! A cluster as a source of changes by object.
//!
//! What comes from an API server are events ([`ClusterEvent`]): an object is like this, or gone, or
//! these are all of a kind. [`ClusterFront`] makes of them what [`Front`](crate::Front) makes of
//! files. Its objects have no text: they stand in no line of no file, and their tree is dropped as
//! soon as they have been read.

mod front;
mod refusal;
#[cfg(test)]
mod tests;
mod tree;
mod version;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::identity::{Inherited, identify};
use crate::key::Key;
use crate::object::{Object, Soundness};
use crate::origin::{CLUSTER, ClusterOrigin};
use crate::spot::Site;
use crate::tree::{Node, Value};
use crate::watched::{Selection, Watched};
pub use front::ClusterFront;
pub use refusal::{Verb, refusal};
pub use version::is_older;

/// What an API server sent, as it came from it: a tree without places.
#[derive(Clone, Debug)]
pub struct RawObject(pub(crate) Node);

/// An object as an API server has it, with its tree.
#[derive(Clone, Debug)]
pub struct ClusterObject {
    /// To be read into types.
    pub object: Object,
    /// What the API server knows it by.
    pub origin: Arc<ClusterOrigin>,
}

/// What was heard of a cluster.
#[derive(Debug)]
pub enum ClusterEvent {
    /// An object is there, and is like this, be it new or as before.
    Written(Box<ClusterObject>),
    /// An object is gone; if there is one of that name with another `uid`, it stays.
    Gone {
        /// Its name.
        key: Key,
        /// Which one of that name.
        uid: Box<str>,
    },
    /// A list of a whole kind begins to come that was listed before. What is known stands until the
    /// list has come to its end; but it says nothing of what is old, even if its versions are lower
    /// than those that are known: who restores an API server's store from a backup takes its
    /// versions back too.
    Anew(Selection),
    /// A list has come to its end. Each object in it was sent before, since the list began: what
    /// else is known of the watch is gone.
    Listed {
        /// What was listed.
        watch: Selection,
        /// All there are.
        present: BTreeSet<Key>,
    },
    /// There is no such kind in this cluster, and so no object of it. It may come later.
    Absent(Selection),
    /// Nobody looks at these any more.
    Unwatched(Selection),
    /// The API server does not let us look. What is known stands.
    Refused {
        /// At what.
        watch: Selection,
        /// What it does not let us do.
        verb: Verb,
    },
}

/// What came is no object of the kind that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoObject;

impl fmt::Display for NoObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what the API server sent is no object")
    }
}

impl std::error::Error for NoObject {}

impl ClusterObject {
    /// The object that was sent where `kind` was asked for.
    ///
    /// # Errors
    /// When it has no name, `uid` or version: no API server sends such a thing.
    pub fn new(raw: RawObject, kind: &'static Watched) -> Result<Self, NoObject> {
        let RawObject(mut tree) = raw;
        let text = |key: &str| tree.get("metadata")?.node.get(key)?.node.text();
        let (uid, version) = (text("uid"), text("resourceVersion"));
        let (uid, version) = (uid.ok_or(NoObject)?, version.ok_or(NoObject)?);
        let generation = generation(&tree).unwrap_or_default();
        let origin = Arc::new(ClusterOrigin::new(uid, version, generation));
        trim(&mut tree, kind);
        let inherited =
            Inherited { api_version: Some(kind.api_version()), kind: Some(Arc::from(kind.kind)) };
        let identity = identify(&tree, &inherited, &CLUSTER).map_err(|_| NoObject)?;
        let is_asked_for = *identity.reference.kind == *kind.kind
            && identity.api_version == inherited.api_version.unwrap_or_default();
        if !is_asked_for {
            return Err(NoObject);
        }
        let object = Object {
            soundness: Soundness::Sound,
            reference: identity.reference,
            api_version: identity.api_version,
            file: CLUSTER.clone(),
            tree: Arc::new(tree),
            group: Arc::from(kind.group),
            site: Site::Cluster(kind, origin.clone()),
        };
        Ok(Self { object, origin })
    }

    /// Which object.
    pub fn key(&self) -> Key {
        Key::of(&self.object)
    }
}

impl RawObject {
    /// `metadata.resourceVersion`.
    pub fn resource_version(&self) -> Option<&str> {
        self.0.get("metadata")?.node.get("resourceVersion")?.node.text()
    }

    /// `code` of a `Status`, an HTTP status.
    pub fn status_code(&self) -> Option<u16> {
        match &self.0.get("code")?.node.value {
            Value::Scalar { text, .. } => text.parse().ok(),
            _ => None,
        }
    }

    /// The annotation `key`.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.0.get("metadata")?.node.get("annotations")?.node.get(key)?.node.text()
    }
}

fn generation(tree: &Node) -> Option<i64> {
    match &tree.get("metadata")?.node.get("generation")?.node.value {
        Value::Scalar { text, .. } => text.parse().ok(),
        _ => None,
    }
}

/// What `kubectl apply` wrote beside what it applied: the same once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Takes out what nobody reads and often is most of an object.
fn trim(tree: &mut Node, kind: &Watched) {
    let Value::Map(entries) = &mut tree.value else { return };
    let metadata = entries.iter_mut().find(|entry| &*entry.key == "metadata");
    let Some(Value::Map(metadata)) = metadata.map(|entry| &mut entry.node.value) else { return };
    metadata.retain(|entry| kind.keeps_managers || &*entry.key != "managedFields");
    let annotations = metadata.iter_mut().find(|entry| &*entry.key == "annotations");
    if let Some(Value::Map(annotations)) = annotations.map(|entry| &mut entry.node.value) {
        annotations.retain(|entry| &*entry.key != LAST_APPLIED);
    }
}
