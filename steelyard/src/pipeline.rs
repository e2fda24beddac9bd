//! Files → objects → items → Snapshot: the stages before planning, kept between changes.
//!
//! Only changed files are read and lowered again, and of an edit to Services only those it
//! concerns are joined again ([`joined`]). An object whose new version has a mistake keeps its
//! last good one, and a diagnostic says so; this is also why an instance is kept by `up`, while
//! `check` and `plan` start with an empty one.

mod files;
mod front;
mod joined;
mod last_good;
mod objects;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use steelyard_manifest::{Builds, Sight, Source, codes, merge};
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{Diagnostic, Diagnostics, FieldPath, Item, Location, Snapshot};
use steelyard_plan::Absent;
use steelyard_plan::resolve::{ResolveOptions, Resolver};

use files::{File, Reading};
use front::Front;
use joined::{Joined, Said};
use last_good::{Current, LastGood, refuses_object};
use objects::Objects;

/// Everything read so far, and how it is understood.
#[derive(Default)]
pub struct Pipeline {
    resolve: ResolveOptions,
    /// Folders of which other tools make objects.
    builds: Builds,
    reading: Reading,
    front: Front,
    files: Vec<File>,
    /// Items that come from this program, not from files (endpoints of played replicas).
    own: Vec<Arc<Item>>,
    last_good: LastGood,
    joined: Option<Joined>,
    /// By what was routed last: what stays is one in memory with it.
    routing: RoutingMap,
    generation: u64,
}

/// What came of the files.
pub struct World {
    /// Counts the changes taken in.
    pub generation: u64,
    /// The joined world; its diagnostics are those of all stages so far.
    pub snapshot: Snapshot,
    /// Services that are there but cannot be read: they keep what they hold.
    pub absent: Absent,
    /// When losses will be believed that are not yet: then the same sight comes to something else.
    pub due: Option<Instant>,
    /// The files of which the former version stands until then, with all that is in it.
    pub waiting: Vec<Arc<str>>,
    objects: Objects,
    /// Some file could not be read to its end.
    is_broken: bool,
}

impl World {
    /// Whether there is, or may be, a pool of this name that cannot be used for a mistake: what
    /// Services hold of it is not up for grabs.
    pub fn may_return(&self, pool: &str) -> bool {
        let is_used = self.snapshot.pools.iter().any(|used| *used.id.name == *pool);
        let mut pools = self.objects.of_kind("IPAddressPool");
        !is_used && (self.is_broken || pools.any(|(key, _)| *key.reference.name == *pool))
    }

    /// Whether there is no object at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.objects.values().next().is_none()
    }

    /// Whether there is an object of this kind.
    pub(crate) fn has_kind(&self, kind: &str) -> bool {
        self.objects.of_kind(kind).next().is_some()
    }

    /// Where the first object is that was taken from a cluster, if any was.
    pub(crate) fn place_in_cluster(&self) -> Option<Location> {
        let mut objects = self.objects.values().map(|lowered| &lowered.object);
        let first = objects.find(|object| object.is_from_cluster())?;
        Some(first.locate(&FieldPath::root()))
    }

    /// Adds places to diagnostics that have none.
    pub fn place(&self, diagnostics: &mut Diagnostics) {
        let unplaced: Vec<Diagnostic> = diagnostics.nowhere().cloned().collect();
        let placed: Vec<Diagnostic> =
            unplaced.iter().cloned().map(|found| self.objects.placed(found)).collect();
        diagnostics.change(unplaced, placed);
    }
}

impl Pipeline {
    /// An empty pipeline.
    pub fn new(resolve: ResolveOptions) -> Self {
        Self { resolve, ..Self::default() }
    }

    /// Adds items of our own to every world from now on.
    pub fn set_own(&mut self, items: impl IntoIterator<Item = Item>) {
        self.own = items.into_iter().map(Arc::new).collect();
        self.joined = None;
    }

    /// Services hold addresses: before the first manifest is seen, that there is none is not taken
    /// as an answer.
    pub fn expect_manifests(&mut self) {
        self.front.expects = true;
    }

    /// Takes in what stands after a look at `now`: what could not be seen is not gone, and a loss
    /// is believed when it has stood for a moment.
    pub fn follow(&mut self, sight: &Sight, now: Instant) -> World {
        let settled = self.front.settle(sight, &self.files, &mut self.reading, now);
        World { due: settled.due, waiting: settled.waiting, ..self.update(&settled.sources) }
    }

    /// Takes `sources` as the complete set of files, reading only what changed, and joins them.
    pub fn update(&mut self, sources: &[Source]) -> World {
        self.generation += 1;
        let sources = self.builds.without_material(sources, &self.reading.limits);
        let edit = self.reading.update(&mut self.files, &sources);
        let joined = match self.joined.take().and_then(|joined| joined.after(&edit)) {
            Some((joined, changes)) => {
                self.last_good.change(changes);
                joined
            }
            None => self.join(),
        };
        let joined = self.joined.insert(joined);
        let mut snapshot = joined.resolver.snapshot().clone();
        snapshot.diagnostics.clone_from(&joined.said.all);
        snapshot.routing = snapshot.routing.sharing(&self.routing);
        self.routing = snapshot.routing.clone();
        World {
            generation: self.generation,
            snapshot,
            absent: joined.absent.clone(),
            due: None,
            waiting: Vec::new(),
            objects: joined.objects.clone(),
            is_broken: joined.is_broken,
        }
    }

    /// Joins what stands, with last good versions in the place of faulty ones.
    fn join(&mut self) -> Joined {
        let (current, mut written) = self.current();
        let repeated = written.iter().filter(|found| found.code == codes::DUPLICATE_OBJECT);
        let repeated = repeated.filter_map(|found| found.object.clone()).collect();
        let mut chosen = self.last_good.choose(&current);
        self.resolve.established = self.last_good.unchanged_pools(&chosen);
        let (mut resolver, mut said) = self.resolve(chosen.items());
        if chosen.take_back(&self.last_good, &said) {
            (resolver, said) = self.resolve(chosen.items());
        }
        let is_broken = !current.broken.is_empty();
        let is_calm =
            !is_broken && chosen.diagnostics.is_empty() && !said.iter().any(refuses_object);
        written.append(&mut chosen.diagnostics);
        self.last_good = chosen.remember(&said);
        let absent = current.absent();
        let objects = current.objects;
        let said = Said::new(written, said, &objects);
        Joined { objects, resolver, absent, repeated, said, is_calm, is_broken }
    }

    fn resolve(&self, items: impl Iterator<Item = Arc<Item>>) -> (Resolver, Vec<Diagnostic>) {
        let items: Vec<Arc<Item>> = items.chain(self.own.iter().cloned()).collect();
        Resolver::new(&items, &self.resolve)
    }

    /// The objects that count now, and what loading and lowering said.
    fn current(&self) -> (Current, Vec<Diagnostic>) {
        let merged = merge(self.files.iter().map(|file| file.content.loaded.clone()).collect());
        let mut diagnostics = merged.diagnostics;
        // Of two with one name the first counts, and a later entry takes the place of an earlier.
        let files = self.files.iter().rev();
        let lowered = files.flat_map(|file| &file.content.lowered);
        let objects: Objects = lowered.map(|(key, it)| (key.clone(), it.clone())).collect();
        for lowered in objects.values() {
            diagnostics.extend(lowered.diagnostics.iter().cloned());
        }
        let broken = self.files.iter().filter(|file| file.content.loaded.broken);
        let broken = broken.map(|file| file.source.name.clone()).collect();
        (Current { objects, broken }, diagnostics)
    }
}
