//! What holds at one entry point.

use std::sync::Arc;
use std::time::Duration;

use steelyard_http::{ForwardedPolicy, Semicolons, Spelling};
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::trust::Trust;

/// What holds at one entry point. The default is right for users, and says nothing of what
/// [`super::Timeouts`] say.
#[derive(Clone, Debug)]
pub struct EntryTerms {
    /// In which spelling paths go on, unless their route says so.
    pub path: Spelling,
    /// What becomes of semicolons in queries, unless their route says so.
    pub semicolons: Semicolons,
    /// Whose word about clients is taken.
    pub forwarded: Arc<ForwardedPolicy>,
    /// Who may say by a header of the PROXY protocol where a connection comes from. Where it is
    /// nobody, no such header is read.
    pub proxied: Arc<Trust>,
    /// How long a request's head may take, and the next piece of its body.
    pub read: Option<Duration>,
    /// How long an answer may take, from the request's head to its end.
    pub answer: Option<Duration>,
    /// How long a connection may wait for its next request.
    pub idle: Option<Duration>,
    /// How many bytes a request's head may have, where those are fewer than any may.
    pub head: Option<usize>,
    /// Requests that a connection has, at most.
    pub requests: Option<u32>,
    /// How old a connection may be that goes on to its next request.
    pub age: Option<Duration>,
    /// Requests that a connection of HTTP/2 may have at once, where those are fewer than the
    /// program's own number.
    pub streams: Option<u32>,
    /// Bytes of the table by which clients of HTTP/2 may compress heads.
    pub table: Option<u32>,
    /// How long a session of UDP may be silent.
    pub udp_silent: Option<Duration>,
    /// What is told of requests whose route does not say.
    pub observability: Observability,
}

impl Default for EntryTerms {
    fn default() -> Self {
        Self {
            path: Spelling::Normal,
            semicolons: Semicolons::Split,
            forwarded: Arc::default(),
            proxied: Arc::default(),
            read: None,
            answer: None,
            idle: None,
            head: None,
            requests: None,
            age: None,
            streams: None,
            table: None,
            udp_silent: None,
            observability: Observability::default(),
        }
    }
}
