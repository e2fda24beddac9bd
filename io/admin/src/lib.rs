//! What a running instance tells about itself: a JSON API, an event stream, metrics, health, and
//! one page for people.
//!
//! The other end is here as well: [`AdminClient`] asks a running instance.
//!
//! It is not a control surface: only GET and HEAD, nothing can be changed here. It computes
//! nothing either; whoever runs it [publishes](Published::publish) a [`View`], and every answer is
//! a part of the last one.
//!
//! Invariants:
//! - Off loopback nothing but metrics and health is told without the token.
//! - On loopback a page of another site cannot read it: no CORS, and the Host header must name
//!   this machine (DNS rebinding).
//! - It runs in a thread of its own, and connections, streams and waiting are bounded: a slow or
//!   hostile reader costs others nothing, and who is connected and asks nothing makes room.

mod access;
mod api;
mod client;
mod guests;
mod lazy;
mod page;
mod reply;
mod server;
mod stream;
#[cfg(test)]
mod tests;
mod view;

use std::net::SocketAddr;
use std::path::PathBuf;

use steelyard_host::inherited::Inherited;
use steelyard_host::places::Places;
use tokio::sync::watch;

pub use crate::access::TOKEN_HEADER;
pub use crate::client::{AdminClient, AskError, BEGUN, Respondent, TOLD, judge};
pub use crate::lazy::{Fresh, Lazy};
pub use crate::server::{Admin, serve, serve_health};
pub use crate::view::{
    ConnectionStatus, DiagnosticCounts, EndpointCounts, EndpointRows, EntryPointRow,
    ExplainedRequest, FailedRequests, Happening, LiveParts, Metrics, Overview, Published,
    Rebalance, View,
};

/// How the admin interface is reached.
#[derive(Clone, Debug)]
pub struct AdminOptions {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// A file whose content (without surrounding white space) is the token. With it, the API
    /// wants `Authorization: Bearer TOKEN`, also on loopback.
    pub token_file: Option<PathBuf>,
    /// Places for connections.
    pub places: Places,
    /// Sockets that another process opened: one of them may be the listener.
    pub inherited: Inherited,
    /// Nobody is answered before that ends: another process does.
    pub waits: Option<watch::Receiver<()>>,
}

/// Where health and metrics are told, and nothing else: for who comes from ingress-nginx.
#[derive(Clone, Debug)]
pub struct HealthOptions {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The path of health, besides `/healthz`.
    pub path: String,
    /// Places for connections.
    pub places: Places,
    /// Sockets that another process opened: one of them may be the listener.
    pub inherited: Inherited,
    /// Nobody is answered before that ends: another process does.
    pub waits: Option<watch::Receiver<()>>,
}

/// Under which names listeners are passed to another process.
const LISTENER: &str = "admin";
const HEALTH_LISTENER: &str = "health";

/// Connections at a time, unless told otherwise.
const MAX_CONNECTIONS: usize = 256;

/// Where it listens unless told otherwise.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9180);

impl Default for AdminOptions {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            token_file: None,
            places: Places::new(MAX_CONNECTIONS),
            inherited: Inherited::default(),
            waits: None,
        }
    }
}

/// Why the admin interface did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error(
        "the admin interface cannot listen on {address}; give another with --admin ADDRESS:PORT"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The token file cannot be read.
    #[error("the admin token file {} cannot be read; --admin-token-file names it", .path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The token could be guessed.
    #[error("the admin token in {} has less than {MIN_TOKEN} characters; \
             make one with `openssl rand -hex 32`", .path.display())]
    WeakToken {
        /// The file.
        path: PathBuf,
    },
    /// The system gives no thread or event queue.
    #[error("the admin interface cannot start its thread")]
    Thread(#[source] std::io::Error),
}

/// Characters of a token, at least.
const MIN_TOKEN: usize = 16;
