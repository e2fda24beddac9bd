//! What of an object counts as a change.
//!
//! In a file, all that is written. In a cluster, what API servers count, and the parts of `status`
//! that nobody reads, do not: else what a controller writes about an object would come back to it
//! as news.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::object::Object;
use crate::tree::{Entry, Mark, Node, Value};
use crate::watched::Watched;

/// Fields of `metadata` that say nothing about what is wanted.
const COUNTED: [&str; 6] =
    ["generation", "managedFields", "resourceVersion", "selfLink", "uid", "ownerReferences"];
/// Fields of a condition that tell what it is; the others tell when and why.
const CONDITION: [&str; 2] = ["type", "status"];

/// Of what is read of an object from a cluster.
pub(crate) fn of_cluster(object: &Object, kind: &Watched) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.api_version.hash(&mut hasher);
    for entry in entries(&object.tree) {
        match &*entry.key {
            "metadata" => {
                let read = entries(&entry.node).filter(|it| !COUNTED.contains(&&*it.key));
                read.for_each(|it| hash_entry(it, &mut hasher));
            }
            "status" => {
                let read = entries(&entry.node).filter(|it| kind.status.contains(&&*it.key));
                read.for_each(|it| hash_status(it, &mut hasher));
            }
            // Which an object of a list does not say, and one alone does.
            "apiVersion" | "kind" => {}
            _ => hash_entry(entry, &mut hasher),
        }
    }
    hasher.finish()
}

fn entries(node: &Node) -> impl Iterator<Item = &Entry> {
    let entries = match &node.resolved().value {
        Value::Map(entries) => entries.as_slice(),
        _ => &[],
    };
    entries.iter()
}

fn hash_status(part: &Entry, hasher: &mut impl Hasher) {
    let Value::List(conditions) = &part.node.value else { return hash_entry(part, hasher) };
    if &*part.key != "conditions" {
        return hash_entry(part, hasher);
    }
    for condition in conditions {
        let read = entries(condition).filter(|it| CONDITION.contains(&&*it.key));
        read.for_each(|it| hash_entry(it, hasher));
    }
}

fn hash_entry(entry: &Entry, hasher: &mut impl Hasher) {
    // Its marks are all the same.
    entry.key.hash(hasher);
    hash(&entry.node, 0, hasher);
}

/// Of what is written, and of how that lies to where it starts: an object that only moved some
/// lines up or down has the same.
pub(crate) fn of_text(object: &Object) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.api_version.hash(&mut hasher);
    object.soundness.hash(&mut hasher);
    let top = object.mark().line;
    hash(&object.tree, top, &mut hasher);
    hasher.finish()
}

fn hash(node: &Node, top: u32, hasher: &mut impl Hasher) {
    hash_mark(node.mark, top, hasher);
    match &node.value {
        Value::Null => 0_u8.hash(hasher),
        Value::Scalar { text, plain, lead } => {
            (if *plain { 1_u8 } else { 2 }).hash(hasher);
            (text, lead).hash(hasher);
        }
        Value::List(items) => {
            (3_u8, items.len()).hash(hasher);
            items.iter().for_each(|item| hash(item, top, hasher));
        }
        Value::Map(entries) => {
            (4_u8, entries.len()).hash(hasher);
            for Entry { key, mark, lead, node } in entries {
                (key, lead).hash(hasher);
                hash_mark(*mark, top, hasher);
                hash(node, top, hasher);
            }
        }
        Value::Shared(node) => hash(node, top, hasher),
    }
}

fn hash_mark(mark: Mark, top: u32, hasher: &mut impl Hasher) {
    hasher.write_u32(mark.line.wrapping_sub(top));
    hasher.write_u32(mark.column);
}
