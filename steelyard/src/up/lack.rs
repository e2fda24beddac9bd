//! Why a route answers nobody, as far as it is known before a request comes: what `get routes`,
//! `explain`, the page and `/readyz` tell.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

use serde_json::{Value, json};
use steelyard_balance::eligible;
use steelyard_model::{Endpoint, Host, Route};

/// What a route lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack<'a> {
    /// It restricts access in a way that is not honoured.
    Refused(&'a str),
    /// No endpoint takes requests.
    NoEndpoint,
    /// None of those that should took a connection when it was last asked for one.
    Silent,
}

impl<'a> Lack<'a> {
    /// What `route` lacks, while the endpoints in `silent` take no connections.
    pub(super) fn of(route: &'a Route, silent: &BTreeSet<SocketAddr>) -> Option<Self> {
        if let Some(refusal) = &route.refusal {
            return Some(Self::Refused(&refusal.reason));
        }
        let backends = route.backends.iter().filter(|backend| backend.weight > 0);
        let mut endpoints = backends.flat_map(|it| eligible(&it.endpoints)).peekable();
        if endpoints.peek().is_none() {
            return Some(Self::NoEndpoint);
        }
        endpoints.all(|it| is_silent(it, silent)).then_some(Self::Silent)
    }

    /// What requests are answered with.
    fn status(self) -> u16 {
        match self {
            Self::Refused(_) | Self::NoEndpoint => 503,
            Self::Silent => 502,
        }
    }
}

/// `503: no endpoint is ready`
impl fmt::Display for Lack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.status())?;
        match self {
            Self::Refused(reason) => f.write_str(reason),
            Self::NoEndpoint => f.write_str("no endpoint is ready"),
            Self::Silent => f.write_str("its endpoints take no connections"),
        }
    }
}

/// Whether an endpoint is among those that take no connections.
pub(super) fn is_silent(endpoint: &Endpoint, silent: &BTreeSet<SocketAddr>) -> bool {
    match endpoint.host {
        Host::Ip(address) => silent.contains(&SocketAddr::new(address, endpoint.port)),
        Host::Name(_) => false,
    }
}

/// Adds to each row of `routes` what requests are answered with, where nobody is served.
pub(crate) fn explain_routes(rows: &mut Value, routes: &[Route], silent: &BTreeSet<SocketAddr>) {
    for (row, route) in rows.as_array_mut().into_iter().flatten().zip(routes) {
        row["answers"] = json!(Lack::of(route, silent).map(|lack| lack.to_string()));
    }
}
