//! Requests that were not answered with success, and why, as rows.

use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use steelyard_gateway::{FailedRequest, Gateway};

/// The last ones, the newest first; none without a gateway.
pub(crate) fn requests(gateway: Option<&Gateway>) -> Value {
    let all = gateway.map(Gateway::failed_requests).unwrap_or_default();
    all.iter().map(row).collect()
}

fn row(it: &FailedRequest) -> Value {
    let since = it.time.duration_since(UNIX_EPOCH).unwrap_or_default();
    json!({
        "id": it.id.to_string(),
        "time": since.as_millis() as f64 / 1000.0,
        "status": it.status,
        "method": it.method,
        "host": it.host,
        "path": it.path,
        "client": it.client.to_string(),
        "entryPoint": *it.entry_point,
        "router": it.router.as_deref(),
        "service": it.service.as_deref(),
        "endpoint": it.endpoint.as_deref(),
        "retries": it.retries,
        "durationMs": it.duration.as_micros() as f64 / 1000.0,
        "why": why(it),
    })
}

/// Who answered so, and what is known beside it.
fn why(it: &FailedRequest) -> Vec<String> {
    let first = match (it.reason, &it.endpoint) {
        (Some(reason), _) => reason.to_owned(),
        (None, Some(endpoint)) => format!("the endpoint {endpoint} answered so"),
        (None, None) => "a filter answered so".to_owned(),
    };
    std::iter::once(first).chain(it.details.iter().cloned()).collect()
}
