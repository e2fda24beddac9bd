//! Routes for which no handshake is held, and which so serve nobody over TLS.

use std::collections::BTreeSet;
use std::fmt;

use steelyard_model::routing::id::{EntryPointId, TlsPolicyId};
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::route::Route;
use steelyard_model::routing::tls::DEFAULT_POLICY;
use steelyard_model::routing::world::RoutingMap;
use steelyard_route::asked_terms;

use crate::agreement::disputed;

/// For which routes handshakes are held.
#[derive(Debug)]
pub struct HeldHandshakes<'r> {
    routing: &'r RoutingMap,
    disputed: BTreeSet<(&'r EntryPointId, HostPattern)>,
}

/// Why no handshake is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unheld {
    /// Routes of a host ask for different terms.
    Disputed(HostPattern),
    /// The terms are not there, or cannot be had.
    NoTerms(TlsPolicyId),
}

impl<'r> HeldHandshakes<'r> {
    /// Those of `routing`.
    pub fn new(routing: &'r RoutingMap) -> Self {
        Self { routing, disputed: disputed(routing) }
    }

    /// Where no handshake is held for a route, or for one of its hosts, and why.
    pub fn lacking(&self, route: &'r Route) -> Vec<(&'r EntryPointId, Unheld)> {
        let each =
            |it: &'r Listener| self.refusals(route, it).0.into_iter().map(move |why| (it, why));
        let all = self.listeners(route).flat_map(each);
        all.map(|(listener, why)| (&listener.entry_point, why)).collect()
    }

    /// Why a route is for nobody, since none is held wherever it is, for no host of its.
    pub fn none_for(&self, route: &Route) -> Option<Unheld> {
        let mut first = None;
        for listener in self.listeners(route) {
            let (whys, is_all) = self.refusals(route, listener);
            if !is_all {
                return None;
            }
            first = first.or_else(|| whys.into_iter().next());
        }
        first
    }

    /// Whether that is so for a host of its: handshakes for it are refused wherever the route is.
    pub fn none_for_host(&self, route: &Route, host: &HostPattern) -> bool {
        let mut all = self.listeners(route).peekable();
        let is_refused = |it: &'r Listener| {
            let (found, is_all) = self.refusals(route, it);
            is_all || found.iter().any(|why| *why == Unheld::Disputed(host.clone()))
        };
        all.peek().is_some() && all.all(is_refused)
    }

    fn listeners(&self, route: &Route) -> impl Iterator<Item = &'r Listener> {
        route.listeners.iter().filter_map(|id| self.routing.listeners.get(id)).map(|it| &**it)
    }

    /// Why handshakes for a route are not held at a listener, and whether none is.
    fn refusals(&self, route: &Route, listener: &'r Listener) -> (Vec<Unheld>, bool) {
        let Security::Terminate { policy, .. } = &listener.security else {
            return (Vec::new(), false);
        };
        let named = route.terms(policy.as_ref());
        let terms = match named {
            Some(named) => self.routing.tls_policies.get(named),
            None => self.routing.default_policy(),
        };
        let is_usual =
            named.is_none_or(|it| route.tls_policy.is_none() && it.as_str() == DEFAULT_POLICY);
        let is_there = terms.map_or(is_usual, |terms| !terms.is_for_nobody());
        let lost = named.cloned().or_else(|| terms.map(|terms| terms.id.clone()));
        let point = &listener.entry_point;
        let hosts = asked_terms(route, listener).map(|(hosts, _)| hosts).unwrap_or_default();
        let count = hosts.len();
        let is_disputed = |host: HostPattern| {
            let place = (point, host);
            self.disputed.contains(&place).then_some(Unheld::Disputed(place.1))
        };
        let mut found: Vec<Unheld> = hosts.into_iter().filter_map(is_disputed).collect();
        let is_all = !is_there || count > 0 && found.len() == count;
        if let Some(lost) = lost.filter(|_| !is_there && found.len() < count.max(1)) {
            found.push(Unheld::NoTerms(lost));
        }
        (found, is_all)
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
