//! Sends what the gateway tells of traced requests to an OpenTelemetry collector, by OTLP over HTTP
//! (protobuf). Nobody waits for it: what a collector does not take in time is dropped and counted.

mod client;
mod exporter;
mod spans;

use std::collections::BTreeMap;

pub use exporter::{Exporter, TraceStartError};

/// Where traces go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceOptions {
    /// `http://` or `https://`, host, port and path of the collector: with OTLP's own names
    /// `http://localhost:4318/v1/traces`.
    pub endpoint: String,
    /// `service.name`.
    pub service_name: String,
    /// More attributes of whoever tells, as `k8s.node.name`.
    pub resource: BTreeMap<String, String>,
    /// Header lines for the collector, as `Authorization`.
    pub headers: BTreeMap<String, String>,
    /// Attributes of every span.
    pub attributes: BTreeMap<String, String>,
    /// Parameters of queries whose values may be told; where there are none queries are not told.
    pub safe_query: Vec<String>,
}
