//! Routes as rows, each kept until something on its way to endpoints differs.

use std::collections::BTreeSet;

use steelyard_model::Sorted;
use steelyard_model::routing::id::{EntryPointId, RouteId};
use steelyard_model::routing::route::Route;
use steelyard_model::routing::world::{RouteEnd, RoutePart, RoutingMap, Tried};

use crate::rows::{BackendRow, RouteRow, RoutedKind};

/// Which routes lead over what.
#[derive(Debug, Default)]
pub(crate) struct Ways(BTreeSet<(RoutePart, RouteId)>);

impl Ways {
    /// Brings `rows` from one moment to the other.
    pub(crate) fn follow(
        &mut self,
        former: &RoutingMap,
        now: &RoutingMap,
        rows: &mut Sorted<Tried, RouteRow>,
    ) {
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        for id in self.concerned(former, now) {
            if let Some(route) = former.routes.get(&id) {
                for part in former.parts(route) {
                    self.0.remove(&(part, id.clone()));
                }
                gone.push((Tried(route.clone()), None));
            }
            if let Some(route) = now.routes.get(&id) {
                self.0.extend(now.parts(route).into_iter().map(|part| (part, id.clone())));
                come.push((Tried(route.clone()), Some(row(now, route))));
            }
        }
        rows.change(gone.into_iter().chain(come));
    }

    /// Routes of which something differs.
    fn concerned(&self, former: &RoutingMap, now: &RoutingMap) -> BTreeSet<RouteId> {
        let delta = now.since(former);
        if !delta.listeners.is_empty() || !delta.entry_points.is_empty() {
            return former.routes.keys().chain(now.routes.keys()).cloned().collect();
        }
        let backends = delta.backends.into_iter().map(|(id, _)| RoutePart::Backend(id));
        let sets = delta.endpoint_sets.into_iter().map(|(id, _)| RoutePart::Endpoints(id));
        let over = backends.chain(sets).flat_map(|part| {
            let first = (part.clone(), RouteId::from(""));
            let over = self.0.range(first..).take_while(move |(other, _)| *other == part);
            over.map(|(_, route)| route.clone())
        });
        over.chain(delta.routes.into_iter().map(|(id, _)| id)).collect()
    }
}

fn row(routing: &RoutingMap, route: &Route) -> RouteRow {
    let entry_points = routing.entry_points_of(route);
    RouteRow {
        name: route.id.traefik_name(),
        source: route.place.object.to_string(),
        kind: RoutedKind::Http,
        entry_points: entry_points.into_iter().map(EntryPointId::to_string).collect(),
        rule: route.rule.to_string(),
        priority: route.rank.number,
        filters: Vec::new(),
        tls: None,
        backends: routing.ends(route).iter().filter_map(backend).collect(),
    }
}

/// The row of an end that is a Service port.
fn backend(end: &RouteEnd<'_>) -> Option<BackendRow> {
    let (service, port) = end.node.service.as_ref()?;
    let endpoints = end.endpoints.into_iter().flat_map(|set| &set.endpoints);
    let ready = endpoints.filter(|(endpoint, _)| endpoint.is_ready());
    Some(BackendRow {
        service: format!("{service}:{port}"),
        weight: end.weight,
        endpoints: ready.map(|(endpoint, _)| endpoint.to_string()).collect(),
    })
}
