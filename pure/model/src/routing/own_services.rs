//! Where the program's own services are shown: its API, page, metrics and pings.

use std::collections::BTreeSet;

use crate::routing::backend::{Backend, Internal};
use crate::routing::id::{BackendId, EntryPointId, RouteId};
use crate::routing::route::{Destination, Route};
use crate::routing::world::RoutingMap;

impl RoutingMap {
    /// The entry points where some request is answered by what the program tells of itself,
    /// whoever is let in there.
    pub fn points_of_own_services(&self) -> BTreeSet<&EntryPointId> {
        let own: BTreeSet<&BackendId> = self.telling();
        if own.is_empty() {
            return BTreeSet::new();
        }
        let tells = |route: &&Route| match &route.to {
            Destination::Backend(id) => own.contains(id),
            Destination::Routes(_) => false,
        };
        let routes = || self.routes.values().map(|route| &**route);
        let mut telling: BTreeSet<&RouteId> = routes().filter(tells).map(|it| &it.id).collect();
        // What is led to is reached where it is led from.
        loop {
            let before = telling.len();
            let leads = |route: &&Route| match &route.to {
                Destination::Routes(children) => children.iter().any(|id| telling.contains(id)),
                Destination::Backend(_) => false,
            };
            let leading: Vec<&RouteId> = routes().filter(leads).map(|it| &it.id).collect();
            telling.extend(leading);
            if telling.len() == before {
                break;
            }
        }
        let telling = telling.into_iter().filter_map(|id| self.routes.get(id));
        telling.flat_map(|route| self.entry_points_of(route)).collect()
    }

    /// Those services, and all that lead to one.
    fn telling(&self) -> BTreeSet<&BackendId> {
        let nodes = || self.backends.values();
        let is_own = |backend: &Backend| match backend {
            Backend::Internal(service) => match service {
                Internal::Api | Internal::Dashboard | Internal::Ping | Internal::Prometheus => true,
                Internal::Noop | Internal::Challenge => false,
            },
            _ => false,
        };
        let mut own: BTreeSet<&BackendId> =
            nodes().filter(|it| is_own(&it.backend)).map(|it| &it.id).collect();
        while !own.is_empty() {
            let before = own.len();
            let leads =
                |backend: &Backend| backend.edges().iter().any(|it| own.contains(&it.backend));
            let leading: Vec<&BackendId> =
                nodes().filter(|it| leads(&it.backend)).map(|it| &it.id).collect();
            own.extend(leading);
            if own.len() == before {
                break;
            }
        }
        own
    }
}
