//! The last join, and how an edit of a few Services is joined alone.
//!
//! [`Joined::after`] says for itself when only a join from scratch is right: when
//!
//! - a mistake stands (a file that cannot be read to its end, an older version in force, an object
//!   that the join refused), or the edit brings or mends one: history plays a part then;
//! - an object of the edit has a namesake: which of the two counts depends on the files' order;
//! - anything but Services, slices and pods differs, or [`Resolver::after`] declines.
//!
//! What is said about an object is found by its file, in which it is placed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_model::{Diagnostic, Diagnostics, Item, ObjectRef};
use steelyard_plan::Absent;
use steelyard_plan::resolve::{Resolver, Retold};

use super::files::{Edit, File};
use super::objects::{Key, LoweredObject, Objects};

/// What came of the last join.
pub(super) struct Joined {
    pub(super) objects: Objects,
    pub(super) resolver: Resolver,
    /// Services that are there but cannot be read: they keep what they hold.
    pub(super) absent: Absent,
    /// Names that more than one object has.
    pub(super) repeated: BTreeSet<ObjectRef>,
    pub(super) said: Said,
    /// Whether no mistake stands that makes history count.
    pub(super) is_calm: bool,
    /// Some file could not be read to its end.
    pub(super) is_broken: bool,
}

/// What there is to say, placed.
#[derive(Default)]
pub(super) struct Said {
    /// By reading and lowering.
    written: Diagnostics,
    /// By the join.
    joined: Diagnostics,
    /// By both.
    pub(super) all: Diagnostics,
}

/// What becomes of objects: a new version, or (none) gone.
pub(super) type Changes = Vec<(Key, Option<Arc<LoweredObject>>)>;

type ByKey<'a> = BTreeMap<&'a Key, &'a Arc<LoweredObject>>;

impl Joined {
    /// The join after `edit`, and what that did to objects; none where only a join from scratch
    /// is right.
    pub(super) fn after(mut self, edit: &Edit) -> Option<(Self, Changes)> {
        let broken = edit.files().any(|file| file.content.loaded.broken);
        if !self.is_calm || broken || edit.is_reordered {
            return None;
        }
        let (gone, come) = (by_key(&edit.gone)?, by_key(&edit.come)?);
        let is_plain = |(key, lowered): (&&Key, &&Arc<LoweredObject>)| {
            !lowered.is_faulty() && !self.has_namesake(key, &gone)
        };
        if !gone.iter().chain(&come).all(is_plain) {
            return None;
        }
        let (resolver, retold) =
            self.resolver.after(&without(&gone, &come), &without(&come, &gone))?;
        self.resolver = resolver;
        let former = self.objects.clone();
        let left =
            gone.keys().filter(|key| !come.contains_key(*key)).map(|key| ((*key).clone(), None));
        let there = come.iter().map(|(key, lowered)| ((*key).clone(), Some((*lowered).clone())));
        let changes: Changes = left.chain(there).collect();
        self.objects.change(changes.iter().cloned());
        self.said.change(edit, retold, &former, &self.objects);
        Some((self, changes))
    }

    /// Whether an object of this name is, or was, somewhere else than in the files of the edit.
    fn has_namesake(&self, key: &Key, gone: &ByKey<'_>) -> bool {
        self.repeated.contains(&*key.reference)
            || self.objects.named(&key.reference).any(|(known, _)| !gone.contains_key(known))
    }
}

/// The objects of `files`; none if there are two of one name.
fn by_key(files: &[File]) -> Option<ByKey<'_>> {
    let count: usize = files.iter().map(|file| file.content.loaded.objects.len()).sum();
    let all: ByKey<'_> = files.iter().flat_map(|file| &file.content.lowered).collect();
    (all.len() == count).then_some(all)
}

/// Items of `some` objects that are not the same in `others`.
fn without(some: &ByKey<'_>, others: &ByKey<'_>) -> Vec<Arc<Item>> {
    let differs = |(key, lowered): &(&&Key, &&Arc<LoweredObject>)| {
        others.get(*key).is_none_or(|other| other.items != lowered.items)
    };
    some.iter().filter(differs).flat_map(|(_, lowered)| lowered.items.iter().cloned()).collect()
}

impl Said {
    /// All that reading and lowering, and all that the join has to say; `objects` place it.
    pub(super) fn new(
        written: Vec<Diagnostic>,
        joined: Vec<Diagnostic>,
        objects: &Objects,
    ) -> Self {
        let placed = |found| objects.placed(found);
        let (written, joined): (Diagnostics, Diagnostics) =
            (written.into_iter().map(placed).collect(), joined.into_iter().map(placed).collect());
        let mut all = written.clone();
        all.extend(joined.iter().cloned());
        Self { written, joined, all }
    }

    /// Says again all about the files of `edit`, and about the Services `retold`; what the join
    /// said of other objects in these files moves with them.
    fn change(&mut self, edit: &Edit, retold: Retold, former: &Objects, objects: &Objects) {
        let files: BTreeSet<&Arc<str>> = edit.files().map(|file| &file.source.name).collect();
        let in_files = |set: &Diagnostics| -> Vec<Diagnostic> {
            files.iter().flat_map(|file| set.in_file(file)).cloned().collect()
        };
        let (gone_written, mut gone_joined) = (in_files(&self.written), in_files(&self.joined));
        let services: BTreeMap<ObjectRef, Vec<Diagnostic>> = retold
            .into_iter()
            .map(|(id, said)| (ObjectRef::new("Service", id.namespace, id.name), said))
            .collect();
        let stays = |found: &&Diagnostic| {
            let object = found.object.as_ref().filter(|object| !services.contains_key(object));
            object.is_some_and(|object| objects.named(object).next().is_some())
        };
        let stay: Vec<Diagnostic> = gone_joined.iter().filter(stays).cloned().collect();
        for service in services.keys() {
            let places = former.named(service).map(|(_, lowered)| &lowered.object.file);
            for file in places.filter(|file| !files.contains(file)) {
                let about = |found: &&Diagnostic| found.object.as_ref() == Some(service);
                gone_joined.extend(self.joined.in_file(file).filter(about).cloned());
            }
        }
        let placed = |found| objects.placed(found);
        let moved = stay.into_iter().map(|found| Diagnostic { location: None, ..found });
        let come_joined = moved.chain(services.into_values().flatten()).map(placed).collect();
        let come_written =
            edit.come.iter().flat_map(|file| file.content.said()).map(placed).collect();
        self.replace(gone_written, come_written, gone_joined, come_joined);
    }

    fn replace(
        &mut self,
        gone_written: Vec<Diagnostic>,
        come_written: Vec<Diagnostic>,
        gone_joined: Vec<Diagnostic>,
        come_joined: Vec<Diagnostic>,
    ) {
        self.written.change(gone_written.iter().cloned(), come_written.iter().cloned());
        self.joined.change(gone_joined.iter().cloned(), come_joined.iter().cloned());
        let gone = gone_written.into_iter().chain(gone_joined);
        let gone = gone.filter(|it| !self.written.contains(it) && !self.joined.contains(it));
        self.all.change(gone, come_written.into_iter().chain(come_joined));
    }
}
