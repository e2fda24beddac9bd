//! The gateway: HTTP/1 and HTTP/2 from entry points to backends.
//!
//! What it is: one thread per core, each with its own runtime, listeners (`SO_REUSEPORT`),
//! upstream connections, buffers and counters; nothing on the path of a request is shared or
//! locked. Codec, routing and pickers are `pure/http`, `pure/route` and `pure/balance`; this is
//! the part with sockets and clocks. What it is not: it reads no manifests and decides no routes.
//!
//! Invariants: a new configuration drops no connection; nothing is forwarded that was not parsed;
//! a waiting connection holds no buffer; what is retried was either never sent or may be repeated.

mod check;
mod core;
mod down;
mod exchange;
mod gateway;
mod options;
mod shared;
mod tell;
mod up;
mod wire;

pub use crate::core::datagrams::HandedSession;
pub use gateway::{Gateway, NginxConnections, StartError};
pub use options::{
    AccessLog, Bind, Binding, EntryTerms, GatewayOptions, HeaderLabel, LogFields, LogFilters,
    LogFormat, MetricViews, NginxMetrics, OwnAnswers, Shown, Timeouts, Tracing,
};
pub use shared::staples::Lacking;
pub use tell::date::rfc3339;
pub use tell::endpoints::{EndpointFitness, EndpointReport};
pub use tell::recent::FailedRequest;
pub use tell::request_id::RequestId;
pub use wire::listen::{Sockets, adopt as adopt_sockets, open as open_sockets};
