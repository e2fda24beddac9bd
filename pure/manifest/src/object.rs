//! An object as it is written, in a file or in a cluster.

use std::sync::Arc;

use steelyard_model::{FieldPath, Location, MarkedPart, ObjectRef};

use crate::path::{Step, steps};
use crate::spot::Site;
use crate::tree::{Mark, Node, Value};

/// Whether what is written of an object counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Soundness {
    /// As it stands.
    #[default]
    Sound,
    /// It stands in text with a mistake, which is told of the text: nothing of the object counts
    /// but whom it would hold back.
    Marred,
    /// The same, and what it is called is not known: it may be another version of any.
    Nameless,
}

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
    /// Whether it counts.
    pub soundness: Soundness,
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
        self.locate_part(path, None)
    }

    /// The same of a part of the text there, as far as that stands there as it is.
    pub fn locate_part(&self, path: &FieldPath, part: Option<MarkedPart>) -> Location {
        place_at(&self.tree, self.mark(), (path, part)).in_file(&self.file)
    }

    /// The mark of the object as a whole.
    pub(crate) fn mark(&self) -> Mark {
        let name = self.tree.get("metadata").and_then(|metadata| metadata.node.get("name"));
        name.map_or(self.tree.mark, |name| name.node.mark)
    }
}

/// A place of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlaceMark {
    mark: Mark,
    width: u32,
}

impl PlaceMark {
    pub(crate) fn in_file(self, file: &Arc<str>) -> Location {
        Location { width: self.width, ..self.mark.in_file(file) }
    }
}

/// The text at a path below `tree`, where there is one.
pub(crate) fn text_at<'t>(tree: &'t Node, path: &FieldPath) -> Option<&'t str> {
    let mut node = tree;
    for step in steps(&path.0) {
        node = match step {
            Step::Key(key) => &node.get(&key)?.node,
            Step::Index(index) => node.item(index)?,
        };
    }
    match &node.value {
        Value::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

/// Where the value at a path below `tree` is written, or the nearest thing above it that is, which
/// may be what is at `whole`. Of a text it may be a part, where that stands there as it is.
pub(crate) fn place_at(
    tree: &Node,
    whole: Mark,
    (path, part): (&FieldPath, Option<MarkedPart>),
) -> PlaceMark {
    let (mut mark, mut node) = (whole, tree);
    for step in steps(&path.0) {
        let next = match step {
            Step::Key(key) => node.get(&key).map(|entry| &entry.node),
            Step::Index(index) => node.item(index),
        };
        let Some(next) = next else { return PlaceMark { mark, width: 0 } };
        (mark, node) = (next.mark, next);
    }
    // An alias stands elsewhere than what it names.
    match (part, &node.value) {
        (Some(part), Value::Scalar { lead: Some(lead), .. }) => {
            let column = mark.column.saturating_add(part.before).saturating_add((*lead).into());
            PlaceMark { mark: Mark { column, ..mark }, width: part.length.max(1) }
        }
        _ => PlaceMark { mark, width: 0 },
    }
}
