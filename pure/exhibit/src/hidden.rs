//! What is never shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

/// What stands in the place of what is hidden, as in Traefik's own logs.
pub(crate) const HIDDEN: &str = "xxxx";

/// Header lines whose values are nobody's business.
pub(crate) fn values(lines: &BTreeMap<Arc<str>, Arc<str>>) -> Value {
    let hidden = |value: &str| if value.is_empty() { "" } else { HIDDEN };
    let lines = lines.iter().map(|(name, value)| (name.to_string(), hidden(value).into()));
    Value::Object(lines.collect::<Map<_, _>>())
}

/// A URL without who asks and what stands in its query, where there may be a secret.
pub(crate) fn url(url: &str) -> String {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = plain.split_once("://") else { return plain.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}
