//! Who wins: rows of routes in both ladders, and the request that asks them.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::candidate::Indexed;
use crate::table::RuleTable;
use crate::tests::ranked::Ranked;
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::{HostPattern, PathPattern, PathShape};
use steelyard_model::routing::rank::{HostSpecificity, Ladder, PathSpecificity, Rank, Specificity};
use steelyard_model::routing::rule::Rule;
use steelyard_testbed::probe::get;

/// A route for a host (`*` for all, `*.x` for one label) and a path (`=/x` exactly), ranked as
/// its dialect would.
fn route(id: &str, ladder: Ladder, host: &str, path: &str, number: i64) -> Ranked {
    let (pattern, host_kind) = match host.strip_prefix("*.") {
        _ if host == "*" => (HostPattern::Any, HostSpecificity::Any),
        Some(suffix) => {
            let length = u16::try_from(suffix.len()).expect("a short name");
            (HostPattern::Label(suffix.into()), HostSpecificity::Wildcard(Reverse(length)))
        }
        None => (HostPattern::Exact(host.into()), HostSpecificity::Exact),
    };
    let (shape, path_kind) = match path.strip_prefix('=') {
        Some(path) => (PathShape::Exact(path.into()), PathSpecificity::Exact),
        None => {
            let length = u16::try_from(path.len()).expect("a short path");
            (PathShape::elements(path), PathSpecificity::Length(Reverse(length)))
        }
    };
    Ranked {
        id: id.into(),
        rank: Rank {
            ladder,
            number,
            specific: Specificity::new(host_kind, path_kind),
            provider: 0,
            created: None,
            object: format!("default/{id}").into(),
            index: 0,
        },
        rule: Rule::All(vec![
            Rule::One(Matcher::Host(pattern)),
            Rule::One(Matcher::Path(PathPattern::normal(shape))),
        ]),
    }
}

fn specific(id: &str, host: &str, path: &str, number: i64) -> Ranked {
    route(id, Ladder::Specific, host, path, number)
}

fn priority(id: &str, host: &str, path: &str, number: i64) -> Ranked {
    route(id, Ladder::Priority, host, path, number)
}

fn fallback(id: &str, host: &str, number: i64) -> Ranked {
    let mut route = specific(id, host, "/", number);
    route.rank.specific.is_fallback = true;
    route
}

fn winner(routes: &[Ranked], host: &str, path: &str) -> Option<String> {
    let mut table = RuleTable::new(Indexed::Host);
    routes.iter().for_each(|route| table.insert(Arc::new(route.clone())));
    table.choose(&get(host, path)).map(|choice| choice.candidate.id.to_string())
}

#[track_caller]
fn check(routes: &[Ranked], host: &str, path: &str, expected: &str) {
    assert_eq!(winner(routes, host, path).as_deref().unwrap_or("none"), expected);
}

#[test]
fn the_specific_ladder_goes_by_host_then_path() {
    let routes = [
        specific("any", "*", "/", 900),
        specific("wild", "*.b.c", "/", 800),
        specific("exact", "a.b.c", "/", 1),
        specific("longer", "a.b.c", "/api", 1),
        specific("precise", "a.b.c", "=/api", 0),
    ];
    check(&routes, "a.b.c", "/", "exact");
    check(&routes, "a.b.c", "/api/x", "longer");
    check(&routes, "a.b.c", "/api", "precise");
    check(&routes, "x.b.c", "/", "wild");
    check(&routes, "elsewhere", "/", "any");
}

#[test]
fn the_priority_ladder_goes_by_number() {
    let routes = [priority("narrow", "a.b", "=/x", 10), priority("wide", "*", "/", 11)];
    check(&routes, "a.b", "/x", "wide");
}

#[test]
fn older_objects_come_first_and_those_of_no_age_last() {
    let mut old = specific("old", "a", "/", 1);
    old.rank.created = Some("2020-01-01T00:00:00Z".into());
    let ageless = specific("ageless", "a", "/", 1);
    check(&[ageless, old], "a", "/", "old");
}

#[test]
fn the_ladder_with_the_higher_bid_serves_its_own_best() {
    // The Ingress for every path bids 30, by which its ladder wins; the narrower one serves.
    let routes = [
        specific("ingress-wide", "a", "/", 30),
        specific("ingress-narrow", "a", "/api", 5),
        priority("route", "a", "/api", 20),
    ];
    check(&routes, "a", "/api", "ingress-narrow");
    check(&routes[1..], "a", "/api", "route");
}

#[test]
fn equal_bids_go_by_provider() {
    let ingress = specific("ingress", "a", "/", 7);
    let mut route = priority("route", "a", "/", 7);
    check(&[ingress.clone(), route.clone()], "a", "/", "ingress");
    let mut later = ingress;
    later.rank.provider = 1;
    route.rank.provider = 0;
    check(&[later, route], "a", "/", "route");
}

#[test]
fn a_fallback_keeps_its_host_to_itself_and_bids_the_least() {
    let routes = [
        fallback("own-root", "a.b.c", 500),
        specific("wild", "*.b.c", "/", 600),
        specific("app", "a.b.c", "/app", 1),
        priority("catch-all", "*", "/", -3),
    ];
    check(&routes[..3], "a.b.c", "/", "own-root");
    check(&routes[..3], "a.b.c", "/app", "app");
    check(&routes, "a.b.c", "/", "catch-all");
    check(&routes, "a.b.c", "/app", "app");
}

#[test]
fn redirections_beat_all_but_what_is_ours() {
    let redirect = priority("redirect", "*", "/", i64::MAX - 1);
    let challenge = priority("challenge", "*", "/.well-known/acme-challenge", i64::MAX);
    let routes = [redirect, challenge, specific("app", "a", "/", 40)];
    check(&routes, "a", "/", "redirect");
    check(&routes, "a", "/.well-known/acme-challenge/token", "challenge");
}

#[test]
fn nothing_matches_nothing() {
    check(&[], "a", "/", "none");
    check(&[specific("other", "b", "/", 1)], "a", "/", "none");
}
