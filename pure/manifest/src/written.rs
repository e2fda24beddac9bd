//! What stays of an object when its tree does not.
//!
//! A tree is many times as large as the text it is read from. So an object's is dropped as soon as
//! the object has been read into types, and the place of a field is found by reading its document
//! once more: the bytes that it was read from are kept, so that the place is the same whatever
//! became of the file.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use steelyard_model::{FieldPath, Location};

use crate::key::Key;
use crate::load::again;
use crate::object::Object;
use crate::spot::Spot;
use crate::tree::{Entry, Mark, Node, Value};

/// Where an object is written, and a digest of what is written there. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Written {
    /// Which object.
    pub key: Key,
    spot: Spot,
    /// Of the object as a whole.
    mark: Mark,
    digest: u64,
    /// Whether it was taken from a cluster: only an API server gives objects a `uid`.
    pub is_from_cluster: bool,
}

/// What is taken out of an object before its tree is dropped.
pub trait Extract: Sized {
    /// What there is to take.
    fn of(object: &Object) -> Self;

    /// Where the object is written.
    fn written(&self) -> &Written;

    /// The same of an object with the same content that is written elsewhere; none where that
    /// makes a difference.
    fn moved(&self, written: &Written) -> Option<Self>;
}

impl Written {
    /// Of an object that still has its tree.
    pub fn of(object: &Object) -> Self {
        let mark = object.mark();
        Self {
            key: Key::of(object),
            spot: object.spot.clone(),
            mark,
            digest: digest(object),
            is_from_cluster: object.is_from_cluster(),
        }
    }

    /// The file it is in, as shown to the user.
    pub fn file(&self) -> &Arc<str> {
        self.spot.file()
    }

    /// Where the object as a whole is shown: at its name.
    pub fn location(&self) -> Location {
        self.mark.in_file(self.file())
    }

    /// As [`Object::locate`]. Reads the object's document again.
    pub fn locate(&self, path: &FieldPath) -> Location {
        if path.is_root() {
            return self.location();
        }
        match again(&self.spot).filter(|object| object.reference == self.key.reference) {
            Some(object) => self.spot.shifted(object.locate(path)),
            None => self.location(),
        }
    }

    /// Whether the same is written in both, be it at other places.
    pub fn is_like(&self, other: &Self) -> bool {
        self.key == other.key && self.digest == other.digest
    }
}

/// Equal if the same is written in both, at the same place.
impl PartialEq for Written {
    fn eq(&self, other: &Self) -> bool {
        self.is_like(other) && self.mark == other.mark && self.file() == other.file()
    }
}

/// Of what is written, and of how that lies to where it starts: an object that only moved some
/// lines up or down has the same.
fn digest(object: &Object) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.api_version.hash(&mut hasher);
    let top = object.mark().line;
    hash(&object.tree, top, &mut hasher);
    hasher.finish()
}

fn hash(node: &Node, top: u32, hasher: &mut impl Hasher) {
    hash_mark(node.mark, top, hasher);
    match &node.value {
        Value::Null => 0_u8.hash(hasher),
        Value::Scalar { text, plain, lead } => {
            (if *plain { 1_u8 } else { 2 }).hash(hasher);
            (text, lead).hash(hasher);
        }
        Value::List(items) => {
            (3_u8, items.len()).hash(hasher);
            items.iter().for_each(|item| hash(item, top, hasher));
        }
        Value::Map(entries) => {
            (4_u8, entries.len()).hash(hasher);
            for Entry { key, mark, lead, node } in entries {
                (key, lead).hash(hasher);
                hash_mark(*mark, top, hasher);
                hash(node, top, hasher);
            }
        }
        Value::Shared(node) => hash(node, top, hasher),
    }
}

fn hash_mark(mark: Mark, top: u32, hasher: &mut impl Hasher) {
    hasher.write_u32(mark.line.wrapping_sub(top));
    hasher.write_u32(mark.column);
}
