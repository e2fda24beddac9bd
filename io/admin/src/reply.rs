//! Answers, by what is in them.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

pub(crate) const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
/// Prometheus' text format.
pub(crate) const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// An answer about the request itself: JSON for the API, else text.
pub(crate) fn refuse(path: &str, status: StatusCode, message: &str) -> Response {
    if path.starts_with("/api") {
        tell(status, &json!({ "error": message }))
    } else {
        text(status, format!("{message}\n"))
    }
}

pub(crate) fn tell(status: StatusCode, value: &Value) -> Response {
    answer(status, JSON, value.to_string())
}

pub(crate) fn text(status: StatusCode, body: String) -> Response {
    answer(status, TEXT, body)
}

pub(crate) fn answer(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    (status, [(CONTENT_TYPE, kind)], body.into()).into_response()
}
