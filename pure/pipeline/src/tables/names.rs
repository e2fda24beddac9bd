//! References by name: the object of that name in the own namespace, else the only one there is.

use std::collections::BTreeMap;

use steelyard_model::{Diagnostic, FieldPath, NamespacedName, ObjectRef, Severity};

use crate::codes;

/// Things of one kind by name.
pub(super) struct Names<'a, T> {
    by_name: BTreeMap<&'a str, Vec<(&'a str, T)>>,
}

/// What a name means.
pub(super) enum Meant<'n, 'a, T> {
    /// This one.
    One(T),
    /// Any of these, one per namespace.
    Several(&'n [(&'a str, T)]),
    /// Nothing.
    Nothing,
}

impl<'a, T: Copy> Names<'a, T> {
    pub(super) fn new(things: impl Iterator<Item = (&'a NamespacedName, T)>) -> Self {
        let mut by_name: BTreeMap<&str, Vec<(&str, T)>> = BTreeMap::new();
        for (id, thing) in things {
            by_name.entry(&id.name).or_default().push((&id.namespace, thing));
        }
        Self { by_name }
    }

    /// What `name` means to an object in `namespace`.
    pub(super) fn look_up(&self, name: &str, namespace: &str) -> Meant<'_, 'a, T> {
        let candidates = self.by_name.get(name).map_or(&[][..], Vec::as_slice);
        let own = candidates.iter().find(|(place, _)| *place == namespace);
        match (own, candidates) {
            (Some((_, own)), _) => Meant::One(*own),
            (None, [(_, only)]) => Meant::One(*only),
            (None, []) => Meant::Nothing,
            (None, several) => Meant::Several(several),
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &'a str> + Clone {
        self.by_name.keys().copied()
    }
}

/// A name that means several objects of `kind`.
pub(super) fn ambiguous<T>(
    object: &ObjectRef,
    path: &FieldPath,
    (kind, name): (&str, &str),
    several: &[(&str, T)],
) -> Diagnostic {
    let places: Vec<&str> = several.iter().map(|(namespace, _)| *namespace).collect();
    Diagnostic::new(
        Severity::Error,
        codes::NAME_AMBIGUOUS,
        object,
        path.clone(),
        format!("there is a {kind} `{name}` in each of the namespaces {}", places.join(", ")),
        format!("move the {} to the namespace of the one it means, or rename one", object.kind),
    )
}
