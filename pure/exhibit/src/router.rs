//! Routers: routes, as Traefik shows them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use steelyard_model::routing::backend::{Backend, RefusalReason};
use steelyard_model::routing::filter::Use;
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::route::{Destination, Route, RouteKind};
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{Diagnostic, ObjectRef};
use steelyard_tls::HeldHandshakes;

use crate::fault::{Faults, Status, sentences};
use crate::names::{backend, filter};
use crate::row::{Draft, Row, Rows};
use crate::{Part, Section};

/// Kinds of objects that routes are made of, and whose routes these are.
const KINDS: [(&str, Section); 3] = [
    ("IngressRoute", Section::Http(Part::Routers)),
    ("IngressRouteTCP", Section::Tcp(Part::Routers)),
    ("IngressRouteUDP", Section::Udp(Part::Routers)),
];

/// All sections, the routers among them filled.
pub(crate) fn all(routing: &RoutingMap, faults: &Faults<'_>) -> BTreeMap<Section, Rows> {
    let mut sections = BTreeMap::new();
    for part in [Part::Routers, Part::Services, Part::Middlewares] {
        sections.insert(Section::Http(part), Rows::new());
        sections.insert(Section::Tcp(part), Rows::new());
    }
    for part in [Part::Routers, Part::Services] {
        sections.insert(Section::Udp(part), Rows::new());
    }
    let parents = parents(routing);
    let held = HeldHandshakes::new(routing);
    for route in routing.routes.values() {
        // Of two routes that stand for one router of Traefik's, one is shown.
        if route.id.as_str().ends_with("#get@internal") {
            continue;
        }
        let rows = sections.entry(section(route.kind, Part::Routers)).or_default();
        let mut name = route.id.traefik_name();
        if rows.contains_key(&*name) {
            name = route.id.to_string();
        }
        let parents = parents.get(&route.id).map(Vec::as_slice).unwrap_or_default();
        rows.insert((&*name).into(), row(&name, route, parents, (routing, &held), faults));
    }
    broken(routing, faults, &mut sections);
    sections
}

/// The section of a route's kind.
pub(crate) fn section(kind: RouteKind, part: Part) -> Section {
    match kind {
        RouteKind::Http | RouteKind::Grpc => Section::Http(part),
        RouteKind::Tcp => Section::Tcp(part),
        RouteKind::Udp => Section::Udp(part),
    }
}

/// Why routes serve nobody, whatever is written of themselves.
fn closed<'r>(route: &Route, routing: &'r RoutingMap) -> Option<&'r Listener> {
    let listeners = route.listeners.iter().filter_map(|id| routing.listeners.get(id));
    let is_there = |usage: &Use| routing.filters.get(&usage.filter).is_some();
    let mut closed = listeners.filter(|it| !it.uses.iter().all(is_there));
    closed.next().map(|it| &**it).filter(|_| route.kind.is_of_requests())
}

/// Why a route is refused.
fn refused<'r>(route: &Route, routing: &'r RoutingMap) -> Option<&'r RefusalReason> {
    let Destination::Backend(id) = &route.to else { return None };
    match &routing.backends.get(id)?.backend {
        Backend::Refused { why, .. } => Some(why),
        _ => None,
    }
}

fn row(
    name: &str,
    route: &Route,
    parents: &[String],
    (routing, held): (&RoutingMap, &HeldHandshakes<'_>),
    faults: &Faults<'_>,
) -> Row {
    let found = faults.at(&route.place);
    let mut errors = sentences(&found);
    let refused = refused(route, routing);
    let closed = closed(route, routing);
    let unheld = held.lacking(route);
    let serves_nobody = refused.is_some() || closed.is_some() || held.are_none(route);
    let status = match serves_nobody {
        true => Status::Disabled,
        false if errors.is_empty() && unheld.is_empty() => Status::Enabled,
        false => Status::Warning,
    };
    errors.extend(closed.map(|it| format!("entry point {} is closed", it.entry_point)));
    let unheld = unheld.into_iter();
    errors.extend(unheld.map(|(at, why)| format!("no handshake is held at {at}: {why}")));
    if errors.is_empty() {
        errors.extend(refused.map(ToString::to_string));
    }
    let points: Vec<String> =
        routing.entry_points_of(route).iter().map(ToString::to_string).collect();
    let mut draft = Draft::new(name, status);
    draft.set("entryPoints", points.clone());
    let of_points = route.listeners.iter().filter_map(|id| routing.listeners.get(id));
    let of_points = of_points.take(1).flat_map(|it| &it.uses);
    let uses = of_points.filter(|_| route.kind.is_of_requests()).chain(&route.uses);
    let middlewares: Vec<String> = uses.map(|usage| filter(&usage.filter)).collect();
    draft.set("middlewares", middlewares.clone());
    let service = service(route, routing);
    draft.set("service", &*service);
    if route.kind != RouteKind::Udp {
        let rule = route.rule.to_string();
        draft.set("rule", &*rule);
        draft.set("priority", route.rank.number);
        draft.row.rule = rule.into();
        draft.row.priority = route.rank.number;
        draft.added.insert("priorityStr".into(), route.rank.number.to_string().into());
    }
    draft.set("parentRefs", parents.to_vec());
    draft.set("tls", tls(route, routing));
    if route.kind.is_of_requests() {
        draft.set("observability", observability(route));
    }
    draft.set("error", errors);
    draft.row.count = points.len();
    draft.set("using", points);
    draft.row.service = service.into();
    draft.row.middlewares = middlewares.into_iter().map(Into::into).collect();
    draft.done()
}

/// What is told of its requests, unless an entry point says otherwise.
fn observability(route: &Route) -> Value {
    let Observability { access_logs, metrics, tracing } =
        route.observability.or(Observability::all(true));
    json!({ "accessLogs": access_logs, "metrics": metrics, "tracing": tracing })
}

fn service(route: &Route, routing: &RoutingMap) -> String {
    let Destination::Backend(id) = &route.to else { return String::new() };
    match routing.backends.get(id).map(|node| &node.backend) {
        Some(Backend::Refused { instead_of: Some(other), .. }) => backend(other),
        _ => backend(id),
    }
}

/// How TLS is held, where all of a route's listeners are for it.
fn tls(route: &Route, routing: &RoutingMap) -> Value {
    let mut listeners = route.listeners.iter().filter_map(|id| routing.listeners.get(id));
    let Some(first) = listeners.next().filter(|it| it.security.is_tls()) else {
        return Value::Null;
    };
    if !listeners.all(|it| it.security.is_tls()) {
        return Value::Null;
    }
    let of_listener = match &first.security {
        Security::Passthrough => return json!({ "passthrough": true, "options": "default" }),
        Security::Terminate { policy, .. } => policy.as_ref(),
        Security::Plain => None,
    };
    let policy = route.tls_policy.as_ref().or(of_listener);
    json!({ "options": policy.map_or("default", |it| it.as_str()) })
}

/// The routes that lead to others, by those.
fn parents(routing: &RoutingMap) -> BTreeMap<steelyard_model::routing::id::RouteId, Vec<String>> {
    let mut parents = BTreeMap::<_, Vec<String>>::new();
    for route in routing.routes.values() {
        if let Destination::Routes(children) = &route.to {
            for child in children {
                parents.entry(child.clone()).or_default().push(route.id.traefik_name());
            }
        }
    }
    parents
}

/// Objects that no route came of: shown by their name, with what is wrong.
fn broken(routing: &RoutingMap, faults: &Faults<'_>, sections: &mut BTreeMap<Section, Rows>) {
    let known: std::collections::HashSet<&ObjectRef> =
        routing.routes.values().map(|route| &*route.place.object).collect();
    for (kind, section) in KINDS {
        for found in faults.of_kind(kind) {
            let Some(object) = found.first().and_then(|it| it.object.as_ref()) else { continue };
            if known.contains(object) {
                continue;
            }
            let name = format!("{}-{}@kubernetescrd", object.namespace, object.name);
            let rows = sections.entry(section).or_default();
            rows.insert((&*name).into(), disabled(&name, found).done());
        }
    }
}

/// What there is to show of what is not there.
pub(crate) fn disabled(name: &str, found: &[&Diagnostic]) -> Draft {
    let mut draft = Draft::new(name, Status::Disabled);
    draft.set("error", sentences(found));
    draft
}
