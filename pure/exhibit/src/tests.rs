//! What is answered to each path: shapes, pages and their bounds, filters, and what is not there.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use steelyard_model::routing::backend::{
    Backend, BackendNode, EndpointOrigin, EndpointSet, Endpoints, RefusalReason,
};
use steelyard_model::routing::entry_point::PLAIN;
use steelyard_model::routing::filter::{Filter, FilterNode, Use};
use steelyard_model::routing::id::{BackendId, EndpointSetId, FilterId, RouteId};
use steelyard_model::routing::listener::Listener;
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::rank::{HostSpecificity, Ladder, PathSpecificity, Rank, Specificity};
use steelyard_model::routing::route::{Destination, Manner, Route, RouteKind};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::transport::Transport;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{
    Code, Diagnostic, Endpoint, EndpointState, FieldPath, Host, ObjectRef, Provenance, Severity,
};

use super::{Exhibit, Exhibited, Features, ShownAnswer};

/// Routers `default-r000@file` and so on, which lead to services of the same names and pass one
/// middleware; of each kind.
fn routing(count: usize, kind: RouteKind) -> RoutingMap {
    let mut map = RoutingMap::default();
    for listener in PLAIN.entry_point().listeners() {
        map.listeners.insert(listener.id.clone(), Arc::new(listener));
    }
    let filter = FilterId::from("prefix@file");
    let node = Filter::Chain(Vec::new());
    let node = FilterNode { id: filter.clone(), place: None, filter: node };
    map.filters.insert(filter.clone(), Arc::new(node));
    let plain = if kind == RouteKind::Http { Transport::plain() } else { Transport::bytes() };
    map.transports.insert(plain.id.clone(), Arc::new(plain.clone()));
    for number in 0..count {
        let name = format!("r{number:03}@file");
        let backend = BackendId::from(name.as_str());
        let set = EndpointSetId::from(name.as_str());
        let place = place(&name);
        let endpoint = Endpoint {
            host: Host::Ip([10, 0, 0, 1].into()),
            port: 80,
            state: EndpointState::Ready,
            node: None,
            zones: None,
        };
        let origin = EndpointOrigin::Literal(place.clone());
        let endpoints = vec![(endpoint, 1)];
        let made = EndpointSet { id: set.clone(), origin, endpoints, elsewhere: Vec::new() };
        map.endpoint_sets.insert(set.clone(), Arc::new(made));
        let leaf = Backend::Endpoints(Endpoints::in_turn(set, plain.id.clone()));
        let node = BackendNode { id: backend.clone(), place: None, service: None, backend: leaf };
        map.backends.insert(backend.clone(), Arc::new(node));
        let host = HostPattern::Exact(format!("h{number}.test").into());
        let id = RouteId::from(name.as_str());
        let uses = vec![Use { filter: filter.clone(), state: name.as_str().into() }];
        let route = Route {
            id: id.clone(),
            place,
            kind,
            listeners: map.listeners.keys().cloned().collect(),
            rank: rank(i64::try_from(number).unwrap()),
            rule: Arc::new(Rule::One(Matcher::Host(host))),
            uses: if number % 2 == 0 { uses } else { Vec::new() },
            to: Destination::Backend(backend),
            timeouts: None,
            manner: Manner::Traefik,
            tls_policy: None,
            observability: Observability::default(),
        };
        map.routes.insert(id, Arc::new(route));
    }
    map
}

fn place(name: &str) -> Provenance {
    Provenance {
        object: Arc::new(ObjectRef::new("router", "http", name)),
        field: FieldPath::root(),
    }
}

fn rank(number: i64) -> Rank {
    let specific = Specificity::new(HostSpecificity::Any, PathSpecificity::Exact);
    let (ladder, provider, created, object) = (Ladder::Priority, 0, None, "".into());
    Rank { ladder, number, specific, provider, created, object, index: 0 }
}

fn exhibit(routing: &RoutingMap, findings: &[&Diagnostic]) -> Exhibit {
    let entry_points = [serde_json::json!({ "address": ":80", "name": "web" })];
    let (features, entry_points) = (Features::default(), &entry_points[..]);
    let down = [("r001@file".to_owned(), "10.0.0.1:80".to_owned())];
    let (down, now) = (&down[..], 0);
    Exhibit::of(Exhibited {
        routing,
        unreached: &BTreeMap::new(),
        findings,
        down,
        entry_points,
        features: &features,
        now,
    })
}

fn ask(exhibit: &Exhibit, target: &str) -> ShownAnswer {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    exhibit.answer(path, query)
}

fn json(answer: &ShownAnswer) -> Value {
    serde_json::from_slice(answer.body.bytes()).unwrap()
}

/// Names of the rows of a list.
fn names(exhibit: &Exhibit, target: &str) -> Vec<String> {
    let answer = ask(exhibit, target);
    assert_eq!(answer.status, 200, "{target}");
    let all = json(&answer);
    let name = |row: &Value| row["name"].as_str().unwrap().to_owned();
    all.as_array().unwrap().iter().map(name).collect()
}

#[test]
fn each_list_has_its_shape() {
    for (kind, protocol) in
        [(RouteKind::Http, "http"), (RouteKind::Tcp, "tcp"), (RouteKind::Udp, "udp")]
    {
        let exhibit = exhibit(&routing(2, kind), &[]);
        let one = |list: &str, name: &str| {
            json(&ask(&exhibit, &format!("/api/{protocol}/{list}/{name}")))
        };
        let router = one("routers", "r000@file");
        for (key, expected) in [
            ("name", "r000@file"),
            ("provider", "file"),
            ("service", "r000@file"),
            // Of datagrams the other one has its entry point.
            ("status", if kind == RouteKind::Udp { "disabled" } else { "enabled" }),
        ] {
            assert_eq!(router[key], expected, "{protocol}: {router:#}");
        }
        assert_eq!(router["entryPoints"], router["using"]);
        let is_ruled = kind != RouteKind::Udp;
        assert_eq!(router["rule"] == "Host(`h0.test`)", is_ruled, "{router:#}");
        assert_eq!(router["priorityStr"] == "0" && router["priority"] == 0, is_ruled);
        assert_eq!(router["middlewares"], serde_json::json!(["prefix@file"]));
        let service = one("services", "r001@file");
        assert_eq!(service["usedBy"], serde_json::json!(["r001@file"]), "{service:#}");
        let is_of_requests = kind == RouteKind::Http;
        let (key, at) =
            if is_of_requests { ("url", "http://10.0.0.1:80") } else { ("address", "10.0.0.1:80") };
        assert_eq!(service["serverStatus"][at], "DOWN", "{service:#}");
        assert_eq!(service["type"], "loadbalancer");
        let shape = &service["loadBalancer"];
        assert_eq!(shape["servers"][0][key], at, "{shape:#}");
        assert_eq!(shape["passHostHeader"] == true, is_of_requests, "{shape:#}");
        assert_eq!(names(&exhibit, &format!("/api/{protocol}/services")).len(), 2);
        let raw = json(&ask(&exhibit, "/api/rawdata"));
        let section = if is_of_requests { "routers" } else { &format!("{protocol}Routers") };
        assert_eq!(raw[section].as_object().unwrap().len(), 2, "{raw:#}");
        let rows = json(&ask(&exhibit, "/api/overview"));
        assert_eq!(rows[protocol]["routers"]["total"], 2);
        assert_eq!(rows["certificates"]["total"], 0);
    }
}

#[test]
fn pages_have_bounds() {
    let exhibit = exhibit(&routing(250, RouteKind::Http), &[]);
    for (query, status, count, next) in [
        ("", 200, 100, 2),
        ("page=3", 200, 50, 1),
        ("page=4", 400, 0, 0),
        ("page=1&per_page=250", 200, 250, 1),
        ("page=2&per_page=250", 400, 0, 0),
        ("per_page=249", 200, 249, 2),
        ("page=2&per_page=249", 200, 1, 1),
        ("per_page=9223372036854775807", 200, 250, 1),
        ("page=9223372036854775807&per_page=9223372036854775807", 400, 0, 0),
        ("page=0", 400, 0, 0),
        ("page=-1", 400, 0, 0),
        ("page=x", 400, 0, 0),
        ("per_page=0", 400, 0, 0),
        ("per_page=99999999999999999999", 400, 0, 0),
        ("page=&per_page=", 200, 100, 2),
        ("search=nothing", 200, 0, 1),
        ("search=nothing&page=2", 400, 0, 0),
        // Of a parameter that is there twice the first counts.
        ("per_page=10&per_page=20", 200, 10, 2),
    ] {
        let answer = ask(&exhibit, &format!("/api/http/routers?{query}"));
        assert_eq!(answer.status, status, "{query}");
        let shown = json(&answer);
        if status == 200 {
            assert_eq!(shown.as_array().unwrap().len(), count, "{query}");
            assert_eq!(answer.next_page, Some(next), "{query}");
        } else {
            assert!(shown["message"].as_str().unwrap().starts_with("invalid request: "), "{shown}");
        }
    }
    let most = format!("{}page=9", "a=b&".repeat(40));
    assert_eq!(names(&exhibit, &format!("/api/http/routers?{most}")).len(), 100, "no more is read");
}

#[test]
fn lists_are_searched_and_sorted() {
    let object = ObjectRef::new("router", "http", "r002@file");
    let said = Diagnostic::new(
        Severity::Warning,
        Code::new("x"),
        &object,
        FieldPath::root(),
        "it is odd",
        "",
    );
    let exhibit = exhibit(&routing(4, RouteKind::Http), &[&said]);
    let all = ["r000@file", "r001@file", "r002@file", "r003@file"];
    for (query, expected) in [
        ("search=R00", &all[..]),
        ("search=H3.TEST", &all[3..]),
        ("search=h3%2Etest", &all[3..]),
        ("search=h3%2", &all[..]),
        ("status=WARNING", &all[2..3]),
        ("status=disabled", &[]),
        ("serviceName=r001@file", &all[1..2]),
        ("serviceName=r001%40file", &all[1..2]),
        ("serviceName=r001@docker", &[]),
        ("middlewareName=prefix@file", &["r000@file", "r002@file"]),
        ("middlewareName=prefix", &[]),
        ("search=r00&status=enabled&middlewareName=prefix@file", &all[..1]),
        ("sortBy=priority&direction=desc", &["r003@file", "r002@file", "r001@file", "r000@file"]),
        ("sortBy=nothing", &all[..]),
        ("direction=desc&per_page=1", &["r003@file"]),
    ] {
        assert_eq!(names(&exhibit, &format!("/api/http/routers?{query}")), expected, "{query}");
    }
    let warned = json(&ask(&exhibit, "/api/http/routers/r002@file"));
    assert_eq!(warned["error"], serde_json::json!(["it is odd"]));
}

#[test]
fn what_is_not_there_is_said_so() {
    let exhibit = exhibit(&routing(1, RouteKind::Http), &[]);
    for (target, status, expected) in [
        ("/api/http/routers/r009@file", 404, "router not found: r009@file"),
        ("/api/http/services/x", 404, "service not found: x"),
        ("/api/tcp/middlewares/x", 404, "middleware not found: x"),
        ("/api/entrypoints/x", 404, "entry point not found: x"),
        ("/api/certificates/00", 404, "certificate not found: 00"),
        ("/api/support-dump", 501, "a support dump is not made"),
        ("/api/http/routers/a%2Fb", 404, "router not found: a/b"),
        ("/api/http/routers/a/b", 404, "404 page not found"),
        ("/api/http/routers/a%2", 404, "404 page not found"),
        ("/api/http/routers/%ff", 404, "404 page not found"),
        ("/api/udp/middlewares", 404, "404 page not found"),
        ("/api/http", 404, "404 page not found"),
        ("/api/", 404, "404 page not found"),
        ("/apix/http/routers", 404, "404 page not found"),
        ("", 404, "404 page not found"),
    ] {
        let answer = ask(&exhibit, target);
        let text = String::from_utf8(answer.body.bytes().to_vec()).unwrap();
        assert_eq!(answer.status, status, "{target}");
        assert!(text.contains(expected), "{target}: {text}");
    }
    assert_eq!(names(&exhibit, "/api/entrypoints"), ["web"]);
    assert_eq!(names(&exhibit, "/api/certificates"), [""; 0]);
}

/// An error at a field of an object.
fn wrong(kind: &str, namespace: &str, name: &str, path: &str) -> Diagnostic {
    let object = ObjectRef::new(kind, namespace, name);
    let message = format!("{path} is wrong");
    Diagnostic::new(Severity::Error, Code::new("x"), &object, path, message, "mend it")
}

#[test]
fn what_nothing_came_of_is_shown_by_the_name_of_its_object() {
    let mut routing = routing(1, RouteKind::Http);
    // One route of two came of this object.
    let id = RouteId::from("default/half/0@kubernetescrd");
    let mut half = Route::clone(&routing.routes.values().next().unwrap().clone());
    half.id = id.clone();
    half.place = Provenance {
        object: Arc::new(ObjectRef::new("IngressRoute", "default", "half")),
        field: "spec.routes[0]".into(),
    };
    routing.routes.insert(id, Arc::new(half));
    let found = [
        wrong("router", "http", "hots@file", "rule"),
        wrong("router", "tcp", "db@file", "rule"),
        wrong("router", "udp", "dns@file", "servic"),
        wrong("service", "http", "ftp@file", "loadBalancer.servers[0].url"),
        wrong("service", "tcp", "db@file", "loadBalancer"),
        wrong("service", "udp", "dns@file", "loadBalancer"),
        wrong("middleware", "http", "limit@file", "rateLimit.average"),
        wrong("middleware", "tcp", "lan@file", "ipAllowList.sourceRange[0]"),
        wrong("IngressRoute", "default", "whole", "spec.routes[0].match"),
        wrong("IngressRoute", "default", "half", "spec.routes[1].match"),
        wrong("IngressRouteTCP", "default", "db", "spec.routes[0].match"),
        wrong("IngressRouteUDP", "default", "dns", "spec.routes"),
        wrong("TraefikService", "default", "shared", "spec"),
        wrong("Middleware", "default", "limit", "spec.rateLimit"),
        wrong("MiddlewareTCP", "default", "lan", "spec.ipAllowList"),
        // What is no part of Traefik's API, and what is no mistake that costs its object.
        wrong("transport", "http", "plain@file", "minVersion"),
        Diagnostic { severity: Severity::Warning, ..wrong("service", "http", "odd@file", "x") },
    ];
    let found: Vec<&Diagnostic> = found.iter().collect();
    let exhibit = exhibit(&routing, &found);
    for (list, expected) in [
        (
            "http/routers",
            &["default-half@kubernetescrd", "default-whole@kubernetescrd", "hots@file"][..],
        ),
        ("http/services", &["default-shared@kubernetescrd", "ftp@file"]),
        ("http/middlewares", &["default-limit@kubernetescrd", "limit@file"]),
        ("tcp/routers", &["db@file", "default-db@kubernetescrd"]),
        ("tcp/services", &["db@file"]),
        ("tcp/middlewares", &["default-lan@kubernetescrd", "lan@file"]),
        ("udp/routers", &["default-dns@kubernetescrd", "dns@file"]),
        ("udp/services", &["dns@file"]),
    ] {
        assert_eq!(names(&exhibit, &format!("/api/{list}?status=disabled")), expected, "{list}");
        let (protocol, part) = list.split_once('/').unwrap();
        let overview = json(&ask(&exhibit, "/api/overview"));
        assert_eq!(overview[protocol][part]["errors"], expected.len(), "{list}: {overview:#}");
        for name in expected {
            let row = json(&ask(&exhibit, &format!("/api/{list}/{name}")));
            assert!(row["error"][0].as_str().unwrap().ends_with(" is wrong"), "{row:#}");
        }
    }
    let whole = names(&exhibit, "/api/http/routers?status=enabled");
    assert_eq!(whole, ["default-half-0@kubernetescrd", "r000@file"], "what came is as it was");
}

#[test]
fn a_route_that_nobody_gets_to_is_disabled() {
    // `r000` leads to `r001`, that to `r002` and itself; `r003` is at no entry point.
    let mut routing = routing(4, RouteKind::Http);
    let lead = |routing: &mut RoutingMap, from: &str, to: Destination| {
        let mut route = Route::clone(routing.routes.get(&from.into()).unwrap());
        route.to = to;
        routing.routes.insert(from.into(), Arc::new(route));
    };
    for orphan in ["r001@file", "r002@file", "r003@file"] {
        let mut route = Route::clone(routing.routes.get(&orphan.into()).unwrap());
        route.listeners.clear();
        routing.routes.insert(orphan.into(), Arc::new(route));
    }
    lead(&mut routing, "r000@file", Destination::Routes(vec!["r001@file".into()]));
    let both = vec!["r001@file".into(), "r002@file".into()];
    lead(&mut routing, "r001@file", Destination::Routes(both));
    let disabled =
        |routing: &RoutingMap| names(&exhibit(routing, &[]), "/api/http/routers?status=disabled");
    assert_eq!(disabled(&routing), ["r003@file"]);
    lead(&mut routing, "r000@file", Destination::Routes(Vec::new()));
    assert_eq!(disabled(&routing), ["r001@file", "r002@file", "r003@file"], "only in a circle");
    lead(&mut routing, "r000@file", Destination::Routes(vec!["r001@file".into()]));
    lead(&mut routing, "r001@file", Destination::Backend("closed".into()));
    let why = RefusalReason::Reference(place("r001@file"));
    let backend = Backend::Refused { status: 503, why, instead_of: None };
    let node = BackendNode { id: "closed".into(), place: None, service: None, backend };
    routing.backends.insert("closed".into(), Arc::new(node));
    assert_eq!(disabled(&routing), ["r001@file", "r002@file", "r003@file"]);
}

#[test]
fn a_route_is_disabled_where_all_of_its_entry_points_are_closed() {
    let mut routing = routing(1, RouteKind::Http);
    let route = routing.routes.get(&"r000@file".into()).unwrap().clone();
    assert!(route.listeners.len() > 1, "{route:?}");
    let disabled =
        |routing: &RoutingMap| names(&exhibit(routing, &[]), "/api/http/routers?status=disabled");
    for (at, id) in route.listeners.iter().enumerate() {
        let mut listener = Listener::clone(routing.listeners.get(id).unwrap());
        listener.uses.push(Use { filter: "not-there".into(), state: "not-there".into() });
        routing.listeners.insert(id.clone(), Arc::new(listener));
        let is_last = at + 1 == route.listeners.len();
        let expected: &[&str] = if is_last { &["r000@file"] } else { &[] };
        assert_eq!(disabled(&routing), expected, "{at}");
    }
}

#[test]
fn of_routes_for_datagrams_the_first_at_an_entry_point_serves() {
    let mut routing = routing(3, RouteKind::Udp);
    let exhibit_of = |routing: &RoutingMap| {
        let exhibit = exhibit(routing, &[]);
        names(&exhibit, "/api/udp/routers?status=disabled")
    };
    // The highest number goes first.
    assert_eq!(exhibit_of(&routing), ["r000@file", "r001@file"]);
    let alone = PLAIN.entry_point().listeners().last().unwrap().id.clone();
    let mut first = Route::clone(routing.routes.get(&"r002@file".into()).unwrap());
    first.listeners.retain(|id| *id != alone);
    routing.routes.insert(first.id.clone(), Arc::new(first));
    assert_eq!(exhibit_of(&routing), ["r000@file"], "the next one has the rest");
}

/// Services of files that no route leads to stand among those of their protocol.
#[test]
fn services_that_nobody_uses_are_told_by_their_protocol() {
    let mut routing = RoutingMap::default();
    for id in ["h@file", "t@tcp@file", "u@udp@file"] {
        let backend = Backend::Weighted { edges: Vec::new(), sticky: None };
        let node = BackendNode { id: id.into(), place: None, service: None, backend };
        routing.backends.insert(id.into(), Arc::new(node));
    }
    let exhibit = exhibit(&routing, &[]);
    for (protocol, name) in [("http", "h@file"), ("tcp", "t@file"), ("udp", "u@file")] {
        assert_eq!(names(&exhibit, &format!("/api/{protocol}/services")), [name]);
    }
}
