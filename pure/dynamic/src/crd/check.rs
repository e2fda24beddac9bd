//! How servers are tried.

use serde_json::Value;

use crate::duration::duration_or;
use crate::shape::Shape;
use crate::tree::Tree;

/// `healthCheck`; null where none is asked for, nothing where it cannot be.
pub(super) fn active(written: Tree<'_>) -> Option<Value> {
    if written.0.is_null() {
        return Some(Value::Null);
    }
    let interval = duration_or(written.at("interval").0, "30s")?;
    let follows = written.raw_or("followRedirects", true);
    let shape = Shape::default()
        .with("scheme", written.text("scheme"))
        .with("mode", written.text("mode"))
        .with("path", written.text("path"))
        .with("method", written.text("method"))
        .with("status", written.number("status"))
        .with("port", written.number("port"))
        .with("unhealthyInterval", duration_or(written.at("unhealthyInterval").0, &interval)?)
        .timed("interval", &interval)
        .timed("timeout", &duration_or(written.at("timeout").0, "5s")?)
        .with("hostname", written.text("hostname"))
        .kept("followRedirects", follows)
        .with("headers", written.raw("headers"));
    Some(shape.done())
}

/// `passiveHealthCheck`, the same.
pub(super) fn passive(written: Tree<'_>) -> Option<Value> {
    if written.0.is_null() {
        return Some(Value::Null);
    }
    let attempts = written.raw_or("maxFailedAttempts", 1);
    let shape = Shape::default()
        .timed("failureWindow", &duration_or(written.at("failureWindow").0, "10s")?)
        .with("maxFailedAttempts", attempts);
    Some(shape.done())
}
