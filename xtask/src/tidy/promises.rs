//! What pages for developers name is there: the files of ours, the folders, and the tests that hold
//! what docs/security.md promises.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Complaint, SourceFile};

/// The pages.
const PAGES: [&str; 3] = ["docs/security.md", "CONTRIBUTING.md", "ARCHITECTURE.md"];
/// Tops of paths that are ours.
const TOPS: [&str; 7] = ["pure/", "io/", "lab/", "steelyard/", "tests/", "bench/", "xtask/"];
/// What has no sources in it.
const CASES: &str = "tests/golden";
/// What has no sources in Rust: what is there is looked up.
const OTHERS: [&str; 6] =
    ["tests/kubernetes", "tests/http2", "tests/tls", "tests/sslyze", "tests/oidc", "tests/oauth2"];

/// Holds what the pages name against the sources.
pub(crate) fn check(root: &Path, sources: &[SourceFile]) -> Result<Vec<Complaint>> {
    let mut complaints = Vec::new();
    for page in PAGES {
        let text = std::fs::read_to_string(root.join(page)).context(page)?;
        complaints.extend(gone(page, &text, sources, &|path| root.join(path).exists()));
    }
    Ok(complaints)
}

fn gone(
    page: &str,
    text: &str,
    sources: &[SourceFile],
    is_on_disk: &dyn Fn(&str) -> bool,
) -> Vec<Complaint> {
    let functions: BTreeSet<&str> =
        sources.iter().flat_map(|source| source.text.lines().filter_map(function)).collect();
    let is_there = |path: &str| sources.iter().any(|source| source.path.ends_with(path));
    let has_some = |folder: &str| match OTHERS.iter().any(|top| folder.starts_with(top)) {
        true => is_on_disk(folder),
        false => sources.iter().any(|source| source.path.starts_with(folder)),
    };
    let mut complaints = Vec::new();
    for name in text.split('`').skip(1).step_by(2) {
        let gone = match () {
            () if is_file(name) => !is_there(name),
            () if is_folder(name) => !has_some(name.trim_end_matches('/')),
            () if is_test_name(name) => !functions.contains(name),
            () => false,
        };
        if gone {
            complaints.push(format!("{page}: `{name}` is not there"));
        }
    }
    complaints
}

fn is_path(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_-.".contains(&byte))
}

/// From the root, or the end of a path.
fn is_file(name: &str) -> bool {
    name.ends_with(".rs") && is_path(name)
}

fn is_folder(name: &str) -> bool {
    let is_ours = TOPS.iter().any(|top| name.starts_with(top)) && !name.starts_with(CASES);
    is_ours && is_path(name) && !name.rsplit('/').next().unwrap_or_default().contains('.')
}

/// Tests are sentences: three words at least.
fn is_test_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.matches('_').count() >= 2 && name.bytes().all(is_part)
}

/// The function that a line declares.
fn function(line: &str) -> Option<&str> {
    let rest = line.split("fn ").nth(1)?;
    Some(rest.split(['(', '<']).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::source;

    #[test]
    fn what_is_named_and_gone_is_told() {
        let sources =
            [source("io/x/src/a.rs", "#[test]\nfn it_is_so_now() {}\nasync fn b<T>() {}")];
        let text = "| a | `io/x/src/a.rs`, `it_is_so_now`, `io/x/src/b.rs`, `it_was_so_once` |\n\
                    | a `word`, a `two_words`, `Some::path`, `src/a.rs`, `io/x/src`, `pure/`, |\n\
                    | `b.rs`, `io/y/src`, `tests/golden/x`, `Cargo.toml`, |\n\
                    | `tests/kubernetes/y`, `tests/kubernetes/z` |";
        let names =
            ["io/x/src/b.rs", "it_was_so_once", "pure/", "b.rs", "io/y/src", "tests/kubernetes/z"];
        let expected: Vec<_> =
            names.iter().map(|name| format!("a.md: `{name}` is not there")).collect();
        let on_disk = |path: &str| path == "tests/kubernetes/y";
        assert_eq!(gone("a.md", text, &sources, &on_disk), expected);
    }
}
