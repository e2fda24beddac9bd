//! A request as OpenTelemetry's spans: names as Traefik has them, attributes by the semantic
//! conventions for HTTP. Queries are left out: people put secrets there.

use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use steelyard_http::{AttemptSpan, RequestSpan};

/// The gateway's own part, and what an endpoint was asked.
pub(crate) fn spans(request: &RequestSpan, scope: &InstrumentationScope) -> Vec<SpanData> {
    let mut spans = vec![served(request, scope)];
    spans.extend(request.attempt.as_ref().map(|attempt| asked(request, attempt, scope)));
    spans
}

fn served(request: &RequestSpan, scope: &InstrumentationScope) -> SpanData {
    let mut attributes = about(request);
    attributes.extend([
        text("entry_point", &request.entry_point),
        text("client.address", &request.client.ip().to_string()),
        number("client.port", request.client.port().into()),
        text("server.address", &request.host),
        text("user_agent.original", &request.user_agent),
        number("http.request.body.size", request.bytes.0),
        number("http.response.body.size", request.bytes.1),
    ]);
    attributes.extend(request.router.as_deref().map(|name| text("traefik.router.name", name)));
    attributes.extend(request.why.map(|why| text("error.type", why)));
    SpanData {
        attributes,
        parent_span_id: request.parent.map_or(SpanId::INVALID, SpanId::from),
        parent_span_is_remote: request.parent.is_some(),
        ..span(request, request.span, scope)
    }
}

fn asked(request: &RequestSpan, attempt: &AttemptSpan, scope: &InstrumentationScope) -> SpanData {
    let mut attributes = about(request);
    attributes.push(text("network.peer.address", &attempt.endpoint));
    let service = attempt.service.as_deref();
    attributes.extend(service.map(|name| text("traefik.service.name", name)));
    if attempt.retries > 0 {
        attributes.push(number("http.request.resend_count", attempt.retries.into()));
    }
    SpanData {
        span_kind: SpanKind::Client,
        name: "ReverseProxy".into(),
        parent_span_id: request.span.into(),
        start_time: start(request, attempt.after),
        attributes,
        ..span(request, attempt.span, scope)
    }
}

/// What both parts say.
fn about(request: &RequestSpan) -> Vec<KeyValue> {
    let path = request.target.split('?').next().unwrap_or_default();
    vec![
        text("http.request.method", &request.method),
        text("url.path", path),
        text("url.scheme", "http"),
        number("http.response.status_code", request.status.into()),
    ]
}

/// A span of the gateway's, without what tells one from the other.
fn span(request: &RequestSpan, id: u64, scope: &InstrumentationScope) -> SpanData {
    let (trace, id) = (TraceId::from(request.trace), SpanId::from(id));
    let state = TraceState::NONE;
    let is_error = request.status >= 500 || request.status == 0;
    SpanData {
        span_context: SpanContext::new(trace, id, TraceFlags::SAMPLED, false, state),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Server,
        name: "EntryPoint".into(),
        start_time: request.started,
        end_time: start(request, request.duration),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: match is_error {
            true => Status::error(request.why.unwrap_or_default()),
            false => Status::Unset,
        },
        instrumentation_scope: scope.clone(),
    }
}

fn start(request: &RequestSpan, after: Duration) -> SystemTime {
    request.started.checked_add(after).unwrap_or(request.started)
}

fn text(name: &'static str, value: &str) -> KeyValue {
    KeyValue::new(name, value.to_owned())
}

/// OTLP's numbers have a sign.
fn number(name: &'static str, value: u64) -> KeyValue {
    KeyValue::new(name, Value::I64(i64::try_from(value).unwrap_or(i64::MAX)))
}
