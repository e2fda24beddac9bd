//! What is never shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use steelyard_model::discretion::HIDDEN;

/// Header lines whose values are nobody's business.
pub(crate) fn values(lines: &BTreeMap<Arc<str>, Arc<str>>) -> Value {
    let hidden = |value: &str| if value.is_empty() { "" } else { HIDDEN };
    let lines = lines.iter().map(|(name, value)| (name.to_string(), hidden(value).into()));
    Value::Object(lines.collect::<Map<_, _>>())
}
