//! What is known of each endpoint of each backend of the gateway, as rows.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use steelyard_gateway::{EndpointReport, Gateway};

/// All of them, in the order of their backends; none without a gateway.
pub(crate) fn endpoints(gateway: Option<&Gateway>) -> Value {
    let all = gateway.map(Gateway::endpoints).unwrap_or_default();
    all.iter().map(row).collect()
}

fn row(it: &EndpointReport) -> Value {
    let failure = it.last_failure.as_ref();
    json!({
        "service": it.service,
        "backend": it.backend,
        "address": it.endpoint,
        "node": it.node.as_deref(),
        "state": it.state.as_str(),
        "since": it.since.map(seconds),
        "lastFailure": failure.map(|(at, why)| json!({ "time": seconds(*at), "why": **why })),
        "checked": it.is_checked,
        "inFlight": it.in_flight,
        "latencyMs": it.latency.map(|latency| latency.as_micros() as f64 / 1000.0),
    })
}

/// Since 1970.
fn seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as f64 / 1000.0
}
