//! What Traefik's languages say.

use steelyard_model::routing::backend::{Backend, CopiedBody, Edge};
use steelyard_model::routing::filter::{Filter, Redirection};
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::route::{Destination, Route};
use steelyard_model::routing::rule::Rule;
use steelyard_route::Misdirection;

use steelyard_testbed::probe::{get, hello};

use crate::ask::Went;
use crate::build::*;

#[test]
fn parents_pass_their_own_uses_before_their_children_are_asked() {
    let parent = by_priority(route("parent", "web", host("a.lan")), None);
    let parent = Route {
        uses: uses(&["auth"]),
        to: Destination::Routes(vec!["admins".into(), "rest".into()]),
        ..parent
    };
    let child = |id: &str, rule: Rule| Route {
        listeners: Vec::new(),
        uses: uses(&["strip"]),
        ..by_priority(route(id, "", rule), None)
    };
    // The header is one that `auth` sets.
    let admins = child("admins", header("x-role", "admin"));
    let rest = child("rest", prefix("/app"));
    let world = Draft::new().route(parent).route(admins).route(rest).world();
    let went = |probe| world.ask("web", &probe).expect("the parent matches");
    assert_eq!(
        went(get("a.lan", "/").header("x-role", "admin")),
        Went {
            routes: vec!["parent".into(), "admins".into()],
            uses: vec!["auth".into(), "strip".into()],
            backend: Some("admins".into()),
        }
    );
    assert_eq!(went(get("a.lan", "/app")).backend.as_deref(), Some("rest"));
    let nowhere = went(get("a.lan", "/else"));
    assert_eq!((nowhere.uses, nowhere.backend), (vec!["auth".to_owned()], None));
}

#[test]
fn middlewares_of_entry_point_route_and_service_pass_in_this_order() {
    let mut web = plain("web");
    web.uses = uses(&["entry"]);
    let edge = Edge { uses: uses(&["service"]), ..edge("pool", 1) };
    let world = Draft::default()
        .listener(web)
        .route(Route { uses: uses(&["router"]), ..route("app", "web", host("a.lan")) })
        .backend("app", Backend::Weighted { edges: vec![edge], sticky: None })
        .backend("pool", pool("default/app:80"))
        .world();
    let went = world.ask("web", &get("a.lan", "/")).expect("it is served");
    assert_eq!(went.uses, ["entry", "router"]);
    assert_eq!(world.edges("app"), ["1×pool[service]"]);
}

#[test]
fn a_redirection_of_the_entry_point_beats_every_route_but_challenges() {
    let redirect = Route {
        uses: uses(&["to-https"]),
        ..by_priority(route("redirect", "web", Rule::always()), Some(i64::MAX - 1))
    };
    let challenge = prefix("/.well-known/acme-challenge");
    let world = Draft::new()
        .filter(
            "to-https",
            Filter::Redirect(Redirection {
                scheme: Some("https".into()),
                host: None,
                port: None,
                path: None,
                status: 301,
            }),
        )
        .route(redirect)
        .route(by_priority(route("acme", "web", challenge), Some(i64::MAX)))
        .route(route("ingress", "web", host("a.lan")))
        .route(by_priority(route("router", "web", host("a.lan")), Some(100_000)))
        .world();
    world.check("web", &get("a.lan", "/"), "redirect");
    world.check("web", &get("a.lan", "/.well-known/acme-challenge/x"), "acme");
    assert!(matches!(&world.filters["to-https"], Filter::Redirect(to) if to.status == 301));
}

#[test]
fn weighted_services_nest_each_with_its_own_cookie() {
    let outer =
        Backend::Weighted { edges: vec![edge("v1", 3), edge("v2", 1)], sticky: cookie("lvl1") };
    let inner = Backend::Weighted {
        edges: vec![edge("blue", 1), edge("green", 1)],
        sticky: cookie("lvl2"),
    };
    let world = Draft::new()
        .route(by_priority(route("app", "web", host("a.lan")), None))
        .backend("app", outer)
        .backend("v1", inner)
        .backend("v2", pool("default/v2:80"))
        .world();
    assert_eq!(world.edges("app"), ["3×v1", "1×v2"]);
    assert_eq!(world.edges("v1"), ["1×blue", "1×green"]);
    let cookies = ["app", "v1"].map(|id| match &world.backends[id] {
        Backend::Weighted { sticky: Some(sticky), .. } => sticky.cookie.to_string(),
        other => panic!("{other:?}"),
    });
    assert_eq!(cookies, ["lvl1", "lvl2"]);
}

#[test]
fn mirrors_say_their_share_and_which_bodies() {
    let mirror = Backend::Mirror {
        main: edge("main", 1),
        copies: vec![(edge("copy", 1), 10)],
        body: CopiedBody::UpTo(Some(1 << 20)),
    };
    let world = Draft::new().backend("app", mirror).world();
    let Backend::Mirror { copies, body, .. } = &world.backends["app"] else { panic!("a mirror") };
    assert_eq!((copies[0].1, *body), (10, CopiedBody::UpTo(Some(1 << 20))));
    assert_eq!(world.edges("app"), ["1×main", "1×copy"]);
}

#[test]
fn failover_is_by_status_too() {
    let failover = Backend::Failover {
        primary: edge("first", 1),
        fallback: edge("second", 1),
        statuses: vec![(500, 504)],
        replay: Some(0),
    };
    let world = Draft::new().backend("app", failover).world();
    assert_eq!(world.edges("app"), ["1×first", "1×second"]);
}

#[test]
fn named_server_names_come_before_catch_alls_and_https_before_tcp() {
    let world = Draft::new()
        .listener(passthrough())
        .route(by_priority(route("site", "websecure", host("site.lan")), None))
        .route(by_priority(tcp("db", "passthrough", sni("db.lan")), None))
        .route(by_priority(tcp("rest", "passthrough", sni("*")), None))
        .world();
    assert_eq!(world.hello("websecure", &hello("site.lan")), "https");
    assert_eq!(world.hello("websecure", &hello("db.lan")), "tcp to db");
    assert_eq!(world.hello("websecure", &hello("else.lan")), "tcp to rest");
    assert_eq!(world.hello("websecure", &hello("db.lan").offering("acme-tls/1")), "challenge");
    let with_any = Draft::new()
        .listener(passthrough())
        .route(by_priority(route("any", "websecure", prefix("/")), None))
        .route(by_priority(tcp("rest", "passthrough", sni("*")), None))
        .world();
    assert_eq!(with_any.hello("websecure", &hello("else.lan")), "https");
    assert_eq!(Draft::new().world().hello("websecure", &hello("else.lan")), "https");
}

/// By its rule or by its listener: a route that names a server name is none for every handshake.
#[test]
fn a_tcp_route_is_for_every_server_name_only_if_nothing_names_one() {
    let mut named = passthrough();
    named.id = "named".into();
    named.host = pattern("db.lan");
    let world = Draft::new()
        .listener(passthrough())
        .listener(named)
        .route(by_priority(route("any", "websecure", prefix("/")), None))
        .route(by_priority(tcp("by-rule", "passthrough", sni("queue.lan")), None))
        .route(by_priority(tcp("by-listener", "named", sni("*")), Some(1)))
        .world();
    assert_eq!(world.hello("websecure", &hello("queue.lan")), "tcp to by-rule");
    assert_eq!(world.hello("websecure", &hello("db.lan")), "tcp to by-listener");
}

/// The part of `websecure` that passes handshakes on.
fn passthrough() -> Listener {
    let mut listener = tls("websecure");
    listener.id = "passthrough".into();
    listener.security = Security::Passthrough;
    listener
}

#[test]
fn only_plain_tcp_routes_are_not_peeked_at() {
    let alone = Draft::default()
        .listener(plain("postgres"))
        .route(by_priority(tcp("db", "postgres", sni("*")), None))
        .world();
    assert_eq!(alone.connection("postgres", &hello("")), "at once to db");
    // Where HTTPS is served on the same port, the first bytes tell.
    let secure = Listener { id: "secure".into(), ..tls("postgres") };
    let mixed = Draft::default()
        .listener(plain("postgres"))
        .listener(secure.clone())
        .route(by_priority(tcp("db", "postgres", sni("*")), None))
        .route(by_priority(route("site", "secure", host("a.lan")), None))
        .world();
    assert_eq!(mixed.connection("postgres", &hello("")), "tcp to db");
    // So they do for TCP routes that name server names.
    let named = Draft::default()
        .listener(plain("postgres"))
        .listener(Listener { security: Security::Passthrough, ..secure.clone() })
        .route(by_priority(tcp("db", "postgres", sni("*")), None))
        .route(by_priority(tcp("tls", "secure", sni("a.lan")), None))
        .world();
    assert_eq!(named.connection("postgres", &hello("")), "tcp to db");
    // HTTP without TLS, and TLS without routes, leave nothing to ask.
    let unasked = Draft::default()
        .listener(plain("postgres"))
        .listener(secure)
        .route(by_priority(tcp("db", "postgres", sni("*")), None))
        .route(by_priority(route("site", "postgres", host("a.lan")), None))
        .world();
    assert_eq!(unasked.connection("postgres", &hello("")), "at once to db");
    assert_eq!(mixed.hello("postgres", &hello("a.lan")), "https");
}

#[test]
fn handshakes_that_postgres_asks_for_go_to_tcp_routes_only() {
    let world = Draft::new()
        .listener(passthrough())
        .route(by_priority(route("site", "websecure", host("db.lan")), None))
        .route(by_priority(tcp("db", "passthrough", sni("db.lan")), None))
        .world();
    assert_eq!(world.hello("websecure", &hello("db.lan")), "https");
    assert_eq!(world.starttls("websecure", &hello("db.lan")).as_deref(), Some("db"));
    assert_eq!(world.starttls("websecure", &hello("else.lan")), None);
}

#[test]
fn policies_of_one_host_that_disagree_refuse_its_handshakes() {
    let with = |id: &str, path: &str, policy: &str| Route {
        tls_policy: Some(policy.into()),
        ..by_priority(route(id, "websecure", all(vec![host("a.lan"), prefix(path)])), None)
    };
    let agreed = Draft::new().route(with("one", "/", "mtls")).route(with("two", "/x", "mtls"));
    assert_eq!(agreed.world().hello("websecure", &hello("a.lan")), "https by mtls");
    let disagreed = Draft::new().route(with("one", "/", "mtls")).route(with("two", "/x", "modern"));
    assert_eq!(disagreed.world().hello("websecure", &hello("a.lan")), "refused");
}

#[test]
fn a_host_of_another_policy_than_the_handshake_is_misdirected() {
    let secured = Route {
        tls_policy: Some("mtls".into()),
        ..by_priority(route("admin", "websecure", host("admin.lan")), None)
    };
    let open = by_priority(route("open", "websecure", host("open.lan")), None);
    let world = Draft::new().route(secured).route(open).world();
    let misdirected = |sni, host| world.misdirection("websecure", sni, host);
    assert_eq!(misdirected("open.lan", "admin.lan"), Some(Misdirection::Policy));
    assert_eq!(misdirected("admin.lan", "admin.lan"), None);
    assert_eq!(misdirected("open.lan", "other.lan"), None);
    // Who names no server has none to differ from.
    assert_eq!(misdirected("", "admin.lan"), None);
}
