//! All nouns of one moment, by id: what the join makes, and what gateway and rows are made of.
//!
//! What an edit does not concern is the same `Arc`, and most often the same chunk of a map, so that
//! [`Routing::since`] costs what the edit is worth.

use std::sync::Arc;

use crate::routing::backend::{Backend, BackendNode, EndpointSet};
use crate::routing::entry_point::EntryPoint;
use crate::routing::id::{
    BackendId, EndpointSetId, EntryPointId, ListenerId, RouteId, TransportId,
};
use crate::routing::listener::Listener;
use crate::routing::route::{Destination, Route};
use crate::routing::transport::Transport;
use crate::sorted::Sorted;

/// Most backends on the way from a route to an endpoint; what leads further ends nowhere.
const DEEPEST: usize = 16;

/// Everything that routes requests. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    /// Sockets. Empty only where nobody says: then the built-in ones.
    pub entry_points: Sorted<EntryPointId, Arc<EntryPoint>>,
    /// Parts of entry points.
    pub listeners: Sorted<ListenerId, Arc<Listener>>,
    /// Routes.
    pub routes: Sorted<RouteId, Arc<Route>>,
    /// Where they lead.
    pub backends: Sorted<BackendId, Arc<BackendNode>>,
    /// Endpoints, each set once however many backends look at it.
    pub endpoint_sets: Sorted<EndpointSetId, Arc<EndpointSet>>,
    /// How endpoints are spoken to.
    pub transports: Sorted<TransportId, Arc<Transport>>,
}

/// What became of the nouns of one kind: what each is now, or (none) that it is gone.
pub type Changed<K, V> = Vec<(K, Option<Arc<V>>)>;

/// How one moment differs from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutingDelta {
    /// Entry points.
    pub entry_points: Changed<EntryPointId, EntryPoint>,
    /// Listeners.
    pub listeners: Changed<ListenerId, Listener>,
    /// Routes.
    pub routes: Changed<RouteId, Route>,
    /// Backends.
    pub backends: Changed<BackendId, BackendNode>,
    /// Endpoint sets.
    pub endpoint_sets: Changed<EndpointSetId, EndpointSet>,
    /// Transports.
    pub transports: Changed<TransportId, Transport>,
}

/// One of the places where requests to a route may end.
#[derive(Clone, Copy, Debug)]
pub struct RouteEnd<'r> {
    /// The leaf.
    pub node: &'r BackendNode,
    /// Its share among the backend's that it is an edge of; 1 where there is no choice.
    pub weight: u32,
    /// Its endpoints; none for a leaf that answers by itself.
    pub endpoints: Option<&'r EndpointSet>,
}

impl Routing {
    /// What differs from `former`.
    pub fn since(&self, former: &Self) -> RoutingDelta {
        RoutingDelta {
            entry_points: changed(&self.entry_points, &former.entry_points),
            listeners: changed(&self.listeners, &former.listeners),
            routes: changed(&self.routes, &former.routes),
            backends: changed(&self.backends, &former.backends),
            endpoint_sets: changed(&self.endpoint_sets, &former.endpoint_sets),
            transports: changed(&self.transports, &former.transports),
        }
    }

    /// The same with what a delta says.
    pub fn change(&mut self, delta: RoutingDelta) {
        self.entry_points.change(delta.entry_points);
        self.listeners.change(delta.listeners);
        self.routes.change(delta.routes);
        self.backends.change(delta.backends);
        self.endpoint_sets.change(delta.endpoint_sets);
        self.transports.change(delta.transports);
    }

    /// The same, with the values of `former` where they are equal, so that they are one in memory.
    #[must_use]
    pub fn sharing(self, former: &Self) -> Self {
        let delta = self.since(former);
        let mut shared = former.clone();
        shared.change(delta);
        shared
    }

    /// Where requests to `route` may end, in the order of its backends. A backend that is refused
    /// ends where it would have, were it not.
    pub fn ends<'r>(&'r self, route: &Route) -> Vec<RouteEnd<'r>> {
        let mut ends = Vec::new();
        if let Destination::Backend(id) = &route.to {
            self.collect_ends(id, 1, DEEPEST, &mut ends);
        }
        ends
    }

    /// Why requests to `route` are refused, if they are.
    pub fn refusal(&self, route: &Route) -> Option<&crate::routing::backend::RefusalReason> {
        let Destination::Backend(id) = &route.to else { return None };
        match &self.backends.get(id)?.backend {
            Backend::Refused { why, .. } => Some(why),
            _ => None,
        }
    }

    /// The names of a route's entry points, each once, in order of its listeners.
    pub fn entry_points_of(&self, route: &Route) -> Vec<&EntryPointId> {
        let mut names: Vec<&EntryPointId> = Vec::new();
        for listener in route.listeners.iter().filter_map(|id| self.listeners.get(id)) {
            if !names.contains(&&listener.entry_point) {
                names.push(&listener.entry_point);
            }
        }
        names
    }

    fn collect_ends<'r>(
        &'r self,
        id: &BackendId,
        weight: u32,
        deepest: usize,
        ends: &mut Vec<RouteEnd<'r>>,
    ) {
        let Some(node) = self.backends.get(id).filter(|_| deepest > 0) else { return };
        match &node.backend {
            Backend::Endpoints(leaf) => {
                let endpoints = self.endpoint_sets.get(&leaf.set).map(|set| &**set);
                ends.push(RouteEnd { node, weight, endpoints });
            }
            Backend::Refused { instead_of: Some(other), .. } => {
                self.collect_ends(other, weight, deepest - 1, ends);
            }
            Backend::Answer(_) | Backend::Internal(_) | Backend::Refused { .. } => {
                ends.push(RouteEnd { node, weight, endpoints: None });
            }
            inner => {
                for edge in inner.edges() {
                    self.collect_ends(&edge.backend, edge.weight, deepest - 1, ends);
                }
            }
        }
    }
}

fn changed<K: Ord + Clone, V: PartialEq + Eq>(
    now: &Sorted<K, Arc<V>>,
    former: &Sorted<K, Arc<V>>,
) -> Changed<K, V> {
    let differing = now.differing(former).into_iter();
    differing.map(|key| (key.clone(), now.get(key).cloned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routing(ports: &[(&str, u16)]) -> Routing {
        let entry_point = |(name, port): &(&str, u16)| {
            let made = EntryPoint::new(name, *port);
            (made.id.clone(), Arc::new(made))
        };
        Routing { entry_points: ports.iter().map(entry_point).collect(), ..Routing::default() }
    }

    #[test]
    fn a_delta_leads_from_one_moment_to_the_other() {
        let before = routing(&[("a", 1), ("b", 2), ("c", 3)]);
        let after = routing(&[("a", 1), ("b", 9), ("d", 4)]);
        let delta = after.since(&before);
        let names: Vec<String> =
            delta.entry_points.iter().map(|(id, now)| format!("{id} {}", now.is_some())).collect();
        assert_eq!(names, ["b true", "c false", "d true"]);
        let mut changed = before.clone();
        changed.change(delta);
        assert_eq!(changed, after);
    }

    #[test]
    fn what_is_equal_becomes_one_in_memory() {
        let before = routing(&[("a", 1), ("b", 2)]);
        let after = routing(&[("a", 1), ("b", 3)]).sharing(&before);
        let one = |routing: &Routing, name: &str| {
            routing.entry_points.get(&EntryPointId::from(name)).cloned().unwrap()
        };
        assert!(Arc::ptr_eq(&one(&before, "a"), &one(&after, "a")));
        assert_eq!(one(&after, "b").port, 3);
    }
}
