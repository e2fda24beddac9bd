//! Where we differ on purpose: `differences.yaml`, a flat mapping of case name to reason.

use std::collections::BTreeMap;

const FILE: &str = include_str!("differences.yaml");

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
