//! What is told of endpoints: of each, for each backend that has it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use steelyard_balance::health::Fitness;
use steelyard_metrics::{Exposition, table};
use steelyard_model::routing::backend::{Backend, BackendNode, Endpoints};
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{Endpoint, EndpointState, Host};

use super::metrics::Sample;
use crate::shared::standing::{EndpointStandings, Known, Spot};
use crate::up::tally::EndpointTotals;

/// An endpoint of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointReport {
    /// The Service and port that the backend stands for, or else its id.
    pub service: String,
    /// The backend, as metrics and logs call it.
    pub backend: String,
    /// The endpoint: address, or name, and port.
    pub endpoint: String,
    /// Its node, where that is known.
    pub node: Option<Arc<str>>,
    /// Whether it gets requests.
    pub state: EndpointFitness,
    /// Since when, where that is not since it is there.
    pub since: Option<SystemTime>,
    /// What failed there last, and when.
    pub last_failure: Option<(SystemTime, Arc<str>)>,
    /// Whether it is asked by itself whether it is well.
    pub is_checked: bool,
    /// Requests that it has, of all backends.
    pub in_flight: u64,
    /// How soon it answers lately; none where it has not.
    pub latency: Option<Duration>,
}

/// Whether an endpoint gets requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndpointFitness {
    /// It does.
    Up,
    /// Not while others do: it took no connections, or failed as often as its backend bears.
    Shunned,
    /// Not at all: its check fails.
    Down,
    /// It is on its way out: not while others are ready.
    Draining,
    /// It is not ready.
    NotReady,
}

impl EndpointFitness {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Shunned => "shunned",
            Self::Down => "down",
            Self::Draining => "draining",
            Self::NotReady => "not-ready",
        }
    }

    fn of(fitness: Fitness, state: EndpointState) -> Self {
        match (fitness, state) {
            (_, EndpointState::NotReady | EndpointState::Serving) => Self::NotReady,
            (Fitness::Down, _) => Self::Down,
            (_, EndpointState::Terminating) => Self::Draining,
            (Fitness::Shunned, _) => Self::Shunned,
            (Fitness::Fit, _) => Self::Up,
        }
    }
}

/// All of them.
pub(crate) fn report(
    routing: &RoutingMap,
    standings: &EndpointStandings,
    samples: &[Sample],
) -> Vec<EndpointReport> {
    let clock = Clock { now: Instant::now(), wall: SystemTime::now() };
    let mut totals = HashMap::<&str, EndpointTotals>::new();
    for (label, one) in samples.iter().flat_map(|sample| &sample.endpoints) {
        *totals.entry(label).or_default() += *one;
    }
    let known: HashMap<String, Vec<Known>> = by_place(standings.all(clock.now));
    let mut reports = Vec::new();
    each(routing, |node, leaf, endpoint| {
        let spot = Spot::new(endpoint, &leaf.transport, &leaf.care);
        let name = endpoint.to_string();
        let known = known.get(&name).and_then(|all| all.iter().find(|it| it.spot == spot));
        let totals = totals.get(&*label(endpoint)).copied().unwrap_or_default();
        let fitness = known.map_or(Fitness::Fit, |known| known.fitness);
        let failure = known.and_then(|known| known.last_failure.clone());
        reports.push(EndpointReport {
            service: match &node.service {
                Some((service, port)) => format!("{service}:{port}"),
                None => node.id.to_string(),
            },
            backend: node.id.traefik_name(),
            endpoint: name,
            node: endpoint.node.clone(),
            state: EndpointFitness::of(fitness, endpoint.state),
            since: known.and_then(|known| known.since).map(|at| clock.wall(at)),
            last_failure: failure.map(|(at, why)| (clock.wall(at), why)),
            is_checked: leaf.care.check.is_some(),
            in_flight: totals.in_flight,
            latency: totals.latency(),
        });
    });
    reports
}

/// The same as metrics, of those that are asked or known.
pub(crate) fn expose(routing: &RoutingMap, standings: &EndpointStandings, out: &mut Exposition) {
    let known = by_place(standings.all(Instant::now()));
    let mut rows = Vec::new();
    each(routing, |node, leaf, endpoint| {
        let spot = Spot::new(endpoint, &leaf.transport, &leaf.care);
        let name = endpoint.to_string();
        let all = known.get(&name).map(Vec::as_slice).unwrap_or_default();
        let Some(known) = all.iter().find(|it| it.spot == spot) else { return };
        let is_secure = routing.transports.get(&leaf.transport).is_some_and(|it| it.tls.is_some());
        let scheme = if is_secure { "https" } else { "http" };
        let is_checked = leaf.care.check.is_some();
        rows.push((node.id.traefik_name(), name, known.fitness, scheme, is_checked));
    });
    let mut up = out.family(&table::SERVICE_SERVER_UP);
    for (service, endpoint, fitness, scheme, _) in rows.iter().filter(|it| it.4) {
        let url = format!("{scheme}://{endpoint}");
        up.put([service, &url], u64::from(*fitness != Fitness::Down));
    }
    let mut fit = out.family(&table::ENDPOINT_FIT);
    for (service, endpoint, fitness, ..) in &rows {
        fit.put([endpoint, service], u64::from(*fitness == Fitness::Fit));
    }
}

/// Each endpoint of each backend.
fn each(routing: &RoutingMap, mut see: impl FnMut(&BackendNode, &Endpoints, &Endpoint)) {
    for node in routing.backends.values() {
        let Backend::Endpoints(leaf) = &node.backend else { continue };
        let Some(set) = routing.endpoint_sets.get(&leaf.set) else { continue };
        for (endpoint, _) in &set.endpoints {
            see(node, leaf, endpoint);
        }
    }
}

fn by_place(all: Vec<Known>) -> HashMap<String, Vec<Known>> {
    let mut by_place = HashMap::<String, Vec<Known>>::new();
    for known in all {
        let Spot { host, port, .. } = &known.spot;
        by_place.entry(place(host, *port)).or_default().push(known);
    }
    by_place
}

fn place(host: &Host, port: u16) -> String {
    match host {
        Host::Ip(address) => SocketAddr::new(*address, port).to_string(),
        Host::Name(name) => format!("{name}:{port}"),
    }
}

/// As counters call it.
fn label(endpoint: &Endpoint) -> String {
    place(&endpoint.host, endpoint.port)
}

/// Both clocks at one moment.
struct Clock {
    now: Instant,
    wall: SystemTime,
}

impl Clock {
    fn wall(&self, at: Instant) -> SystemTime {
        let ago = self.now.saturating_duration_since(at);
        self.wall.checked_sub(ago).unwrap_or(self.wall)
    }
}
