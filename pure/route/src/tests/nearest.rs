//! Which routes were nearest to a request that none serves, and why they lost.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::{RoutingTable, WhyNot};
use steelyard_model::object::{FieldPath, ObjectRef, Provenance};
use steelyard_model::routing::entry_point::{BUILT_IN, PLAIN, SECURE};
use steelyard_model::routing::expression::Expression;
use steelyard_model::routing::id::RouteId;
use steelyard_model::routing::matcher::{Matcher, Values};
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::pattern::{HostPattern, PathPattern, PathShape};
use steelyard_model::routing::rank::{HostSpecificity, Ladder, PathSpecificity, Rank, Specificity};
use steelyard_model::routing::route::{Destination, Manner, Route, RouteKind};
use steelyard_model::routing::rule::Rule;
use steelyard_testbed::probe::get;

/// `host` is `*.suffix` or a name; `path` is a prefix, or exact after `=`.
fn route(id: &str, host: &str, path: &str) -> Route {
    let pattern = match host.strip_prefix("*.") {
        Some(suffix) => HostPattern::Label(suffix.into()),
        None => HostPattern::Exact(host.into()),
    };
    let shape = match path.strip_prefix('=') {
        Some(exact) => PathShape::Exact(exact.into()),
        None => PathShape::elements(path),
    };
    let length = PathSpecificity::Length(Reverse(path.len().try_into().expect("a short path")));
    let rank = Rank {
        ladder: Ladder::Specific,
        number: 1,
        specific: Specificity::new(HostSpecificity::Exact, length),
        provider: 0,
        created: None,
        object: id.into(),
        index: 0,
    };
    Route {
        id: id.into(),
        place: Provenance {
            object: Arc::new(ObjectRef::new("Test", "default", id)),
            field: FieldPath::root(),
        },
        kind: RouteKind::Http,
        listeners: vec![PLAIN.entry_point().default_listener()],
        rank,
        rule: Arc::new(Rule::All(vec![
            Rule::One(Matcher::Host(pattern)),
            Rule::One(Matcher::Path(PathPattern::normal(shape))),
        ])),
        uses: Vec::new(),
        to: Destination::Backend("b".into()),
        timeouts: None,
        manner: Manner::Traefik,
        tls_policy: None,
        observability: Observability::default(),
    }
}

fn table(routes: Vec<Route>) -> RoutingTable {
    let listeners = BUILT_IN.iter().flat_map(|it| it.entry_point().listeners()).map(Arc::new);
    let routes: Vec<Arc<Route>> = routes.into_iter().map(Arc::new).collect();
    RoutingTable::compile(&listeners.collect::<Vec<_>>(), &routes)
}

fn near(table: &RoutingTable, host: &str, path: &str) -> Vec<(String, WhyNot)> {
    let near = table.nearest(&PLAIN.name.into(), false, &get(host, path));
    near.into_iter().map(|miss| (miss.route.id.to_string(), miss.why)).collect()
}

fn few() -> RoutingTable {
    let mut secure = route("secure", "s.local", "/");
    secure.listeners = vec![SECURE.entry_point().default_listener()];
    let mut upgraded = route("upgraded", "t.local", "/");
    upgraded.listeners = vec![format!("{}/tls", PLAIN.name).into()];
    let mut header = route("header", "test.local", "/only");
    let Rule::All(rules) = Arc::make_mut(&mut header.rule) else { panic!("it has two conditions") };
    rules.push(Rule::One(Matcher::Header("x-a".into(), Values::Present)));
    table(vec![
        route("api", "test.local", "/api"),
        route("docs", "test.local", "/docs"),
        route("exact", "test.local", "=/status"),
        route("wild", "*.wild.local", "/"),
        header,
        secure,
        upgraded,
    ])
}

#[test]
fn nearest_routes_first() {
    use WhyNot::*;
    let table = few();
    let first = |host, path| near(&table, host, path).into_iter().next();
    let expect = |name: &str, why| Some((name.to_owned(), why));
    assert_eq!(first("test.local", "/apiary"), expect("api", PathElement));
    assert_eq!(first("test.local", "/API/x"), expect("api", PathCase));
    assert_eq!(first("test.local", "/status/"), expect("exact", PathSlash));
    assert_eq!(first("test.local", "/doc"), expect("docs", PathPrefix));
    assert_eq!(first("test.local", "/only"), expect("header", Header("x-a".into())));
    assert_eq!(first("test.local", "/STATUS"), expect("exact", PathCase));
    assert_eq!(first("t.local", "/"), expect("upgraded", Tls(true)));
    assert_eq!(first("tset.local", "/api"), expect("api", Host));
    assert_eq!(first("a.b.wild.local", "/"), expect("wild", WildcardDepth));
    let elsewhere = EntryPoint { of: vec![SECURE.name.into()], asked: PLAIN.name.into() };
    assert_eq!(first("s.local", "/"), expect("secure", elsewhere));
    assert_eq!(first("else.where.example", "/"), None);
}

/// Who a parent let in hears of its children, and of no others.
#[test]
fn nearest_children_are_a_parents_own() {
    let child =
        |id: &str, host: &str, path: &str| Route { listeners: Vec::new(), ..route(id, host, path) };
    let mut parent = route("parent", "a.local", "/");
    parent.to = Destination::Routes(["api", "docs", "far"].map(RouteId::from).to_vec());
    let table = table(vec![
        parent,
        child("api", "a.local", "/api"),
        child("docs", "a.local", "/docs"),
        child("far", "b.local", "/"),
        child("orphan", "a.local", "/apiary/x"),
        route("other", "a.local", "/apiary"),
    ]);
    let near = |host, path| -> Vec<String> {
        let subject = get(host, path);
        let near = table.nearest_child(&"parent".into(), &subject);
        near.into_iter().map(|miss| miss.route.id.to_string()).collect()
    };
    assert_eq!(near("a.local", "/apiary"), ["api", "docs"]);
    assert_eq!(near("c.local", "/api"), ["api", "docs"], "by the host that is named alike");
    assert!(table.nearest_child(&"docs".into(), &get("a.local", "/")).is_empty());
}

/// A route of several places stands among the near ones once, and hides no other.
#[test]
fn each_route_is_named_once() {
    let mut twice = route("twice", "a.local", "/x");
    let path = |path| Rule::One(Matcher::Path(PathPattern::normal(PathShape::elements(path))));
    let host = Rule::One(Matcher::Host(HostPattern::Exact("a.local".into())));
    twice.rule = Rule::All(vec![host, Rule::Any(vec![path("/x"), path("/y")])]).into();
    let table = table(vec![twice, route("other", "a.local", "/z")]);
    let mut named: Vec<String> = near(&table, "a.local", "/").into_iter().map(|it| it.0).collect();
    named.sort();
    assert_eq!(named, ["other", "twice"]);
}

#[test]
fn a_miss_in_words() {
    let table = few();
    let sample = get("s.local", "/");
    let miss = table.nearest(&PLAIN.name.into(), false, &sample).remove(0);
    let words = "Host(`s.local`) && PathPrefix(`/`): it is for websecure, not web (secure)";
    assert_eq!(miss.to_string(), words);
}

/// What opens a route when it is said is told to nobody who asks for something else.
#[test]
fn what_requests_are_to_say_is_kept_back() {
    let secret = "s3cr3t";
    let exact = || Values::Exact(secret.into());
    let regex = || Values::Regex(Expression::new(secret).expect("an expression"));
    let header = |values| Rule::One(Matcher::Header("x-key".into(), values));
    let query = |values| Rule::One(Matcher::Query("key".into(), values));
    let invalid = Rule::One(Matcher::Invalid(format!("Header(`x`, `{secret}`, `y`)").into()));
    let put = || Rule::One(Matcher::Method("PUT".into()));
    let not = header(Values::Regex(Expression::new("^(1|s3cr3t)$").expect("an expression")));
    let probe = get("a.local", "/").header("x-key", "1");
    for (rule, shown) in [
        (header(exact()), "Header(`x-key`, `…`)"),
        (header(regex()), "Header(`x-key`, `…`)"),
        (query(exact()), "Query(`key`, `…`)"),
        (Rule::Any(vec![query(regex()), put()]), "Query(`key`, `…`) || Method(`PUT`)"),
        (Rule::All(vec![invalid, put()]), "… && Method(`PUT`): it is for method PUT"),
        (not.negated(), "it is not for Header(`x-key`, `…`)"),
    ] {
        let mut guarded = route("guarded", "a.local", "/");
        guarded.rule = rule.into();
        let table = table(vec![guarded]);
        let miss = table.nearest(&PLAIN.name.into(), false, &probe).remove(0).to_string();
        assert!(miss.contains(shown) && !miss.contains(secret), "{miss}");
    }
}

/// However many routes there are, so many are looked at and no more.
#[test]
fn the_cost_has_a_bound() {
    let number = |n: usize| format!("{n}");
    let many = 0..3_000;
    let mut routes: Vec<Route> = many
        .clone()
        .map(|n| route(&format!("h{n}"), &format!("service-{n:04}.apps.local"), "/x"))
        .collect();
    routes.extend(many.clone().map(|n| route(&format!("p{n}"), "many.local", &format!("/{n}"))));
    routes.extend(many.clone().map(|n| route(&format!("e{n}"), "many.local", &format!("=/{n}"))));
    routes.extend(many.map(|n| route(&format!("w{n}"), &format!("*.{}.local", number(n)), "/x")));
    let table = table(routes);
    let point = table.entry_point(&PLAIN.name.into()).expect("it is there");
    let long = format!("{}local", "a.".repeat(30_000));
    for host in ["many.local", "manu.local", "service-01x4.apps.local", "a.b.7.local", &long, ""] {
        for rules in point.tables(false, host) {
            let mut found = Vec::new();
            rules.sample(host, &mut found);
            rules.sample_similar(host, &mut found);
            assert!(found.len() < 1_000, "{host}: {}", found.len());
        }
        assert!(near(&table, host, "/zz").len() <= 5, "{host}");
    }
    for host in ["service-0123.apps.local", "sevice-0123.apps.local", "service-0123.app.local"] {
        let first = near(&table, host, "/y").into_iter().next();
        assert_eq!(first.map(|(id, _)| id).as_deref(), Some("h123"), "{host}");
    }
}

#[test]
fn each_condition_has_its_reason() {
    let sample = get("a.local", "/x").header("x-a", "1");
    let rule = |matcher| Rule::One(matcher);
    for (rule, expected) in [
        (rule(Matcher::Method("PUT".into())), "it is for method PUT"),
        (rule(Matcher::Header("x-b".into(), Values::Present)), "another header `x-b`"),
        (rule(Matcher::Query("q".into(), Values::Present)), "another query parameter `q`"),
        (rule(Matcher::ClientIp("10.0.0.0/8".parse().expect("a range"))), "other clients"),
        (rule(Matcher::Host(HostPattern::Exact("a.local".into()))).negated(), "not for Host("),
        (rule(Matcher::Host(HostPattern::Label("local".into()))).negated(), "not for Host("),
        (rule(Matcher::Host(HostPattern::Label("b.local".into()))), "for another host"),
        (rule(Matcher::Host(HostPattern::Label("al".into()))), "for another host"),
        (Rule::Any(Vec::new()), "it matches nothing"),
    ] {
        let why = WhyNot::of(&rule, &sample).expect("it does not hold");
        assert!(why.to_string().contains(expected), "{why}");
    }
    assert_eq!(WhyNot::of(&Rule::always(), &sample), None);
}
