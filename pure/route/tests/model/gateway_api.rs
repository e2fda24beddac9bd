//! What Gateway API says.

use steelyard_model::routing::backend::{Backend, Edge, RefusalReason};
use steelyard_model::routing::listener::Security;
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::route::{Route, RouteKind};
use steelyard_model::routing::rule::Rule;
use steelyard_route::Misdirection;

use crate::build::*;
use crate::leaf::Trees;
use steelyard_testbed::probe::{get, hello};

#[test]
fn routes_are_tried_in_the_most_specific_listener_of_their_gateway_only() {
    let wide = section(plain("web"), "gw", "wide", HostPattern::Any);
    let narrow = section(plain("web"), "gw", "narrow", pattern("**.b.lan"));
    let other = section(plain("web"), "other", "any", HostPattern::Any);
    let world = Draft::new()
        .listener(wide)
        .listener(narrow)
        .listener(other)
        .route(route("on-wide", "web/gw/wide", prefix("/")))
        .route(route("on-narrow", "web/gw/narrow", prefix("/narrow")))
        .route(route("on-other", "web/other/any", prefix("/other")))
        .world();
    world.check("web", &get("x.lan", "/"), "on-wide");
    world.check("web", &get("a.b.lan", "/narrow"), "on-narrow");
    // The narrow listener serves the host, so the wide one's route is not tried.
    world.check("web", &get("a.b.lan", "/"), "none");
    // Another Gateway on the same socket is its own.
    world.check("web", &get("a.b.lan", "/other"), "on-other");
}

#[test]
fn wildcards_stand_for_many_labels() {
    let world = Draft::new().route(route("app", "web", host("**.b.lan"))).world();
    world.check("web", &get("x.a.b.lan", "/"), "app");
    world.check("web", &get("b.lan", "/"), "none");
}

#[test]
fn filters_stand_on_edges() {
    let canary = Edge { uses: uses(&["add-header"]), ..edge("canary", 10) };
    let world = Draft::new()
        .backend("app", Backend::Weighted { edges: vec![edge("main", 90), canary], sticky: None })
        .world();
    assert_eq!(world.edges("app"), ["90×main", "10×canary[add-header]"]);
}

#[test]
fn an_invalid_backend_takes_its_share_and_answers_500() {
    let why = RefusalReason::Reference(place("app"));
    let world = Draft::new()
        .backend(
            "app",
            Backend::Weighted { edges: vec![edge("main", 1), edge("lost", 1)], sticky: None },
        )
        .backend("main", pool("default/main:80"))
        .backend("lost", Backend::Refused { status: 500, why, instead_of: None })
        .world();
    assert!(matches!(world.backends["lost"], Backend::Refused { status: 500, .. }));
    let counts = |trees: &Trees| Vec::from_iter(trees.counts("app", 100));
    let leaves = |all: &[(&str, usize)]| -> Vec<(String, usize)> {
        all.iter().map(|(leaf, count)| ((*leaf).to_owned(), *count)).collect()
    };
    let trees = world.trees(&[]);
    assert_eq!(counts(&trees), leaves(&[("lost", 50), ("main", 50)]));
}

#[test]
fn grpc_methods_are_paths_of_posts() {
    let call = |id: &str, path: Rule| Route {
        kind: RouteKind::Grpc,
        ..route(
            id,
            "web",
            all(vec![host("a.lan"), Rule::One(Matcher::Method("POST".into())), path]),
        )
    };
    let world = Draft::new()
        .route(call("method", exact("/pkg.Service/Method")))
        .route(call("service", prefix("/pkg.Service")))
        .world();
    let post = |path: &str| get("a.lan", path).method("POST");
    world.check("web", &post("/pkg.Service/Method"), "method");
    world.check("web", &post("/pkg.Service/Other"), "service");
    world.check("web", &post("/pkg.ServiceX/Other"), "none");
}

#[test]
fn the_order_is_path_method_headers_then_age() {
    let ranked = |id: &str, rules: Vec<Rule>| route(id, "web", all(rules));
    let mut old = ranked("old", vec![prefix("/a")]);
    old.rank.created = Some("2020-01-01T00:00:00Z".into());
    let world = Draft::new()
        .route(ranked("young", vec![prefix("/a")]))
        .route(old)
        .route(ranked("method", vec![prefix("/a"), Rule::One(Matcher::Method("PUT".into()))]))
        .route(ranked("headers", vec![prefix("/a"), header("x-a", "1"), header("x-b", "1")]))
        .route(ranked("header", vec![prefix("/a"), header("x-a", "1")]))
        .world();
    let plain = get("any.lan", "/a");
    world.check("web", &plain, "old");
    world.check("web", &plain.clone().header("x-a", "1"), "header");
    world.check("web", &plain.clone().header("x-a", "1").header("x-b", "1"), "headers");
    world.check("web", &plain.header("x-a", "1").header("x-b", "1").method("PUT"), "method");
}

#[test]
fn passthrough_and_terminated_names_share_a_port() {
    let mut through = section(tls("websecure"), "gw", "through", pattern("db.lan"));
    through.security = Security::Passthrough;
    let ended = section(tls("websecure"), "gw", "ended", pattern("site.lan"));
    let world = Draft::new()
        .listener(through)
        .listener(ended)
        .route(tcp("db", "websecure/gw/through", sni("db.lan")))
        .route(route("site", "websecure/gw/ended", host("site.lan")))
        .world();
    assert_eq!(world.hello("websecure", &hello("db.lan")), "tcp to db");
    assert_eq!(world.hello("websecure", &hello("site.lan")), "https");
    world.check("websecure", &get("site.lan", "/").over_tls(), "site");
}

#[test]
fn a_host_of_another_listener_is_misdirected() {
    let listener = |name: &str, host| section(tls("websecure"), "gw", name, pattern(host));
    let world = Draft::new()
        .listener(listener("one", "one.lan"))
        .listener(listener("two", "two.lan"))
        .route(route("one", "websecure/gw/one", host("one.lan")))
        .route(route("two", "websecure/gw/two", host("two.lan")))
        .world();
    let misdirected = |host| world.misdirection("websecure", "one.lan", host);
    assert_eq!(misdirected("one.lan"), None);
    assert_eq!(misdirected("two.lan"), Some(Misdirection::Listener));
}

#[test]
fn tcp_and_udp_weights_are_backends_like_any_other() {
    let shares = Backend::Weighted { edges: vec![edge("blue", 9), edge("green", 1)], sticky: None };
    let udp = Route { kind: RouteKind::Udp, ..tcp("dns", "dns", sni("*")) };
    let world = Draft::new().listener(plain("dns")).route(udp).backend("dns", shares).world();
    assert_eq!(world.datagrams("dns", &hello("")).as_deref(), Some("dns"));
    assert_eq!(world.connection("dns", &hello("")), "http", "a connection is none of its business");
    assert_eq!(world.edges("dns"), ["9×blue", "1×green"]);
    let backends = Draft::new()
        .backend("dns", world.backends["dns"].clone())
        .backend("blue", pool("default/blue:53"))
        .backend("green", pool("default/green:53"));
    let counts = backends.world().trees(&[]).counts("dns", 50);
    assert_eq!((counts["blue"], counts["green"]), (45, 5));
}
