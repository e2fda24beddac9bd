//! Objects after lowering, by name.

use std::sync::Arc;

use steelyard_dialects::{LowerOptions, lower};
use steelyard_manifest::{Extract, Key, Object, Reread, Written};
use steelyard_model::{Diagnostic, Item, Location, ObjectRef, Sorted};

use crate::joined::Name;
use crate::tables::cell::Tag;
use crate::tables::row::Items;

/// An object after lowering, shared between generations.
pub struct LoweredObject {
    pub(crate) written: Written,
    pub(crate) items: Items,
    /// What stands in for it where it is faulty, and no version before it is known.
    stand_in: Items,
    /// Whether lowering refused it as a whole.
    is_refused: bool,
    pub(crate) diagnostics: Box<[Diagnostic]>,
}

/// Objects, each once. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Objects(Sorted<Key, Arc<LoweredObject>>);

impl LoweredObject {
    /// Whether lowering refused the object as a whole.
    pub(crate) fn is_faulty(&self) -> bool {
        self.is_refused
            || self.items.is_empty() && self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// What comes of it where it is chosen.
    pub(crate) fn counting(&self) -> &Items {
        if self.is_stood_in_for() { &self.stand_in } else { &self.items }
    }

    /// Whether something stands in for it, which answers nobody.
    pub(crate) fn is_stood_in_for(&self) -> bool {
        !self.stand_in.is_empty()
    }

    /// What others know it by; none where it became nothing.
    pub(crate) fn name(&self) -> Option<Name> {
        Some((Tag::of(self.counting().first()?), self.written.key.reference.id()))
    }

    /// Whether both became the same, wherever they are written.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.items == other.items && self.stand_in == other.stand_in
    }
}

impl Extract for LoweredObject {
    type How = LowerOptions;

    fn of(object: &Object, how: &LowerOptions) -> Self {
        let mut lowered = lower(object, how);
        lowered.items.iter_mut().chain(&mut lowered.stand_in).for_each(Item::shrink);
        Self {
            written: Written::of(object),
            items: lowered.items.into(),
            stand_in: lowered.stand_in.into(),
            is_refused: lowered.is_refused,
            diagnostics: lowered.diagnostics.into(),
        }
    }

    fn written(&self) -> &Written {
        &self.written
    }

    /// What there is to say has places.
    fn moved(&self, written: &Written) -> Option<Self> {
        let (items, stand_in) = (self.items.clone(), self.stand_in.clone());
        let (written, diagnostics) = (written.clone(), Box::default());
        let moved = Self { written, items, stand_in, is_refused: self.is_refused, diagnostics };
        self.diagnostics.is_empty().then_some(moved)
    }
}

/// Finds where findings are written.
pub(crate) struct Finder<'o> {
    objects: &'o Objects,
    reread: Reread,
}

impl Finder<'_> {
    /// Where a finding is written, if that is known.
    pub(crate) fn place(&mut self, found: &Diagnostic) -> Option<Location> {
        let (_, lowered) = self.objects.named(found.object.as_ref()?).next()?;
        Some(self.reread.locate(&lowered.written, &found.path, found.part))
    }
}

impl Objects {
    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<LoweredObject>> {
        self.0.get(key)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Arc<LoweredObject>> {
        self.0.values()
    }

    /// Objects of this name, of any group.
    pub(crate) fn named<'a, 'r>(
        &'a self,
        reference: &'r ObjectRef,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<LoweredObject>)> + use<'a, 'r> {
        let first = Key::first(Arc::new(reference.clone()));
        self.0.starting_at(&first).take_while(move |(key, _)| *key.reference == *reference)
    }

    /// Objects of this kind, of any group.
    pub(crate) fn of_kind(&self, kind: &str) -> impl Iterator<Item = (&Key, &Arc<LoweredObject>)> {
        let reference = Arc::new(ObjectRef::new(kind, "", ""));
        let all = self.0.starting_at(&Key::first(reference.clone()));
        all.take_while(move |(key, _)| key.reference.kind == reference.kind)
    }

    /// Sets (or, with none, takes out) objects.
    pub(crate) fn change(
        &mut self,
        changes: impl IntoIterator<Item = (Key, Option<Arc<LoweredObject>>)>,
    ) {
        self.0.change(changes);
    }

    /// Looks for places where findings are written.
    pub(crate) fn finder(&self) -> Finder<'_> {
        Finder { objects: self, reread: Reread::default() }
    }

    /// Where the first object is that was taken from a cluster, if any was.
    pub(crate) fn place_in_cluster(&self) -> Option<Location> {
        let mut objects = self.values().map(|lowered| &lowered.written);
        Some(objects.find(|written| written.is_from_cluster)?.location())
    }
}
