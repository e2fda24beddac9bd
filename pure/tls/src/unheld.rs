//! Routes for which no handshake is held, and which so serve nobody over TLS.

use std::collections::BTreeSet;
use std::fmt;

use steelyard_model::routing::id::{EntryPointId, TlsPolicyId};
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::route::Route;
use steelyard_model::routing::world::RoutingMap;

use crate::agreement::disputed;

/// Terms that are usual where nobody says any.
const USUAL: &str = "default";

/// For which routes handshakes are held.
#[derive(Debug)]
pub struct HeldHandshakes<'r> {
    routing: &'r RoutingMap,
    disputed: BTreeSet<(&'r EntryPointId, &'r HostPattern)>,
}

/// Why no handshake is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unheld {
    /// Routes of the host ask for different terms.
    Disputed(HostPattern),
    /// The terms are not there, or cannot be had.
    NoTerms(TlsPolicyId),
}

impl<'r> HeldHandshakes<'r> {
    /// Those of `routing`.
    pub fn new(routing: &'r RoutingMap) -> Self {
        Self { routing, disputed: disputed(routing) }
    }

    /// Where no handshake is held for a route, and why.
    pub fn lacking(&self, route: &'r Route) -> Vec<(&'r EntryPointId, Unheld)> {
        let listeners = route.listeners.iter().filter_map(|id| self.routing.listeners.get(id));
        let lacking = |it: &'r Listener| Some((&it.entry_point, self.refusal(route, it)?));
        listeners.filter_map(|it| lacking(it)).collect()
    }

    /// Whether a route is for nobody, since none is held wherever it is.
    pub fn are_none(&self, route: &'r Route) -> bool {
        let lacking = self.lacking(route).len();
        lacking > 0 && lacking == route.listeners.len()
    }

    fn refusal(&self, route: &Route, listener: &Listener) -> Option<Unheld> {
        let Security::Terminate { policy, .. } = &listener.security else { return None };
        let host = route.rule.host();
        if route.kind.is_of_requests() && self.disputed.contains(&(&listener.entry_point, host)) {
            return Some(Unheld::Disputed(host.clone()));
        }
        let named = route.tls_policy.as_ref().or(policy.as_ref())?;
        let is_usual = route.tls_policy.is_none() && named.as_str() == USUAL;
        let is_there = is_usual || self.routing.tls_policies.get(named).is_some();
        (!is_there).then(|| Unheld::NoTerms(named.clone()))
    }
}

impl fmt::Display for Unheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disputed(host) => write!(f, "routes of {host} ask for different TLS options"),
            Self::NoTerms(_) => f.write_str("its TLS options are not to be had"),
        }
    }
}
