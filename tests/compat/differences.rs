//! Where we differ on purpose: `differences.yaml`, a flat mapping of case name to reason.

use std::collections::BTreeMap;

const FILE: &str = include_str!("differences.yaml");

/// Whether a case is listed: by its name, or as one of a kind, whose name ends in `*` where theirs
/// go on. Of a kind some may hold.
pub(crate) fn of_case(known: &BTreeMap<String, String>, name: &str) -> Option<Listed> {
    if known.contains_key(name) {
        return Some(Listed::Itself);
    }
    let is_it = |kind: &String| {
        let mut parts = kind.split('*');
        let first = parts.next().unwrap_or_default();
        let rest = name.strip_prefix(first);
        kind.contains('*') && rest.is_some_and(|rest| parts.all(|part| rest.contains(part)))
    };
    known.keys().any(is_it).then_some(Listed::OfItsKind)
}

/// How a case is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    Itself,
    OfItsKind,
}

/// Case name → reason. The file is `name: reason` lines and comments, nothing else.
pub(crate) fn read() -> BTreeMap<String, String> {
    let lines = FILE.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, reason) = line.split_once(": ").expect("`case: reason` on one line");
            assert!(reason.len() > 20, "{name}: a reason says why");
            (name.to_owned(), reason.to_owned())
        })
        .collect()
}
