//! Why mutants survive: a list, one a line.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

/// Why a mutant may survive: nobody can tell it from the code, or only time and memory can.
const KINDS: [&str; 2] = [": same: ", ": cost: "];

/// The mutants of one crate that are argued.
pub(super) struct Arguments {
    keys: BTreeSet<String>,
}

impl Arguments {
    /// Those of files in `folder`. Each line has a reason, and no mutant has two.
    pub(super) fn parse(text: &str, folder: &str) -> Result<Self> {
        let mut keys = BTreeSet::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let Some((key, why)) = KINDS.iter().find_map(|kind| line.split_once(kind)) else {
                bail!("neither `same` nor `cost`: {line}");
            };
            if why.trim().is_empty() {
                bail!("no reason: {line}");
            }
            let is_ours = key.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
            if is_ours && !keys.insert(key.to_owned()) {
                bail!("argued twice: {key}");
            }
        }
        Ok(Self { keys })
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// Those that no mutant is called.
    pub(super) fn without_mutant(&self, known: &BTreeSet<&str>) -> Vec<&str> {
        self.keys.iter().map(String::as_str).filter(|key| !known.contains(key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        "pure/a/src/lib.rs: replace f -> X with None in a::f: cost: it is asked twice";

    #[test]
    fn a_line_argues_a_mutant_of_its_crate() {
        let key = "pure/a/src/lib.rs: replace f -> X with None in a::f";
        let text = format!("# a heading\n\n{LINE}\n");
        let ours = Arguments::parse(&text, "pure/a").expect("it is right");
        assert!(ours.has(key));
        assert_eq!(ours.without_mutant(&BTreeSet::from([key])), Vec::<&str>::new());
        assert_eq!(ours.without_mutant(&BTreeSet::new()), [key]);
        let others = Arguments::parse(&text, "pure/ab").expect("it is right");
        assert!(!others.has(key));
    }

    #[test]
    fn a_line_without_a_reason_is_refused() {
        let twice = format!("{LINE}\n{LINE}");
        for wrong in ["pure/a/src/lib.rs: f", "pure/a/src/lib.rs: f: same: ", &twice] {
            assert!(Arguments::parse(wrong, "pure/a").is_err(), "{wrong}");
        }
    }
}
