//! A new kind of object is tried: each `Item` has a file in the property that holds edit by edit
//! equal to from scratch, and each kind that is read is in a golden case.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Complaint, SourceFile};

const ITEMS: &str = "pure/model/src/item.rs";
const KINDS: &str = "pure/dialects/src/kind.rs";
const PROPERTY: &str = "steelyard/src/pipeline/tests.rs";
const CASES: &str = "tests/golden";

/// Compares what is declared with the property and with the golden inputs.
pub(crate) fn check(root: &Path, sources: &[SourceFile]) -> Result<Vec<Complaint>> {
    let text = |path: &str| {
        let source = sources.iter().find(|source| source.path == Path::new(path));
        source.map(|source| source.text.as_str()).context(path.to_owned())
    };
    let mut complaints = without_edits(text(ITEMS)?, text(PROPERTY)?);
    let mut cases = BTreeSet::new();
    collect(&root.join(CASES), &mut cases)?;
    complaints.extend(without_case(text(KINDS)?, &cases));
    Ok(complaints)
}

/// Variants of `Item` that the property does not name.
fn without_edits(items: &str, property: &str) -> Vec<Complaint> {
    let body = items.split("pub enum Item {").nth(1).unwrap_or_default();
    let body = body.split("\n}").next().unwrap_or_default();
    let variants = body.lines().filter_map(|line| line.strip_prefix("    "));
    let variants = variants.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    let names = variants.filter_map(|line| line.split(['(', ' ', ',', '{']).next());
    let missing = names.filter(|name| {
        let named = format!("Item::{name}");
        !property
            .match_indices(&named)
            .any(|(at, _)| property[at + named.len()..].starts_with(|c: char| !c.is_alphanumeric()))
    });
    missing.map(|name| format!("Item::{name} is in no edit of {PROPERTY}")).collect()
}

/// Kinds that are read and stand in no golden input.
fn without_case(kinds: &str, cases: &BTreeSet<String>) -> Vec<Complaint> {
    let known = kinds.split("known(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let known: BTreeSet<&str> = known.collect();
    let missing = known.into_iter().filter(|kind| !cases.contains(*kind));
    missing.map(|kind| format!("no golden case under {CASES} has a {kind}")).collect()
}

/// The kinds of objects in the files of a folder.
fn collect(folder: &Path, kinds: &mut BTreeSet<String>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, kinds)?;
        } else if path.extension().is_some_and(|it| it == "yaml" || it == "json") {
            kinds.extend(kinds_in(&std::fs::read_to_string(&path).unwrap_or_default()));
        }
    }
    Ok(())
}

fn kinds_in(text: &str) -> impl Iterator<Item = String> {
    let lines = text.split(['\n', '{', ',']).map(|part| part.trim().replace('"', ""));
    lines.filter_map(|line| Some(line.strip_prefix("kind:")?.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_without_an_edit_is_named() {
        let items = "pub enum Item {\n    /// A Pod.\n    Pod(Arc<Pod>),\n    Node(Node),\n    Map {\n        \
                     object: X,\n    },\n}\nimpl Item {}";
        let property = "match item { Item::Pods(_) => 1, Item::Map { .. } => 2 }";
        assert_eq!(
            without_edits(items, property),
            [
                format!("Item::Pod is in no edit of {PROPERTY}"),
                format!("Item::Node is in no edit of {PROPERTY}"),
            ]
        );
    }

    #[test]
    fn a_kind_without_a_golden_case_is_named() {
        let kinds = "known(\"Pod\", \"v1\", x), known(\"Node\", \"v1\", y)";
        let cases = kinds_in("apiVersion: v1\nkind: Pod\n---\n{\"kind\": \"List\", \"items\": []}");
        let cases: BTreeSet<String> = cases.collect();
        assert!(cases.contains("List"));
        assert_eq!(
            without_case(kinds, &cases),
            [format!("no golden case under {CASES} has a Node")]
        );
    }
}
