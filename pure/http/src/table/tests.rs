use proptest::prelude::*;
use steelyard_model::{FieldPath, ObjectRef, Provenance};

use super::*;
use crate::testing::{self, route};

/// The definition: the first that matches, in order of precedence.
fn naive<'r>(routes: &'r [Route], entry_point: &str, host: &str, path: &str) -> Option<&'r Route> {
    let mut sorted: Vec<&Route> = routes.iter().collect();
    sorted.sort_by(|a, b| a.precedence().cmp(&b.precedence()));
    sorted.into_iter().find(|route| {
        route.entry_points.iter().any(|name| name == entry_point)
            && route.host.matches(host)
            && route.path.matches(path)
    })
}

fn found<'t>(table: &'t RouteTable, host: &str, path: &str) -> Option<&'t str> {
    table.lookup("web", host, path).map(|found| &*found.route.name)
}

#[test]
fn hosts_fall_back_when_no_path_matches() {
    let table = RouteTable::compile(&[
        route("exact", "a.b.c", "/one"),
        route("wildcard", "*.b.c", "/two"),
        route("any", "*", "/"),
    ]);
    assert_eq!(found(&table, "a.b.c", "/one/x"), Some("exact"));
    assert_eq!(found(&table, "a.b.c", "/two"), Some("wildcard"));
    assert_eq!(found(&table, "a.b.c", "/three"), Some("any"));
    assert_eq!(found(&table, "x.a.b.c", "/two"), Some("any"));
    assert_eq!(found(&table, "", "/two"), Some("any"));
    assert!(table.lookup("websecure", "a.b.c", "/one").is_none());
}

#[test]
fn prefixes_by_whole_elements_longest_first() {
    let table = RouteTable::compile(&[
        route("root", "h", "/"),
        route("api", "h", "/api"),
        route("users", "h", "/api/users"),
        route("exact", "h", "=/api/users"),
    ]);
    for (path, expected) in [
        ("/", "root"),
        ("/apiary", "root"),
        ("/api", "api"),
        ("/api/", "api"),
        ("/api/user", "api"),
        ("/api/users", "exact"),
        ("/api/users/", "users"),
        ("/api/users/7", "users"),
    ] {
        assert_eq!(found(&table, "h", path), Some(expected), "{path}");
    }
}

#[test]
fn a_path_of_two_routes_is_ambiguous() {
    let closed = Route { refusal: Some(testing::refusal()), ..route("closed", "h", "/admin") };
    let exact = Route { refusal: Some(testing::refusal()), ..route("exact", "h", "=/a/b") };
    let table =
        RouteTable::compile(&[route("open", "h", "/"), route("same", "h", "/api"), closed, exact]);
    for (path, expected) in [
        ("/x%2Fy;z", false),
        ("/api%2Fx", false),
        ("/api;v=1/x", false),
        ("/admin/x%2Fy;z", false),
        ("/administer%2Fx", false),
        ("/x%2Fadmin", false),
        ("/admin%2F", true),
        ("/admin%2Fx", true),
        ("/%2Fadmin", true),
        ("/%5Cadmin", true),
        ("/;/admin", true),
        ("/admin;x", true),
        ("/admin%3Bx/y", true),
        ("/%2F;x%2Fadmin", true),
        ("/a%2Fb", true),
        ("/a/b;c", true),
    ] {
        let found = table.lookup("web", "h", path).unwrap();
        assert_eq!(table.is_ambiguous("web", "h", path, found), expected, "{path}");
    }
}

#[test]
fn many_hosts() {
    let routes: Vec<Route> =
        (0..10_000).map(|n| route(&format!("r{n}"), &format!("h{n}.example"), "/")).collect();
    let table = RouteTable::compile(&routes);
    assert_eq!(table.len(), 10_000);
    assert_eq!(found(&table, "h9999.example", "/x"), Some("r9999"));
    assert_eq!(found(&table, "h10000.example", "/x"), None);
}

#[test]
fn a_long_path_costs_no_more_than_the_longest_prefix() {
    let table = RouteTable::compile(&[route("api", "h", "/api")]);
    assert_eq!(found(&table, "h", &"/a".repeat(30_000)), None);
    assert_eq!(found(&table, "h", &format!("/api{}", "/a".repeat(30_000))), Some("api"));
}

fn arbitrary_route() -> impl Strategy<Value = Route> {
    let host = prop_oneof![
        "[ab]\\.[ab]\\.c".prop_map(|name| HostMatch::Exact(name.into())),
        "[ab]\\.c".prop_map(|name| HostMatch::Exact(name.into())),
        "([ab]\\.)?c".prop_map(|name| HostMatch::Wildcard(name.into())),
        Just(HostMatch::Any),
    ];
    let path = prop_oneof![
        "(/[ab]{1,2}){0,3}".prop_map(|path| PathMatch::Prefix(path.into())),
        "(/[ab]{1,2}){1,3}/?".prop_map(|path| PathMatch::Exact(path.into())),
        Just(PathMatch::Exact("/".into())),
    ];
    (host, path, 0..4_u8, 0..100_u8).prop_map(|(host, path, points, name)| Route {
        host,
        path,
        entry_points: match points {
            0 => vec!["web".into()],
            1 => vec!["websecure".into()],
            _ => vec!["web".into(), "websecure".into()],
        },
        name: format!("route-{name}").into(),
        place: Provenance {
            object: Arc::new(ObjectRef::new("Ingress", "default", "x")),
            field: FieldPath::root(),
        },
        rule: String::new(),
        priority: 0,
        manner: steelyard_model::Manner::Traefik,
        backends: Vec::new(),
        refusal: None,
    })
}

proptest! {
    #[test]
    fn equals_the_naive_scan(
        routes in prop::collection::vec(arbitrary_route(), 0..24),
        host in "([ab]\\.){0,3}c|",
        path in "(/[ab]{1,2}){0,4}/?|\\*",
        secure in any::<bool>(),
    ) {
        let entry_point = if secure { "websecure" } else { "web" };
        let table = RouteTable::compile(&routes);
        let fast = table.lookup(entry_point, &host, &path).map(|found| &found.route);
        let slow = naive(&routes, entry_point, &host, &path);
        // Names may repeat here, so compare what decides: the place in the order.
        let key = |route: &Route| (route.host.clone(), route.path.clone(), route.name.clone());
        prop_assert_eq!(fast.map(key), slow.map(key));
    }
}
