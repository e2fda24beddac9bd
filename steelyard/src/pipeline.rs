//! Files → objects → items → Snapshot: the stages before planning, kept between changes.
//!
//! Only changed files are read and lowered again. An object whose new version has a mistake keeps
//! its last good one, and a diagnostic says so; this is also why an instance is kept by `up`,
//! while `check` and `plan` start with an empty one.

mod last_good;

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_dialects::{LowerOptions, lower};
use steelyard_manifest::{Limits, Loaded, Object, Source, SourceText, load, merge, place};
use steelyard_model::{Diagnostic, Item, ObjectRef, Snapshot};
use steelyard_plan::Absent;
use steelyard_plan::resolve::{ResolveOptions, resolve};

use last_good::{Current, LastGood};

/// Everything read so far, and how it is understood.
#[derive(Default)]
pub struct Pipeline {
    resolve: ResolveOptions,
    lower: LowerOptions,
    limits: Limits,
    /// In the order given: of two objects with one name the first counts.
    files: Vec<File>,
    /// Items that come from this program, not from files (endpoints of played replicas).
    own: Vec<Arc<Item>>,
    last_good: LastGood,
    generation: u64,
}

/// A file as last read.
struct File {
    source: Source,
    loaded: Loaded,
    /// What each object became; of two with one name the first.
    lowered: BTreeMap<Key, Arc<LoweredObject>>,
}

/// An object after lowering, shared between generations.
struct LoweredObject {
    object: Object,
    items: Vec<Arc<Item>>,
    diagnostics: Vec<Diagnostic>,
}

/// What came of the files.
pub struct World {
    /// Counts the changes taken in.
    pub generation: u64,
    /// The joined world; its diagnostics are those of all stages so far.
    pub snapshot: Snapshot,
    /// Services that are there but cannot be read: they keep what they hold.
    pub absent: Absent,
    objects: Vec<Object>,
    /// Some file could not be read to its end.
    is_broken: bool,
}

impl World {
    /// Whether there is, or may be, a pool of this name that cannot be used for a mistake: what
    /// Services hold of it is not up for grabs.
    pub fn may_return(&self, pool: &str) -> bool {
        let named = |object: &Object| {
            &*object.reference.kind == "IPAddressPool" && *object.reference.name == *pool
        };
        let is_used = self.snapshot.pools.iter().any(|used| *used.id.name == *pool);
        !is_used && (self.is_broken || self.objects.iter().any(named))
    }

    /// Adds places to diagnostics, and puts them in order.
    pub fn place(&self, diagnostics: &mut [Diagnostic]) {
        place(diagnostics, &self.objects);
        steelyard_plan::sort(diagnostics);
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
    }

    /// Takes `sources` as the complete set of files, reading only what changed, and joins them.
    pub fn update(&mut self, sources: &[Source]) -> World {
        self.generation += 1;
        let mut before: BTreeMap<Arc<str>, File> = std::mem::take(&mut self.files)
            .into_iter()
            .map(|file| (file.source.name.clone(), file))
            .collect();
        self.files = sources
            .iter()
            .map(|source| match before.remove(&source.name) {
                Some(file) if same_text(&file.source.text, &source.text) => file,
                _ => self.read(source),
            })
            .collect();
        self.join()
    }

    fn read(&self, source: &Source) -> File {
        let loaded = load(source, &self.limits);
        let mut lowered = BTreeMap::new();
        for object in &loaded.objects {
            lowered.entry(key(object)).or_insert_with(|| Arc::new(self.lower(object)));
        }
        File { source: source.clone(), loaded, lowered }
    }

    fn lower(&self, object: &Object) -> LoweredObject {
        let lowered = lower(object, &self.lower);
        let items = lowered.items.into_iter().map(Arc::new).collect();
        LoweredObject { object: object.clone(), items, diagnostics: lowered.diagnostics }
    }

    /// Joins what stands, with last good versions in the place of faulty ones.
    fn join(&mut self) -> World {
        let (current, mut diagnostics) = self.current();
        let mut chosen = self.last_good.choose(&current);
        self.resolve.established = self.last_good.unchanged_pools(&chosen);
        let mut snapshot = self.resolve(chosen.items());
        if chosen.take_back(&self.last_good, &snapshot.diagnostics) {
            snapshot = self.resolve(chosen.items());
        }
        diagnostics.append(&mut chosen.diagnostics);
        self.last_good = chosen.remember(&snapshot.diagnostics);
        diagnostics.append(&mut snapshot.diagnostics);
        snapshot.diagnostics = diagnostics;
        let (generation, absent) = (self.generation, current.absent());
        let is_broken = !current.broken.is_empty();
        let objects = current.objects();
        let mut world = World { generation, snapshot, absent, objects, is_broken };
        let mut diagnostics = std::mem::take(&mut world.snapshot.diagnostics);
        world.place(&mut diagnostics);
        diagnostics.dedup();
        world.snapshot.diagnostics = diagnostics;
        world
    }

    fn resolve(&self, items: impl Iterator<Item = Arc<Item>>) -> Snapshot {
        let items: Vec<Arc<Item>> = items.chain(self.own.iter().cloned()).collect();
        resolve(&items, &self.resolve)
    }

    /// The objects that count now, and what loading and lowering said.
    fn current(&self) -> (Current, Vec<Diagnostic>) {
        let merged = merge(self.files.iter().map(|file| file.loaded.clone()).collect());
        let mut diagnostics = merged.diagnostics;
        let by_file: BTreeMap<&Arc<str>, &File> =
            self.files.iter().map(|file| (&file.source.name, file)).collect();
        let objects: BTreeMap<Key, Arc<LoweredObject>> = merged
            .objects
            .iter()
            .filter_map(|object| {
                let key = key(object);
                let lowered = by_file.get(&object.file)?.lowered.get(&key)?.clone();
                Some((key, lowered))
            })
            .collect();
        for lowered in objects.values() {
            diagnostics.extend(lowered.diagnostics.iter().cloned());
        }
        let broken = self.files.iter().filter(|file| file.loaded.broken);
        let broken = broken.map(|file| file.source.name.clone()).collect();
        (Current { objects, broken }, diagnostics)
    }
}

/// An object's API group and name: there is more than one kind called `Service`.
type Key = (String, Arc<ObjectRef>);

fn key(object: &Object) -> Key {
    let group = object.api_version.split_once('/').map_or("", |(group, _)| group);
    (group.to_owned(), object.reference.clone())
}

#[cfg(test)]
mod tests;

fn same_text(a: &SourceText, b: &SourceText) -> bool {
    match (a, b) {
        (SourceText::Bytes(a), SourceText::Bytes(b)) => Arc::ptr_eq(a, b) || a == b,
        _ => false,
    }
}
