//! What is told of requests to a collector of traces, in builds that can.

use anyhow::Result;
use steelyard_gateway::Tracing;

use crate::entry_points::StaticOptions;

/// What the gateway is to trace.
///
/// # Errors
/// When that is nothing a collector could be reached by, or this build cannot.
#[cfg(feature = "otlp")]
pub(super) fn tracing(options: &StaticOptions) -> Result<Option<Tracing>> {
    use std::sync::Arc;

    use anyhow::Context;
    use steelyard_traces::{Exporter, TraceOptions};

    let Some(settings) = options.tracing() else { return Ok(None) };
    let exporter = Exporter::start(&TraceOptions {
        endpoint: settings.endpoint,
        service_name: settings.service_name,
        resource: settings.resource,
        headers: settings.headers,
        attributes: settings.attributes,
        safe_query: settings.safe_query,
    });
    let sink = Arc::new(exporter.context("--tracing.otlp.http.endpoint")?);
    let [request_lines, response_lines] = settings.lines;
    Ok(Some(Tracing { sink, sample_rate: settings.sample_rate, request_lines, response_lines }))
}

/// What the gateway is to trace.
///
/// # Errors
/// When anything is: this build cannot.
#[cfg(not(feature = "otlp"))]
pub(super) fn tracing(options: &StaticOptions) -> Result<Option<Tracing>> {
    match options.tracing() {
        None => Ok(None),
        Some(_) => anyhow::bail!(
            "--tracing…: this build sends no traces; the image does, and so does one made with \
             `cargo build --release --features otlp`"
        ),
    }
}
