//! What the program's own services answer on entry points: Traefik's API, our page in the place of
//! its dashboard, pings, and metrics.
//!
//! Nothing here waits for anybody: what is in force was handed over, and what is made of it is kept
//! until something else is in force. What answers take together is bounded, however slowly they are
//! read.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use serde_json::json;
use steelyard_admin::Metrics;
use steelyard_exhibit::{Exhibit, Exhibited, Features, ShownAnswer, ShownBody};
use steelyard_filters::{Inquiry, OwnServices, Response};
use steelyard_gateway::{EndpointFitness, Gateway, rfc3339};
use steelyard_model::Diagnostic;
use steelyard_model::routing::backend::Internal;

use crate::entry_points::StaticOptions;
use crate::mind::Decided;

/// For how long it is believed how endpoints are.
const FRESH: Duration = Duration::from_secs(2);

/// Bytes that answers which were made for one request each take together, at most.
const MOST_MADE: usize = 64 * 1024 * 1024;

/// Path below `/dashboard/`, content type, content.
const FILES: [(&str, &str, &str); 3] = [
    ("", "text/html; charset=utf-8", include_str!("../../dashboard/traefik/index.html")),
    ("page.css", "text/css; charset=utf-8", include_str!("../../dashboard/traefik/page.css")),
    ("page.js", "text/javascript; charset=utf-8", include_str!("../../dashboard/traefik/page.js")),
];

const PAGE: &str = "/dashboard/";
const TEXT: &str = "text/plain; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The program's own services.
pub(crate) struct Own {
    base: Arc<str>,
    terminating: u16,
    entry_points: Vec<serde_json::Value>,
    features: Features,
    since: SystemTime,
    is_ending: AtomicBool,
    /// What starts later, and is told by it.
    gateway: OnceLock<Weak<Gateway>>,
    metrics: OnceLock<Weak<dyn Fn() -> String + Send + Sync>>,
    decided: Mutex<Option<Arc<Decided>>>,
    made: Mutex<Option<Made>>,
    /// Bytes of answers that are being read.
    taken: Arc<AtomicUsize>,
}

/// What was made of a decision.
struct Made {
    decided: Arc<Decided>,
    down: Vec<(String, String)>,
    looked: Instant,
    /// When it was made, in hours since 1970: certificates come to their end.
    hour: i64,
    exhibit: Arc<Exhibit>,
}

/// A body that is counted for as long as somebody reads it.
struct Counted {
    bytes: Bytes,
    taken: Arc<AtomicUsize>,
}

impl Own {
    pub(crate) fn new(fixed: &StaticOptions) -> Self {
        Self {
            base: fixed.api_base(),
            terminating: fixed.terminating_status(),
            entry_points: fixed.shown_entry_points(),
            features: fixed.features(),
            since: SystemTime::now(),
            is_ending: AtomicBool::default(),
            gateway: OnceLock::new(),
            metrics: OnceLock::new(),
            decided: Mutex::default(),
            made: Mutex::default(),
            taken: Arc::default(),
        }
    }

    /// Whose endpoints are asked for, and whence metrics come.
    pub(crate) fn begin(&self, gateway: &Arc<Gateway>, metrics: &Metrics) {
        let _ = self.gateway.set(Arc::downgrade(gateway));
        let _ = self.metrics.set(Arc::downgrade(metrics));
    }

    /// This is in force.
    pub(crate) fn show(&self, decided: &Arc<Decided>) {
        *locked(&self.decided) = Some(Arc::clone(decided));
    }

    /// What is in force.
    pub(crate) fn decided(&self) -> Option<Arc<Decided>> {
        locked(&self.decided).clone()
    }

    /// Pings are answered that this ends.
    pub(crate) fn end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    /// What there is to show, made anew where something else is so.
    fn exhibit(&self) -> Option<Arc<Exhibit>> {
        let decided = self.decided()?;
        let mut made = locked(&self.made);
        if let Some(made) = made.as_ref().filter(|made| made.is_of(&decided)) {
            return Some(Arc::clone(&made.exhibit));
        }
        let (down, looked) = (self.down(), Instant::now());
        let known = made.take();
        let now = unix_time();
        let hour = now / 3_600;
        let same = known
            .filter(|it| Arc::ptr_eq(&it.decided, &decided) && it.down == down && it.hour == hour);
        let exhibit = match same {
            Some(known) => known.exhibit,
            None => Arc::new(self.made_of(&decided, &down, now)),
        };
        *made = Some(Made { decided, down, looked, hour, exhibit: Arc::clone(&exhibit) });
        Some(exhibit)
    }

    /// The same, where it is at hand.
    fn exhibit_at_hand(&self) -> Option<Arc<Exhibit>> {
        let decided = self.decided.try_lock().ok()?.clone()?;
        let made = self.made.try_lock().ok()?;
        let made = made.as_ref().filter(|made| made.is_of(&decided))?;
        Some(Arc::clone(&made.exhibit))
    }

    fn made_of(&self, decided: &Decided, down: &[(String, String)], now: i64) -> Exhibit {
        let mut diagnostics = decided.plan.diagnostics.clone();
        decided.known.advise(&mut diagnostics);
        let findings: Vec<&Diagnostic> = diagnostics.iter().collect();
        Exhibit::of(Exhibited {
            routing: decided.plan.routes.routing(),
            unreached: decided.plan.routes.unreached(),
            findings: &findings,
            down,
            entry_points: &self.entry_points,
            features: &self.features,
            now,
        })
    }

    /// Endpoints that get no requests, since they failed.
    fn down(&self) -> Vec<(String, String)> {
        let gateway = self.gateway.get().and_then(Weak::upgrade);
        let reports = gateway.map(|it| it.endpoints()).unwrap_or_default();
        let is_down = |state| matches!(state, EndpointFitness::Down | EndpointFitness::Shunned);
        let down = reports.into_iter().filter(|it| is_down(it.state));
        down.map(|it| (it.backend, it.endpoint)).collect()
    }

    fn ping(&self) -> Response {
        match self.is_ending.load(Ordering::Relaxed) {
            true => said(self.terminating, TEXT, Bytes::from_static(b"Service Unavailable")),
            false => said(200, TEXT, Bytes::from_static(b"OK")),
        }
    }

    fn version(&self) -> Response {
        let shown = json!({
            "Version": env!("CARGO_PKG_VERSION"),
            "Codename": "steelyard",
            "startDate": rfc3339(self.since),
            "disableDashboardAd": true,
        });
        said(200, "application/json", format!("{shown}\n").into())
    }

    /// What is asked for below the base path, where it is no part of the API.
    fn page(&self, path: &str, inquiry: &Inquiry) -> Option<Response> {
        if let Some(file) = path.strip_prefix(PAGE) {
            return Some(file_of(file));
        }
        let is_begin = matches!(path, "" | "/" | "/dashboard");
        is_begin.then(|| {
            let mut led = Response::of(302);
            let prefix = inquiry.prefix.as_deref().map(safe_prefix).unwrap_or_default();
            let to = format!("{prefix}{}{PAGE}", self.base);
            led.lines.push(("Location".into(), to.into_bytes().into()));
            led
        })
    }

    fn api(&self, exhibit: &Exhibit, path: &str, query: &str) -> Response {
        let ShownAnswer { status, content_type, next_page, body } = exhibit.answer(path, query);
        let Some(body) = self.counted(body) else {
            let mut busy = Response::bare(503);
            busy.lines.push(("Retry-After".into(), (*b"1").into()));
            return busy;
        };
        let mut answer = said(status, content_type, body);
        if let Some(next) = next_page {
            answer.lines.push(("X-Next-Page".into(), next.to_string().into_bytes().into()));
        }
        answer
    }

    /// A body that is made for one who asks, as long as there is room for it.
    fn counted(&self, body: ShownBody) -> Option<Bytes> {
        let bytes = match body {
            ShownBody::Shared(bytes) => return Some(bytes),
            ShownBody::Made(bytes) => bytes,
        };
        let before = self.taken.fetch_add(bytes.len(), Ordering::Relaxed);
        let counted = Counted { bytes, taken: Arc::clone(&self.taken) };
        (before + counted.bytes.len() <= MOST_MADE).then(|| Bytes::from_owner(counted))
    }

    fn metrics(&self) -> Response {
        let metrics = self.metrics.get().and_then(Weak::upgrade);
        let text = metrics.map(|metrics| metrics()).unwrap_or_default();
        match self.counted(ShownBody::Made(text.into())) {
            Some(body) => said(200, METRICS, body),
            None => Response::bare(503),
        }
    }
}

impl Made {
    fn is_of(&self, decided: &Arc<Decided>) -> bool {
        Arc::ptr_eq(&self.decided, decided) && self.looked.elapsed() < FRESH
    }
}

impl OwnServices for Own {
    fn at_hand(&self, service: Internal, inquiry: &Inquiry) -> Option<Response> {
        match service {
            Internal::Ping => Some(self.ping()),
            Internal::Noop | Internal::Challenge => Some(Response::of(418)),
            Internal::Dashboard => {
                let path = &inquiry.path;
                let below = path.strip_prefix(&*self.base).unwrap_or(path);
                let file = below.strip_prefix(PAGE);
                Some(file_of(file.unwrap_or_else(|| below.trim_start_matches('/'))))
            }
            Internal::Prometheus => None,
            Internal::Api => {
                let Some(path) = inquiry.path.strip_prefix(&*self.base) else {
                    return Some(nothing());
                };
                match path {
                    "/api/version" => Some(self.version()),
                    path if !path.starts_with("/api/") => {
                        Some(self.page(path, inquiry).unwrap_or_else(nothing))
                    }
                    // Lists are searched and put together elsewhere.
                    "/api/rawdata" | "/api/overview" => {
                        Some(self.api(&*self.exhibit_at_hand()?, path, &inquiry.query))
                    }
                    _ => None,
                }
            }
        }
    }

    fn made(&self, service: Internal, inquiry: &Inquiry) -> Response {
        if service == Internal::Prometheus {
            return self.metrics();
        }
        let path = inquiry.path.strip_prefix(&*self.base).unwrap_or_default();
        match self.exhibit() {
            Some(exhibit) => self.api(&exhibit, path, &inquiry.query),
            None => Response::bare(503),
        }
    }
}

/// Seconds since 1970.
fn unix_time() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

fn locked<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

fn file_of(path: &str) -> Response {
    let found = FILES.iter().find(|(its, ..)| *its == path);
    let Some((_, kind, content)) = found else { return nothing() };
    let mut page = said(200, kind, Bytes::from_static(content.as_bytes()));
    let policy = "default-src 'self'; frame-ancestors 'self'";
    page.lines.push(("Content-Security-Policy".into(), policy.as_bytes().into()));
    page
}

/// A prefix that leads to no other host.
fn safe_prefix(prefix: &str) -> String {
    let plain = prefix.split(['?', '#', '\\', '\r', '\n']).next().unwrap_or_default();
    match plain.trim_end_matches('/').trim_start_matches('/') {
        "" => String::new(),
        _ if plain.contains("//") || plain.contains(':') || !plain.starts_with('/') => {
            String::new()
        }
        inner => format!("/{inner}"),
    }
}

fn nothing() -> Response {
    said(404, TEXT, Bytes::from_static(b"404 page not found\n"))
}

/// What nobody is to keep, and no page is to take for something else.
fn said(status: u16, content_type: &str, body: Bytes) -> Response {
    let lines = [
        ("Content-Type", content_type),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    ];
    let lines = lines.map(|(name, value)| (name.into(), value.as_bytes().into()));
    Response { status, lines: lines.into(), body }
}
