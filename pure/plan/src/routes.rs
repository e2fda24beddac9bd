//! Routes as rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use steelyard_model::Sorted;
use steelyard_model::routing::backend::Backend;
use steelyard_model::routing::filter::Use;
use steelyard_model::routing::id::{EntryPointId, RouteId};
use steelyard_model::routing::listener::Security;
use steelyard_model::routing::route::{Route, RouteKind};
use steelyard_model::routing::world::{RouteEnd, RoutingMap, Tried};

use crate::rows::{BackendRow, FilterRow, RouteRow, RoutedKind, TlsRow};

/// The routes in the order they are tried. A row is as large as its route, and seldom looked at: so
/// each is made when it is asked for.
#[derive(Clone, Debug, Default)]
pub struct RouteRows {
    tried: Sorted<Tried, ()>,
    routing: RoutingMap,
    /// Routes that no request gets to, and of each one that goes before it wherever it matches.
    unreached: Arc<BTreeMap<RouteId, RouteId>>,
}

impl RouteRows {
    /// Comes to be those of `now`.
    pub(crate) fn follow(&mut self, now: &RoutingMap) {
        let differing = now.routes.differing(&self.routing.routes);
        let of = |map: &RoutingMap, value: Option<()>| {
            let routes = differing.iter().filter_map(|id| map.routes.get(*id));
            routes.map(|route| (Tried(route.clone()), value)).collect::<Vec<_>>()
        };
        let (gone, come) = (of(&self.routing, None), of(now, Some(())));
        self.tried.change(gone.into_iter().chain(come));
        self.routing.clone_from(now);
    }

    /// No request gets to these; of each the route that goes before it wherever it matches.
    pub(crate) fn set_unreached(&mut self, unreached: BTreeMap<RouteId, RouteId>) {
        if *self.unreached != unreached {
            self.unreached = Arc::new(unreached);
        }
    }

    /// Routes that no request gets to, and of each one that goes before it wherever it matches.
    pub fn unreached(&self) -> &BTreeMap<RouteId, RouteId> {
        &self.unreached
    }

    /// What they were made of: what this node routes by.
    pub fn routing(&self) -> &RoutingMap {
        &self.routing
    }

    /// The routes, as far as one host or path tells which comes first.
    pub fn in_order(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.tried.keys().map(|tried| &tried.0)
    }

    /// A row of each.
    pub fn rows(&self) -> impl Iterator<Item = RouteRow> {
        self.in_order().map(|route| row(&self.routing, route))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.tried.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tried.is_empty()
    }
}

impl Serialize for RouteRows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows())
    }
}

fn row(routing: &RoutingMap, route: &Route) -> RouteRow {
    let entry_points = routing.entry_points_of(route);
    RouteRow {
        name: route.id.traefik_name(),
        source: route.place.object.to_string(),
        kind: route.kind.into(),
        entry_points: entry_points.into_iter().map(EntryPointId::to_string).collect(),
        rule: route.rule.to_string(),
        priority: route.rank.number,
        filters: route.uses.iter().map(|it| filter(routing, it)).collect(),
        tls: tls(routing, route),
        backends: routing.ends(route).iter().filter_map(backend).collect(),
    }
}

impl From<RouteKind> for RoutedKind {
    fn from(kind: RouteKind) -> Self {
        match kind {
            RouteKind::Http | RouteKind::Grpc => Self::Http,
            RouteKind::Tcp => Self::Tcp,
            RouteKind::Udp => Self::Udp,
        }
    }
}

fn filter(routing: &RoutingMap, usage: &Use) -> FilterRow {
    let kind = routing.filters.get(&usage.filter).map_or("", |node| node.filter.kind());
    FilterRow { name: usage.filter.to_string(), kind: kind.to_owned() }
}

fn tls(routing: &RoutingMap, route: &Route) -> Option<TlsRow> {
    let mut listeners = route.listeners.iter().filter_map(|id| routing.listeners.get(id));
    let is_secure = listeners.any(|it| matches!(it.security, Security::Terminate { .. }));
    let named = || route.tls_policy.as_ref().map(ToString::to_string);
    let options = || named().unwrap_or_else(|| "default".to_owned());
    is_secure.then(|| TlsRow { options: options() })
}

/// The row of an end that is a Service port, or servers that are written out, which are called as
/// their service is.
fn backend(end: &RouteEnd<'_>) -> Option<BackendRow> {
    let servers = || matches!(end.node.backend, Backend::Endpoints(_));
    let service = match &end.node.service {
        Some((service, port)) => format!("{service}:{port}"),
        None => servers().then(|| end.node.id.traefik_name())?,
    };
    let endpoints = end.endpoints.into_iter().flat_map(|set| &set.endpoints);
    let ready = endpoints.filter(|(endpoint, _)| endpoint.is_ready());
    let elsewhere = end.endpoints.into_iter().flat_map(|set| &set.elsewhere);
    Some(BackendRow {
        service,
        weight: end.weight,
        endpoints: ready.map(|(endpoint, _)| endpoint.to_string()).collect(),
        elsewhere: elsewhere.map(ToString::to_string).collect(),
    })
}
