//! A request as OpenTelemetry's spans: names as Traefik has them, attributes by the semantic
//! conventions for HTTP. Queries are left out, but for what is said to be no secret.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use steelyard_http::{AttemptSpan, InnerSpan, RequestSpan};

/// What is told of every request.
pub(crate) struct SpanTerms {
    pub(crate) scope: InstrumentationScope,
    /// Attributes of every span.
    pub(crate) attributes: BTreeMap<String, String>,
    /// Parameters of queries whose values may be told.
    pub(crate) safe_query: Vec<String>,
}

/// In the place of what is not told.
const REDACTED: &str = "REDACTED";

/// The gateway's own part, and what an endpoint was asked.
pub(crate) fn spans(request: &RequestSpan, terms: &SpanTerms) -> Vec<SpanData> {
    let mut spans = vec![served(request, terms)];
    let mut outer = request.span;
    for inner in &request.inner {
        spans.push(passed(request, inner, outer, &terms.scope));
        outer = inner.span;
    }
    spans.extend(request.attempt.as_ref().map(|attempt| asked(request, attempt, &terms.scope)));
    let all = terms.attributes.iter();
    let all = all.map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    let query = query(request, &terms.safe_query).map(|query| text("url.query", &query));
    let more: Vec<KeyValue> = all.chain(query).collect();
    spans.iter_mut().for_each(|span| span.attributes.extend(more.iter().cloned()));
    spans
}

/// The query, without values that may not be told; none where nothing of queries is told.
fn query(request: &RequestSpan, safe: &[String]) -> Option<String> {
    let (_, query) = request.target.split_once('?').filter(|_| !safe.is_empty())?;
    let shown = query.split(['&', ';']).map(|part| match part.split_once('=') {
        Some((name, _)) if !safe.iter().any(|it| it == name) => format!("{name}={REDACTED}"),
        _ => part.to_owned(),
    });
    Some(shown.collect::<Vec<_>>().join("&"))
}

/// Lines of heads, each name with all its values.
fn captured((name, values): &(String, Vec<String>)) -> KeyValue {
    let values: Vec<StringValue> = values.iter().map(|it| it.clone().into()).collect();
    KeyValue::new(name.clone(), Value::Array(Array::String(values)))
}

fn served(request: &RequestSpan, terms: &SpanTerms) -> SpanData {
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
    attributes.extend(request.captured.iter().map(captured));
    SpanData {
        attributes,
        parent_span_id: request.parent.map_or(SpanId::INVALID, SpanId::from),
        parent_span_is_remote: request.parent.is_some(),
        ..span(request, request.span, &terms.scope)
    }
}

/// What it went through, within `outer`.
fn passed(
    request: &RequestSpan,
    inner: &InnerSpan,
    outer: u64,
    scope: &InstrumentationScope,
) -> SpanData {
    SpanData {
        span_kind: SpanKind::Internal,
        name: inner.name.into(),
        parent_span_id: outer.into(),
        start_time: start(request, inner.after),
        attributes: inner.about.iter().map(|(name, value)| text(name, value)).collect(),
        ..span(request, inner.span, scope)
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
        parent_span_id: request.inner.last().map_or(request.span, |it| it.span).into(),
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
