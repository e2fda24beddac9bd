//! Services: backends, as Traefik shows them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value, json};
use steelyard_model::routing::backend::{
    Algorithm, Backend, BackendNode, CopiedBody, Edge, Endpoints, SameSite, SentHost, Sticky,
    StickySecurity,
};
use steelyard_model::routing::care::{CheckProbe, HealthCheck};
use steelyard_model::routing::id::BackendId;
use steelyard_model::routing::route::{Destination, RouteKind};
use steelyard_model::routing::transport::{OriginProtocol, Transport};
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{ObjectRef, Provenance};

use crate::broken::Known;
use crate::fault::{Faults, Status, sentences};
use crate::names::backend;
use crate::router::section;
use crate::row::{Draft, Row, Rows};
use crate::{Part, Section};

/// Who uses a backend, by name.
type Users = BTreeMap<BackendId, BTreeSet<String>>;

/// Endpoints that take no requests, by backend and endpoint.
type Down<'a> = HashSet<(&'a str, &'a str)>;

/// Adds all services.
pub(crate) fn add<'r>(
    routing: &'r RoutingMap,
    (faults, down): (&Faults<'_>, &[(String, String)]),
    known: &mut Known<'r>,
    sections: &mut BTreeMap<Section, Rows>,
) {
    let down: Down<'_> = down.iter().map(|(backend, at)| (&**backend, &**at)).collect();
    let (users, kinds) = (users(routing), kinds(routing));
    for node in routing.backends.values() {
        let is_stand_in = node.id.as_str().contains("#refused");
        let users = users.get(&node.id);
        // A service of the program's own is shown where somebody leads there.
        let is_idle = matches!(node.backend, Backend::Internal(_)) && users.is_none();
        if is_stand_in || is_idle && node.id.as_str() != "noop@internal" {
            continue;
        }
        node.place.iter().for_each(|place| known.add(place));
        let name = backend(&node.id);
        let kind = kinds.get(&node.id).copied().unwrap_or_else(|| kind_of(node, routing));
        let rows = sections.entry(section(kind, Part::Services)).or_default();
        let row = row(&name, node, users, routing, faults, &down);
        rows.entry((&*name).into()).or_insert(row);
    }
}

/// What backends are for, by the routes that lead there.
fn kinds(routing: &RoutingMap) -> HashMap<&BackendId, RouteKind> {
    let mut kinds = HashMap::new();
    let led = routing.routes.values().filter_map(|route| match &route.to {
        Destination::Backend(id) => Some((id, route.kind)),
        Destination::Routes(_) => None,
    });
    let mut open: Vec<(&BackendId, RouteKind)> = led.collect();
    while let Some((id, kind)) = open.pop() {
        if kinds.insert(id, kind).is_some() {
            continue;
        }
        let Some(node) = routing.backends.get(id) else { continue };
        open.extend(node.backend.edges().into_iter().map(|edge| (&edge.backend, kind)));
        if let Backend::Refused { instead_of: Some(other), .. } = &node.backend {
            open.push((other, kind));
        }
    }
    kinds
}

/// What a backend is for that no route leads to: by its name, where it is a file's, else by what is
/// spoken to its endpoints.
fn kind_of(node: &BackendNode, routing: &RoutingMap) -> RouteKind {
    match node.id.as_str() {
        id if id.ends_with("@tcp@file") => return RouteKind::Tcp,
        id if id.ends_with("@udp@file") => return RouteKind::Udp,
        _ => {}
    }
    let Backend::Endpoints(leaf) = &node.backend else { return RouteKind::Http };
    match routing.transports.get(&leaf.transport).map(|it| it.protocol) {
        Some(OriginProtocol::Bytes) => RouteKind::Tcp,
        _ => RouteKind::Http,
    }
}

/// Routers that lead to each backend, and those to whose backends it belongs.
fn users(routing: &RoutingMap) -> Users {
    let mut users = Users::new();
    for route in routing.routes.values() {
        let Destination::Backend(id) = &route.to else { continue };
        let id = match routing.backends.get(id).map(|node| &node.backend) {
            Some(Backend::Refused { instead_of: Some(other), .. }) => other,
            _ => id,
        };
        users.entry(id.clone()).or_default().insert(route.id.traefik_name());
    }
    users
}

fn row(
    name: &str,
    node: &BackendNode,
    users: Option<&BTreeSet<String>>,
    routing: &RoutingMap,
    faults: &Faults<'_>,
    down: &Down<'_>,
) -> Row {
    let own = node.place.as_ref().map(|place| sentences(&faults.of_part(place)));
    let mut errors = own.unwrap_or_default();
    if let Some((service, _)) = &node.service {
        let object = ObjectRef::new("Service", &*service.namespace, &*service.name);
        let place = Provenance::new(&object.into(), "");
        errors.extend(sentences(&faults.at(&place)));
    }
    let status = match &node.backend {
        Backend::Refused { why, .. } => {
            if errors.is_empty() {
                errors.push(why.to_string());
            }
            Status::Disabled
        }
        _ if errors.is_empty() => Status::Enabled,
        _ => Status::Warning,
    };
    let mut draft = Draft::new(name, status);
    fill(&mut draft, name, node, routing, down);
    draft.set("error", errors);
    draft.set("usedBy", users.into_iter().flatten().cloned().collect::<Vec<_>>());
    draft.done()
}

fn fill(draft: &mut Draft, name: &str, node: &BackendNode, routing: &RoutingMap, down: &Down<'_>) {
    match &node.backend {
        Backend::Endpoints(leaf) => endpoints(draft, name, leaf, routing, down),
        Backend::Weighted { edges, sticky } => {
            draft.row.kind = "weighted";
            let mut shape = json!({ "services": weighted(edges) });
            add_sticky(&mut shape, sticky.as_ref());
            draft.set("weighted", shape);
        }
        Backend::Rendezvous { edges } => {
            draft.row.kind = "highestrandomweight";
            draft.set("highestRandomWeight", json!({ "services": weighted(edges) }));
        }
        Backend::Mirror { main, copies, body } => {
            draft.row.kind = "mirroring";
            let copy = |(edge, percent): &(Edge, u8)| json!({ "name": backend(&edge.backend), "percent": percent });
            let mirrors: Vec<Value> = copies.iter().map(copy).collect();
            let mut shape = json!({ "service": backend(&main.backend), "mirrors": mirrors });
            shape["mirrorBody"] = (*body != CopiedBody::Without).into();
            if let CopiedBody::UpTo(Some(most)) = body {
                shape["maxBodySize"] = (*most).into();
            }
            draft.set("mirroring", shape);
        }
        Backend::Failover { primary, fallback, statuses, .. } => {
            draft.row.kind = "failover";
            let mut shape = json!({
                "service": backend(&primary.backend),
                "fallback": backend(&fallback.backend),
            });
            if !statuses.is_empty() {
                shape["errors"] = json!({ "status": ranges(statuses) });
            }
            draft.set("failover", shape);
        }
        Backend::Canary { main, canary, .. } => {
            draft.row.kind = "weighted";
            let both = [main.clone(), (**canary).clone()];
            draft.set("weighted", json!({ "services": weighted(&both) }));
        }
        Backend::Answer(_) | Backend::Internal(_) | Backend::Refused { .. } => {}
    }
}

/// `500-599`, `404`.
pub(crate) fn ranges(all: &[(u16, u16)]) -> Vec<String> {
    let one = |(first, last): &(u16, u16)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    all.iter().map(one).collect()
}

fn weighted(edges: &[Edge]) -> Vec<Value> {
    edges.iter().map(|it| json!({ "name": backend(&it.backend), "weight": it.weight })).collect()
}

fn endpoints(
    draft: &mut Draft,
    name: &str,
    leaf: &Endpoints,
    routing: &RoutingMap,
    down: &Down<'_>,
) {
    draft.row.kind = "loadbalancer";
    let transport = routing.transports.get(&leaf.transport);
    let scheme = transport.and_then(|it| scheme(it));
    let set = routing.endpoint_sets.get(&leaf.set);
    let (mut servers, mut statuses) = (Vec::new(), Map::new());
    for (endpoint, weight) in set.iter().flat_map(|set| &set.endpoints) {
        if !endpoint.is_ready() {
            continue;
        }
        let at = endpoint.to_string();
        let is_down = down.contains(&(name, &*at));
        let (key, at) = match scheme {
            Some(scheme) => {
                let below = leaf.below.as_deref().unwrap_or_default();
                ("url", format!("{scheme}://{at}{below}"))
            }
            None => ("address", at),
        };
        let mut server = json!({ key: at });
        if *weight != 1 {
            server["weight"] = (*weight).into();
        }
        if leaf.below.is_some() {
            server["preservePath"] = true.into();
        }
        servers.push(server);
        statuses.insert(at, if is_down { "DOWN" } else { "UP" }.into());
    }
    draft.row.count = servers.len();
    let mut shape = json!({});
    if !servers.is_empty() {
        shape["servers"] = servers.into();
    }
    if scheme.is_some() {
        shape["strategy"] = strategy(&leaf.algorithm).into();
        shape["passHostHeader"] = (leaf.host == SentHost::Client).into();
        shape["responseForwarding"] = json!({ "flushInterval": "100ms" });
        add_sticky(&mut shape, leaf.sticky.as_deref());
        if let Some(check) = &leaf.care.check {
            shape["healthCheck"] = health(check);
        }
    }
    draft.set("loadBalancer", shape);
    if !statuses.is_empty() {
        draft.set("serverStatus", statuses);
    }
}

/// How URLs of servers begin; none where they have none.
fn scheme(transport: &Transport) -> Option<&'static str> {
    match transport.protocol {
        OriginProtocol::Bytes => None,
        _ if transport.tls.is_some() => Some("https"),
        OriginProtocol::Http2 => Some("h2c"),
        OriginProtocol::Http1 | OriginProtocol::Negotiated => Some("http"),
    }
}

/// Traefik's word for it, or what comes nearest.
fn strategy(algorithm: &Algorithm) -> &'static str {
    match algorithm {
        Algorithm::RoundRobin => "wrr",
        Algorithm::TwoChoices | Algorithm::Least => "p2c",
        Algorithm::LeastTime | Algorithm::PeakEwma => "leasttime",
        Algorithm::Maglev(_) | Algorithm::Rendezvous(_) | Algorithm::Subset(..) => "hrw",
    }
}

fn add_sticky(shape: &mut Value, sticky: Option<&Sticky>) {
    let Some(sticky) = sticky else { return };
    let mut cookie = json!({
        "name": sticky.cookie,
        "secure": sticky.secure == StickySecurity::Secure,
        "httpOnly": sticky.http_only,
    });
    let optional = [
        ("path", sticky.path.as_deref().map(Value::from)),
        ("domain", sticky.domain.as_deref().map(Value::from)),
        ("maxAge", sticky.max_age.map(Value::from)),
        ("sameSite", sticky.same_site.map(|it| same_site(it).into())),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            cookie[key] = value;
        }
    }
    shape["sticky"] = json!({ "cookie": cookie });
}

fn same_site(same_site: SameSite) -> &'static str {
    match same_site {
        SameSite::None => "none",
        SameSite::Lax => "lax",
        SameSite::Strict => "strict",
    }
}

/// Header lines of checks are not shown: there may be a password among them.
fn health(check: &HealthCheck) -> Value {
    let mut shape = json!({
        "interval": seconds(check.interval),
        "unhealthyInterval": seconds(check.unhealthy_interval),
        "timeout": seconds(check.timeout),
    });
    if let Some(port) = check.port {
        shape["port"] = port.into();
    }
    match &check.probe {
        CheckProbe::Http(probe) => {
            shape["path"] = (&*probe.path).into();
            shape["method"] = (&*probe.method).into();
            shape["mode"] = "http".into();
            shape["followRedirects"] = probe.follows.into();
            if let Some(host) = &probe.hostname {
                shape["hostname"] = (&**host).into();
            }
            if let Some(status) = probe.status {
                shape["status"] = status.into();
            }
        }
        CheckProbe::Grpc { .. } => shape["mode"] = "grpc".into(),
        CheckProbe::Connect { .. } => shape["mode"] = "tcp".into(),
    }
    shape
}

/// As Go writes durations, as far as these go.
pub(crate) fn seconds(time: std::time::Duration) -> String {
    let millis = time.as_millis();
    match (millis % 1000, millis / 1000) {
        (0, whole) => {
            let (minutes, rest) = (whole / 60, whole % 60);
            if minutes > 0 { format!("{minutes}m{rest}s") } else { format!("{rest}s") }
        }
        _ => format!("{millis}ms"),
    }
}
