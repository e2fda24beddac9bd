//! Objects after lowering, by name.

use std::sync::Arc;

use steelyard_manifest::Object;
use steelyard_model::{Diagnostic, Item, ObjectRef, Sorted};

/// An object after lowering, shared between generations.
pub(super) struct LoweredObject {
    pub(super) object: Object,
    pub(super) items: Vec<Arc<Item>>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// An object's name and API group: there is more than one kind called `Service`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) reference: Arc<ObjectRef>,
    group: String,
}

/// Objects, each once. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Objects(Sorted<Key, Arc<LoweredObject>>);

impl LoweredObject {
    /// Whether lowering refused the object as a whole.
    pub(super) fn is_faulty(&self) -> bool {
        self.items.is_empty() && self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

impl Key {
    pub(super) fn of(object: &Object) -> Self {
        Self { reference: object.reference.clone(), group: object.group().to_owned() }
    }
}

impl Objects {
    pub(super) fn get(&self, key: &Key) -> Option<&Arc<LoweredObject>> {
        self.0.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Arc<LoweredObject>)> {
        self.0.iter()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Arc<LoweredObject>> {
        self.0.values()
    }

    /// Objects of this name, of any group.
    pub(super) fn named<'a, 'r>(
        &'a self,
        reference: &'r ObjectRef,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<LoweredObject>)> + use<'a, 'r> {
        let first = Key { reference: Arc::new(reference.clone()), group: String::new() };
        self.0.starting_at(&first).take_while(move |(key, _)| *key.reference == *reference)
    }

    /// Objects of this kind, of any group.
    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = (&Key, &Arc<LoweredObject>)> {
        let reference = Arc::new(ObjectRef::new(kind, "", ""));
        let first = Key { reference: reference.clone(), group: String::new() };
        let all = self.0.starting_at(&first);
        all.take_while(move |(key, _)| key.reference.kind == reference.kind)
    }

    /// Sets (or, with none, takes out) objects.
    pub(super) fn change(
        &mut self,
        changes: impl IntoIterator<Item = (Key, Option<Arc<LoweredObject>>)>,
    ) {
        self.0.change(changes);
    }

    /// The same with the place where it is written, if that is known.
    pub(super) fn placed(&self, mut found: Diagnostic) -> Diagnostic {
        if found.location.is_none()
            && let Some(reference) = &found.object
        {
            let object = self.named(reference).next().map(|(_, lowered)| &lowered.object);
            found.location = object.map(|object| object.locate(&found.path));
        }
        found
    }
}

impl FromIterator<(Key, Arc<LoweredObject>)> for Objects {
    fn from_iter<I: IntoIterator<Item = (Key, Arc<LoweredObject>)>>(objects: I) -> Self {
        Self(objects.into_iter().collect())
    }
}
