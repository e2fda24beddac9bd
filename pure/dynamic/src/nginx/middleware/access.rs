//! Addresses that may ask.

use serde_json::Value;

use super::super::View;
use super::super::location::Location;
use crate::shape::Shape;

impl View<'_> {
    pub(super) fn allowed(self, of: &Location<'_>) -> Option<Value> {
        let asks = of.ingress.asks;
        let ranges = match asks.written("allowlist-source-range") {
            Some(ranges) => ranges,
            None => asks.text("whitelist-source-range"),
        };
        if ranges.is_empty() {
            return None;
        }
        let ranges: Vec<&str> = ranges.split(',').map(str::trim).collect();
        let shape = Shape::default()
            .with("sourceRange", ranges)
            .kept("ipStrategy", self.options.ip_strategy.clone());
        Some(shape.done())
    }
}
