//! What stays of an object when its tree does not.
//!
//! A tree is many times as large as the text it is read from. So an object's is dropped as soon as
//! the object has been read into types, and the place of a field is found by reading its document
//! once more: the bytes that it was read from are kept, so that the place is the same whatever
//! became of the file.

use std::collections::HashMap;
use std::sync::Arc;

use steelyard_model::{FieldPath, Location, MarkedPart};

use crate::digest;
use crate::key::Key;
use crate::load::again;
use crate::object::{Object, Soundness, place_at, text_at};
use crate::origin::ClusterOrigin;
use crate::spot::{Site, Spot, Text};
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
    pub(crate) soundness: Soundness,
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
            soundness: object.soundness,
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
        Reread::default().locate(self, path, None)
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

/// Documents in which places are looked for, each read again once: a document may be long, and so
/// may be what is found in it.
#[derive(Default)]
pub struct Reread {
    /// Those of many objects.
    lists: HashMap<Part, Box<[Object]>>,
    /// The last one of another kind.
    last: Option<(Part, Option<Object>)>,
}

/// A document: of which text, which is there as long as what was read of it, and where it begins.
type Part = (*const Text, u32);

impl Reread {
    /// As [`Object::locate_part`].
    pub fn locate(
        &mut self,
        written: &Written,
        path: &FieldPath,
        part: Option<MarkedPart>,
    ) -> Location {
        if path.is_root() {
            return written.location();
        }
        let Site::Text(spot) = &written.site else { return written.location() };
        let (place, text) = match &spot.kept {
            Some(tree) => {
                let place = place_at(tree, written.mark, (path, part)).in_file(spot.file());
                (place, text_at(tree, path))
            }
            None => {
                let is_it = |object: &&Object| object.reference == written.key.reference;
                let Some(object) = self.object(spot).filter(is_it) else {
                    return written.location();
                };
                (spot.shifted(object.locate_part(path, part)), text_at(&object.tree, path))
            }
        };
        match (part, text) {
            (Some(part), Some(text)) => in_block(spot, &place, (text, part)).unwrap_or(place),
            _ => place,
        }
    }

    fn object(&mut self, spot: &Spot) -> Option<&Object> {
        let part = (Arc::as_ptr(&spot.text), spot.start);
        let index = usize::try_from(spot.index).ok()?;
        let is_last = self.last.as_ref().is_some_and(|(last, _)| *last == part);
        if !is_last && !self.lists.contains_key(&part) {
            let mut objects = again(spot).unwrap_or_default();
            match objects.len() {
                0 | 1 => self.last = Some((part, objects.pop())),
                _ => drop(self.lists.insert(part, objects.into())),
            }
        }
        match self.lists.get(&part) {
            Some(objects) => objects.get(index),
            None => self.last.as_ref()?.1.as_ref().filter(|_| index == 0),
        }
    }
}

/// Where a part of a text is that stands in lines of its own below `place` (`|`), as far as its
/// line stands there as it is.
fn in_block(spot: &Spot, place: &Location, (text, part): (&str, MarkedPart)) -> Option<Location> {
    let index = |number: u32| usize::try_from(number).ok();
    let mut lines = text.lines();
    lines.clone().nth(1)?;
    let own = lines.nth(index(part.line)?)?;
    let line = place.line.checked_add(part.line)?.checked_add(1)?;
    let source = spot.text.source.shown();
    let document = source.get(index(spot.start)?..)?;
    let written = document.lines().nth(index(line.checked_sub(spot.line)?)?)?;
    let indent = written.strip_suffix(own)?;
    let indent = indent.bytes().all(|byte| byte == b' ').then_some(indent.len())?;
    let column = u32::try_from(indent).ok()?.checked_add(part.before)?.checked_add(1)?;
    let rest = own.chars().count().saturating_sub(index(part.before)?);
    let width = part.length.clamp(1, u32::try_from(rest).ok()?.max(1));
    Some(Location { file: place.file.clone(), line, column, width })
}

/// Equal if the same is written in both, at the same place.
impl PartialEq for Written {
    fn eq(&self, other: &Self) -> bool {
        self.is_like(other) && self.mark == other.mark && self.file() == other.file()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::load;
    use crate::source::{ReadLimits, Source};

    /// Whatever is looked for in between.
    #[test]
    fn a_list_is_read_again_once() {
        let item =
            |name: &str| format!("- {{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}}}\n");
        let list = |names: [&str; 2]| format!("kind: List\nitems:\n{}", names.map(item).concat());
        let text = format!("{}---\n{}", list(["a", "b"]), list(["c", "d"]));
        let objects = load(&Source::new("a.yaml", text.as_bytes()), &ReadLimits::default()).objects;
        let sites = objects.iter().map(|object| match &object.site {
            Site::Text(spot) => spot.clone(),
            Site::Cluster(..) => panic!("it is of a file"),
        });
        let (spots, mut reread) = (sites.collect::<Vec<_>>(), Reread::default());
        let [a, c, b, d] =
            [0, 2, 1, 3].map(|at| std::ptr::from_ref(reread.object(&spots[at]).unwrap()));
        assert_eq!((a.wrapping_add(1), c.wrapping_add(1)), (b, d), "beside each other in one list");
    }
}
