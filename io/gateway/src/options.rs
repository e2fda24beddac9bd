//! What the gateway can be told at start.

pub(crate) mod access_log;
mod nginx_metrics;
mod terms;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use steelyard_filters::OwnServices;
use steelyard_host::own_sockets::OwnSockets;
use steelyard_host::places::Places;
use steelyard_http::{Limits, SpanSink};
use steelyard_metrics::BucketBounds;
use steelyard_model::Protocol;
use steelyard_model::routing::observability::Observability;

pub use access_log::{AccessLog, LogFields, LogFilters, LogFormat, Shown};
pub use nginx_metrics::NginxMetrics;
pub use terms::EntryTerms;

/// Settings for the life of a [`crate::Gateway`]. The default is right for users.
#[derive(Clone, Debug)]
pub struct GatewayOptions {
    /// Threads, each with its own listeners, pools and counters; 0 means one per core.
    pub workers: usize,
    /// Whether error pages say which rules were nearest.
    pub error_details: bool,
    /// Where requests are logged, if anywhere.
    pub access_log: Option<AccessLog>,
    /// Which series are told.
    pub views: MetricViews,
    /// What counts of requests are told apart by, besides.
    pub header_labels: Arc<[HeaderLabel]>,
    /// Upper bounds of the buckets that durations are counted in.
    pub buckets: BucketBounds,
    /// What is told under ingress-nginx's names.
    pub nginx: NginxMetrics,
    /// Which requests are traced, if any.
    pub tracing: Option<Tracing>,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// What holds at one entry point alone, by its name.
    pub terms: BTreeMap<String, Arc<EntryTerms>>,
    /// What is told of requests to the program's own services, where anything is.
    pub internals: Observability,
    /// Places for clients' connections. Each may need a descriptor more, for one to an endpoint.
    pub places: Places,
    /// Connections to endpoints that are kept for the next request, at most.
    pub kept: Arc<AtomicUsize>,
    /// Sockets of this process that nobody is led to.
    pub own_sockets: OwnSockets,
    /// What `X-Forwarded-Server` says: the host's name.
    pub server_name: String,
    /// What the program's own services answer; none: a route to one is refused.
    pub own: Option<OwnAnswers>,
    /// Called when much memory has become free that was needed for a burst; on a thread where it
    /// may take its time.
    pub return_memory: fn(),
    /// Nothing is taken from any listener before [`crate::Gateway::begin`]: another process does.
    pub waits: bool,
}

/// What the program's own services answer (`api@internal` and its kin).
#[derive(Clone)]
pub struct OwnAnswers(pub Arc<dyn OwnServices>);

/// Which requests are traced, and where what is told of them goes.
#[derive(Clone)]
pub struct Tracing {
    /// Takes what is told of a request that is over.
    pub sink: Arc<dyn SpanSink>,
    /// The share of requests that are traced, 0 to 1, of those that are not part of a trace: of the
    /// others whoever began the trace has decided.
    pub sample_rate: f64,
    /// Names of lines of requests that are told of, in lower case.
    pub request_lines: Vec<Box<str>>,
    /// The same of responses.
    pub response_lines: Vec<Box<str>>,
}

/// Which series of requests are told, of the three views there are.
#[derive(Clone, Copy, Debug)]
pub struct MetricViews {
    /// By entry point.
    pub entry_points: bool,
    /// By route: as many as there are, each with its codes and methods.
    pub routers: bool,
    /// By service.
    pub services: bool,
}

/// A label of counts of requests that says what a line of theirs says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderLabel {
    /// What it is called in metrics.
    pub label: Box<str>,
    /// The name of the line.
    pub header: Box<str>,
}

impl fmt::Debug for OwnAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnAnswers")
    }
}

impl Default for MetricViews {
    fn default() -> Self {
        Self { entry_points: true, routers: true, services: true }
    }
}

/// How long to wait for what. None of them limits a whole request: slow is not stuck.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For a handshake, from accepting the connection.
    pub handshake: Duration,
    /// For a request's head, from its first byte (or from accepting the connection).
    pub head: Duration,
    /// For the next request on a connection.
    pub idle: Duration,
    /// For the next piece of a request's body.
    pub request_body: Duration,
    /// For a client or upstream to take more bytes.
    pub write: Duration,
    /// For one attempt to connect to an endpoint.
    pub connect: Duration,
    /// For all attempts of one request together.
    pub connect_all: Duration,
    /// For an upstream's response head, from the last byte of the request.
    pub response_head: Option<Duration>,
    /// How long an idle upstream connection is kept.
    pub upstream_idle: Duration,
    /// How long a client that has closed its side while waiting still gets its answer.
    pub half_closed: Duration,
    /// How long a connection of a TCP route may be silent. A peer that is gone is noticed before,
    /// by keep-alive.
    pub tcp_silent: Duration,
    /// The same once one side has closed it.
    pub tcp_half_closed: Duration,
    /// How long a session of a UDP route may be silent on both sides: as long as Traefik's.
    pub udp_silent: Duration,
    /// For what is under way at a listener that is gone. Where the gateway itself ends, see
    /// [`crate::Gateway::drain`].
    pub closed_listener: Duration,
}

/// Where to listen, and as which entry point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bind {
    /// Name of the entry point.
    pub entry_point: String,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// How it is bound.
    pub binding: Binding,
}

/// How a listener is bound to its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Binding {
    /// As everybody does: the address is the host's own, or stands for all of them.
    Host,
    /// The address need not be the host's own (`IP_TRANSPARENT`).
    Vip,
    /// The same, at a free port: whoever leads packets here leads them to that one. So the port is
    /// left to those who listen on all addresses of the host.
    Led,
    /// Another process opened the sockets, at whichever port, and lends them.
    Lent,
}

impl fmt::Debug for Tracing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracing").field("sample_rate", &self.sample_rate).finish_non_exhaustive()
    }
}

impl Bind {
    /// By which another process asks for its sockets.
    pub fn key(&self) -> String {
        let Self { entry_point, protocol, address, binding } = self;
        format!("{entry_point} {protocol:?} {address} {binding:?}")
    }

    /// What the socket is bound to.
    pub(crate) fn socket(&self) -> SocketAddr {
        let port = if self.binding == Binding::Led { 0 } else { self.address.port() };
        SocketAddr::new(self.address.ip(), port)
    }
}

impl Default for GatewayOptions {
    fn default() -> Self {
        Self {
            workers: 0,
            error_details: true,
            access_log: None,
            views: MetricViews::default(),
            header_labels: Arc::default(),
            buckets: BucketBounds::default(),
            nginx: NginxMetrics::default(),
            tracing: None,
            timeouts: Timeouts::default(),
            terms: BTreeMap::new(),
            internals: Observability::all(false),
            places: Places::default(),
            kept: Arc::new(AtomicUsize::new(usize::MAX)),
            own_sockets: OwnSockets::default(),
            server_name: "steelyard".into(),
            own: None,
            return_memory: || {},
            waits: false,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(60),
            idle: Duration::from_secs(180),
            request_body: Duration::from_secs(60),
            write: Duration::from_secs(60),
            connect: Duration::from_secs(5),
            connect_all: Duration::from_secs(30),
            response_head: None,
            upstream_idle: Duration::from_secs(90),
            half_closed: Duration::from_secs(10),
            tcp_silent: Duration::from_hours(24),
            tcp_half_closed: Duration::from_hours(1),
            udp_silent: Duration::from_secs(3),
            closed_listener: Duration::from_mins(10),
        }
    }
}

impl From<&Timeouts> for Limits {
    fn from(timeouts: &Timeouts) -> Self {
        Self {
            request_body: timeouts.request_body,
            write: timeouts.write,
            endpoint_write: timeouts.write,
            response_head: timeouts.response_head,
            response_body: None,
            half_closed: timeouts.half_closed,
        }
    }
}
