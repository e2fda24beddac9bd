//! Headers of responses.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::View;
use super::super::asks::Asks;
use super::super::location::Location;
use crate::shape::Shape;

/// What scripts of others may send, and by which methods, where nothing is said.
const SENT: [&str; 9] = [
    "DNT",
    "Keep-Alive",
    "User-Agent",
    "X-Requested-With",
    "If-Modified-Since",
    "Cache-Control",
    "Content-Type",
    "Range",
    "Authorization",
];
const METHODS: [&str; 6] = ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"];

/// For so many seconds what was told counts.
const AGE: i64 = 1_728_000;

/// Headers that are not to be set, which closes the path.
pub(super) struct NotToBeSet;

/// What scripts of others may do.
pub(super) fn cors(asks: Asks<'_>) -> Option<Value> {
    if !asks.is("enable-cors") {
        return None;
    }
    let or = |name: &str, usual: &[&'static str]| asks.list(name).unwrap_or_else(|| usual.to_vec());
    let shape = Shape::default()
        .with("accessControlAllowCredentials", asks.said("cors-allow-credentials").unwrap_or(true))
        .with("accessControlAllowHeaders", or("cors-allow-headers", &SENT))
        .with("accessControlAllowMethods", or("cors-allow-methods", &METHODS))
        .with("accessControlAllowOriginList", or("cors-allow-origin", &["*"]))
        .with("accessControlExposeHeaders", or("cors-expose-headers", &[]))
        .with("accessControlMaxAge", asks.number("cors-max-age").unwrap_or(AGE));
    Some(shape.done())
}

impl View<'_> {
    /// Those of a ConfigMap, each of which has to be let.
    pub(super) fn custom_headers(self, of: &Location<'_>) -> Result<Option<Value>, NotToBeSet> {
        let Some(named) = of.ingress.asks.written("custom-headers") else { return Ok(None) };
        let (namespace, name) = self.named(of.ingress, named).ok_or(NotToBeSet)?;
        let all = self.cluster.config_map(namespace, name).ok_or(NotToBeSet)?;
        let is_let = |name: &String| is_name(name) && self.options.allowed_headers.contains(name);
        if !all.iter().all(|(name, value)| is_let(name) && is_value(value)) {
            return Err(NotToBeSet);
        }
        let all: BTreeMap<String, String> = all;
        Ok((!all.is_empty()).then(|| json!({ "customResponseHeaders": all })))
    }
}

/// Whether options may let a header of this name be set.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|it| it.is_ascii_alphanumeric() || "-_".contains(it))
}

/// Whether it may have this value: a line of ASCII, and not nothing.
fn is_value(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|it| (' '..='~').contains(&it))
}
