//! What is said of handshakes is what the table of routes does with them.

use std::sync::Arc;

use steelyard_model::routing::entry_point::SECURE;
use steelyard_model::routing::id::{RouteId, TlsPolicyId};
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::rank::{HostSpecificity, Ladder, PathSpecificity, Rank, Specificity};
use steelyard_model::routing::route::{Destination, Manner, Route, RouteKind};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::tls::{Authorities, ClientAuthentication, TlsPolicy};
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{FieldPath, ObjectRef, Provenance};
use steelyard_route::RoutingTable;

use crate::{HeldHandshakes, Unheld, disagreements};

/// A route for these hosts, at the entry point for TLS, and the terms it names.
fn route(name: &str, hosts: &[&str], policy: Option<&str>) -> Route {
    let one = |host: &&str| Rule::One(Matcher::Host(HostPattern::Exact((**host).into())));
    let rule = match hosts {
        [] => Rule::always(),
        [host] => one(host),
        hosts => Rule::Any(hosts.iter().map(one).collect()),
    };
    let specific = Specificity::new(HostSpecificity::Any, PathSpecificity::Exact);
    let object = Arc::new(ObjectRef::new("router", "http", name));
    Route {
        id: RouteId::from(name),
        place: Provenance { object, field: FieldPath::root() },
        kind: RouteKind::Http,
        listeners: vec![SECURE.entry_point().tls_listener()],
        rank: Rank {
            ladder: Ladder::Priority,
            number: 1,
            specific,
            provider: 0,
            created: None,
            object: name.into(),
            index: 0,
        },
        rule: Arc::new(rule),
        uses: Vec::new(),
        to: Destination::Backend(name.into()),
        timeouts: None,
        manner: Manner::Traefik,
        tls_policy: policy.map(TlsPolicyId::from),
        observability: Observability::default(),
    }
}

fn map(routes: impl IntoIterator<Item = Route>) -> RoutingMap {
    let listeners = SECURE.entry_point().listeners();
    let listeners = listeners.into_iter().map(|it| (it.id.clone(), Arc::new(it)));
    let routes = routes.into_iter().map(|it| (it.id.clone(), Arc::new(it)));
    RoutingMap { listeners: listeners.collect(), routes: routes.collect(), ..RoutingMap::default() }
}

/// Which of the hosts no handshake is held for: as the table has it, and as is said of each route.
fn refused(routing: &RoutingMap) -> Vec<&'static str> {
    let listeners: Vec<_> = routing.listeners.values().cloned().collect();
    let routes: Vec<_> = routing.routes.values().cloned().collect();
    let table = RoutingTable::compile(&listeners, &routes);
    let table = table.entry_point(&SECURE.name.into()).unwrap();
    let held = HeldHandshakes::new(routing);
    let said: Vec<Unheld> = routing
        .routes
        .values()
        .flat_map(|route| held.lacking(route))
        .map(|(_, why)| why)
        .filter(|why| matches!(why, Unheld::Disputed(_)))
        .collect();
    let mut refused = Vec::new();
    for host in ["a.test", "b.test", "c.test", "other.test"] {
        let is_refused = table.policy(host).is_err();
        let pattern = HostPattern::Exact(host.into());
        let is_said = said.contains(&Unheld::Disputed(pattern));
        // Who is named by nobody is held as all others are.
        let is_named = routes.iter().any(|route| route.rule.to_string().contains(host));
        let is_of_all = !is_named && said.contains(&Unheld::Disputed(HostPattern::Any));
        assert_eq!(is_refused, is_said || is_of_all, "{host}: {said:?}");
        refused.extend(is_refused.then_some(host));
    }
    refused
}

#[test]
fn each_host_of_a_rule_is_judged_as_the_table_judges_it() {
    for (case, routes, expected) in [
        ("one", vec![route("x", &["a.test", "b.test"], Some("strict"))], &[][..]),
        (
            "one host of two",
            vec![
                route("x", &["a.test", "b.test"], Some("strict")),
                route("y", &["b.test", "c.test"], None),
            ],
            &["b.test"],
        ),
        (
            "all of one route",
            vec![
                route("x", &["a.test", "b.test"], Some("strict")),
                route("y", &["a.test"], None),
                route("z", &["b.test"], Some("loose")),
            ],
            &["a.test", "b.test"],
        ),
        (
            "of no host",
            vec![
                route("x", &[], Some("strict")),
                route("y", &[], None),
                route("z", &["a.test", "b.test", "c.test"], None),
            ],
            &["other.test"],
        ),
        (
            "names beside no name",
            vec![route("x", &[], Some("strict")), route("y", &["a.test"], None)],
            &[],
        ),
    ] {
        let routing = map(routes);
        assert_eq!(refused(&routing), expected, "{case}");
        assert_eq!(disagreements(&routing).len(), expected.len(), "{case}: a finding of each");
    }
}

#[test]
fn a_route_is_for_nobody_where_none_of_its_hosts_is_held() {
    let mut routing = map([
        route("x", &["a.test", "b.test"], Some("strict")),
        route("y", &["b.test", "c.test"], None),
        route("z", &["b.test"], None),
    ]);
    routing.tls_policies.insert("strict".into(), Arc::new(TlsPolicy::plain()));
    let held = HeldHandshakes::new(&routing);
    let none_for = |name: &str| held.none_for(routing.routes.get(&name.into()).unwrap());
    assert_eq!(none_for("x"), None, "a.test is held");
    assert_eq!(none_for("y"), None, "c.test is held");
    let host = HostPattern::Exact("b.test".into());
    assert_eq!(none_for("z"), Some(Unheld::Disputed(host.clone())));
    let of_x = routing.routes.get(&"x".into()).unwrap();
    assert!(held.none_for_host(of_x, &host));
    assert!(!held.none_for_host(of_x, &HostPattern::Exact("a.test".into())));
    let missing = map([route("m", &["a.test"], Some("missing"))]);
    let held = HeldHandshakes::new(&missing);
    let of_m = missing.routes.values().next().unwrap();
    assert_eq!(held.none_for(of_m), Some(Unheld::NoTerms("missing".into())));
    assert!(held.none_for_host(of_m, &HostPattern::Exact("a.test".into())));
}

/// Terms that are for all who name none, and for nobody, are so for a route that names none.
#[test]
fn default_terms_may_be_for_nobody() {
    let nobody = Authorities { pem: "".into(), reports: false, depth: None, revoked: None };
    for (clients, is_held) in [
        (ClientAuthentication::Nothing, true),
        (ClientAuthentication::RequireAndVerify(nobody), false),
    ] {
        let mut routing = map([route("a", &["a.test"], None), route("b", &["b.test"], Some("b"))]);
        for id in ["default", "b"] {
            let clients = if id == "b" { ClientAuthentication::Nothing } else { clients.clone() };
            let policy = TlsPolicy { id: id.into(), clients, ..TlsPolicy::plain() };
            routing.tls_policies.insert(id.into(), Arc::new(policy));
        }
        let held = HeldHandshakes::new(&routing);
        let lost = |id: &str| held.none_for(routing.routes.get(&RouteId::from(id)).unwrap());
        let expected = (!is_held).then(|| Unheld::NoTerms("default".into()));
        assert_eq!((lost("a"), lost("b")), (expected, None));
    }
}
