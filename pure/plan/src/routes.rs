//! Routes as rows.

use steelyard_model::{Backend, Route};

use crate::rows::{BackendRow, RouteKind, RouteRow};

/// Routes in the order they are tried.
pub(crate) fn rows(routes: &[Route]) -> Vec<RouteRow> {
    routes.iter().map(row).collect()
}

fn row(route: &Route) -> RouteRow {
    RouteRow {
        name: route.name.to_string(),
        source: route.place.object.to_string(),
        kind: RouteKind::Http,
        entry_points: route.entry_points.clone(),
        rule: route.rule.clone(),
        priority: route.priority,
        filters: Vec::new(),
        tls: None,
        backends: route.backends.iter().map(backend).collect(),
    }
}

fn backend(backend: &Backend) -> BackendRow {
    let ready = backend.endpoints.iter().filter(|endpoint| endpoint.is_ready());
    BackendRow {
        service: format!("{}:{}", backend.service, backend.port),
        weight: backend.weight,
        endpoints: ready.map(ToString::to_string).collect(),
    }
}
