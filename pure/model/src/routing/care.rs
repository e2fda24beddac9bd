//! How the endpoints of a backend are looked after: what is asked of them, what is made of their
//! failures, and how much they get at a time.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// All of it. Two backends that look after an endpoint alike, and speak to it alike, know the same
/// of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Care {
    /// How endpoints are asked whether they are well; none does not ask.
    pub check: Option<HealthCheck>,
    /// What their failures count, where a user says so; none is by the program's own rule, which
    /// looks at connections that come to nothing alone.
    pub passive: Option<PassiveCheck>,
    /// How long who is new, or well again, gets less than its share; none gets it at once.
    pub slow_start: Option<Duration>,
    /// How much one endpoint gets at a time; none is as much as there is.
    pub most: Option<Most>,
}

/// How endpoints are asked whether they are well.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HealthCheck {
    /// What is asked.
    pub probe: CheckProbe,
    /// The port that is asked; none is the endpoint's.
    pub port: Option<u16>,
    /// How often who is up is asked.
    pub interval: Duration,
    /// How often who is down is.
    pub unhealthy_interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// So many good answers in a row make who is down up; at least 1.
    pub rise: u32,
    /// So many bad ones make who is up down; at least 1.
    pub fall: u32,
}

/// What an endpoint is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckProbe {
    /// To take a connection, in which something is said, and heard, if anything is.
    Connect {
        /// What is said.
        send: Arc<str>,
        /// What is heard first; empty is whatever.
        expect: Arc<str>,
    },
    /// To answer a request.
    Http(HttpProbe),
    /// By the health service of gRPC, version 1, for the whole server; `authority` is whom it is
    /// asked as, where that is not the endpoint itself.
    Grpc {
        /// `hostname` of the check.
        authority: Option<Arc<str>>,
    },
}

/// A request that tells whether an endpoint is well.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpProbe {
    /// Path and query.
    pub path: Arc<str>,
    /// The method.
    pub method: Arc<str>,
    /// The Host; none is the endpoint.
    pub hostname: Option<Arc<str>>,
    /// Whether it is asked in plain, whatever the backend's transport is.
    pub is_plain: bool,
    /// More lines of the head.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// The status that is good; none is any of 200 to 399.
    pub status: Option<u16>,
    /// Whether a redirection to the endpoint itself is followed, rather than taken for an answer.
    pub follows: bool,
}

/// What failures of requests count (Traefik's `passiveHealthCheck`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PassiveCheck {
    /// How long a failure counts, and how long who had too many gets nothing.
    pub window: Duration,
    /// So many within that time are too many; at least 1.
    pub failures: u32,
}

/// How much one endpoint gets at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Most {
    /// Requests under way.
    pub in_flight: u32,
    /// Requests that may wait, of the whole backend, when all endpoints have that many.
    pub pending: u32,
    /// How long one may wait.
    pub patience: Duration,
}

/// What nearly every backend has: it lies in memory once.
static USUAL: LazyLock<Arc<Care>> = LazyLock::new(Arc::default);

impl Care {
    /// Nothing that a user asked for.
    pub fn usual() -> Arc<Self> {
        USUAL.clone()
    }
}

impl HealthCheck {
    /// By Traefik's defaults: each 30 s, for 5 s at most; one answer is enough to tell.
    pub fn new(probe: CheckProbe) -> Self {
        let interval = Duration::from_secs(30);
        Self {
            probe,
            port: None,
            interval,
            unhealthy_interval: interval,
            timeout: Duration::from_secs(5),
            rise: 1,
            fall: 1,
        }
    }
}

impl HttpProbe {
    /// A GET of `path`; 200 to 399 is good, once redirections are followed.
    pub fn get(path: &str) -> Self {
        Self {
            path: path.into(),
            method: "GET".into(),
            hostname: None,
            is_plain: false,
            headers: Vec::new(),
            status: None,
            follows: true,
        }
    }
}

impl Most {
    /// So many under way, and nobody waits.
    pub fn in_flight(in_flight: u32) -> Self {
        Self { in_flight, pending: 0, patience: Duration::ZERO }
    }
}

/// By Traefik's defaults: one failure in 10 s.
impl Default for PassiveCheck {
    fn default() -> Self {
        Self { window: Duration::from_secs(10), failures: 1 }
    }
}
