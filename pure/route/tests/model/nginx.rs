//! What class nginx says.

use std::cmp::Reverse;

use steelyard_balance::tree::token;
use steelyard_model::routing::backend::{
    Backend, CanaryAffinity, CanaryChoice, CanaryValue, Endpoints, RefusalReason,
};
use steelyard_model::routing::filter::access::{PasswordAuth, PasswordManner};
use steelyard_model::routing::filter::content::ErrorPages;
use steelyard_model::routing::filter::{Filter, Redirection};
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::rank::PathSpecificity;
use steelyard_model::routing::route::{Manner, Route};
use steelyard_model::routing::rule::Rule;
use steelyard_model::{ObjectRef, Provenance};
use steelyard_route::Misdirection;

use crate::build::*;
use crate::leaf::Client;
use steelyard_testbed::probe::{get, hello};

/// A location of a host in regex mode: ranked by the length of its text alone.
fn regex_location(id: &str, name: &str, path: &str) -> Route {
    let mut made = route(id, "web", all(vec![host(name), location(path)]));
    let length = u16::try_from(path.len()).expect("a short path");
    made.rank.specific.path = PathSpecificity::Length(Reverse(length));
    made.rank.specific.spelling = Reverse(Some(path.into()));
    made.manner = Manner::Nginx;
    made
}

/// The own `/` of a host.
fn own_root(id: &str, name: &str) -> Route {
    let mut made = route(id, "web", all(vec![host(name), prefix("/")]));
    made.rank.specific.is_fallback = true;
    made
}

#[test]
fn one_regex_makes_all_locations_of_its_host_expressions_by_length() {
    // `/foo` of another Ingress is one too: it matches `/FOObar`.
    let world = Draft::new()
        .route(regex_location("rewritten", "a.lan", "/something(/|$)(.*)"))
        .route(regex_location("prefix", "a.lan", "/foo"))
        .route(regex_location("longer", "a.lan", "/foo/[a-z]+"))
        .route(route("other-host", "web", all(vec![host("b.lan"), prefix("/foo")])))
        .world();
    world.check("web", &get("a.lan", "/FOObar"), "prefix");
    world.check("web", &get("a.lan", "/foo/x"), "longer");
    world.check("web", &get("a.lan", "/something/else"), "rewritten");
    world.check("web", &get("b.lan", "/foobar"), "none");
}

#[test]
fn locations_of_one_length_go_by_their_text_the_greater_first() {
    let world = Draft::new()
        .route(regex_location("first", "a.lan", "/[a-b]"))
        .route(regex_location("second", "a.lan", "/[a-c]"))
        .world();
    world.check("web", &get("a.lan", "/a"), "second");
}

/// Whoever else serves the name: ingress-nginx looks at these before it begins a handshake.
#[test]
fn names_that_are_passed_on_are_looked_at_first() {
    let through = Listener {
        id: "websecure/passthrough".into(),
        security: Security::Passthrough,
        ..tls("websecure")
    };
    let passed_on =
        Route { manner: Manner::Nginx, ..tcp("through", "websecure/passthrough", sni("a.lan")) };
    let world = Draft::new()
        .listener(through)
        .route(passed_on)
        .route(route("site", "websecure", host("a.lan")))
        .route(route("other", "websecure", host("b.lan")))
        .world();
    assert_eq!(world.hello("websecure", &hello("a.lan")), "tcp to through");
    let challenge = hello("a.lan").offering("acme-tls/1");
    assert_eq!(world.hello("websecure", &challenge), "tcp to through");
    assert_eq!(world.starttls("websecure", &hello("a.lan")).as_deref(), Some("through"));
    assert_eq!(world.hello("websecure", &hello("b.lan")), "https");
    // Nobody comes to it by a handshake for somebody else.
    let misdirected = |host| world.misdirection("websecure", "b.lan", host);
    assert_eq!(misdirected("a.lan"), Some(Misdirection::Policy));
    assert_eq!(misdirected("b.lan"), None);
    // A handshake without a name ends here, and so its requests are served.
    assert_eq!(world.hello("websecure", &hello("")), "https");
    world.check("websecure", &get("a.lan", "/").over_tls(), "site");
}

#[test]
fn a_host_never_falls_through_to_another() {
    let world = Draft::new()
        .route(route("app", "web", all(vec![host("a.b.lan"), prefix("/app")])))
        .route(own_root("own", "a.b.lan"))
        .route(route("wildcard", "web", all(vec![host("*.b.lan"), prefix("/")])))
        .backend("own", answer(404))
        .world();
    world.check("web", &get("a.b.lan", "/app"), "app");
    world.check("web", &get("a.b.lan", "/else"), "own");
    world.check("web", &get("x.b.lan", "/else"), "wildcard");
}

/// Whose the new one is.
fn canary_place() -> Box<Provenance> {
    let object = ObjectRef::new("Ingress", "default", "canary");
    Box::new(Provenance::new(&object.into(), "spec.rules[0]"))
}

#[test]
fn canaries_choose_by_header_cookie_and_weight_and_keep_who_was_there() {
    let canary = Backend::Canary {
        main: edge("main", 1),
        canary: Box::new(edge("new", 1)),
        by: Box::new(CanaryChoice {
            header: Some(("x-canary".into(), CanaryValue::Regex(regex("^be")))),
            cookie: Some("canary".into()),
            weight: (20, 100),
        }),
        affinity: CanaryAffinity::Sticky,
        place: canary_place(),
    };
    let sticky = |set: &str| {
        let Backend::Endpoints(endpoints) = pool(set) else { panic!("endpoints") };
        Backend::Endpoints(Endpoints { sticky: cookie("route").map(Box::new), ..endpoints })
    };
    let trees = |down: &[&str]| {
        let draft = Draft::new().backend("app", canary.clone());
        draft
            .backend("main", sticky("main:80"))
            .backend("new", sticky("new:80"))
            .world()
            .trees(down)
    };
    let anybody = Client::default();
    let all = trees(&[]);
    let counts = all.counts("app", 100);
    assert_eq!((counts["main"], counts["new"]), (80, 20));
    for (client, leaf) in [
        (anybody.clone().header("x-canary", "beta"), "new"),
        (anybody.clone().header("x-canary", "beta").cookie("canary", "never"), "new"),
        (anybody.clone().cookie("canary", "always"), "new"),
        (anybody.clone().cookie("canary", "never"), "main"),
    ] {
        (0..10).for_each(|_| assert_eq!(all.leaf("app", &client), leaf));
        // Who was somewhere stays, whatever is asked for; what stands behind a bar is the
        // endpoint.
        for stays in ["main", "new"] {
            let value = format!("{}|10.0.0.1", token(&stays.into()));
            let known = client.clone().cookie("route", &value);
            (0..10).for_each(|_| assert_eq!(all.leaf("app", &known), stays));
        }
        assert_eq!(trees(&["new"]).leaf("app", &client), "main");
    }
    for _ in 0..10 {
        let choice = all.choose("app", &anybody);
        let known = anybody.clone().keeping(&choice);
        (0..10).for_each(|_| assert_eq!(Some(all.leaf("app", &known)), choice.leaf));
    }
    let legacy = Backend::Canary {
        main: edge("main", 1),
        canary: Box::new(edge("new", 1)),
        by: Box::new(CanaryChoice {
            header: Some(("x-canary".into(), CanaryValue::AlwaysOrNever)),
            cookie: None,
            weight: (0, 100),
        }),
        affinity: CanaryAffinity::Legacy,
        place: canary_place(),
    };
    let draft = Draft::new().backend("app", legacy).backend("main", sticky("main:80"));
    let legacy = draft.backend("new", sticky("new:80")).world().trees(&[]);
    let known = anybody.clone().cookie("route", &token(&"new".into()));
    assert_eq!(legacy.leaf("app", &known), "main");
    assert_eq!(legacy.leaf("app", &anybody.clone().header("x-canary", "always")), "new");
    assert_eq!(legacy.leaf("app", &anybody.header("x-canary", "beta")), "main");
}

#[test]
fn aliases_are_hosts_of_the_same_locations() {
    let rule = Rule::Any(vec![
        host("a.lan"),
        Rule::One(steelyard_model::routing::matcher::Matcher::HostRegex(regex(
            "^alias[0-9]+\\.lan$",
        ))),
    ]);
    let world = Draft::new().route(route("app", "web", all(vec![rule, prefix("/")]))).world();
    world.check("web", &get("a.lan", "/"), "app");
    world.check("web", &get("alias7.lan", "/"), "app");
    world.check("web", &get("alias.lan", "/"), "none");
}

#[test]
fn the_www_sibling_and_plain_http_are_redirected() {
    let to_host = Filter::Redirect(Redirection {
        scheme: None,
        host: Some("a.lan".into()),
        port: None,
        beside: Vec::new(),
        path: None,
        status: 308,
    });
    let to_https = Filter::Redirect(Redirection {
        scheme: Some("https".into()),
        host: None,
        port: None,
        beside: Vec::new(),
        path: None,
        status: 308,
    });
    let app = |listener: &str, id: &str| route(id, listener, host("a.lan"));
    let world = Draft::new()
        .filter("to-host", to_host)
        .filter("to-https", to_https)
        .route(Route { uses: uses(&["to-host"]), ..route("www", "web", host("www.a.lan")) })
        .route(Route { uses: uses(&["to-https"]), ..app("web", "plain") })
        .route(app("websecure", "secure"))
        .world();
    let passes =
        |entry_point: &str, probe| world.ask(entry_point, &probe).expect("it is served").uses;
    assert_eq!(passes("web", get("www.a.lan", "/")), ["to-host"]);
    assert_eq!(passes("web", get("a.lan", "/")), ["to-https"]);
    assert!(passes("websecure", get("a.lan", "/").over_tls()).is_empty());
}

#[test]
fn satisfy_any_and_exemptions_are_filters_of_filters() {
    let world = Draft::new()
        .filter("lan", Filter::AllowAddresses(vec!["10.0.0.0/8".parse().expect("a range")].into()))
        .filter(
            "password",
            Filter::BasicAuth(PasswordAuth {
                users: vec!["admin:hash".into()].into(),
                realm: "nginx".into(),
                removes_header: false,
                user_header: None,
                manner: PasswordManner::Traefik,
            }),
        )
        .filter("either", Filter::AnyOf(vec!["lan".into(), "password".into()]))
        .filter(
            "unless-challenge",
            Filter::When(prefix("/.well-known/acme-challenge").negated(), "either".into()),
        )
        .route(Route { uses: uses(&["unless-challenge"]), ..route("app", "web", host("a.lan")) })
        .world();
    let Filter::When(rule, inner) = &world.filters["unless-challenge"] else { panic!("when") };
    assert!(rule.holds(&get("a.lan", "/")));
    assert!(!rule.holds(&get("a.lan", "/.well-known/acme-challenge/x")));
    let Filter::AnyOf(filters) = &world.filters[inner.as_str()] else { panic!("any of") };
    assert_eq!(filters.len(), 2);
}

#[test]
fn error_pages_come_from_a_backend_of_their_own() {
    let pages = Filter::ErrorPages(Box::new(ErrorPages {
        statuses: vec![(404, 404), (500, 503)],
        rewrites: Vec::new(),
        backend: "pages".into(),
        query: "".into(),
        request_headers: None,
        told: None,
        spares_backends: false,
        stands_in: false,
    }));
    let world = Draft::new()
        .filter("errors", pages)
        .backend("pages", pool("default/pages:80"))
        .route(Route { uses: uses(&["errors"]), ..route("app", "web", host("a.lan")) })
        .world();
    let Filter::ErrorPages(pages) = &world.filters["errors"] else { panic!("pages") };
    assert_eq!(pages.statuses, [(404, 404), (500, 503)]);
    assert!(world.backends.contains_key(pages.backend.as_str()));
}

#[test]
fn what_restricts_and_is_not_honoured_is_refused_in_one_place() {
    let why = RefusalReason::Restriction(place("app"));
    let world = Draft::new()
        .route(route("app", "web", host("a.lan")))
        .backend("app", Backend::Refused { status: 503, why, instead_of: None })
        .world();
    world.check("web", &get("a.lan", "/"), "app");
    assert!(matches!(world.backends["app"], Backend::Refused { status: 503, .. }));
}
