//! Filters that say how many, how long and how often.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::access::{AnswerPage, ClientSource, FilterTls};
use crate::routing::asked::AskedUrl;
use crate::routing::id::BackendId;

/// Lets only so many requests in over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// So many in a period; 0 is any.
    pub average: u64,
    /// How long it is.
    pub period: Duration,
    /// So many at once.
    pub burst: u64,
    /// Of each of these.
    pub of: Counted,
    /// Where it is counted, for many replicas; none is here.
    pub redis: Option<RedisStore>,
    /// The status of who is one too many; of 429 it is said when to come again.
    pub status: u16,
    /// Whose page that one gets.
    pub page: AnswerPage,
}

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Requests of one address.
    Client(ClientSource),
    /// Requests with one value of this line.
    Header(Arc<str>),
    /// Requests for one site.
    Host,
}

/// A server that counts for many replicas. Its password never shows in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisStore {
    /// Where, and the backends that stand for that: who is first is asked first.
    pub servers: Vec<(AskedUrl, BackendId)>,
    /// Name and password; an empty name is the usual user.
    pub credentials: Option<(Arc<str>, Arc<str>)>,
    /// How TLS is spoken to it.
    pub tls: Option<FilterTls>,
    /// Which database.
    pub database: u64,
    /// Most connections; 0 is ten a core.
    pub pool: u64,
    /// So many idle ones are kept, however long nobody needs them.
    pub idle: u64,
    /// Most connections, whatever the size of the pool; 0 is any.
    pub active: u64,
    /// How long an answer may take.
    pub read: Option<Duration>,
    /// How long asking may take.
    pub write: Option<Duration>,
    /// How long connecting may take.
    pub dial: Option<Duration>,
}

/// Lets only so many requests in at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlightLimit {
    /// So many; 0 is none.
    pub amount: u64,
    /// Of each of these.
    pub of: Counted,
    /// The status of who is one too many.
    pub status: u16,
    /// Whose page that one gets.
    pub page: AnswerPage,
}

/// Keeps bodies until they are whole. Sizes are bytes; 0 is any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyBuffers {
    /// Largest body of a request.
    pub max_request: u64,
    /// So much of it is kept in memory.
    pub mem_request: u64,
    /// Largest body of a response.
    pub max_response: u64,
    /// So much of it is kept in memory.
    pub mem_response: u64,
    /// When it is asked again.
    pub retry: Option<Arc<str>>,
}

/// Asks nobody who has failed too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CircuitBreaker {
    /// When.
    pub expression: Arc<str>,
    /// How often that is looked at.
    pub check_period: Duration,
    /// For how long nobody is asked.
    pub fallback: Duration,
    /// Over how long more and more are asked again.
    pub recovery: Duration,
    /// What is answered meanwhile.
    pub status: u16,
}

/// Asks again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryRule {
    /// So often in all.
    pub attempts: u32,
    /// For so long in all; none is any time.
    pub timeout: Option<Duration>,
    /// After so long, and longer each time, up to twice as long.
    pub interval: Option<Duration>,
    /// Largest body, in bytes, that is kept for it; none is any.
    pub max_body: Option<u64>,
    /// Ranges of statuses after which it asks as well.
    pub statuses: Vec<(u16, u16)>,
    /// It asks only after those.
    pub is_by_status_alone: bool,
    /// It asks also for what may have been done already.
    pub is_for_all_methods: bool,
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { servers, credentials, tls, database, pool, idle, active, .. } = self;
        let servers: Vec<&str> = servers.iter().map(|(url, _)| &*url.authority).collect();
        f.debug_struct("RedisStore")
            .field("servers", &servers)
            .field("user", &credentials.as_ref().map(|(name, _)| name))
            .field("tls", tls)
            .field("database", database)
            .field("connections", &[pool, idle, active])
            .field("times", &[self.dial, self.write, self.read])
            .finish()
    }
}
