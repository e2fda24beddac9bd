//! Requests that are answered with another place.

use serde_json::{Value, json};

use super::super::Served;
use super::super::location::Location;
use crate::shape::Shape;

/// Whether requests without TLS are led to HTTPS: where the Ingress has TLS and does not say
/// otherwise, or it is asked for in any case.
pub(super) fn to_https(ingress: Served<'_>) -> bool {
    let has_tls = ingress.object.spec().items("tls").next().is_some();
    let asks = ingress.asks;
    asks.is("force-ssl-redirect") || has_tls && asks.said("ssl-redirect").unwrap_or(true)
}

pub(super) fn scheme() -> Value {
    json!({ "redirectScheme": { "scheme": "https", "forcePermanentRedirect": true } })
}

/// Where requests for `/` go.
pub(super) fn app_root(of: &Location<'_>) -> Option<Value> {
    let root = of.ingress.asks.text("app-root");
    root.starts_with('/').then(|| json!({ "path": root }))
}

/// Where all go; for a time counts before for ever. Groups are those of the path, where that is a
/// pattern.
pub(super) fn elsewhere(of: &Location<'_>) -> Option<Value> {
    let asks = of.ingress.asks;
    let kinds = [
        ("temporal-redirect", "temporal-redirect-code", 302),
        ("permanent-redirect", "permanent-redirect-code", 301),
    ];
    let written = |(name, code, usual)| {
        let status = asks.number(code).filter(|it| (300..=308).contains(it)).unwrap_or(usual);
        Some((asks.written(name)?, status))
    };
    let (target, status) = kinds.into_iter().find_map(written)?;
    let has_groups = of.has_patterns && of.kind != "Exact" && !of.path.is_empty();
    let regex = if has_groups { format!("^https?://[^/]+{}", of.path) } else { ".*".to_owned() };
    let shape = Shape::default()
        .with("regex", regex)
        .with("replacement", target)
        .with("statusCode", status);
    Some(shape.done())
}

/// From the other name of a host to it.
pub(in super::super) fn www(host: &str) -> Value {
    json!({
        "redirectRegex": {
            "regex": "(https?)://[^/:]+(:[0-9]+)?/(.*)",
            "replacement": format!("$1://{host}$2/$3"),
            "statusCode": 308,
        }
    })
}
