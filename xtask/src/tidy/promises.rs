//! What docs/security.md promises is held by tests that are there: the files it names, and the
//! functions.

use std::collections::BTreeSet;

use super::{Complaint, SourceFile};

/// Where the promises are.
pub(crate) const PROMISES: &str = "docs/security.md";

/// Tops of paths that are files of ours.
const TOPS: [&str; 6] = ["pure/", "io/", "lab/", "steelyard/", "tests/", "bench/"];

/// Holds what `text` names against the sources.
pub(crate) fn check(text: &str, sources: &[SourceFile]) -> Vec<Complaint> {
    let functions: BTreeSet<&str> =
        sources.iter().flat_map(|source| source.text.lines().filter_map(function)).collect();
    let is_there = |path: &str| sources.iter().any(|source| source.path.ends_with(path));
    let mut complaints = Vec::new();
    for name in text.split('`').skip(1).step_by(2) {
        let gone = match () {
            () if is_file(name) => !is_there(name),
            () if is_test_name(name) => !functions.contains(name),
            () => false,
        };
        if gone {
            complaints.push(format!("{PROMISES}: `{name}` is not there"));
        }
    }
    complaints
}

fn is_file(name: &str) -> bool {
    name.ends_with(".rs") && TOPS.iter().any(|top| name.starts_with(top))
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
                    | a `word`, a `two_words`, `Some::path` |";
        assert_eq!(
            check(text, &sources),
            [
                "docs/security.md: `io/x/src/b.rs` is not there",
                "docs/security.md: `it_was_so_once` is not there",
            ]
        );
    }
}
