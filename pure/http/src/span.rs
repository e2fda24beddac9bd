//! What is told of a request that is part of a trace, once it is over.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

/// Takes what is told of requests.
pub trait SpanSink: Send + Sync {
    /// Called on a core, by which others wait to be served: it may drop what it is given, and never
    /// blocks.
    fn take(&self, span: RequestSpan);

    /// What became of those that were taken.
    fn counts(&self) -> SpanCounts;
}

/// What became of requests that were told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanCounts {
    /// They have arrived.
    pub sent: u64,
    /// Nobody will hear of them.
    pub dropped: u64,
}

/// A request that is over, as part of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestSpan {
    /// The trace.
    pub trace: u128,
    /// The part of it that is the gateway's.
    pub span: u64,
    /// The part that sent the request, of whoever was here before.
    pub parent: Option<u64>,
    /// When the head had come.
    pub started: SystemTime,
    /// From then to the last byte of the answer.
    pub duration: Duration,
    /// The method, path with query, and host that were asked for.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Host, with a port where one was named.
    pub host: String,
    /// `User-Agent`.
    pub user_agent: String,
    /// Who asked.
    pub client: SocketAddr,
    /// The entry point.
    pub entry_point: String,
    /// The route's name, where one took it.
    pub router: Option<String>,
    /// The status that was answered.
    pub status: u16,
    /// Bytes of the request's body, and of the response's.
    pub bytes: (u64, u64),
    /// Why it was not answered by an endpoint, or not to the end.
    pub why: Option<&'static str>,
    /// What an endpoint was asked.
    pub attempt: Option<AttemptSpan>,
    /// What it went through on its way there, each within the one before; empty where a trace tells
    /// no more than has to be.
    pub inner: Vec<InnerSpan>,
    /// Lines of heads that are told of, as attributes call them: each name with all its values.
    pub captured: Vec<(String, Vec<String>)>,
}

/// What a request went through, as part of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct InnerSpan {
    /// Its part of the trace.
    pub span: u64,
    /// What it is: `Router`, `Service`, or a kind of middleware.
    pub name: &'static str,
    /// Which one it is: an attribute.
    pub about: Vec<(&'static str, String)>,
    /// When it was come to, after the request had come.
    pub after: Duration,
}

/// What an endpoint was asked, as part of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptSpan {
    /// Its part of the trace: the endpoint is told that it was sent by this.
    pub span: u64,
    /// The backend.
    pub service: Option<String>,
    /// The endpoint's address.
    pub endpoint: String,
    /// When it was asked, after the request had come.
    pub after: Duration,
    /// How often others were tried before.
    pub retries: u32,
}
