//! Where an unknown field belongs, found by trying: a key one level too far out or in is a slip of
//! indentation, and the type knows where it would be taken.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use steelyard_model::FieldPath;

use super::Session;
use super::cursor::Cursor;
use crate::object::Object;
use crate::path::{Step, steps};
use crate::tree::{Entry, Mark, Node, Value};

/// A key that no type has: what takes it takes any.
const NONSENSE: &str = "-";

/// A field that `owner` does not have, while it has the fields `known`.
pub(super) struct Stray {
    owner: FieldPath,
    key: Arc<str>,
    value: Arc<Node>,
    pub(super) known: Vec<&'static str>,
}

impl Stray {
    pub(super) fn new(owner: FieldPath, entry: &Entry, known: &[&'static str]) -> Self {
        let value = Arc::new(entry.node.clone());
        Self { owner, key: entry.key.clone(), value, known: known.to_vec() }
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Says where it belongs, if that is right below a field beside it, one level further out, or
    /// in one of the two parts that objects have.
    pub(super) fn home<T: DeserializeOwned>(&self, object: &Object) -> Option<String> {
        let key = &self.key;
        let beside = self.known.iter().map(|field| self.owner.key(field));
        for field in beside {
            if self.is_taken::<T>(&field, object) {
                return Some(format!("`{key}` belongs below `{field}`: indent it more"));
            }
            if self.is_taken::<T>(&field.index(0), object) {
                return Some(format!("`{key}` belongs to an entry of `{field}`: indent it more"));
            }
        }
        let above = above(&self.owner)?;
        if self.is_taken::<T>(&above, object) {
            let place =
                if above.is_root() { "at the top" } else { &format!("below `{above}` itself") };
            return Some(format!("`{key}` belongs {place}: indent it less"));
        }
        let elsewhere = ["metadata", "spec"].map(FieldPath::from);
        let place = elsewhere.iter().find(|place| self.is_taken::<T>(place, object))?;
        Some(format!("`{key}` belongs below `{place}`: move it there"))
    }

    /// Whether the type knows the field at `owner`.
    fn is_taken<T: DeserializeOwned>(&self, owner: &FieldPath, object: &Object) -> bool {
        let takes = |key: &str| {
            let tree = Arc::new(self.alone(owner, key));
            let object = Object { tree, ..object.clone() };
            let session = Session::new(&object, true);
            let read = T::deserialize(Cursor::root(&session, &object.tree));
            read.is_ok() && session.unknown.into_inner().reports.is_empty()
        };
        takes(&self.key) && !takes(NONSENSE)
    }

    /// An object that has nothing but the value, as `key` of `owner`.
    fn alone(&self, owner: &FieldPath, key: &str) -> Node {
        let value = node(Value::Shared(self.value.clone()));
        let inner = node(Value::Map(vec![entry(key, value)]));
        steps(&owner.0).into_iter().rev().fold(inner, |inner, step| match step {
            Step::Key(key) => node(Value::Map(vec![entry(&key, inner)])),
            Step::Index(_) => node(Value::List(vec![inner])),
        })
    }
}

/// What `owner` is in: without its last key, and without the index of a list before that.
fn above(owner: &FieldPath) -> Option<FieldPath> {
    if owner.is_root() {
        return None;
    }
    let mut before = FieldPath::root();
    let steps = steps(&owner.0);
    let last = steps.iter().rposition(|step| matches!(step, Step::Key(_)))?;
    for step in &steps[..last] {
        before = match step {
            Step::Key(key) => before.key(key),
            Step::Index(index) => before.index(*index),
        };
    }
    Some(before)
}

fn node(value: Value) -> Node {
    Node { mark: Mark::START, value }
}

fn entry(key: &str, node: Node) -> Entry {
    Entry { key: Arc::from(key), mark: Mark::START, lead: None, node }
}
