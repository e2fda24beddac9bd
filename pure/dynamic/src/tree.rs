//! What is written, as it is asked for: what is not there is empty.

use serde_json::Value;

/// A value that is written, or nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tree<'a>(pub(crate) &'a Value);

/// What nobody has written.
static NOTHING: Value = Value::Null;

impl<'a> Tree<'a> {
    /// What nobody has written.
    pub(crate) fn nothing() -> Self {
        Self(&NOTHING)
    }

    /// What is written at a key.
    pub(crate) fn at(self, key: &str) -> Self {
        Self(self.0.get(key).unwrap_or(&NOTHING))
    }

    /// The same, if something is.
    pub(crate) fn there(self, key: &str) -> Option<Self> {
        Some(self.at(key)).filter(|it| !it.0.is_null())
    }

    pub(crate) fn text(self, key: &str) -> &'a str {
        self.at(key).0.as_str().unwrap_or_default()
    }

    pub(crate) fn is(self, key: &str) -> bool {
        self.at(key).0.as_bool().unwrap_or_default()
    }

    pub(crate) fn number(self, key: &str) -> i64 {
        self.at(key).0.as_i64().unwrap_or_default()
    }

    pub(crate) fn items(self, key: &str) -> impl Iterator<Item = Self> + use<'a> {
        self.at(key).0.as_array().into_iter().flatten().map(Self)
    }

    /// As it is written.
    pub(crate) fn raw(self, key: &str) -> Value {
        self.at(key).0.clone()
    }

    /// As it is written, else a value that stands for it.
    pub(crate) fn raw_or(self, key: &str, usual: impl Into<Value>) -> Value {
        if self.there(key).is_some() { self.raw(key) } else { usual.into() }
    }

    /// A number or a text, as a text.
    pub(crate) fn shown(self, key: &str) -> String {
        match self.at(key).0 {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        }
    }

    /// A list of texts.
    pub(crate) fn texts(self, key: &str) -> Vec<&'a str> {
        self.items(key).filter_map(|it| it.0.as_str()).collect()
    }
}
