//! Values as YAML, in one form: block style, keys as they are sorted in the value, strings quoted
//! where a reader could take them for something else.

use std::fmt::Write;

use serde_json::Value;

/// Documents one after the other.
pub(super) fn documents(values: &[Value]) -> String {
    let mut text = String::new();
    for value in values {
        text.push_str("---\n");
        block(&mut text, value, 0);
    }
    text
}

fn block(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) => {
            for (index, (key, value)) in map.iter().enumerate() {
                // The first key of an element of a list stands beside its dash.
                if index > 0 || !text.ends_with("- ") {
                    indent(text, depth);
                }
                let _ = write!(text, "{}:", scalar(&Value::String(key.clone())));
                below(text, value, depth);
            }
        }
        Value::Array(list) => {
            for value in list {
                indent(text, depth);
                text.push_str("- ");
                match value {
                    Value::Object(map) if !map.is_empty() => block(text, value, depth + 1),
                    _ => {
                        let _ = writeln!(text, "{}", scalar(value));
                    }
                }
            }
        }
        _ => {
            let _ = writeln!(text, "{}", scalar(value));
        }
    }
}

fn below(text: &mut String, value: &Value, depth: usize) {
    let is_block = match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => false,
    };
    if is_block {
        text.push('\n');
        let depth = if value.is_array() { depth } else { depth + 1 };
        block(text, value, depth);
    } else {
        let _ = writeln!(text, " {}", scalar(value));
    }
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a string is one for each reader of YAML without quotes.
fn is_plain(text: &str) -> bool {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let is_inside = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '.')
        && text.contains(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(is_inside)
        && !words.contains(&text.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_so() {
        let value =
            json!({"a": [{"b": 1, "c": ["x y", "no", ".5"]}, [], {}], "d": {}, "e": "f: g"});
        let expected = "---
a:
- b: 1
  c:
  - \"x y\"
  - \"no\"
  - \".5\"
- []
- {}
d: {}
e: \"f: g\"
";
        assert_eq!(super::documents(&[value]), expected);
    }
}
