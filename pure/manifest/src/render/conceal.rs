//! Which part of a line must not be shown: reports end in tickets and logs of CI.
//!
//! Judged by the text alone, since what is reported may be that it is no YAML: in a Secret every
//! value is concealed but those that name things, elsewhere what stands at keys that are named like
//! a credential and below them, everything within a private key, who asks in an URL, and with what.
//! A field that nobody knows may be one of them misspelt: it is concealed where it sounds like one,
//! and where it stands beside one. Which names are like that is known elsewhere
//! (`steelyard_model::discretion`).

use std::ops::Range;

use steelyard_model::discretion::{hidden_parts, is_credential, may_be_credential};

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

/// As many lines are looked for the end of a private key.
const FAR: usize = 1_000;

/// As many lines, to each side, are looked at for what stands beside a field.
const NEAR: usize = 50;

/// As much of a line, to each side.
const NEAR_BYTES: usize = 1_024;

/// Lines of a file, by index.
pub(super) trait Text {
    /// The line, without its end.
    fn line(&self, index: usize) -> Option<&str>;
}

/// What of a file is concealed: looked for once, however many findings there are.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// Lines of Secrets, in order, none in two ranges.
    objects: Vec<Range<usize>>,
    /// The same of private keys.
    keys: Vec<Range<usize>>,
    /// The same of lines below a key that has something to conceal.
    below: Vec<Range<usize>>,
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
        let mut found = Self { objects: merged(objects), keys, below: Vec::new() };
        found.below = found.below_keys(text);
        found
    }

    /// Lines below keys that have something to conceal.
    fn below_keys(&self, text: &impl Text) -> Vec<Range<usize>> {
        let mut below = Vec::<Range<usize>>::new();
        // The column of the key that they are below.
        let mut open: Option<usize> = None;
        for (index, line) in (0..).map_while(|index| Some((index, text.line(index)?))) {
            let (depth, line) = (indent(line) + usize::from(is_item(line)), line.trim_end());
            // A line without a key that is not indented goes on with what was before.
            let goes_on = || depth == 0 && keys(line).next().is_none();
            let is_below = |column: &usize| depth > *column || goes_on();
            if line.is_empty() {
                continue;
            }
            open = open.filter(|column| is_below(column) && !line.starts_with("---"));
            if open.is_some() {
                match below.last_mut().filter(|last| last.end == index) {
                    Some(last) => last.end = index + 1,
                    None => below.push(index..index + 1),
                }
                continue;
            }
            let hides = |key: &str| self.hides(index, key);
            let is_comment = line.trim_start().starts_with('#');
            let mut keys = keys(line).filter(|(_, key, _)| !is_comment && hides(key));
            open = keys.next().map(|(column, ..)| column);
        }
        below
    }

    /// Whether what stands at a key of line `index` is concealed.
    fn hides(&self, index: usize, key: &str) -> bool {
        is_credential(key) || !NAMING.contains(&key) && covers(&self.objects, index)
    }

    /// The byte of line `index` from which nothing may be shown.
    pub(super) fn concealed_from(&self, text: &impl Text, index: usize) -> Option<usize> {
        let line = text.line(index)?;
        // What keys a Secret has tells nothing.
        let has_own = || covers(&self.objects, index) && keys(line).next().is_some();
        if covers(&self.keys, index) || covers(&self.below, index) && !has_own() {
            return Some(0);
        }
        let asking = hidden_parts(line).next().map(|asking| asking.start);
        let has_value = |value: usize| !line[value..].trim().is_empty();
        let hides = |key: &str, value: usize| {
            self.hides(index, key) || key == "usersFile" && are_users(&line[value..])
        };
        let mut hidden =
            keys(line).filter(|(_, key, value)| hides(key, *value) && has_value(*value));
        hidden.next().map(|(.., value)| value).into_iter().chain(asking).min()
    }
}

/// Whether users were written where a file of them is named.
fn are_users(value: &str) -> bool {
    value.split([',', '}']).next().is_some_and(|own| own.contains(':'))
}

/// The byte of line `index` from which nothing may be shown where a field that nobody knows stands
/// at byte `at` of it.
pub(super) fn unknown_from(text: &impl Text, index: usize, at: usize) -> Option<usize> {
    let line = text.line(index)?;
    let from = line.floor_char_boundary(at.saturating_sub(NEAR_BYTES));
    let near = &line[from..line.ceil_char_boundary((at + NEAR_BYTES).min(line.len()))];
    let (_, own, value) = keys(near).find(|(column, ..)| from + column >= at)?;
    let is_beside = || {
        let on_it = keys(near).any(|(_, key, _)| is_credential(key));
        on_it || beside(text, index, at).any(|line| keys(line).any(|it| is_credential(it.1)))
    };
    (may_be_credential(own) || is_beside()).then_some(from + value)
}

/// Lines near line `index` with keys of the mapping that has one at byte `at` of it.
fn beside(text: &impl Text, index: usize, at: usize) -> impl Iterator<Item = &str> {
    let is_first = move |line: &str| is_item(line) && at == indent(line) + 2;
    let is_in = move |line: &&str| line.trim().is_empty() || indent(line) >= at || is_first(line);
    let above = (index.saturating_sub(NEAR)..index).rev().map_while(|at| text.line(at));
    let below = (index + 1..=index + NEAR).map_while(|at| text.line(at));
    let all = above.take_while(is_in).chain(below.take_while(is_in));
    all.filter(move |line| keys(line).next().is_some_and(|(column, ..)| column == at))
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
        let Some(line) = text.line(start).filter(|line| !is_item(line)) else { break };
        let Some(before) = text.line(above).filter(|line| !is_separator(line)) else { break };
        let first = is_item(before) && indent(before) + 2 == column;
        if !is_inside(before) && !first || line.is_empty() && column > 0 && !is_inside(line) {
            break;
        }
        start = above;
    }
    let below = (index + 1..)
        .take_while(|at| text.line(*at).is_some_and(|line| is_inside(line) && !is_separator(line)));
    start..index + 1 + below.count()
}

/// The first key of an item stands behind the item's dash.
fn is_item(line: &str) -> bool {
    line.trim_start().starts_with("- ")
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
    fn what_stands_below_a_key_is_hidden_with_it() {
        let text = "# users: all\na:\n  users:\n    ann: x\n    # bob\n    b:\n\n      c: d\n  realm: shown\n\
                    - keys:\n    a\n  b: shown\n- {password: [\n  a: b\n  ], c: d}\ne: shown\n";
        let text = Counted { lines: text.lines().collect(), looks: Cell::new(0) };
        let secrets = Secrets::of(&text);
        let hidden: Vec<usize> = (0..text.lines.len())
            .filter(|index| secrets.concealed_from(&text, *index) == Some(0))
            .collect();
        assert_eq!(hidden, [3, 4, 5, 7, 10]);
    }

    #[test]
    fn users_are_hidden_where_a_file_of_them_is_named() {
        for (line, expected) in [
            ("usersFile: /a/users", None),
            ("a: {usersFile: /a/users, b: c:d}", None),
            ("a: {usersFile: 'ann:x', b: c}", Some(15)),
        ] {
            let text = Counted { lines: vec![line], looks: Cell::new(0) };
            assert_eq!(Secrets::of(&text).concealed_from(&text, 0), expected, "{line}");
        }
    }

    #[test]
    fn a_field_that_nobody_knows_is_hidden_where_it_may_be_a_secret() {
        for (text, index, at, expected) in [
            ("a: b\nsecrt_key: x\n", 1, 0, Some(11)),
            ("a: b\nrepl: x\n", 1, 0, None),
            ("a:\n  repl: x\n  password: y\n", 1, 2, Some(8)),
            ("a:\n  - password: x\n    repl: y\n", 2, 4, Some(10)),
            ("a:\n  password: x\nb:\n  repl: y\n", 3, 2, None),
            ("password:\n  repl: y\n", 1, 2, None),
            ("a: {repl: x, password: y}\n", 0, 4, Some(10)),
            ("a: {repl: x, b: y}\n", 0, 4, None),
        ] {
            let lines = Counted { lines: text.lines().collect(), looks: Cell::new(0) };
            assert_eq!(unknown_from(&lines, index, at), expected, "{text}");
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
