//! Routes as rows.

use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::route::Route;
use steelyard_model::routing::world::{RouteEnd, RoutingMap};

use crate::rows::{BackendRow, RouteRow, RoutedKind};

/// Routes in the order they are tried.
pub(crate) fn rows(routing: &RoutingMap) -> Vec<RouteRow> {
    routing.in_order().into_iter().map(|route| row(routing, route)).collect()
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
