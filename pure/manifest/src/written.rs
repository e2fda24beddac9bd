//! What stays of an object when its tree does not.
//!
//! A tree is many times as large as the text it is read from. So an object's is dropped as soon as
//! the object has been read into types, and the place of a field is found by reading its document
//! once more: the bytes that it was read from are kept, so that the place is the same whatever
//! became of the file.

use std::sync::Arc;

use steelyard_model::{FieldPath, Location, MarkedPart};

use crate::digest;
use crate::key::Key;
use crate::load::again;
use crate::object::{Object, place_at};
use crate::origin::ClusterOrigin;
use crate::spot::Site;
use crate::tree::Mark;

/// Where an object is written, and a digest of what is written there. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Written {
    /// Which object.
    pub key: Key,
    site: Site,
    /// Of the object as a whole.
    mark: Mark,
    digest: u64,
    /// Whether it was taken from a cluster: only an API server gives objects a `uid`.
    pub is_from_cluster: bool,
}

/// What is taken out of an object before its tree is dropped.
pub trait Extract: Sized {
    /// How objects are read.
    type How: Default;

    /// What there is to take.
    fn of(object: &Object, how: &Self::How) -> Self;

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
            site: object.site.clone(),
            mark,
            digest: match &object.site {
                Site::Text(_) => digest::of_text(object),
                Site::Cluster(kind, _) => digest::of_cluster(object, kind),
            },
            is_from_cluster: object.is_from_cluster(),
        }
    }

    /// The file it is in, as shown to the user; `cluster` where it is in none.
    pub fn file(&self) -> &Arc<str> {
        self.site.file()
    }

    /// Where the object as a whole is shown: at its name.
    pub fn location(&self) -> Location {
        self.mark.in_file(self.file())
    }

    /// As [`Object::locate`]. Reads the object's document again.
    pub fn locate(&self, path: &FieldPath) -> Location {
        self.reread().locate(path, None)
    }

    /// The same of many places, for which the document is read again once.
    pub fn reread(&self) -> Reread {
        Reread { written: self.clone(), object: None }
    }

    /// What an API server knows it by; none of what is in a file.
    pub fn origin(&self) -> Option<&ClusterOrigin> {
        match &self.site {
            Site::Text(_) => None,
            Site::Cluster(_, origin) => Some(origin),
        }
    }

    /// Whether both are versions of the same object of a cluster.
    pub(crate) fn is_same_object(&self, other: &Self) -> bool {
        match (self.origin(), other.origin()) {
            (Some(a), Some(b)) => a.is_of_same(b),
            (a, b) => a.is_none() && b.is_none(),
        }
    }

    /// Whether the same is written in both, be it at other places.
    pub fn is_like(&self, other: &Self) -> bool {
        self.key == other.key && self.digest == other.digest
    }
}

/// An object in whose document places are looked for.
pub struct Reread {
    written: Written,
    /// As it was read again, once somebody has asked; none where that failed.
    object: Option<Option<Object>>,
}

impl Reread {
    /// Which object.
    pub fn key(&self) -> &Key {
        &self.written.key
    }

    /// As [`Object::locate_part`].
    pub fn locate(&mut self, path: &FieldPath, part: Option<MarkedPart>) -> Location {
        let Self { written, object } = self;
        if path.is_root() {
            return written.location();
        }
        let Site::Text(spot) = &written.site else { return written.location() };
        if let Some(tree) = &spot.kept {
            return place_at(tree, written.mark, (path, part)).in_file(spot.file());
        }
        let is_it = |object: &Object| object.reference == written.key.reference;
        match object.get_or_insert_with(|| again(spot).filter(is_it)) {
            Some(object) => spot.shifted(object.locate_part(path, part)),
            None => written.location(),
        }
    }
}

/// Equal if the same is written in both, at the same place.
impl PartialEq for Written {
    fn eq(&self, other: &Self) -> bool {
        self.is_like(other) && self.mark == other.mark && self.file() == other.file()
    }
}
