//! The configuration as one core sees it: the route table of a generation, and per route what a
//! request needs, built when the route is first used.
//!
//! Turns and counters are kept by identity (names of routes and services), so that they go on
//! over generations.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use steelyard_balance::{RoundRobin, SmoothWeighted, eligible};
use steelyard_http::{CompiledRoute, RouteTable};
use steelyard_model::{Backend, Endpoint, Host, Route};

use crate::metrics::RouteSeries;
use crate::upstream::{Upstream, Upstreams};

/// Whose turn it is among the services of a route, by name.
type Shares = SmoothWeighted<Arc<str>>;

/// A configuration as it is handed to the cores.
pub(crate) struct Config {
    pub(crate) generation: u64,
    pub(crate) table: RouteTable,
}

/// One generation on one core.
pub(crate) struct Live {
    /// Which swap of the configuration this is.
    pub(crate) version: u64,
    pub(crate) config: Arc<Config>,
    routes: Box<[OnceCell<Rc<RouteState>>]>,
}

/// What a request to a route needs.
pub(crate) struct RouteState {
    pub(crate) name: Arc<str>,
    /// Services that have endpoints to pick from.
    pub(crate) services: Vec<ServiceState>,
    pub(crate) series: RouteSeries,
    shares: Rc<Shares>,
}

/// A service of a route, with its endpoints.
pub(crate) struct ServiceState {
    /// `namespace-name-port@provider`, as Traefik calls it.
    pub(crate) name: Arc<str>,
    pub(crate) turns: Rc<RoundRobin>,
    pub(crate) targets: Vec<Target>,
    weight: u32,
}

/// An endpoint to pick.
pub(crate) enum Target {
    Address(Rc<Upstream>),
    /// Looked up when connecting.
    Name(Arc<str>, u16),
}

/// What survives a reload, by name of the service or route.
#[derive(Default)]
pub(crate) struct Kept {
    turns: RefCell<HashMap<Arc<str>, Rc<RoundRobin>>>,
    shares: RefCell<HashMap<Arc<str>, Rc<Shares>>>,
}

impl Live {
    pub(crate) fn new(version: u64, config: Arc<Config>) -> Rc<Self> {
        let routes = (0..config.table.len()).map(|_| OnceCell::new()).collect();
        Rc::new(Self { version, config, routes })
    }

    /// The state of a route of this generation's table.
    pub(crate) fn route(
        &self,
        route: &CompiledRoute,
        kept: &Kept,
        upstreams: &Upstreams,
    ) -> Rc<RouteState> {
        let state = self.routes[route.index]
            .get_or_init(|| Rc::new(RouteState::new(&route.route, kept, upstreams)));
        state.clone()
    }
}

impl RouteState {
    fn new(route: &Route, kept: &Kept, upstreams: &Upstreams) -> Self {
        let provider = route.name.rsplit_once('@').map_or("", |(_, provider)| provider);
        let services = route.backends.iter().filter(|backend| backend.weight > 0);
        let services = services
            .map(|backend| ServiceState::new(backend, provider, kept, upstreams))
            .filter(|service| !service.targets.is_empty())
            .collect();
        Self {
            name: route.name.clone(),
            services,
            series: RouteSeries::default(),
            shares: kept.shares.borrow_mut().entry(route.name.clone()).or_default().clone(),
        }
    }

    /// The index of the service that takes the next request.
    pub(crate) fn pick(&self) -> Option<usize> {
        if self.services.len() < 2 {
            return if self.services.is_empty() { None } else { Some(0) };
        }
        self.shares.pick(self.services.iter().map(|service| (&service.name, service.weight)))
    }
}

impl ServiceState {
    fn new(backend: &Backend, provider: &str, kept: &Kept, upstreams: &Upstreams) -> Self {
        let service = &backend.service;
        let name: Arc<str> =
            format!("{}-{}-{}@{provider}", service.namespace, service.name, backend.port).into();
        let endpoints = eligible(&backend.endpoints);
        Self {
            turns: kept.turns_of(&name),
            name,
            targets: endpoints.into_iter().map(|e| Target::new(e, upstreams)).collect(),
            weight: backend.weight,
        }
    }
}

impl Target {
    fn new(endpoint: &Endpoint, upstreams: &Upstreams) -> Self {
        match &endpoint.host {
            Host::Ip(address) => {
                Self::Address(upstreams.at(SocketAddr::new(*address, endpoint.port)))
            }
            Host::Name(name) => Self::Name(name.clone(), endpoint.port),
        }
    }
}

impl Kept {
    /// Forgets what the generation that ends did not use.
    pub(crate) fn prune(&self) {
        self.turns.borrow_mut().retain(|_, turns| Rc::strong_count(turns) > 1);
        self.shares.borrow_mut().retain(|_, shares| Rc::strong_count(shares) > 1);
    }

    fn turns_of(&self, service: &Arc<str>) -> Rc<RoundRobin> {
        self.turns.borrow_mut().entry(service.clone()).or_default().clone()
    }
}
