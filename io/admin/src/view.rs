//! What is told: the last published view, and its shapes beyond those of `plan -o json`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::body::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::lazy::{Fresh, Lazy};

/// Gives the metrics as Prometheus text when asked.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// Gives what nginx tells of its connections when asked (`stub_status`); none where nobody asks in
/// its words.
pub type ConnectionStatus = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// Spreads vips anew over all nodes; false where there are no others.
pub type Rebalance = Arc<dyn Fn() -> bool + Send + Sync>;

/// Gives the last requests that were not answered with success when asked, the newest first.
pub type FailedRequests = Arc<dyn Fn() -> Value + Send + Sync>;

/// Gives one of them by its name, and what routes have to do with it; none where it is not known.
pub type ExplainedRequest = Arc<dyn Fn(&str) -> Option<Value> + Send + Sync>;

/// Gives what is known of each endpoint of each backend when asked.
pub type EndpointRows = Arc<dyn Fn() -> Value + Send + Sync>;

/// What is asked anew each time, whatever was published.
#[derive(Clone)]
pub struct LiveParts {
    /// Counters.
    pub metrics: Metrics,
    /// See there.
    pub status: ConnectionStatus,
    /// The one thing that can be ordered.
    pub rebalance: Rebalance,
    /// `{id, time, status, method, host, path, client, entryPoint, router, service, endpoint,
    /// retries, durationMs, why}`, its `why` a list of sentences.
    pub requests: FailedRequests,
    /// See there.
    pub request: ExplainedRequest,
    /// `{service, backend, address, node, state, since, lastFailure: {time, why}, checked,
    /// inFlight, latencyMs}`, times in seconds since 1970.
    pub endpoints: EndpointRows,
}

/// Nothing, and nobody else.
impl Default for LiveParts {
    fn default() -> Self {
        Self {
            metrics: Arc::new(String::new),
            status: Arc::new(|| None),
            rebalance: Arc::new(|| false),
            requests: Arc::new(|| Value::Array(Vec::new())),
            request: Arc::new(|_| None),
            endpoints: Arc::new(|| Value::Array(Vec::new())),
        }
    }
}

/// One moment of the whole, as it is told; what it consists of is made when somebody asks. Lists
/// have the shapes of `plan -o json`; more fields may be added to their rows. The page and `get`
/// also show these, where given:
///
/// - `services[].why`: sentences;
/// - `services[].ports[]`: `{name, protocol, port, reached: [{at, how}], endpoints: [ENDPOINT]}`
///   where an endpoint is `{address, state, node}`, its state `ready`, `terminating`, `not ready`;
/// - `routes[].answers`: `STATUS: why`, where it serves nobody;
/// - `routes[].backends[].states[]`: all its endpoints, in the same form;
/// - `announcements[].state`: a word, with `: why` behind it when it is not as it should be;
/// - of addresses that nodes share: `announcements[].{epoch, since, role, reason}`, the time in
///   seconds since 1970, and `owner` and `standbys` as the nodes agreed;
/// - `members[]`: `{node, interface, address, state, self, roundTripMs, lastHeardMs}`.
#[derive(Clone, Debug)]
pub struct View {
    /// Number of the Snapshot it was made from.
    pub generation: u64,
    /// Why it is not ready; empty means ready.
    pub unready: Lazy<Vec<String>>,
    /// What is told besides, ready or not: what serves nobody, though not for want of readiness.
    pub notes: Lazy<Vec<String>>,
    /// See [`Overview`].
    pub overview: Fresh<Value>,
    /// As in `plan -o json`.
    pub services: Fresh<Value>,
    /// As in `plan -o json`.
    pub announcements: Fresh<Value>,
    /// As in `plan -o json`.
    pub routes: Fresh<Value>,
    /// As in `plan -o json`.
    pub peers: Fresh<Value>,
    /// Other nodes and whether they answer.
    pub members: Fresh<Value>,
    /// TLS certificates in use.
    pub certificates: Fresh<Value>,
    /// A list of [`Happening`], the newest first.
    pub events: Fresh<Value>,
    /// As in `plan -o json`.
    pub diagnostics: Fresh<Value>,
    /// More metrics as Prometheus text: those that are true of this moment.
    pub gauges: Fresh<String>,
}

/// The shape of `overview`; `ready`, `reasons`, `notes` and `generation` are added when it is told.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// Of the program.
    pub version: String,
    /// This node.
    pub node: String,
    /// When it started, in seconds since 1970.
    pub since: u64,
    /// What it may do here, for people: `full`, or what is missing.
    pub privileges: String,
    /// Addresses given out.
    pub vips: usize,
    /// Routes served.
    pub routes: usize,
    /// Endpoints of Services with an address or a route.
    pub endpoints: EndpointCounts,
    /// Findings by severity.
    pub diagnostics: DiagnosticCounts,
    /// Where requests come in.
    pub entry_points: Vec<EntryPointRow>,
}

/// How many endpoints take traffic.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct EndpointCounts {
    /// Those that do.
    pub ready: usize,
    /// All.
    pub total: usize,
}

/// Findings by severity.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct DiagnosticCounts {
    /// Errors.
    pub error: usize,
    /// Warnings.
    pub warning: usize,
    /// The rest.
    pub info: usize,
}

/// Where requests come in.
#[derive(Clone, Debug, Serialize)]
pub struct EntryPointRow {
    /// E.g. `web`.
    pub name: String,
    /// Addresses listened on, `IP:port`.
    pub addresses: Vec<String>,
}

/// Something that happened, worded as a Kubernetes event.
#[derive(Clone, Debug, Serialize)]
pub struct Happening {
    /// When, in seconds since 1970.
    pub time: u64,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One word, e.g. `IPAllocated`.
    pub reason: String,
    /// About what, e.g. `Service/default/web`.
    pub object: String,
    /// One sentence.
    pub message: String,
}

/// The last published [`View`], for everyone who asks.
pub struct Published {
    last: watch::Sender<Arc<View>>,
    texts: Mutex<Texts>,
    live: LiveParts,
    is_ending: AtomicBool,
}

/// The resources of a view that were asked for, as they are sent.
#[derive(Default)]
struct Texts {
    of: Weak<View>,
    by_name: BTreeMap<&'static str, Bytes>,
}

/// Names of the resources under `/api/v1`.
pub(crate) const RESOURCES: [&str; 11] = [
    "overview",
    "services",
    "announcements",
    "routes",
    "peers",
    "members",
    "certificates",
    "events",
    "diagnostics",
    REQUESTS,
    ENDPOINTS,
];

/// Those that are never the same.
const REQUESTS: &str = "requests";
const ENDPOINTS: &str = "endpoints";

/// Before anything is published: nothing, and not ready.
impl Default for View {
    fn default() -> Self {
        let none = || Fresh::from(Value::Array(Vec::new()));
        Self {
            generation: 0,
            unready: vec!["starting".to_owned()].into(),
            notes: Vec::new().into(),
            overview: json!({}).into(),
            services: none(),
            announcements: none(),
            routes: none(),
            peers: none(),
            members: none(),
            certificates: none(),
            events: none(),
            diagnostics: none(),
            gauges: String::new().into(),
        }
    }
}

impl View {
    /// A resource as it is told.
    pub(crate) fn resource(&self, name: &str) -> Option<Value> {
        let value = match name {
            "overview" => return Some(self.full_overview()),
            "services" => &self.services,
            "announcements" => &self.announcements,
            "routes" => &self.routes,
            "peers" => &self.peers,
            "members" => &self.members,
            "certificates" => &self.certificates,
            "events" => &self.events,
            "diagnostics" => &self.diagnostics,
            _ => return None,
        };
        Some(value.make())
    }

    fn full_overview(&self) -> Value {
        let mut overview = self.overview.make();
        if let Value::Object(fields) = &mut overview {
            fields.insert("generation".into(), self.generation.into());
            fields.insert("ready".into(), self.unready.is_empty().into());
            fields.insert("reasons".into(), Vec::clone(&self.unready).into());
            fields.insert("notes".into(), Vec::clone(&self.notes).into());
        }
        overview
    }
}

impl Published {
    /// Nothing yet: not ready.
    pub fn new(live: LiveParts) -> Arc<Self> {
        let last = watch::Sender::new(Arc::default());
        Arc::new(Self { last, texts: Mutex::default(), live, is_ending: AtomicBool::default() })
    }

    /// From now on it says of itself that it ends.
    pub fn end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// Replaces the view, and tells everyone who listens to the stream.
    pub fn publish(&self, view: View) {
        self.last.send_replace(Arc::new(view));
    }

    /// The last view.
    pub fn view(&self) -> Arc<View> {
        self.last.borrow().clone()
    }

    /// A resource as it is sent, written once for as long as the view stands: however many ask for
    /// a long one, they keep nobody waiting.
    pub(crate) fn told(&self, name: &str) -> Option<Bytes> {
        let name = RESOURCES.into_iter().find(|known| *known == name)?;
        match name {
            REQUESTS => return Some((self.live.requests)().to_string().into()),
            ENDPOINTS => return Some((self.live.endpoints)().to_string().into()),
            _ => {}
        }
        let view = self.view();
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::ptr::eq(texts.of.as_ptr(), Arc::as_ptr(&view)) {
            *texts = Texts { of: Arc::downgrade(&view), by_name: BTreeMap::new() };
        }
        if let Some(known) = texts.by_name.get(name) {
            return Some(known.clone());
        }
        let text = Bytes::from(view.resource(name)?.to_string());
        texts.by_name.insert(name, text.clone());
        Some(text)
    }

    /// A request that was not answered with success.
    pub(crate) fn request(&self, id: &str) -> Option<Value> {
        (self.live.request)(id)
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<View>> {
        self.last.subscribe()
    }

    pub(crate) fn metrics(&self) -> String {
        (self.live.metrics)() + &self.view().gauges.make()
    }

    pub(crate) fn status(&self) -> Option<String> {
        (self.live.status)()
    }

    pub(crate) fn rebalance(&self) -> bool {
        (self.live.rebalance)()
    }
}

impl std::fmt::Debug for Published {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Published").field("generation", &self.view().generation).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    #[test]
    fn requests_are_asked_for_each_time() {
        let asked = AtomicU32::default();
        let count = move || json!([asked.fetch_add(1, Relaxed)]);
        let requests = Arc::new(count);
        let published = Published::new(LiveParts { requests, ..LiveParts::default() });
        let told = [(); 2].map(|()| published.told("requests").unwrap());
        assert_eq!(told, ["[0]", "[1]"]);
    }

    #[test]
    fn a_resource_is_written_once_for_all_who_ask() {
        let published = Published::new(LiveParts::default());
        let show = |generation| {
            let routes = json!([{ "generation": generation }]).into();
            published.publish(View { generation, routes, ..View::default() });
        };
        show(1);
        // The text is kept, and no tree of it beside.
        let made = Arc::new(AtomicU32::default());
        let count = Arc::clone(&made);
        let peers = Fresh::new(move || json!([count.fetch_add(1, Relaxed)]));
        published.publish(View { peers, ..View::default() });
        for _ in 0..2 {
            assert_eq!(published.told("peers").unwrap(), "[0]");
        }
        assert_eq!(published.view().peers.make(), json!([1]));
        show(1);
        let text = published.told("routes").unwrap();
        assert_eq!(text, r#"[{"generation":1}]"#);
        assert_eq!(published.told("routes").unwrap().as_ptr(), text.as_ptr());
        assert_eq!(published.told("peers").unwrap(), "[]");
        show(2);
        assert_eq!(published.told("routes").unwrap(), r#"[{"generation":2}]"#);
        assert!(published.told("nothing").is_none());
    }
}
