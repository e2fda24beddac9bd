//! Objects, and parts of them, that nothing came of: shown under the name of their object, with
//! what is wrong. Nobody has to look elsewhere for why something is not there.

use std::collections::{BTreeMap, HashMap};

use steelyard_model::{Diagnostic, FieldPath, ObjectRef, Provenance};

use crate::fault::{Faults, Status, is_below, sentences};
use crate::row::{Draft, Rows};
use crate::{Part, Section};

/// Kinds of objects of a cluster, and what is made of them.
const KINDS: [(&str, Section, &str); 7] = [
    ("IngressRoute", Section::Http(Part::Routers), CRD),
    ("IngressRouteTCP", Section::Tcp(Part::Routers), CRD),
    ("IngressRouteUDP", Section::Udp(Part::Routers), CRD),
    ("Ingress", Section::Http(Part::Routers), "ingress"),
    ("TraefikService", Section::Http(Part::Services), CRD),
    ("Middleware", Section::Http(Part::Middlewares), CRD),
    ("MiddlewareTCP", Section::Tcp(Part::Middlewares), CRD),
];
const CRD: &str = "kubernetescrd";

/// Lists of whose elements each is shown by itself.
const LISTS: [&str; 2] = ["spec.routes[", "spec.rules["];

/// What came of objects: which of their fields are shown.
#[derive(Default)]
pub(crate) struct Known<'r>(HashMap<&'r ObjectRef, Vec<&'r FieldPath>>);

impl<'r> Known<'r> {
    /// What is at `place` is shown.
    pub(crate) fn add(&mut self, place: &'r Provenance) {
        self.0.entry(&place.object).or_default().push(&place.field);
    }

    /// Whether what is said of a field of an object is shown with something that came of it.
    fn has(&self, object: &ObjectRef, path: &str) -> bool {
        let Some(fields) = self.0.get(object) else { return false };
        let is_of_one = LISTS.iter().any(|list| path.starts_with(list));
        let is_its = |field: &&FieldPath| is_below(path, &field.0) || is_below(&field.0, path);
        !is_of_one || fields.iter().any(is_its)
    }
}

/// Adds what is broken, beside what is shown.
pub(crate) fn add(known: &Known<'_>, faults: &Faults<'_>, sections: &mut BTreeMap<Section, Rows>) {
    for (object, found) in faults.by_object() {
        let Some((section, name)) = shown_as(object) else { continue };
        let is_lost = |it: &&&Diagnostic| !known.has(object, &it.path.0);
        let lost: Vec<&Diagnostic> = found.iter().filter(is_lost).copied().collect();
        if !lost.iter().any(|it| it.is_error()) {
            continue;
        }
        let mut draft = Draft::new(&name, Status::Disabled);
        draft.set("error", sentences(&lost));
        let rows = sections.entry(section).or_default();
        rows.entry(name.into()).or_insert_with(|| draft.done());
    }
}

/// Where an object is shown, and by which name.
fn shown_as(object: &ObjectRef) -> Option<(Section, String)> {
    let part = match &*object.kind {
        "router" => Part::Routers,
        "service" => Part::Services,
        "middleware" => Part::Middlewares,
        kind => {
            let (_, section, provider) = *KINDS.iter().find(|(known, ..)| *known == kind)?;
            return Some((section, format!("{}-{}@{provider}", object.namespace, object.name)));
        }
    };
    let section = match (&*object.namespace, part) {
        ("http", part) => Section::Http(part),
        ("tcp", part) => Section::Tcp(part),
        ("udp", Part::Routers | Part::Services) => Section::Udp(part),
        _ => return None,
    };
    Some((section, object.name.to_string()))
}
