//! What breaks a rule and is known to: a list that may only become shorter.
//!
//! A complaint on the list is not reported; a line on the list that no complaint matches any more
//! is, so that it goes.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};

use super::Complaint;

/// One complaint a line; empty lines and those with `#` are for people.
const LIST: &str = "xtask/known.txt";

/// Takes the known ones out of `complaints`, and adds a complaint for each that is known no more.
pub(crate) fn without(root: &Path, complaints: Vec<Complaint>) -> Result<Vec<Complaint>> {
    let list = std::fs::read_to_string(root.join(LIST)).context(LIST)?;
    Ok(filter(&list, complaints))
}

fn filter(list: &str, complaints: Vec<Complaint>) -> Vec<Complaint> {
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let known: BTreeSet<&str> = lines.collect();
    let (old, mut new): (Vec<_>, Vec<_>) =
        complaints.into_iter().partition(|complaint| known.contains(&**complaint));
    let gone = known.into_iter().filter(|line| !old.iter().any(|complaint| complaint == line));
    new.extend(gone.map(|line| format!("{LIST} has a line that is mended, take it out: {line}")));
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_hides_what_is_on_it_and_must_not_outlive_it() {
        let list = "# a heading\n\nold\nmended\n";
        let left = filter(list, vec!["old".into(), "new".into()]);
        let mended = "xtask/known.txt has a line that is mended, take it out: mended";
        assert_eq!(left, ["new", mended]);
    }
}
