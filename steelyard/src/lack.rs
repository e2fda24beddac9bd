//! Why a route answers nobody, as far as it is known before a request comes: what `get routes`,
//! `explain`, the page and `/readyz` tell.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

use serde_json::{Value, json};
use steelyard_balance::eligible;
use steelyard_exhibit::{Idle, Reached};
use steelyard_model::routing::backend::Backend;
use steelyard_model::routing::id::BackendId;
use steelyard_model::routing::route::{Destination, Route, RouteKind};
use steelyard_model::routing::world::{RouteEnd, RoutingMap};
use steelyard_model::{Endpoint, Host, Provenance};
use steelyard_plan::Plan;
use steelyard_tls::RouteCertificates;

/// What a route lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lack<'a> {
    /// What the route is for: nobody is answered 503 but requests.
    kind: RouteKind,
    pub(crate) want: Want<'a>,
}

/// What of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Want<'a> {
    /// Nobody is served by it, whatever its endpoints do.
    Idle(Idle<'a>),
    /// No endpoint takes requests.
    NoEndpoint,
    /// None of those that should took a connection when it was last asked for one.
    Silent,
}

/// What is known of those whom routes lead to.
pub(crate) struct Lacks<'a> {
    routing: &'a RoutingMap,
    reached: Reached<'a>,
    /// Endpoints that take no connections.
    silent: &'a BTreeSet<SocketAddr>,
}

impl<'a> Lacks<'a> {
    /// While the endpoints in `silent` take no connections.
    pub(crate) fn new(
        plan: &'a Plan,
        routing: &'a RoutingMap,
        silent: &'a BTreeSet<SocketAddr>,
    ) -> Self {
        Self { routing, reached: Reached::of(routing, plan.routes.unreached()), silent }
    }

    /// What `route` lacks.
    pub(crate) fn of(&self, route: &Route) -> Option<Lack<'a>> {
        Some(Lack { kind: route.kind, want: self.want(route)? })
    }

    fn want(&self, route: &Route) -> Option<Want<'a>> {
        let Self { routing, silent, .. } = *self;
        if let Some(idle) = self.reached.idle(route) {
            return Some(Want::Idle(idle));
        }
        // Those that it leads to have endpoints, and lack what they lack; it has none itself.
        if matches!(route.to, Destination::Routes(_)) {
            return None;
        }
        let ends = routing.ends(route).into_iter().filter(|end| end.weight > 0);
        let ends: Vec<RouteEnd<'_>> = ends.collect();
        if ends.iter().any(RouteEnd::answers_itself) {
            return None;
        }
        let all = ends.into_iter().filter_map(|end| end.endpoints).map(|set| {
            set.endpoints.iter().map(|(endpoint, _)| endpoint.clone()).collect::<Vec<_>>()
        });
        let all: Vec<Vec<Endpoint>> = all.collect();
        let mut endpoints = all.iter().flat_map(|set| eligible(set)).peekable();
        if endpoints.peek().is_none() {
            return Some(Want::NoEndpoint);
        }
        endpoints.all(|it| is_silent(it, silent)).then_some(Want::Silent)
    }
}

/// Causes of what routes lack, as metrics have them.
pub(crate) const LACKING: [&str; 3] = ["configuration", "no_endpoint", "no_connection"];

impl Lack<'_> {
    /// Why, as metrics have it.
    pub(crate) fn cause(&self) -> &'static str {
        let [configuration, no_endpoint, no_connection] = LACKING;
        match self.want {
            Want::Idle(_) => configuration,
            Want::NoEndpoint => no_endpoint,
            Want::Silent => no_connection,
        }
    }

    /// What requests are answered with; none where nobody gets to ask, and of connections and
    /// datagrams.
    fn status(&self) -> Option<u16> {
        if !self.kind.is_of_requests() {
            return None;
        }
        match &self.want {
            Want::Idle(Idle::Refused(status, _)) => Some(*status),
            Want::Idle(Idle::Denied(denial)) => Some(denial.status),
            Want::Idle(Idle::Closed(_)) | Want::NoEndpoint => Some(503),
            Want::Silent => Some(502),
            Want::Idle(Idle::Unheld(_) | Idle::After(_) | Idle::Behind | Idle::Unreached) => None,
        }
    }
}

/// `503: no endpoint is ready`; `nobody: no handshake is held: …`
impl fmt::Display for Lack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status() {
            Some(status) => write!(f, "{status}: ")?,
            None => f.write_str("nobody: ")?,
        }
        match &self.want {
            Want::Idle(idle) => idle.fmt(f),
            Want::NoEndpoint => f.write_str("no endpoint is ready"),
            Want::Silent => f.write_str("its endpoints take no connections"),
        }
    }
}

/// Whether an endpoint is among those that take no connections.
pub(crate) fn is_silent(endpoint: &Endpoint, silent: &BTreeSet<SocketAddr>) -> bool {
    match endpoint.host {
        Host::Ip(address) => silent.contains(&SocketAddr::new(address, endpoint.port)),
        Host::Name(_) => false,
    }
}

/// Adds to each row of the routes what requests are answered with, where nobody is served, the
/// certificate that its clients are shown, and the objects whose filters its requests pass.
pub(crate) fn explain_routes(
    rows: &mut Value,
    plan: &Plan,
    routing: &RoutingMap,
    silent: &BTreeSet<SocketAddr>,
) {
    let certificates = RouteCertificates::new(routing);
    let lacks = Lacks::new(plan, routing, silent);
    let rows = rows.as_array_mut().into_iter().flatten();
    for (row, route) in rows.zip(plan.routes.in_order()) {
        row["answers"] = json!(lacks.of(route).map(|lack| lack.to_string()));
        if let Some(certificate) = certificates.of(route) {
            row["certificate"] = json!(certificate.to_string());
        }
        row["passes"] = json!(passed(routing, route));
        row["rests"] = json!(rests_on(routing, route));
    }
}

/// The objects that define where a route leads, through all of its backends, and how its handshakes
/// are held.
fn rests_on(routing: &RoutingMap, route: &Route) -> BTreeSet<String> {
    let mut objects = BTreeSet::new();
    let mut add = |place: Option<&Provenance>| {
        objects.extend(place.map(|place| place.object.to_string()));
    };
    let policy = route.tls_policy.as_ref().and_then(|id| routing.tls_policies.get(id));
    add(policy.and_then(|policy| policy.place.as_ref()));
    let mut known: BTreeSet<&BackendId> = BTreeSet::new();
    let mut open: Vec<&BackendId> = match &route.to {
        Destination::Backend(id) => vec![id],
        Destination::Routes(_) => Vec::new(),
    };
    while let Some(id) = open.pop() {
        let Some(node) = routing.backends.get(id).filter(|_| known.insert(id)) else { continue };
        add(node.place.as_ref());
        open.extend(node.backend.edges().into_iter().map(|edge| &edge.backend));
        match &node.backend {
            Backend::Refused { instead_of: Some(other), .. } => open.push(other),
            Backend::Canary { place, .. } => add(Some(place)),
            _ => {}
        }
    }
    objects
}

/// The objects that define what requests to a route pass, each once: where they come in, at the
/// route, on the way to backends, and what stands within all these.
fn passed(routing: &RoutingMap, route: &Route) -> BTreeSet<String> {
    let listeners = route.listeners.iter().filter_map(|id| routing.listeners.get(id));
    let shared = listeners.filter(|_| route.kind.is_of_requests()).flat_map(|it| &it.uses);
    let backend = match &route.to {
        Destination::Backend(id) => routing.backends.get(id),
        Destination::Routes(_) => None,
    };
    let edges = backend.map(|node| node.backend.edges()).unwrap_or_default();
    let beside = edges.iter().flat_map(|edge| &edge.uses);
    let mut objects = BTreeSet::new();
    for usage in shared.chain(&route.uses).chain(beside) {
        usage.each_within(&routing.filters, &mut |one| {
            let place = routing.filters.get(&one.filter).and_then(|node| node.place.as_ref());
            objects.extend(place.map(|place| place.object.to_string()));
        });
    }
    objects
}
