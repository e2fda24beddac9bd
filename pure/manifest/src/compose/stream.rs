//! Several JSON values in one file, one after another, as `jq` and repeated `kubectl get -o json`
//! write them. YAML has no such thing: each value is read by itself.

use crate::source::lines;
use crate::tree::{Mark, Node, Value};

/// The first JSON value of `text` and what follows it; all of it where it is no such stream.
pub(super) fn split(text: &str) -> (&str, &str) {
    if !text.trim_start().starts_with('{') {
        return (text, "");
    }
    match end_of_value(text).map(|end| text.split_at(end)) {
        Some((value, rest)) if rest.trim_start().starts_with('{') => (value, rest),
        _ => (text, ""),
    }
}

/// Where the object that `text` starts with ends.
fn end_of_value(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Where a text begins that follows `text`, which begins at `start`.
pub(super) fn advance(start: Mark, text: &str) -> Mark {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    let breaks = lines(text).count() - 1;
    let last = lines(text).last().unwrap_or(text).chars().count();
    Mark { line: number(breaks + 1), column: number(last + 1) }.after(start)
}

/// Moves the marks of `node` by where its text begins. JSON has no aliases.
pub(super) fn shift(node: &mut Node, start: Mark) {
    if start == Mark::START {
        return;
    }
    node.mark = node.mark.after(start);
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| shift(item, start)),
        Value::Map(entries) => {
            for entry in entries {
                entry.mark = entry.mark.after(start);
                shift(&mut entry.node, start);
            }
        }
        Value::Null | Value::Scalar { .. } | Value::Shared(_) => {}
    }
}
