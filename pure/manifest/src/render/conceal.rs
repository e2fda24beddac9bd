//! Which part of a line must not be shown: reports end in tickets and logs of CI.
//!
//! Judged by the text alone, since what is reported may be that it is no YAML: in a Secret every
//! value is concealed but those that name things, elsewhere the values of keys that are named like
//! a credential, everything within a private key, and who asks in an URL. Which names are like that
//! is known elsewhere (`steelyard_model::discretion`).

use std::ops::Range;

use steelyard_model::discretion::{is_credential, user_info};

/// What stands in the place of what is concealed; always as long.
pub(super) const MASK: &str = "********";

/// Keys whose values tell nothing, also in a Secret.
const NAMING: [&str; 12] = [
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "namespace",
    "labels",
    "type",
    "immutable",
    "creationTimestamp",
    "resourceVersion",
    "uid",
    "items",
];

/// How far above a line without a key it is looked for whose value it is.
const FAR: usize = 1_000;

/// Lines of a file, by index.
pub(super) trait Text {
    /// The line, without its end.
    fn line(&self, index: usize) -> Option<&str>;
}

/// The Secrets of a file.
#[derive(Debug, Default)]
pub(super) struct Secrets(Vec<Range<usize>>);

impl Secrets {
    /// Finds them.
    pub(super) fn of(text: &impl Text) -> Self {
        let mut found: Vec<Range<usize>> = Vec::new();
        let lines = (0..).map_while(|index| Some((index, text.line(index)?)));
        for (index, line) in lines.filter(|(_, line)| line.contains("Secret")) {
            let known = found.last().is_some_and(|range| range.contains(&index));
            if let Some(column) = secret_kind(line).filter(|_| !known) {
                found.push(mapping_around(text, index, column));
            }
        }
        Self(found)
    }

    /// The byte of line `index` from which nothing may be shown.
    pub(super) fn concealed_from(&self, text: &impl Text, index: usize) -> Option<usize> {
        let line = text.line(index)?;
        if in_private_key(text, index) {
            return Some(0);
        }
        let within = self.0.iter().any(|range| range.contains(&index));
        let hides = |key: &str| is_credential(key) || within && !NAMING.contains(&key);
        let asking = user_info(line).map(|asking| asking.start);
        let mut keys = keys(line).peekable();
        if keys.peek().is_none() {
            return continues_hidden(text, index, hides).then_some(0).or(asking);
        }
        let mut hidden =
            keys.filter(|(_, key, value)| hides(key) && !line[*value..].trim().is_empty());
        hidden.next().map(|(.., value)| value).into_iter().chain(asking).min()
    }
}

/// The column of `kind: Secret` in a line.
fn secret_kind(line: &str) -> Option<usize> {
    let names_it = |value: usize| {
        let rest = line[value..].trim_start_matches(['"', '\'']).strip_prefix("Secret");
        rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
    };
    keys(line).find(|(_, key, value)| *key == "kind" && names_it(*value)).map(|it| it.0)
}

/// The lines of the mapping that has a key at `column` of line `index`.
fn mapping_around(text: &impl Text, index: usize, column: usize) -> Range<usize> {
    let is_inside = |line: &str| line.trim().is_empty() || indent(line) >= column;
    let is_separator = |line: &str| line.starts_with("---") && !line.starts_with("-----");
    let mut start = index;
    while let Some(above) = start.checked_sub(1) {
        // The first key of an item stands behind the item's dash.
        let begins_item = |line: &str| line.trim_start().starts_with("- ");
        let Some(line) = text.line(start).filter(|line| !begins_item(line)) else { break };
        let Some(before) = text.line(above).filter(|line| !is_separator(line)) else { break };
        let first = begins_item(before) && indent(before) + 2 == column;
        if !is_inside(before) && !first || line.is_empty() && column > 0 && !is_inside(line) {
            break;
        }
        start = above;
    }
    let below = (index + 1..)
        .take_while(|at| text.line(*at).is_some_and(|line| is_inside(line) && !is_separator(line)));
    start..index + 1 + below.count()
}

/// Whether a line without a key goes on with the value of a hidden one: a block or a list below it.
fn continues_hidden(text: &impl Text, index: usize, hides: impl Fn(&str) -> bool) -> bool {
    let mut least = text.line(index).map_or(0, indent);
    for above in (index.saturating_sub(FAR)..index).rev() {
        let Some(line) = text.line(above).filter(|line| !line.trim().is_empty()) else { continue };
        if line.starts_with("---") {
            return false;
        }
        let key = keys(line).last();
        if let Some((_, key, _)) = key.filter(|_| indent(line) < least || least == 0) {
            return hides(key);
        }
        least = least.min(indent(line));
    }
    index > FAR
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Keys of a line: where each begins, its name, where its value begins.
fn keys(line: &str) -> impl Iterator<Item = (usize, &str, usize)> {
    let ends = line.match_indices(':').filter(|(at, _)| {
        let next = line[at + 1..].chars().next();
        next.is_none_or(|next| next.is_whitespace() || matches!(next, '{' | '[' | '"' | '\''))
    });
    ends.filter_map(|(at, _)| {
        let before = &line[..at];
        let start = before.rfind(['{', ',', ' ', '\t']).map_or(0, |start| start + 1);
        let key = before[start..].trim_matches(['"', '\'']);
        let rest = &line[at + 1..];
        let value = at + 1 + (rest.len() - rest.trim_start().len());
        (!key.is_empty()).then_some((start, key, value))
    })
}

fn in_private_key(text: &impl Text, index: usize) -> bool {
    let lines = (index.saturating_sub(FAR)..=index).rev().map_while(|at| text.line(at));
    for line in lines {
        if line.contains("-----BEGIN") {
            return line.contains("PRIVATE KEY");
        }
        if line.contains("-----END") {
            return false;
        }
    }
    false
}
