//! An object as it is written, in a file or in a cluster.

use std::sync::Arc;

use steelyard_model::{FieldPath, Location, ObjectRef};

use crate::path::{Step, steps};
use crate::spot::Site;
use crate::tree::{Mark, Node};

/// One object as written, with its tree: to be read into types. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Object {
    /// Which object.
    pub reference: Arc<ObjectRef>,
    /// Its `apiVersion`, e.g. `metallb.io/v1beta1`.
    pub api_version: Arc<str>,
    /// The file it is in, as shown to the user; `cluster` where it is in none.
    pub file: Arc<str>,
    pub(crate) tree: Arc<Node>,
    pub(crate) group: Arc<str>,
    /// Where it is from.
    pub(crate) site: Site,
}

impl Object {
    /// The group of its `apiVersion`; empty for the core group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Whether it was taken from a cluster: only an API server gives objects a `uid`.
    pub fn is_from_cluster(&self) -> bool {
        self.tree.get("metadata").is_some_and(|metadata| metadata.node.get("uid").is_some())
    }

    /// Where the value at `path` is written, or the nearest thing above it that is. The object
    /// as a whole is shown at its name.
    pub fn locate(&self, path: &FieldPath) -> Location {
        mark_at(&self.tree, self.mark(), path).in_file(&self.file)
    }

    /// The mark of the object as a whole.
    pub(crate) fn mark(&self) -> Mark {
        let name = self.tree.get("metadata").and_then(|metadata| metadata.node.get("name"));
        name.map_or(self.tree.mark, |name| name.node.mark)
    }
}

/// Where the value at `path` below `tree` is written, or the nearest thing above it that is, which
/// may be what is at `whole`.
pub(crate) fn mark_at(tree: &Node, whole: Mark, path: &FieldPath) -> Mark {
    let (mut mark, mut node) = (whole, tree);
    for step in steps(&path.0) {
        let next = match step {
            Step::Key(key) => node.get(&key).map(|entry| &entry.node),
            Step::Index(index) => node.item(index),
        };
        let Some(next) = next else { break };
        (mark, node) = (next.mark, next);
    }
    mark
}
