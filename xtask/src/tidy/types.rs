//! Public types have names that are theirs alone, over all crates.
//!
//! Apart: a type as users write it (`pure/manifest/src/kinds`) and the valid one made of it may
//! share the name that the API gives them.

use std::collections::BTreeMap;

use super::modules::module_of;
use super::sizes::is_test;
use super::{Complaint, SourceFile};

/// Kinds as users write them: named by their API.
const AS_WRITTEN: &str = "pure/manifest/src/kinds";

/// Compares all crates.
pub(crate) fn check(sources: &[SourceFile]) -> Vec<Complaint> {
    let mut places: BTreeMap<&str, Vec<&SourceFile>> = BTreeMap::new();
    let counts = |source: &&SourceFile| {
        module_of(source).is_some() && !is_test(source) && !source.path.starts_with(AS_WRITTEN)
    };
    for source in sources.iter().filter(counts) {
        for name in public_types(&source.text) {
            places.entry(name).or_default().push(source);
        }
    }
    let shared = places.into_iter().filter(|(_, places)| places.len() > 1);
    let complaint = |(name, places): (&str, Vec<&SourceFile>)| {
        let places: Vec<_> = places.iter().map(|one| one.path.display().to_string()).collect();
        format!("type {name} is in {}", places.join(" and "))
    };
    shared.map(complaint).collect()
}

fn public_types(text: &str) -> impl Iterator<Item = &str> {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines().filter_map(|line| {
        let rest = line.trim_start().strip_prefix("pub ")?;
        let kinds = ["struct ", "enum ", "trait ", "type "];
        let name = kinds.iter().find_map(|kind| rest.strip_prefix(kind))?;
        name.split(|c: char| !c.is_alphanumeric()).next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::source;

    #[test]
    fn a_name_is_of_one_type() {
        let sources = [
            source("pure/x/src/a.rs", "pub struct Vip;\npub(crate) struct Own;\nenum Own2 {}"),
            source("io/y/src/b.rs", "pub enum Vip<'a> {}\npub(crate) struct Own;"),
            source("io/y/tests/c.rs", "pub struct Vip;"),
        ];
        assert_eq!(check(&sources), ["type Vip is in pure/x/src/a.rs and io/y/src/b.rs"]);
    }

    #[test]
    fn kinds_as_written_may_share_the_names_of_valid_ones() {
        let sources = [
            source("pure/model/src/pod.rs", "pub struct Pod;"),
            source("pure/manifest/src/kinds/core.rs", "pub struct Pod;"),
        ];
        assert!(check(&sources).is_empty());
    }
}
