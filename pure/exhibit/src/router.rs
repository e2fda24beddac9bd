//! Routers: routes, as Traefik shows them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use steelyard_model::routing::backend::Backend;
use steelyard_model::routing::listener::Security;
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::route::{Destination, Route, RouteKind};
use steelyard_model::routing::world::RoutingMap;

use crate::broken::Known;
use crate::fault::{Faults, Status, sentences};
use crate::names::{backend, filter};
use crate::reached::{Idle, Reached};
use crate::row::{Draft, Row, Rows};
use crate::{Part, Section};

/// What is said of a route that nobody gets to.
const UNREACHED: &str = "nobody gets here: it is at no entry point, and no route that serves \
                         anybody leads here";

/// All sections, the routers among them filled.
pub(crate) fn all<'r>(
    routing: &'r RoutingMap,
    reached: &Reached<'r>,
    faults: &Faults<'_>,
    known: &mut Known<'r>,
) -> BTreeMap<Section, Rows> {
    let mut sections = BTreeMap::new();
    for part in [Part::Routers, Part::Services, Part::Middlewares] {
        sections.insert(Section::Http(part), Rows::new());
        sections.insert(Section::Tcp(part), Rows::new());
    }
    for part in [Part::Routers, Part::Services] {
        sections.insert(Section::Udp(part), Rows::new());
    }
    let parents = parents(routing);
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
        known.add(&route.place);
        rows.insert((&*name).into(), row(&name, route, parents, (routing, reached), faults));
    }
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

fn row(
    name: &str,
    route: &Route,
    parents: &[String],
    (routing, reached): (&RoutingMap, &Reached<'_>),
    faults: &Faults<'_>,
) -> Row {
    let idle = reached.idle(route);
    let unheld = reached.held.lacking(route);
    let why = idle.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut errors = sentences(&faults.at(&route.place));
    let status = match idle {
        Some(_) => Status::Disabled,
        None if errors.is_empty() && unheld.is_empty() => Status::Enabled,
        None => Status::Warning,
    };
    if let Some(Idle::Closed(_)) = idle {
        errors.push(why.clone());
    }
    let unheld = unheld.into_iter();
    errors.extend(unheld.map(|(at, why)| format!("no handshake is held at {at}: {why}")));
    match idle {
        Some(Idle::Unreached) => errors.push(UNREACHED.to_owned()),
        Some(Idle::Refused(..) | Idle::Denied(_) | Idle::After(_) | Idle::Behind)
            if errors.is_empty() =>
        {
            errors.push(why);
        }
        _ => {}
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
    let Observability { access_logs, metrics, tracing, detailed } =
        route.observability.or(Observability::all(true));
    let verbosity = if detailed == Some(true) { "detailed" } else { "minimal" };
    json!({
        "accessLogs": access_logs,
        "metrics": metrics,
        "tracing": tracing,
        "traceVerbosity": verbosity,
    })
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
    let policy = route.terms(of_listener);
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
