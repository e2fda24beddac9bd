//! Routes and what is behind them, as they are found.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::routing::backend::{
    Backend, BackendNode, EndpointOrigin, EndpointSet, Endpoints, RefusalReason,
};
use steelyard_model::routing::id::{BackendId, EndpointSetId, RouteId};
use steelyard_model::routing::route::Route;
use steelyard_model::routing::transport::Transport;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{Endpoint, NamespacedName, Provenance};

/// Status of a route that must not be served.
const REFUSED: u16 = 503;

/// Everything by its id, each once.
#[derive(Default)]
pub(super) struct Parts {
    routes: BTreeMap<RouteId, Arc<Route>>,
    backends: BTreeMap<BackendId, Arc<BackendNode>>,
    endpoint_sets: BTreeMap<EndpointSetId, Arc<EndpointSet>>,
}

impl Parts {
    pub(super) fn add(&mut self, route: Route) {
        self.routes.insert(route.id.clone(), Arc::new(route));
    }

    /// A set, if it is not there yet: what has one id has the same endpoints.
    pub(super) fn endpoints(
        &mut self,
        id: EndpointSetId,
        origin: EndpointOrigin,
        endpoints: &[Endpoint],
    ) -> EndpointSetId {
        self.endpoint_sets.entry(id.clone()).or_insert_with(|| {
            let endpoints = endpoints.iter().map(|it| (it.clone(), 1)).collect();
            Arc::new(EndpointSet { id: id.clone(), origin, endpoints })
        });
        id
    }

    /// A leaf that stands for a Service port and leads to a set.
    pub(super) fn leaf(
        &mut self,
        id: BackendId,
        place: Provenance,
        service: (NamespacedName, u16),
        set: EndpointSetId,
    ) -> BackendId {
        self.backends.entry(id.clone()).or_insert_with(|| {
            let backend = Backend::Endpoints(Endpoints::in_turn(set, Transport::plain().id));
            let (id, place, service) = (id.clone(), Some(place), Some(service));
            Arc::new(BackendNode { id, place, service, backend })
        });
        id
    }

    /// What answers for a route that must not be served, or cannot.
    pub(super) fn refused(
        &mut self,
        route: &RouteId,
        place: &Provenance,
        why: RefusalReason,
        instead_of: Option<BackendId>,
    ) -> BackendId {
        let id = BackendId::from(format!("{route}#refused"));
        let backend = Backend::Refused { status: REFUSED, why, instead_of };
        let (place, service) = (Some(place.clone()), None);
        let node = BackendNode { id: id.clone(), place, service, backend };
        self.backends.insert(id.clone(), Arc::new(node));
        id
    }

    pub(super) fn put_into(self, routing: &mut RoutingMap) {
        let transport = Transport::plain();
        routing.routes = self.routes.into_iter().collect();
        routing.backends = self.backends.into_iter().collect();
        routing.endpoint_sets = self.endpoint_sets.into_iter().collect();
        routing.transports = [(transport.id.clone(), Arc::new(transport))].into_iter().collect();
    }
}
