//! What of a request is another one for the server.

use serde_json::{Value, json};

use super::super::location::Location;
use crate::shape::Shape;

/// Another path.
pub(super) fn target(of: &Location<'_>) -> Option<Value> {
    let target = of.ingress.asks.text("rewrite-target");
    if target.is_empty() || target == of.path {
        return None;
    }
    let prefix = of.ingress.asks.text("x-forwarded-prefix");
    let shape = Shape::default()
        .with("regex", of.path)
        .with("replacement", target)
        .with("xForwardedPrefix", if is_prefix(prefix) { prefix } else { "" });
    Some(shape.done())
}

/// Whether a text is a path that may have groups (ingress-nginx, `regexPathWithCapture`).
fn is_prefix(text: &str) -> bool {
    text.chars().all(|it| it.is_ascii_alphanumeric() || "-._~/$:".contains(it))
}

/// Another host, with what is known beforehand of what may stand in it.
pub(super) fn host(of: &Location<'_>) -> Option<Value> {
    let host = of.ingress.asks.written("upstream-vhost")?;
    let (name, port) = &of.backend;
    let known = json!({
        "$namespace": of.ingress.object.namespace,
        "$ingress_name": of.ingress.object.name,
        "$location_path": of.path,
        "$service_name": name,
        "$service_port": port,
    });
    Some(Shape::default().with("vHost", host).with("vars", known).done())
}
