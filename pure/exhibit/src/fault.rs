//! What was found of objects, and which of it is whose.

use std::collections::HashMap;

use steelyard_model::{Diagnostic, ObjectRef, Provenance, Severity};

/// Findings that matter to what is served, by object.
pub(crate) struct Faults<'a>(HashMap<&'a ObjectRef, Vec<&'a Diagnostic>>);

/// How something stands (Traefik's words).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Enabled,
    Warning,
    Disabled,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Warning => "warning",
            Self::Disabled => "disabled",
        }
    }
}

impl<'a> Faults<'a> {
    pub(crate) fn of(findings: &'a [&'a Diagnostic]) -> Self {
        let mut all: HashMap<_, Vec<&Diagnostic>> = HashMap::new();
        for found in findings.iter().filter(|it| it.severity < Severity::Info) {
            for object in found.object.iter().chain(found.beside.as_deref()) {
                all.entry(object).or_default().push(found);
            }
        }
        Self(all)
    }

    /// What is said of a part of an object, and of all of it, but not of its other parts.
    pub(crate) fn at(&self, place: &Provenance) -> Vec<&'a Diagnostic> {
        let field = &*place.field.0;
        let list = field.split_once('[').map(|(list, _)| list);
        let all = self.within(&place.object).iter().copied();
        let is_its = |found: &&Diagnostic| {
            let path = &*found.path.0;
            let is_of_a_part = list.and_then(|list| path.strip_prefix(list));
            let is_of_a_part = is_of_a_part.is_some_and(|rest| rest.starts_with('['));
            !is_of_a_part || is_below(path, field) || is_below(field, path)
        };
        all.filter(is_its).collect()
    }

    /// The same of a part that other parts of its object have nothing to do with, as a service has
    /// nothing to do with how the handshakes of its route are held: what is said of the part, of
    /// what it is in, and of the object itself.
    pub(crate) fn of_part(&self, place: &Provenance) -> Vec<&'a Diagnostic> {
        let field = &*place.field.0;
        let is_its = |found: &&Diagnostic| {
            let path = &*found.path.0;
            path.is_empty() || field.is_empty() || is_below(path, field) || is_below(field, path)
        };
        self.within(&place.object).iter().copied().filter(is_its).collect()
    }

    /// What is said of an object.
    pub(crate) fn within(&self, object: &ObjectRef) -> &[&'a Diagnostic] {
        self.0.get(object).map(Vec::as_slice).unwrap_or_default()
    }

    /// What is said, by object.
    pub(crate) fn by_object(&self) -> impl Iterator<Item = (&'a ObjectRef, &[&'a Diagnostic])> {
        self.0.iter().map(|(object, found)| (*object, &**found))
    }
}

/// Sentences, each once.
pub(crate) fn sentences(found: &[&Diagnostic]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for message in found.iter().map(|it| &it.message) {
        if !all.contains(message) {
            all.push(message.clone());
        }
    }
    all
}

pub(crate) fn is_below(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
