//! All nouns of one moment, by id: what the join makes, and what gateway and rows are made of.
//!
//! What an edit does not concern is the same `Arc`, and most often the same chunk of a map, so that
//! [`RoutingMap::since`] costs what the edit is worth.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::routing::backend::{Backend, BackendNode, EndpointSet, RefusalReason};
use crate::routing::entry_point::EntryPoint;
use crate::routing::filter::FilterNode;
use crate::routing::id::{
    BackendId, CertificateId, EndpointSetId, EntryPointId, FilterId, ListenerId, RouteId,
    TlsPolicyId, TransportId,
};
use crate::routing::listener::Listener;
use crate::routing::rank::Ladder;
use crate::routing::route::{Destination, Route};
use crate::routing::tls::{Certificate, DEFAULT_POLICY, NGINX_POLICY, TlsPolicy};
use crate::routing::transport::Transport;
use crate::sorted::Sorted;

/// Most backends on the way from a route to an endpoint; what leads further ends nowhere.
const DEEPEST: usize = 16;
/// What is answered to who goes round.
const ROUND: u16 = 503;

/// Most backends that are looked at for the ends of one route: a tree whose parts are shared may
/// have more ways than anybody can walk.
const MOST_LOOKS: usize = 16 * 1024;

/// Everything that routes requests. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutingMap {
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
    /// What listeners, routes and edges use.
    pub filters: Sorted<FilterId, Arc<FilterNode>>,
    /// What is shown in handshakes.
    pub certificates: Sorted<CertificateId, Arc<Certificate>>,
    /// By which terms handshakes are held.
    pub tls_policies: Sorted<TlsPolicyId, Arc<TlsPolicy>>,
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
    /// Filters.
    pub filters: Changed<FilterId, FilterNode>,
    /// Certificates.
    pub certificates: Changed<CertificateId, Certificate>,
    /// Policies of handshakes.
    pub tls_policies: Changed<TlsPolicyId, TlsPolicy>,
}

/// A route among others, in the order they are tried, as far as one host or path tells which comes
/// first.
#[derive(Clone, Debug)]
pub struct Tried(pub Arc<Route>);

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

impl RouteEnd<'_> {
    /// It needs no endpoint: the program answers itself.
    pub fn answers_itself(&self) -> bool {
        matches!(self.node.backend, Backend::Internal(_))
    }
}

/// All who ask are refused by a filter, whoever they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial<'r> {
    /// What they are answered.
    pub status: u16,
    /// The filter.
    pub by: &'r FilterNode,
}

/// `Ingress/default/web metadata.annotations["…"] lets nobody in`
impl fmt::Display for Denial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by.place {
            Some(place) => write!(f, "{} {} lets nobody in", place.object, place.field),
            None => write!(f, "{} lets nobody in", self.by.id),
        }
    }
}

impl RoutingMap {
    /// By which terms handshakes are held where none are named; nothing is what is usual.
    pub fn default_policy(&self) -> Option<&Arc<TlsPolicy>> {
        let named = |name: &str| self.tls_policies.get(&name.into());
        named(DEFAULT_POLICY).or_else(|| named(NGINX_POLICY))
    }

    /// What differs from `former`.
    pub fn since(&self, former: &Self) -> RoutingDelta {
        RoutingDelta {
            entry_points: changed(&self.entry_points, &former.entry_points),
            listeners: changed(&self.listeners, &former.listeners),
            routes: changed(&self.routes, &former.routes),
            backends: changed(&self.backends, &former.backends),
            endpoint_sets: changed(&self.endpoint_sets, &former.endpoint_sets),
            transports: changed(&self.transports, &former.transports),
            filters: changed(&self.filters, &former.filters),
            certificates: changed(&self.certificates, &former.certificates),
            tls_policies: changed(&self.tls_policies, &former.tls_policies),
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
        self.filters.change(delta.filters);
        self.certificates.change(delta.certificates);
        self.tls_policies.change(delta.tls_policies);
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
            self.collect_ends(id, 1, DEEPEST, &mut 0, &mut ends);
        }
        ends
    }

    /// Why requests to `route` are refused although there is somewhere to send them. A backend
    /// that is not there is no such reason: its route has no endpoints.
    pub fn refusal(&self, route: &Route) -> Option<&RefusalReason> {
        let Destination::Backend(id) = &route.to else { return None };
        match &self.backends.get(id)?.backend {
            Backend::Refused { why: RefusalReason::Reference(_), .. } => None,
            Backend::Refused { why, .. } => Some(why),
            _ => None,
        }
    }

    /// The status and the reason with which all requests to `route` are refused: it leads to
    /// nothing else, whichever way is taken. Of several reasons the first.
    pub fn refused(&self, route: &Route) -> Option<(u16, &RefusalReason)> {
        let Destination::Backend(id) = &route.to else { return None };
        self.refused_at(id, &mut Vec::new(), &mut 0)
    }

    /// Whether all ways from a backend lead back to where they were.
    pub fn leads_round(&self, id: &BackendId) -> bool {
        matches!(self.refused_at(id, &mut Vec::new(), &mut 0), Some((_, RefusalReason::Round)))
    }

    /// `way` is how it was come to.
    fn refused_at<'r>(
        &'r self,
        id: &BackendId,
        way: &mut Vec<&'r BackendId>,
        looks: &mut usize,
    ) -> Option<(u16, &'r RefusalReason)> {
        *looks += 1;
        if way.contains(&id) {
            return Some((ROUND, &RefusalReason::Round));
        }
        let is_enough = way.len() >= DEEPEST || *looks > MOST_LOOKS;
        let node = self.backends.get(id).filter(|_| !is_enough)?;
        let ways = match &node.backend {
            Backend::Refused { status, why, .. } => return Some((*status, why)),
            // Who gets a copy answers nobody.
            Backend::Mirror { main, .. } => vec![main],
            other => other.edges(),
        };
        let ways = ways.into_iter().filter(|edge| edge.weight > 0);
        way.push(&node.id);
        let mut ends = ways.map(|it| self.refused_at(&it.backend, way, looks));
        let first = ends.next().flatten();
        let first = first.filter(|_| ends.all(|end| end.is_some()));
        way.pop();
        first
    }

    /// What lets nobody pass to `route`, where something that its requests pass is such.
    pub fn denial(&self, route: &Route) -> Option<Denial<'_>> {
        let all = route.uses.iter().filter_map(|usage| usage.expanded(&self.filters));
        all.flatten().find_map(|usage| {
            let by = self.filters.get(&usage.filter)?;
            Some(Denial { status: by.filter.denies_all()?, by })
        })
    }

    /// Whether a client gets the same by either route: from the same backend in the same manner, or
    /// from nobody.
    pub fn serves_alike(&self, one: &Route, other: &Route) -> bool {
        // Whoever adds a field says here whether it makes a difference to clients.
        let Route {
            id: _,
            place: _,
            kind,
            listeners: _,
            rank: _,
            rule: _,
            uses,
            to,
            timeouts,
            manner,
            tls_policy,
            observability: _,
        } = one;
        let is_refused = |to: &Destination| match to {
            Destination::Backend(id) => self
                .backends
                .get(id)
                .is_none_or(|node| matches!(node.backend, Backend::Refused { .. })),
            Destination::Routes(_) => false,
        };
        let is_same = *to == other.to
            && (kind, uses, timeouts) == (&other.kind, &other.uses, &other.timeouts)
            && (manner, tls_policy) == (&other.manner, &other.tls_policy);
        is_same || is_refused(to) && is_refused(&other.to)
    }

    /// The routes in the order they are tried, as far as one host or path tells which comes first.
    pub fn in_order(&self) -> Vec<&Arc<Route>> {
        let mut routes: Vec<&Arc<Route>> = self.routes.values().collect();
        routes.sort_by(|a, b| tried_before(a, b));
        routes
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
        looks: &mut usize,
        ends: &mut Vec<RouteEnd<'r>>,
    ) {
        *looks += 1;
        let is_enough = deepest == 0 || *looks > MOST_LOOKS;
        let Some(node) = self.backends.get(id).filter(|_| !is_enough) else { return };
        match &node.backend {
            Backend::Endpoints(leaf) => {
                let endpoints = self.endpoint_sets.get(&leaf.set).map(|set| &**set);
                ends.push(RouteEnd { node, weight, endpoints });
            }
            Backend::Refused { instead_of: Some(other), .. }
                if self.backends.get(other).is_some() =>
            {
                self.collect_ends(other, weight, deepest - 1, looks, ends);
            }
            Backend::Answer(_) | Backend::Internal(_) | Backend::Refused { .. } => {
                ends.push(RouteEnd { node, weight, endpoints: None });
            }
            inner => {
                for edge in inner.edges() {
                    if *looks > MOST_LOOKS {
                        return;
                    }
                    self.collect_ends(&edge.backend, edge.weight, deepest - 1, looks, ends);
                }
            }
        }
    }
}

impl Ord for Tried {
    fn cmp(&self, other: &Self) -> Ordering {
        tried_before(&self.0, &other.0)
    }
}

impl PartialOrd for Tried {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Tried {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Tried {}

fn tried_before(a: &Route, b: &Route) -> Ordering {
    let ladder = a.rank.ladder.cmp(&b.rank.ladder);
    let within = || match a.rank.ladder {
        Ladder::Priority => a.rank.before(&b.rank),
        Ladder::Specific => a.rank.specific.cmp(&b.rank.specific),
    };
    let path = |route: &Route| route.rule.path().map(|path| path.shape.len());
    ladder
        .then_with(within)
        .then_with(|| path(b).cmp(&path(a)))
        .then_with(|| a.rule.host().cmp(b.rule.host()))
        .then_with(|| a.rule.path().cmp(&b.rule.path()))
        .then_with(|| a.id.cmp(&b.id))
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
    use crate::routing::backend::Edge;

    fn routing(ports: &[(&str, u16)]) -> RoutingMap {
        let entry_point = |(name, port): &(&str, u16)| {
            let made = EntryPoint::new(name, *port);
            (made.id.clone(), Arc::new(made))
        };
        RoutingMap {
            entry_points: ports.iter().map(entry_point).collect(),
            ..RoutingMap::default()
        }
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

    /// Each backend leads to all of the next level, and the last ones back to the first.
    #[test]
    fn trees_of_shared_parts_are_not_walked_to_their_ends() {
        let mut map = RoutingMap::default();
        for level in 0..14 {
            for at in 0..8 {
                let to = |at: u32| format!("{}/{at}", (level + 1) % 14);
                let edge = |at| Edge { backend: to(at).into(), weight: 1, uses: Vec::new() };
                let edges = (0..8).map(edge).collect();
                let id = format!("{level}/{at}");
                let backend = Backend::Weighted { edges, sticky: None };
                let node =
                    BackendNode { id: id.clone().into(), place: None, service: None, backend };
                map.backends.insert(id.into(), Arc::new(node));
            }
        }
        let mut looks = 0;
        let mut ends = Vec::new();
        map.collect_ends(&"0/0".into(), 1, DEEPEST, &mut looks, &mut ends);
        assert!(ends.is_empty() && looks <= 2 * MOST_LOOKS, "{looks}");
    }

    /// A route is refused where all ways from its backend go round, and by no circle beside it.
    #[test]
    fn what_goes_round_and_nowhere_else_is_refused() {
        let mut map = RoutingMap::default();
        let mut add = |id: &str, backend: Backend| {
            let node = BackendNode { id: id.into(), place: None, service: None, backend };
            map.backends.insert(id.into(), Arc::new(node));
        };
        let to = |ids: &str| {
            let edge = |id: &str| Edge { backend: id.into(), weight: 1, uses: Vec::new() };
            Backend::Weighted { edges: ids.split(' ').map(edge).collect(), sticky: None }
        };
        for (id, ids) in [("a", "b c"), ("b", "a"), ("c", "b c"), ("d", "a e"), ("f", "a g")] {
            add(id, to(ids));
        }
        add("e", Backend::Internal(crate::routing::backend::Internal::Noop));
        let why = RefusalReason::TlsPolicies("x".into());
        add("g", Backend::Refused { status: 503, why, instead_of: None });
        for (id, is_round) in [("a", true), ("b", true), ("c", true), ("d", false), ("e", false)] {
            assert_eq!(map.leads_round(&id.into()), is_round, "{id}");
            let found = map.refused_at(&id.into(), &mut Vec::new(), &mut 0);
            assert_eq!(found, is_round.then_some((503, &RefusalReason::Round)), "{id}");
        }
        assert!(map.refused_at(&"f".into(), &mut Vec::new(), &mut 0).is_some());
    }

    #[test]
    fn what_is_equal_becomes_one_in_memory() {
        let before = routing(&[("a", 1), ("b", 2)]);
        let after = routing(&[("a", 1), ("b", 3)]).sharing(&before);
        let one = |routing: &RoutingMap, name: &str| {
            routing.entry_points.get(&EntryPointId::from(name)).cloned().unwrap()
        };
        assert!(Arc::ptr_eq(&one(&before, "a"), &one(&after, "a")));
        assert_eq!(one(&after, "b").port, 3);
    }
}
