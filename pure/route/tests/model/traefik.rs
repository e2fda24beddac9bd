//! What Traefik's languages say.

use std::collections::BTreeMap;

use steelyard_balance::tree::token;
use steelyard_model::routing::backend::{Backend, CopiedBody, Edge};
use steelyard_model::routing::filter::{Filter, Redirection};
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::route::{Destination, Route};
use steelyard_model::routing::rule::Rule;
use steelyard_route::Misdirection;

use steelyard_testbed::probe::{get, hello};

use crate::ask::Went;
use crate::build::*;
use crate::leaf::{Client, Trees};

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
                beside: Vec::new(),
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

/// `app` shares among `v1` (of `blue` and `green`) and `v2`, each choice with its own cookie.
fn nested(down: &[&str]) -> Trees {
    let outer =
        Backend::Weighted { edges: vec![edge("v1", 3), edge("v2", 1)], sticky: cookie("lvl1") };
    let inner = Backend::Weighted {
        edges: vec![edge("blue", 1), edge("green", 1)],
        sticky: cookie("lvl2"),
    };
    let draft = Draft::new().backend("app", outer).backend("v1", inner);
    ["blue", "green", "v2"]
        .iter()
        .fold(draft, |it, id| it.backend(id, pool(id)))
        .world()
        .trees(down)
}

#[test]
fn weights_of_nested_choices_are_counted() {
    let counts = nested(&[]).counts("app", 80);
    assert_eq!((counts["blue"], counts["green"], counts["v2"]), (30, 30, 20));
    // What is down has no share; where all of a choice is, neither has the choice.
    let counts = nested(&["blue"]).counts("app", 80);
    assert_eq!((counts["green"], counts["v2"]), (60, 20));
    assert_eq!(nested(&["blue", "green"]).counts("app", 80)["v2"], 80);
    assert_eq!(nested(&["blue", "green", "v2"]).counts("app", 80)["-"], 80);
}

#[test]
fn weighted_services_nest_each_with_its_own_cookie() {
    let trees = nested(&[]);
    for _ in 0..8 {
        let choice = trees.choose("app", &Client::default());
        let cookies: Vec<&str> = choice.pins.iter().map(|pin| &*pin.sticky.cookie).collect();
        let expected: &[&str] =
            if choice.path.edges().count() == 2 { &["lvl1", "lvl2"] } else { &["lvl1"] };
        assert_eq!(cookies, expected);
        let known = Client::default().keeping(&choice);
        for _ in 0..8 {
            let again = trees.choose("app", &known);
            assert_eq!((again.leaf, again.pins.len()), (choice.leaf.clone(), 0));
        }
    }
    // One cookie is enough for its own choice, and the other choice is made anew.
    let to_v1 = Client::default().cookie("lvl1", &token(&"v1".into()));
    let choice = trees.choose("app", &to_v1);
    assert_eq!((choice.path.edges().next(), &*choice.pins[0].sticky.cookie), (Some(0), "lvl2"));
    // Where it leads nowhere any more, and where it means nothing, another one is set.
    let to_blue = to_v1.clone().cookie("lvl2", &token(&"blue".into()));
    let without = nested(&["blue"]);
    let choice = without.choose("app", &to_blue);
    assert_eq!(choice.leaf.as_deref(), Some("green"));
    assert_eq!(choice.pins.len(), 1);
    let unread = Client::default().cookie("lvl1", "v1").cookie("lvl2", "");
    assert!(!trees.choose("app", &unread).pins.is_empty());
}

#[test]
fn mirrors_copy_their_share_with_bodies_up_to_their_size() {
    let mirror = |body| Backend::Mirror {
        main: edge("main", 1),
        copies: vec![(edge("tenth", 1), 10), (edge("all", 1), 100), (edge("none", 1), 0)],
        body,
    };
    let trees = |body| {
        let draft = Draft::new().backend("app", mirror(body));
        let ids = ["main", "tenth", "all", "none"];
        ids.iter().fold(draft, |it, id| it.backend(id, pool(id))).world().trees(&[])
    };
    let limited = trees(CopiedBody::UpTo(Some(1 << 20)));
    let mut copies: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..100 {
        let choice = limited.choose("app", &Client::default());
        assert_eq!(choice.leaf.as_deref(), Some("main"));
        for copy in &choice.copies {
            let to = limited.onward("app", copy.path, &Client::default());
            *copies.entry(to.leaf.expect("it is there")).or_default() += 1;
            assert_eq!((copy.of(1 << 20), copy.of((1 << 20) + 1)), (Some(true), None));
        }
    }
    assert_eq!((copies["tenth"], copies["all"], copies.get("none")), (10, 100, None));
    for (body, copied) in [(CopiedBody::Without, false), (CopiedBody::UpTo(None), true)] {
        let choice = trees(body).choose("app", &Client::default());
        assert_eq!(choice.copies[0].of(u64::MAX), Some(copied));
    }
    // Without who answers there is nothing to copy.
    let draft =
        Draft::new().backend("app", mirror(CopiedBody::Without)).backend("all", pool("all"));
    assert_eq!(draft.world().trees(&[]).leaf("app", &Client::default()), "-");
}

#[test]
fn failover_is_when_nobody_is_there_and_by_status_too() {
    let failover = |statuses, replay| Backend::Failover {
        primary: edge("first", 1),
        fallback: Box::new(edge("second", 1)),
        statuses,
        replay,
    };
    let trees = |backend, down: &[&str]| {
        let draft = Draft::new().backend("app", backend);
        draft.backend("first", pool("first")).backend("second", pool("second")).world().trees(down)
    };
    let client = Client::default();
    // With a bound, whether anybody is asked waits for the length of the body.
    let bounded = trees(failover(vec![(500, 504), (429, 429)], Some(10)), &[]);
    let choice = bounded.choose("app", &client);
    assert_eq!((choice.leaf, choice.rescues.len()), (None, 0));
    let fork = choice.fork.expect("the way forks");
    for (status, bytes, takes) in [
        (500, 0, true),
        (504, 10, true),
        (429, 0, true),
        (504, 11, false),
        (505, 0, false),
        (499, 0, false),
    ] {
        assert_eq!(fork.takes(status, bytes), takes, "{status} {bytes}");
    }
    let unbounded = trees(failover(vec![(500, 504)], None), &[]);
    let choice = unbounded.choose("app", &client);
    assert_eq!(choice.leaf.as_deref(), Some("first"));
    let [rescue] = &choice.rescues[..] else { panic!("{choice:?}") };
    assert!(rescue.takes(500, u64::MAX));
    let second = unbounded.onward("app", rescue.path, &client);
    assert_eq!((second.leaf.as_deref(), second.rescues.len()), (Some("second"), 0));
    // Without statuses only who is not there is no first.
    assert!(trees(failover(Vec::new(), None), &[]).choose("app", &client).rescues.is_empty());
    let down = trees(failover(vec![(500, 504)], None), &["first"]).choose("app", &client);
    assert_eq!((down.leaf.as_deref(), down.rescues.len()), (Some("second"), 0));
    assert_eq!(trees(failover(Vec::new(), None), &["first", "second"]).leaf("app", &client), "-");
}

#[test]
fn the_highest_random_weight_moves_few_when_one_goes() {
    let edges = vec![edge("a", 1), edge("b", 1), edge("c", 2), edge("off", 0)];
    let trees = |down: &[&str]| {
        let draft = Draft::new().backend("app", Backend::Rendezvous { edges: edges.clone() });
        ["a", "b", "c", "off"]
            .iter()
            .fold(draft, |it, id| it.backend(id, pool(id)))
            .world()
            .trees(down)
    };
    let (all, without) = (trees(&[]), trees(&["b"]));
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for last in 0..4000 {
        let client = Client::at(&format!("10.0.{}.{}", last / 250, last % 250));
        let leaf = all.leaf("app", &client);
        assert_eq!(leaf, all.leaf("app", &client), "the same each time");
        if leaf != "b" {
            assert_eq!(leaf, without.leaf("app", &client), "who was elsewhere stays");
        }
        *counts.entry(leaf).or_default() += 1;
    }
    for (leaf, share) in [("a", 1000), ("b", 1000), ("c", 2000)] {
        assert!(counts[leaf].abs_diff(share) < 150, "{counts:?}");
    }
    assert!(!counts.contains_key("off"));
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
    // Nor is it for the names of other listeners.
    assert_eq!(world.hello("websecure", &hello("else.lan")), "https");
    assert_eq!(world.starttls("websecure", &hello("else.lan")), None);
}

/// Of rules only HostSNI(`*`) alone is one for everybody: an expression is none, and its priority
/// counts among those that name hosts.
#[test]
fn an_expression_stands_among_those_that_name_server_names() {
    let expression = Rule::One(Matcher::SniRegex(regex("^sec[.]db[.]lan$")));
    let wide = Rule::One(Matcher::Sni(HostPattern::Label("db.lan".into())));
    let more = Rule::All(vec![sni("*"), Rule::One(Matcher::Alpn("h2".into()))]);
    let world = Draft::new()
        .listener(passthrough())
        .route(by_priority(tcp("wide", "passthrough", wide), None))
        .route(by_priority(tcp("by-expression", "passthrough", expression), Some(1000)))
        .route(by_priority(tcp("more", "passthrough", more), Some(2000)))
        .route(by_priority(tcp("rest", "passthrough", sni("*")), Some(3000)))
        .world();
    assert_eq!(world.hello("websecure", &hello("sec.db.lan")), "tcp to by-expression");
    assert_eq!(world.hello("websecure", &hello("a.db.lan")), "tcp to wide");
    assert_eq!(world.hello("websecure", &hello("a.db.lan").offering("h2")), "tcp to more");
    assert_eq!(world.hello("websecure", &hello("else.lan")), "tcp to rest");
}

#[test]
fn where_http_is_alone_nothing_is_told_apart() {
    let world = |at: &str, named: &str| {
        let draft = Draft::new().listener(passthrough());
        let draft = draft.route(by_priority(route("site", "web", host("a.lan")), None));
        let asked = match at {
            "" => draft,
            "http" => draft.route(by_priority(route("secure", "websecure", host("a.lan")), None)),
            at => draft.route(by_priority(tcp("db", at, sni(named)), None)),
        };
        asked.world().divides("websecure", at)
    };
    assert_eq!(world("", ""), [false; 3]);
    assert_eq!(world("http", ""), [true, false, false]);
    for named in ["*", "db.lan"] {
        assert_eq!(world("passthrough", named), [true; 3]);
        assert_eq!(world("websecure", named), [true, true, false], "it ends here");
    }
    let plain = Draft::new().route(by_priority(tcp("db", "web", sni("*")), None)).world();
    assert_eq!(plain.divides("web", "web"), [true, false, false]);
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
    let yielding = Draft::default()
        .listener(Listener { yields: true, ..tls("websecure") })
        .route(with("one", "/", "mtls"))
        .route(with("two", "/x", "modern"));
    assert_eq!(yielding.world().hello("websecure", &hello("a.lan")), "https");
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
    // Who names no server has shown what is asked of every name, and no more.
    assert_eq!(misdirected("", "admin.lan"), Some(Misdirection::Policy));
    assert_eq!(misdirected("", "open.lan"), None);
}
