//! Hosts whose routes ask for different terms of handshakes.
//!
//! A handshake is for a host, and there is one of it for all routes of that: where they disagree
//! none can be held as each of them asks. Traefik holds it by the default options then, which may
//! ask for less; here it is refused unless the listener yields.

use std::collections::{BTreeMap, BTreeSet};

use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::tls::DEFAULT_POLICY;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{Diagnostic, Provenance, Severity};
use steelyard_route::asked_terms;

use crate::codes::TLS_OPTIONS_CONFLICT;

/// What is asked of handshakes for one host at one entry point: by name, and who asks first.
type Asked<'r> = BTreeMap<&'r str, &'r Provenance>;

/// Hosts at entry points whose routes disagree: what is asked, and whether it yields.
type Disputes<'r> = BTreeMap<(&'r EntryPointId, HostPattern), (Asked<'r>, bool)>;

/// What there is to say of hosts whose routes disagree: once for each, at a route that names terms
/// of its own.
pub fn disagreements(routing: &RoutingMap) -> Vec<Diagnostic> {
    let all = disputes(routing).into_iter();
    all.filter_map(|((point, host), (all, yields))| said(point, &host, &all, yields)).collect()
}

/// Hosts for which no handshake is held for that, by entry point.
pub(crate) fn disputed(routing: &RoutingMap) -> BTreeSet<(&EntryPointId, HostPattern)> {
    let all = disputes(routing).into_iter();
    all.filter(|(_, (_, yields))| !yields).map(|(place, _)| place).collect()
}

fn disputes(routing: &RoutingMap) -> Disputes<'_> {
    let mut asked = Disputes::new();
    // As a rule nobody names any, and then there is nothing to look at.
    if !routing.routes.values().any(|it| it.tls_policy.is_some()) {
        return asked;
    }
    for route in routing.routes.values() {
        let listeners = route.listeners.iter().filter_map(|id| routing.listeners.get(id));
        for listener in listeners {
            let Some((hosts, policy)) = asked_terms(route, listener) else { continue };
            let policy = policy.map_or(DEFAULT_POLICY, |it| it.as_str());
            for host in hosts {
                let (all, yielding) = asked.entry((&listener.entry_point, host)).or_default();
                all.entry(policy).or_insert(&route.place);
                *yielding |= listener.yields;
            }
        }
    }
    asked.retain(|_, (all, _)| all.len() > 1);
    asked
}

fn said(
    point: &EntryPointId,
    host: &HostPattern,
    all: &Asked<'_>,
    yields: bool,
) -> Option<Diagnostic> {
    let (_, place) = all.iter().find(|(policy, _)| **policy != DEFAULT_POLICY)?;
    let names: Vec<&str> = all.keys().copied().collect();
    let so = match yields {
        true => "handshakes for it are held by the default options",
        false => "handshakes for it are refused",
    };
    let message = format!(
        "routes of {host} at entry point `{point}` ask for different TLS options ({}): {so}",
        names.join(", ")
    );
    let help = "name the same TLS options on all routes of the host";
    Some(Diagnostic::at(Severity::Error, TLS_OPTIONS_CONFLICT, place, message, help))
}
