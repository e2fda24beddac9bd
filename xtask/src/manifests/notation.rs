//! The notation of deploy/crds/*.txt, as a tree of lines. What the lines mean as schemas is
//! `schema.rs`.
//!
//! ```text
//! # a remark
//! group metallb.io
//! type Selector atomic            fields that stand in several places: @Selector or ...Selector
//! type Duration = string /^…$/    the same for a value
//! kind IPAddressPool ipaddresspools v1beta1 [deprecated] -- what it is
//!   column "Addresses" string .spec.addresses [priority 10]
//!   subresource status
//!   metadata!                     must be there
//!   spec! object                  NAME[!] TYPE CONSTRAINT… [-- description]; ! says required
//!     addresses! [string]         a list; {string} is a map of strings
//!     mode string a|b =a          one of these; what it is when it is not written
//!     port int32 1..65535         limits; length:1..10 of a string, items:1.. of a list
//!     conditions [object] by:type a list with a key; atomic: replaced as a whole
//!     ? has(self.mode) -- why     a rule of the object or value above it, in CEL
//! ```
//!
//! A kind that stands here more than once has several versions; the last one is stored.

use anyhow::{Result, bail, ensure};

/// A line and what is indented below it.
#[derive(Debug)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: usize,
    /// Without indentation and description.
    pub(super) text: String,
    /// What stands after ` -- `.
    pub(super) about: Option<String>,
    pub(super) below: Vec<Self>,
}

impl Line {
    fn new(number: usize, text: &str) -> Self {
        let (text, about) = match text.split_once(" -- ") {
            Some((text, about)) => (text, Some(about.trim().to_owned())),
            None => (text, None),
        };
        Self { number, text: text.trim().to_owned(), about, below: Vec::new() }
    }

    /// Its words.
    pub(super) fn words(&self) -> Vec<&str> {
        self.text.split_whitespace().collect()
    }
}

/// Reads a file.
///
/// # Errors
/// An indentation that is not two spaces for each step.
pub(super) fn read(text: &str) -> Result<Vec<Line>> {
    let mut open: Vec<Line> = Vec::new();
    let mut whole = Vec::new();
    for (index, text) in text.lines().enumerate() {
        let bare = text.trim_start();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        let indentation = text.len() - bare.len();
        ensure!(indentation % 2 == 0, "line {}: indented by {indentation} spaces", index + 1);
        let depth = indentation / 2;
        if depth > open.len() {
            bail!("line {}: indented below nothing", index + 1);
        }
        close(&mut open, &mut whole, depth);
        open.push(Line::new(index + 1, bare));
    }
    close(&mut open, &mut whole, 0);
    Ok(whole)
}

/// Puts lines that nothing more comes below into what they are below of.
fn close(open: &mut Vec<Line>, whole: &mut Vec<Line>, depth: usize) {
    while open.len() > depth {
        let Some(line) = open.pop() else { return };
        match open.last_mut() {
            Some(parent) => parent.below.push(line),
            None => whole.push(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lie_below_each_other() {
        let lines = read("# remark\na\n  b -- about\n    c\n  d\n\ne\n").unwrap();
        let shown = format!(
            "{:?} {:?} {:?}",
            lines.iter().map(|line| &*line.text).collect::<Vec<_>>(),
            lines[0].below.iter().map(|line| (&*line.text, line.number)).collect::<Vec<_>>(),
            lines[0].below[0].about,
        );
        assert_eq!(shown, r#"["a", "e"] [("b", 3), ("d", 5)] Some("about")"#);
        assert!(read("a\n    b\n").is_err() && read("a\n b\n").is_err());
    }
}
