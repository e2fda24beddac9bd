//! Paths and their answers.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::json;
use steelyard_host::places::Places;

use crate::access::{Access, REBALANCE, Refusal};
use crate::reply::{EXPOSITION, JSON, answer, refuse, tell, text};
use crate::view::RESOURCES;
use crate::{Published, page, stream};

/// Headers of every answer: nothing from elsewhere runs in the page, nobody frames it, nothing is
/// guessed or kept.
const SECURITY: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// Everything that is answered.
pub(crate) fn router(published: Arc<Published>, access: Access, places: Places) -> Router {
    let streams = stream::Streams::new(published.clone(), places);
    Router::new()
        .route("/api/v1/{resource}", get(resource))
        .route("/api/v1/requests/{id}", get(request))
        .route(REBALANCE, post(rebalance))
        .route("/metrics", get(metrics))
        .route("/readyz", get(readyz))
        .with_state(published)
        .route("/api/v1/stream", get(stream::stream).with_state(streams))
        .route("/healthz", get(async || text(StatusCode::OK, "ok\n".to_owned())))
        .merge(page::router())
        .fallback(unknown)
        .method_not_allowed_fallback(read_only)
        .layer(middleware::from_fn_with_state(Arc::new(access), guard))
}

/// Health and metrics alone, which are for everybody.
pub(crate) fn health_router(published: Arc<Published>, path: &str) -> Router {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/readyz", get(readyz))
        .route("/nginx_status", get(nginx_status))
        .route("/healthz", get(healthy));
    // What stands there already, or is no path, is left as it is.
    let is_other = path.starts_with('/')
        && !["/metrics", "/readyz", "/nginx_status", "/healthz"].contains(&path);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let router = match is_other && path.bytes().all(is_plain) {
        true => router.route(path, get(healthy)),
        false => router,
    };
    let router = router.with_state(published);
    router.layer(middleware::map_response(secured))
}

async fn secured(mut response: Response) -> Response {
    secure(&mut response);
    response
}

fn secure(response: &mut Response) {
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let mut response = match access.check(request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refused(request.uri().path(), &refusal),
    };
    secure(&mut response);
    response
}

fn refused(path: &str, refusal: &Refusal) -> Response {
    let (status, message) = refusal.answer();
    let mut response = refuse(path, status, message);
    if *refusal == Refusal::Token {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

async fn resource(State(published): State<Arc<Published>>, Path(name): Path<String>) -> Response {
    match published.told(&name) {
        Some(text) => answer(StatusCode::OK, JSON, text),
        None => unknown_resource(),
    }
}

async fn request(State(published): State<Arc<Published>>, Path(id): Path<String>) -> Response {
    match published.request(&id) {
        Some(found) => tell(StatusCode::OK, &found),
        None => tell(StatusCode::NOT_FOUND, &json!({ "error": "no such request" })),
    }
}

/// Who may order it is settled by [`Access::check`].
async fn rebalance(State(published): State<Arc<Published>>) -> Response {
    if published.rebalance() {
        return tell(StatusCode::ACCEPTED, &json!({}));
    }
    let message = "this instance shares its addresses with no other";
    tell(StatusCode::CONFLICT, &json!({ "error": message }))
}

async fn metrics(State(published): State<Arc<Published>>) -> Response {
    answer(StatusCode::OK, EXPOSITION, published.metrics())
}

/// What nginx tells of connections, by which its exporters and dashboards go.
async fn nginx_status(State(published): State<Arc<Published>>) -> Response {
    match published.status() {
        Some(status) => text(StatusCode::OK, status),
        None => text(StatusCode::NOT_FOUND, "no Ingress is in words of ingress-nginx\n".to_owned()),
    }
}

/// As ingress-nginx says it, by which load balancers go: who ends is not well.
async fn healthy(State(published): State<Arc<Published>>) -> Response {
    match published.is_ending() {
        true => text(StatusCode::INTERNAL_SERVER_ERROR, "it ends\n".to_owned()),
        false => text(StatusCode::OK, "ok\n".to_owned()),
    }
}

async fn readyz(State(published): State<Arc<Published>>) -> Response {
    let view = published.view();
    let notes = view.notes.iter().map(|note| format!("note: {note}\n"));
    let (status, said) = match &view.unready[..] {
        [] => (StatusCode::OK, "ok".to_owned()),
        reasons => (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n")),
    };
    text(status, said + "\n" + &notes.collect::<String>())
}

async fn unknown(uri: Uri) -> Response {
    if uri.path().starts_with("/api") {
        return unknown_resource();
    }
    refuse(
        uri.path(),
        StatusCode::NOT_FOUND,
        "nothing is here; the page is at /, the API at /api/v1",
    )
}

fn unknown_resource() -> Response {
    let message = format!("no such resource; /api/v1 has {}, stream", RESOURCES.join(", "));
    tell(StatusCode::NOT_FOUND, &json!({ "error": message }))
}

async fn read_only(uri: Uri) -> Response {
    let message = "only GET and HEAD, and POST /api/v1/rebalance";
    refuse(uri.path(), StatusCode::METHOD_NOT_ALLOWED, message)
}
