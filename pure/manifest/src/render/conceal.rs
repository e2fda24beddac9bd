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

/// The Secrets of a file, and the private keys: looked for once, however many findings there are.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// Lines of Secrets, in order, none in two ranges.
    objects: Vec<Range<usize>>,
    /// The same of private keys.
    keys: Vec<Range<usize>>,
}

impl Secrets {
    /// Finds them.
    pub(super) fn of(text: &impl Text) -> Self {
        let (mut objects, mut keys) = (Vec::<Range<usize>>::new(), Vec::<Range<usize>>::new());
        let lines = (0..).map_while(|index| Some((index, text.line(index)?)));
        for (index, line) in lines {
            if line.contains("Secret") {
                let known = objects.last().is_some_and(|range| range.contains(&index));
                if let Some(column) = secret_kind(line).filter(|_| !known) {
                    objects.push(mapping_around(text, index, column));
                }
            }
            if line.contains("-----BEGIN") || line.contains("-----END") {
                if let Some(open) = keys.last_mut().filter(|open| open.contains(&index)) {
                    open.end = index;
                }
                if line.contains("-----BEGIN") && line.contains("PRIVATE KEY") {
                    keys.push(index..index + FAR + 1);
                }
            }
        }
        Self { objects: merged(objects), keys }
    }

    /// The byte of line `index` from which nothing may be shown.
    pub(super) fn concealed_from(&self, text: &impl Text, index: usize) -> Option<usize> {
        let line = text.line(index)?;
        if covers(&self.keys, index) {
            return Some(0);
        }
        let within = covers(&self.objects, index);
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

/// Ranges in order, none of which overlap.
fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut().filter(|last| range.start < last.end) {
            Some(last) => last.end = last.end.max(range.end),
            None => merged.push(range),
        }
    }
    merged
}

/// Whether one of such ranges has a line.
fn covers(ranges: &[Range<usize>], index: usize) -> bool {
    let before = ranges.partition_point(|range| range.start <= index);
    before.checked_sub(1).is_some_and(|last| ranges[last].contains(&index))
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
    // Items may stand as deep as the key that they are below.
    let depth = |line: &str| indent(line) + usize::from(line.trim_start().starts_with("- "));
    let mut least = text.line(index).map_or(0, depth);
    for above in (index.saturating_sub(FAR)..index).rev() {
        let Some(line) = text.line(above).filter(|line| !line.trim().is_empty()) else { continue };
        if line.starts_with("---") {
            return false;
        }
        let key = keys(line).last();
        if let Some((_, key, _)) = key.filter(|_| indent(line) < least || least == 0) {
            return hides(key);
        }
        least = least.min(depth(line));
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Counts the lines that are looked at.
    struct Counted<'t> {
        lines: Vec<&'t str>,
        looks: Cell<usize>,
    }

    impl Text for Counted<'_> {
        fn line(&self, index: usize) -> Option<&str> {
            self.looks.set(self.looks.get() + 1);
            self.lines.get(index).copied()
        }
    }

    /// A file with a finding in each line costs ten times as much where it has ten times the lines.
    #[test]
    fn what_is_looked_at_grows_as_the_file_does() {
        let looks = |objects: usize| {
            let text: String = (0..objects)
                .map(|at| format!("r{at}: {{rule: x}}\n---\nkind: Secret\ndata: {{a: b}}\n---\n"))
                .collect();
            let text = Counted { lines: text.lines().collect(), looks: Cell::new(0) };
            let secrets = Secrets::of(&text);
            let hidden = (0..text.lines.len())
                .filter(|index| secrets.concealed_from(&text, *index).is_some())
                .count();
            assert_eq!(hidden, objects, "the values of Secrets alone");
            text.looks.get()
        };
        let (few, many) = (looks(300), looks(3_000));
        assert!(many < 11 * few, "{few} and {many}");
    }

    #[test]
    fn items_are_hidden_however_deep_they_stand() {
        for indented in ["", "  "] {
            let text = format!(
                "a:\n  users:\n  {indented}- \"ann:secret\"\n  {indented}- \"bob:secret\"\n  \
                 realm:\n  {indented}- shown\n"
            );
            let text = Counted { lines: text.lines().collect(), looks: Cell::new(0) };
            let secrets = Secrets::of(&text);
            let hidden: Vec<usize> = (0..text.lines.len())
                .filter(|index| secrets.concealed_from(&text, *index) == Some(0))
                .collect();
            assert_eq!(hidden, [2, 3], "{indented:?}");
        }
    }

    #[test]
    fn keys_are_concealed_from_their_begin_to_their_end() {
        let text = "a\n-----BEGIN CERTIFICATE-----\nb\n-----END CERTIFICATE-----\n\
                    -----BEGIN PRIVATE KEY-----\nc\nd\n-----END PRIVATE KEY-----\ne\n\
                    -----BEGIN RSA PRIVATE KEY-----\nf\n-----BEGIN CERTIFICATE-----\ng\n";
        let text = Counted { lines: text.lines().collect(), looks: Cell::new(0) };
        let secrets = Secrets::of(&text);
        let hidden: Vec<&str> = text
            .lines
            .iter()
            .enumerate()
            .filter(|(index, _)| secrets.concealed_from(&text, *index) == Some(0))
            .map(|(_, line)| *line)
            .collect();
        let begins = ["-----BEGIN PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----"];
        assert_eq!(hidden, [begins[0], "c", "d", begins[1], "f"]);
    }
}
