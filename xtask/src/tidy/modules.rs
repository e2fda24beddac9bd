//! The modules of a crate, and which of them speak of which: read off the paths in their text.
//!
//! It reads text, not meaning: a path in a string counts, one that a macro makes does not.

use std::collections::{BTreeMap, BTreeSet};

use super::SourceFile;
use super::sizes::is_test;

/// A module by its path from the crate's root; the root itself is empty.
pub(super) type ModulePath = Vec<String>;

/// The modules of one crate and the modules that each names.
pub(super) struct ModuleGraph {
    pub(super) edges: BTreeMap<ModulePath, BTreeSet<ModulePath>>,
}

/// The folder of the crate that a file belongs to, and the file's module; none outside `src/`.
pub(super) fn module_of(source: &SourceFile) -> Option<(String, ModulePath)> {
    let path = source.path.to_string_lossy();
    let (krate, inside) = path.split_once("/src/")?;
    let mut module: ModulePath =
        inside.strip_suffix(".rs")?.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&&**last)) {
        module.pop();
    }
    Some((krate.to_owned(), module))
}

impl ModuleGraph {
    /// Reads the crates of `sources`, tests apart.
    pub(super) fn by_crate(sources: &[SourceFile]) -> BTreeMap<String, Self> {
        let mut texts: BTreeMap<String, BTreeMap<ModulePath, &str>> = BTreeMap::new();
        for source in sources.iter().filter(|source| !is_test(source)) {
            let Some((krate, module)) = module_of(source) else { continue };
            let text = source.text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            texts.entry(krate).or_default().insert(module, text);
        }
        texts.into_iter().map(|(krate, texts)| (krate, Self::of(&texts))).collect()
    }

    fn of(texts: &BTreeMap<ModulePath, &str>) -> Self {
        let edges = texts.iter().map(|(module, text)| {
            let named = paths_in(module, text);
            let known = named.filter_map(|path| longest_known(&path, texts));
            (module.clone(), known.filter(|other| other != module).collect())
        });
        Self { edges: edges.collect() }
    }

    /// For each pair of siblings `a`, `b` where something in `a` names something in `b`: their
    /// parent, `a` and `b`.
    pub(super) fn siblings(&self) -> BTreeSet<(ModulePath, String, String)> {
        let mut pairs = BTreeSet::new();
        for (from, all) in &self.edges {
            for to in all {
                let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
                if let (Some(a), Some(b)) = (from.get(shared), to.get(shared)) {
                    pairs.insert((from[..shared].to_vec(), a.clone(), b.clone()));
                }
            }
        }
        pairs
    }
}

fn longest_known(path: &[String], texts: &BTreeMap<ModulePath, &str>) -> Option<ModulePath> {
    (1..=path.len())
        .rev()
        .map(|end| &path[..end])
        .find(|path| texts.contains_key(*path))
        .map(<[String]>::to_vec)
}

/// Paths that begin with `crate::` or `super::`, from the crate's root.
fn paths_in<'t>(module: &'t [String], text: &'t str) -> impl Iterator<Item = ModulePath> + 't {
    let from_root = text.match_indices("crate::").map(|(at, word)| (at, word, Vec::new()));
    let from_parent = text.match_indices("super::").filter_map(|(at, word)| {
        // `super::super::` is found twice: its first word counts.
        (!text[..at].ends_with("super::")).then_some((at, word, module.to_vec()))
    });
    from_root.chain(from_parent).flat_map(|(at, word, mut path)| {
        let mut rest = &text[at..];
        if word == "crate::" {
            rest = &rest[word.len()..];
        }
        while let Some(after) = rest.strip_prefix("super::") {
            path.pop();
            rest = after;
        }
        let end = rest.find(|c: char| c != ':' && c != '_' && !c.is_alphanumeric());
        let (words, group) = rest.split_at(end.unwrap_or(rest.len()));
        path.extend(named(words));
        match group.strip_prefix('{').filter(|_| words.ends_with("::") || words.is_empty()) {
            Some(group) => members(group, &path),
            None => vec![path],
        }
    })
}

fn named(words: &str) -> impl Iterator<Item = String> {
    words.split("::").filter(|word| !word.is_empty()).map(str::to_owned)
}

/// What is before the brace that ends a group, and what is behind it.
fn group(text: &str) -> (&str, &str) {
    let mut depth = 0;
    let end = text.find(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth < 0
    });
    end.map_or((text, ""), |end| (&text[..end], &text[end + 1..]))
}

/// Paths of the group that begins `text`, without its brace: each member, of `parent`.
fn members(text: &str, parent: &[String]) -> Vec<ModulePath> {
    let mut paths = Vec::new();
    let (mut rest, _) = group(text);
    while !rest.is_empty() {
        let stop = rest.find([',', '{']).unwrap_or(rest.len());
        let words = rest[..stop].trim();
        let words = words.split_whitespace().next().unwrap_or_default();
        let path: ModulePath = parent.iter().cloned().chain(named(words)).collect();
        rest = &rest[stop..];
        if let Some(inner) = rest.strip_prefix('{') {
            paths.extend(members(inner, &path));
            rest = group(inner).1;
        } else if !words.is_empty() {
            paths.push(path);
        }
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::source;

    fn pairs(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<SourceFile> =
            files.iter().map(|(path, text)| source(path, text)).collect();
        let graphs = ModuleGraph::by_crate(&sources);
        let pairs = graphs.values().flat_map(ModuleGraph::siblings);
        pairs.map(|(parent, a, b)| format!("{}:{a}>{b}", parent.join("/"))).collect()
    }

    #[test]
    fn paths_from_the_root_and_from_the_parent_are_edges_between_siblings() {
        let files = [
            ("pure/x/src/a.rs", "use crate::b::Thing;"),
            ("pure/x/src/b.rs", "use super::c::{Other, More};"),
            ("pure/x/src/c.rs", "fn f() { crate::c::d::g() }"),
            ("pure/x/src/c/d.rs", "use super::super::a;"),
        ];
        assert_eq!(pairs(&files), [":a>b", ":b>c", ":c>a"]);
    }

    #[test]
    fn groups_of_paths_are_edges_too() {
        let files = [
            ("pure/x/src/a.rs", "use crate::{\n    b, c::{self, Other as O}, d::e::F,\n};"),
            ("pure/x/src/b.rs", "use super::{c, g};"),
            ("pure/x/src/c.rs", "fn f() -> super::g {\n    g::h(a)\n}"),
            ("pure/x/src/d.rs", ""),
            ("pure/x/src/d/e.rs", "use super::super::{b::B};"),
            ("pure/x/src/g.rs", ""),
        ];
        assert_eq!(pairs(&files), [":a>b", ":a>c", ":a>d", ":b>c", ":b>g", ":c>g", ":d>b"]);
    }

    #[test]
    fn parents_and_children_are_no_siblings_and_tests_do_not_count() {
        let files = [
            ("pure/x/src/a.rs", "use crate::a::b::C;\n#[cfg(test)]\nmod tests { use crate::d; }"),
            ("pure/x/src/a/b.rs", "use super::D;"),
            ("pure/x/src/d.rs", ""),
            ("pure/x/src/d/tests.rs", "use crate::a;"),
        ];
        assert!(pairs(&files).is_empty());
    }
}
