//! Which texts of an object are read as they stand: where a template that nobody has rendered, or
//! a character that only looks like another, makes the object another one than is meant.

use steelyard_manifest::{Heed, Object};
use steelyard_model::{Diagnostic, FieldPath};

use crate::LowerOptions;
use crate::annotation::{ALL, NGINX};

/// Parts of objects of which little is read.
const OF_OTHERS: [&str; 5] = [
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "spec.selector",
    "spec.template.metadata.labels",
];

/// Parts of objects of which nearly everything is read that nobody reads.
const UNREAD: [&str; 4] =
    ["metadata.managedFields", "metadata.ownerReferences", "metadata.finalizers", "status"];

/// What is not what it seems in an object of a kind that is read.
pub(crate) fn unfit(object: &Object, options: &LowerOptions) -> Option<Diagnostic> {
    let whole = match object.group() {
        "metallb.io" | "networking.k8s.io" | "discovery.k8s.io" | "traefik.io" => true,
        _ => matches!(&*object.reference.kind, "Service" | "Endpoints"),
    };
    object.unfit(|path| if whole { of_ours(path, options) } else { of_others(path) })
}

fn of_ours(path: &FieldPath, options: &LowerOptions) -> Heed {
    if let Some(key) = annotation_of(path) {
        return of_annotation(key, options);
    }
    match &*path.0 {
        // Whoever makes passwords may put anything in them.
        "spec.password" => Heed::Obvious,
        // Rules have braces, and expressions dollars.
        path if path.starts_with("spec.routes[") && path.ends_with("].match") => Heed::Obvious,
        path if UNREAD.iter().any(|part| is_below(path, part)) => Heed::Nothing,
        _ => Heed::All,
    }
}

fn of_others(path: &FieldPath) -> Heed {
    let is_top = !path.0.contains(['.']);
    let is_read = OF_OTHERS.iter().any(|part| is_below(&path.0, part));
    if is_top || is_read { Heed::All } else { Heed::Nothing }
}

/// nginx has variables of its own, `${request_uri}`.
fn of_annotation(key: &str, options: &LowerOptions) -> Heed {
    let is_read = ALL.iter().any(|vocabulary| vocabulary.has(key, options));
    match (NGINX.has(key, options), is_read) {
        (true, _) => Heed::Obvious,
        (false, true) => Heed::All,
        (false, false) => Heed::Nothing,
    }
}

/// The annotation that `path` is, or is of.
fn annotation_of(path: &FieldPath) -> Option<&str> {
    let rest = path.0.strip_prefix("metadata.annotations")?;
    Some(match rest.strip_prefix("[\"") {
        Some(quoted) => quoted.strip_suffix("\"]").unwrap_or(quoted),
        None => rest.trim_start_matches('.'),
    })
}

fn is_below(path: &str, part: &str) -> bool {
    path.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
