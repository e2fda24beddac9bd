//! Several files together: duplicates, and places for the findings of later stages.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::sync::Arc;

use steelyard_model::{Diagnostic, ObjectRef, Severity};

use crate::codes;
use crate::load::Loaded;
use crate::object::Object;
use crate::written::Written;

/// Puts files together, in order. Of an object that is there twice, the first stays.
pub fn merge(loaded: Vec<Loaded>) -> Loaded {
    let mut merged = Loaded::default();
    // Foreign kinds may share a name with ours (there is more than one `Service`).
    let mut first: BTreeMap<(Arc<ObjectRef>, String), usize> = BTreeMap::new();
    for file in loaded {
        merged.broken |= file.broken;
        merged.diagnostics.extend(file.diagnostics);
        for object in file.objects {
            match first.entry((object.reference.clone(), object.group().to_owned())) {
                Slot::Vacant(slot) => {
                    slot.insert(merged.objects.len());
                    merged.objects.push(object);
                }
                Slot::Occupied(first) => {
                    let first = &merged.objects[*first.get()];
                    merged.diagnostics.push(duplicate(&Written::of(first), &Written::of(&object)));
                }
            }
        }
    }
    merged
}

pub(crate) fn duplicate(first: &Written, second: &Written) -> Diagnostic {
    let reference = &second.key.reference;
    let mut diagnostic = Diagnostic::new(
        Severity::Error,
        codes::DUPLICATE_OBJECT,
        reference,
        "metadata.name",
        format!("{} is already defined at {}; this one is not used", reference, first.location()),
        "remove one of the two, or give it another name",
    );
    diagnostic.location = Some(second.location());
    diagnostic
}

/// Fills in the location of those that name an object and have none yet.
pub fn place(diagnostics: &mut [Diagnostic], objects: &[Object]) {
    if diagnostics.iter().all(|diagnostic| diagnostic.location.is_some()) {
        return;
    }
    let mut by_reference: BTreeMap<&ObjectRef, &Object> = BTreeMap::new();
    for object in objects {
        by_reference.entry(&object.reference).or_insert(object);
    }
    for diagnostic in diagnostics.iter_mut().filter(|diagnostic| diagnostic.location.is_none()) {
        let object = diagnostic.object.as_ref().and_then(|object| by_reference.get(object));
        diagnostic.location =
            object.map(|object| object.locate_part(&diagnostic.path, diagnostic.part));
    }
}
