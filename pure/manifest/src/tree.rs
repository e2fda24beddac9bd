//! The tree of one document: values with the place where each is written.
//!
//! Aliases share what they name, so a tree is never larger than its text (the budget for its
//! unfolded form is kept where it is built). Plain scalars are kept as written and resolved when
//! a type is asked for.

use std::sync::Arc;

use steelyard_model::Location;

/// Line and column, from 1, columns in characters; both are 0 of what is in no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A value and where it starts. An empty value, or a block below its key, starts at the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) mark: Mark,
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    /// `plain` is without quotes, and so perhaps not a string.
    Scalar {
        text: Box<str>,
        plain: bool,
        lead: Lead,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// What an anchor names, at the anchor and at each of its aliases.
    Shared(Arc<Node>),
}

/// How many characters are between a mark and the text that stands there as it is: an opening
/// quote, or nothing. None where the text is written in several pieces, or with escapes.
pub(crate) type Lead = Option<u8>;

/// One `key: value` of a mapping. Keys are unique within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Arc<str>,
    pub(crate) mark: Mark,
    /// Of the key.
    pub(crate) lead: Lead,
    pub(crate) node: Node,
}

/// What a plain scalar means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Plain<'a> {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(&'a str),
}

impl Mark {
    pub(crate) const START: Self = Self { line: 1, column: 1 };

    pub(crate) const NOWHERE: Self = Self { line: 0, column: 0 };

    /// This place in a text that begins at `start`.
    pub(crate) fn after(self, start: Self) -> Self {
        let column = if self.line == 1 { start.column - 1 } else { 0 };
        Self {
            line: self.line.saturating_add(start.line - 1),
            column: self.column.saturating_add(column),
        }
    }

    pub(crate) fn in_file(self, file: &Arc<str>) -> Location {
        Location { file: file.clone(), line: self.line, column: self.column, width: 0 }
    }
}

impl Node {
    /// Behind aliases.
    pub(crate) fn resolved(&self) -> &Self {
        let mut node = self;
        while let Value::Shared(shared) = &node.value {
            node = shared;
        }
        node
    }

    /// The entry `key` of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        match &self.resolved().value {
            Value::Map(entries) => entries.iter().find(|entry| &*entry.key == key),
            _ => None,
        }
    }

    /// The entry of this name, whose case says nothing.
    pub(crate) fn folded(&self, key: &str) -> Option<&Entry> {
        match &self.resolved().value {
            Value::Map(entries) => entries.iter().find(|it| it.key.eq_ignore_ascii_case(key)),
            _ => None,
        }
    }

    /// The item `index` of a list.
    pub(crate) fn item(&self, index: usize) -> Option<&Self> {
        match &self.resolved().value {
            Value::List(items) => items.get(index),
            _ => None,
        }
    }

    /// The scalar's meaning; none for lists and mappings.
    pub(crate) fn scalar(&self) -> Option<Plain<'_>> {
        match &self.resolved().value {
            Value::Null => Some(Plain::Null),
            Value::Scalar { text, plain: false, .. } => Some(Plain::Text(text)),
            Value::Scalar { text, plain: true, .. } => Some(Plain::of(text)),
            _ => None,
        }
    }

    /// A scalar as it is written.
    pub(crate) fn written(&self) -> Option<&str> {
        match &self.resolved().value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Of a scalar.
    pub(crate) fn lead(&self) -> Lead {
        match &self.resolved().value {
            Value::Scalar { lead, .. } => *lead,
            _ => None,
        }
    }

    /// The text of a string.
    pub(crate) fn text(&self) -> Option<&str> {
        match self.scalar() {
            Some(Plain::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The value as messages name it: `the number 8080`, `a list`.
    pub(crate) fn described(&self) -> String {
        let written = match &self.resolved().value {
            Value::Scalar { text, .. } => shortened(text),
            _ => String::new(),
        };
        match (&self.resolved().value, self.scalar()) {
            (Value::Map(_), _) => "a mapping".to_owned(),
            (Value::List(_), _) => "a list".to_owned(),
            (_, None | Some(Plain::Null)) => "empty (null)".to_owned(),
            (_, Some(Plain::Text(_))) => format!("the string {written:?}"),
            (_, Some(Plain::Int(_) | Plain::Float(_))) => format!("the number {written}"),
            (_, Some(Plain::Bool(value))) if written == value.to_string() => {
                format!("the boolean {value}")
            }
            (_, Some(Plain::Bool(value))) => {
                format!("`{written}` without quotes, which YAML reads as the boolean {value}")
            }
        }
    }
}

/// At most 60 characters of `text`.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl<'a> Plain<'a> {
    /// Whether it is a boolean that is none in YAML 1.2.
    pub(crate) fn is_word_of_yaml_1_1(text: &str) -> bool {
        let is_core = ["true", "false"].iter().any(|it| it.eq_ignore_ascii_case(text));
        matches!(Plain::of(text), Plain::Bool(_)) && !is_core
    }

    /// As the API server's YAML (1.1 scalars, without base 60; times stay text) resolves it.
    pub(crate) fn of(text: &'a str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Self::Null,
            "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => {
                return Self::Bool(true);
            }
            "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n"
            | "N" => return Self::Bool(false),
            ".nan" | ".NaN" | ".NAN" => return Self::Float(f64::NAN),
            ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
                return Self::Float(f64::INFINITY);
            }
            "-.inf" | "-.Inf" | "-.INF" => return Self::Float(f64::NEG_INFINITY),
            _ => {}
        }
        let numeric = matches!(text.as_bytes()[0], b'0'..=b'9' | b'+' | b'-' | b'.');
        if !numeric {
            return Self::Text(text);
        }
        let digits: std::borrow::Cow<'_, str> =
            if text.contains('_') { text.replace('_', "").into() } else { text.into() };
        integer(&digits).or_else(|| float(&digits)).unwrap_or(Self::Text(text))
    }
}

fn integer(text: &str) -> Option<Plain<'static>> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    // from_str_radix would take a second sign.
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    Some(Plain::Int(if negative { -value } else { value }))
}

fn float(text: &str) -> Option<Plain<'static>> {
    let allowed = |byte: u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    if !text.bytes().all(allowed) {
        return None;
    }
    text.parse().ok().map(Plain::Float)
}
