//! Changes of objects → what is in force → the Snapshot, kept between changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_ipam::Absent;
use steelyard_manifest::{Key, ObjectChanges};
use steelyard_model::{Diagnostic, Diagnostics, Item, Location, NamespacedName, Snapshot};

use crate::joined::{Joined, Name, NeededObject};
use crate::known::Known;
use crate::last_good::InForce;
use crate::objects::{LoweredObject, Objects};
use crate::options::ResolveOptions;
use crate::tables::cell::Tag;
use crate::told::{Told, Voice};

/// Everything taken in so far, and how it is understood.
///
/// Only changed objects are lowered again, and only what hangs on them is derived again. An object
/// whose new version has a mistake keeps its last good one, and a diagnostic says so; this is also
/// why an instance is kept by `up`, while `check` and `plan` start with an empty one.
#[derive(Clone)]
pub struct Pipeline {
    objects: Objects,
    in_force: InForce,
    pub(crate) joined: Joined,
    told: Told,
    /// Names of items that come from this program, not from a source of objects.
    own: Vec<Name>,
    /// Services that are there but cannot be read.
    faulty: BTreeSet<NamespacedName>,
    is_complete: bool,
    generation: u64,
}

/// What came of the objects.
pub struct World {
    /// Counts the changes taken in.
    pub generation: u64,
    /// The joined world; its diagnostics are those of all stages so far.
    pub snapshot: Snapshot,
    /// Services that are there but cannot be read: they keep what they hold.
    pub absent: Absent,
    /// What is there, for advice about what is not.
    pub known: Known,
    /// Secrets and ConfigMaps that something refers to, be they there or not.
    pub needed: Arc<BTreeSet<NeededObject>>,
    objects: Objects,
    is_complete: bool,
}

impl Pipeline {
    /// Without any object.
    pub fn new(options: ResolveOptions) -> Self {
        Self {
            objects: Objects::default(),
            in_force: InForce::default(),
            joined: Joined::new(options),
            told: Told::default(),
            own: Vec::new(),
            faulty: BTreeSet::new(),
            is_complete: true,
            generation: 0,
        }
    }

    /// Adds items of our own to every world from now on. Routes have names that no object of a
    /// source can have.
    pub fn set_own(&mut self, items: impl IntoIterator<Item = Item>) {
        let mut own: BTreeMap<Name, Vec<Item>> = BTreeMap::new();
        for name in self.own.drain(..) {
            own.insert(name, Vec::new());
        }
        for item in items {
            // Slices of ours never stand in the place of others; what is named is read by its kind.
            let tag = match item {
                Item::Routes(_) => Tag::Routes,
                Item::Secret(_) => Tag::Secret,
                _ => Tag::Played,
            };
            own.entry((tag, item.object().id())).or_default().push(item);
        }
        for (name, items) in own {
            let items = (!items.is_empty()).then(|| items.into());
            self.joined.set(&name, items, false);
            self.own.push(name);
        }
    }

    /// Takes a batch of changes in.
    pub fn take(&mut self, changes: ObjectChanges<LoweredObject>) -> World {
        self.generation += 1;
        self.is_complete = changes.is_complete();
        let ObjectChanges { objects, told, broken } = changes;
        let moved: Vec<Key> = objects.iter().map(|(key, _)| key.clone()).collect();
        let concerned = self.in_force.take(&mut self.objects, objects, &broken, &mut self.joined);
        let mut voices: Vec<(Voice, Vec<Diagnostic>)> =
            told.into_iter().map(|(teller, said)| (Voice::Source(teller), said)).collect();
        for key in &moved {
            let said = self.objects.get(key).map(|lowered| lowered.diagnostics.to_vec());
            voices.push((Voice::Object(key.clone()), said.unwrap_or_default()));
            self.note_faulty(key);
        }
        for key in concerned {
            let said = self.in_force.why_kept(&key, &self.objects);
            voices.push((Voice::Kept(key), said));
        }
        for cell in self.joined.settle() {
            let said = self.joined.said(&cell).to_vec();
            voices.push((Voice::Cell(cell), said));
        }
        self.told.say(voices, &self.objects);
        self.told.place_again(moved.iter().map(|key| &*key.reference), &self.objects);
        self.world()
    }

    fn note_faulty(&mut self, key: &Key) {
        if &*key.reference.kind != "Service" {
            return;
        }
        let id = key.reference.id();
        if self.objects.get(key).is_some_and(|lowered| lowered.is_faulty()) {
            self.faulty.insert(id);
        } else {
            self.faulty.remove(&id);
        }
    }

    /// All that is said now.
    pub(crate) fn standing(&self) -> Diagnostics {
        self.told.all.clone()
    }

    fn world(&self) -> World {
        let mut snapshot = self.joined.snapshot.clone();
        snapshot.diagnostics.clone_from(&self.told.all);
        let absent = match self.is_complete {
            true => Absent::Keep(self.faulty.clone()),
            false => Absent::KeepAll,
        };
        World {
            generation: self.generation,
            snapshot,
            absent,
            known: self.joined.known.clone(),
            needed: self.joined.needed.clone(),
            objects: self.objects.clone(),
            is_complete: self.is_complete,
        }
    }

    /// Forgets all that was derived, so that the next batch derives everything: that comes to the
    /// same.
    #[doc(hidden)]
    pub fn forget(&mut self) {
        self.joined = self.joined.anew();
        self.told.silence_cells(&self.objects);
    }

    /// How many cells were derived so far.
    #[doc(hidden)]
    pub fn derived(&self) -> u64 {
        self.joined.derived()
    }
}

impl Default for Pipeline {
    fn default() -> Self {
        Self::new(ResolveOptions::default())
    }
}

impl World {
    /// Whether there is, or may be, a pool of this name that cannot be used for a mistake: what
    /// Services hold of it is not up for grabs.
    pub fn may_return(&self, pool: &str) -> bool {
        let is_used = self.snapshot.pools.iter().any(|used| *used.id.name == *pool);
        let mut pools = self.objects.of_kind("IPAddressPool");
        !is_used && (!self.is_complete || pools.any(|(key, _)| *key.reference.name == *pool))
    }

    /// Whether there is no object at all.
    pub fn is_empty(&self) -> bool {
        self.objects.values().next().is_none()
    }

    /// Whether there is an object of this kind.
    pub fn has_kind(&self, kind: &str) -> bool {
        self.objects.of_kind(kind).next().is_some()
    }

    /// Where the first object is that was taken from a cluster, if any was.
    pub fn place_in_cluster(&self) -> Option<Location> {
        self.objects.place_in_cluster()
    }

    /// Where its objects are written.
    pub fn places(&self) -> WrittenPlaces {
        WrittenPlaces(self.objects.clone())
    }

    /// Adds places to diagnostics that have none.
    pub fn place(&self, diagnostics: &mut Diagnostics) {
        self.places().place(diagnostics);
    }
}

/// Where objects are written, for what is found later. Cheap to clone.
#[derive(Clone, Default)]
pub struct WrittenPlaces(Objects);

impl WrittenPlaces {
    /// Adds places to diagnostics that have none.
    pub fn place(&self, diagnostics: &mut Diagnostics) {
        let unplaced: Vec<Diagnostic> = diagnostics.nowhere().cloned().collect();
        let mut finder = self.0.finder();
        let placed: Vec<Diagnostic> = unplaced
            .iter()
            .map(|found| Diagnostic { location: finder.place(found), ..found.clone() })
            .collect();
        diagnostics.change(unplaced, placed);
    }
}
