//! What is folded says of every request what the frames say of it, one after the other.

use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use steelyard_http::{Head as _, ResponseEdits};
use steelyard_model::routing::filter::access::{AllowedClients, ClientPlace};
use steelyard_model::routing::filter::content::{Cors, HeaderRules, SecurityHeaders};
use steelyard_model::routing::filter::{
    Filter, Redirection, RegexRedirection, Rewrite, SchemeRedirection, Use,
};
use steelyard_model::routing::pattern::Expression;

use super::*;
use crate::ask::Got;
use crate::memory::Memory;
use crate::recipe::Recipe;
use crate::response::Response;
use crate::stack::{Inward, Outward, Stack};
use crate::tests::{Asked, World};

type Pairs = &'static [(&'static str, &'static str)];

fn headers(request: Pairs, response: Pairs, security: SecurityHeaders) -> Filter {
    let lines = |lines: Pairs| {
        let lines = lines.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        lines.collect::<BTreeMap<_, _>>()
    };
    let (request, response) = (lines(request), lines(response));
    Filter::Headers(Box::new(HeaderRules { request, response, security, ..Default::default() }))
}

fn strip(prefixes: &[&str]) -> Filter {
    Filter::Rewrite(Rewrite::StripPrefix(prefixes.iter().map(|it| (*it).into()).collect()))
}

fn allowed(nets: &[&str], from: ClientPlace) -> AllowedClients {
    let nets: Vec<ipnet::IpNet> = nets.iter().map(|it| it.parse().unwrap()).collect();
    let mut clients = AllowedClients::from(nets);
    clients.source.from = from;
    clients
}

fn led(expression: &str, to: &str) -> Filter {
    let (replacement, is_permanent) = (to.into(), false);
    let expression = Expression::new(expression).unwrap();
    Filter::RedirectRegex(RegexRedirection { expression, replacement, is_permanent })
}

/// Each in its way, and some that one of the others makes a difference to.
pub(crate) fn filters() -> Vec<Filter> {
    let none = SecurityHeaders::default;
    let secured = SecurityHeaders {
        sts_seconds: 60,
        frame_deny: true,
        public_key: Some("pin".into()),
        ..none()
    };
    let hosts = SecurityHeaders { allowed_hosts: vec!["a.b".into()], ..none() };
    let scheme = |port: Option<&str>| {
        let port = port.map(Into::into);
        Filter::RedirectScheme(SchemeRedirection {
            scheme: "https".into(),
            port,
            is_permanent: true,
        })
    };
    vec![
        headers(&[("X-A", "1"), ("X_B", ""), ("X-Forwarded-Prefix", "/p")], &[], none()),
        headers(&[], &[("X-A", "2"), ("X-Frame-Options", ""), ("X-B", "3")], secured),
        headers(&[("X-Forwarded-Proto", "https")], &[("Server", "")], none()),
        headers(&[("X-Forwarded-For", "10.0.0.1")], &[("X-A", "4")], none()),
        headers(&[("Host", "other.b")], &[], none()),
        headers(&[], &[("X-A", "5")], hosts),
        strip(&["/app", "/b"]),
        strip(&["/app/", "/x"]),
        led("^http://a[.]b/old(.*)", "http://a.b/new$1"),
        led("/x$", "/y"),
        scheme(None),
        scheme(Some("8443")),
        Filter::Redirect(Redirection {
            scheme: None,
            host: Some("a.b".into()),
            port: None,
            beside: Vec::new(),
            path: None,
            status: 302,
        }),
        Filter::AllowAddresses(allowed(&["10.0.0.0/8"], ClientPlace::Peer)),
        Filter::AllowAddresses(allowed(&["10.0.0.0/8"], ClientPlace::Depth(1))),
        Filter::RefuseAddresses(allowed(&["10.0.0.2/32"], ClientPlace::Peer)),
        Filter::Rewrite(Rewrite::AddPrefix("/more".into())),
        Filter::Rewrite(Rewrite::AddPrefix("/x%".into())),
        Filter::Rewrite(Rewrite::Replace("/other?r=1".into())),
        Filter::Rewrite(Rewrite::Expression(Expression::new("^/app(.*)").unwrap(), "/b$1".into())),
        pages(&["https://page.test"], false),
        pages(&["*"], false),
        pages(&["https://page.test"], true),
    ]
}

/// Whether it says something of pages of other sites.
fn is_of_pages(filter: &Filter) -> bool {
    matches!(filter, Filter::Headers(rules) if rules.cors != Cors::default())
}

/// Pages of these may read answers.
fn pages(origins: &[&str], adds_vary: bool) -> Filter {
    let all = |them: &[&str]| them.iter().map(|it| Arc::from(*it)).collect();
    let (origins, exposed) = (all(origins), all(&["X-A"]));
    let cors = Cors { origins, exposed, methods: all(&["GET"]), adds_vary, ..Cors::default() };
    Filter::Headers(Box::new(HeaderRules { cors, ..Default::default() }))
}

pub(crate) fn requests() -> Vec<Asked> {
    vec![
        Asked::get("http://a.b", "/app/x"),
        Asked::get("https://a.b", "/app/x?q=1").with_all(&[("X-A", "0"), ("x_a", "0")]),
        Asked::by("POST", "http://a.b", "/old/b").with("X-Forwarded-For", "11.0.0.1, 10.0.0.9"),
        Asked::get("http://a.b:8080", "/app/app/b/x").with("X-Forwarded-Proto", "https"),
        Asked::get("https://other.b", "/b/app/"),
        Asked::get("http://", "/app"),
        Asked::get("http://a.b", "/app../x"),
        Asked::get("http://a.b", "*"),
        Asked::get("http://a.b", "/app/x").with("Origin", "https://page.test"),
        Asked::by("OPTIONS", "https://a.b", "/app/x")
            .with_all(&[("Origin", "https://o.test"), ("Access-Control-Request-Method", "GET")]),
    ]
}

/// What the frames make of a request, and then of a response.
fn passed(
    recipes: &[Recipe],
    asked: &Asked,
    mut world: World,
) -> Option<(RequestChanges, ResponseChanges)> {
    let mut stack = Stack::new(recipes);
    let mut changes = RequestChanges::default();
    let mut head = RequestEdits::over(asked, &mut changes);
    match stack.enter(&mut world.context(), &mut head, Got::Nothing) {
        Inward::Inside => {}
        Inward::Answer(_) => return None,
        Inward::Ask(ask) => panic!("{ask:?}"),
    }
    assert!(!stack.has_hand_in_request() && world.notes.is_empty());
    let mut response = Response::of(200);
    response.lines.push(("X-A".into(), (*b"its own").into()));
    let mut edits = ResponseEdits::new(&response);
    let out = stack.leave(&mut world.context(), &mut edits, Got::Nothing, true);
    assert!(matches!(out, Outward::Down) && !stack.changes_response(), "{out:?}");
    Some((changes, edits.into_changes()))
}

#[test]
fn what_is_folded_is_what_frames_make_of_it() {
    let (filters, requests, mut memory) = (filters(), requests(), Memory::seeded(1));
    let usage = Use { filter: "it".into(), state: "it".into() };
    let recipes = filters.iter().map(|it| Recipe::of(&usage, Some(it), &mut memory).unwrap());
    let recipes: Vec<Recipe> = recipes.collect();
    let [let_in, kept_out, larger, handed] = [0; 4].map(Cell::new);
    let lists = prop::collection::vec(0..recipes.len(), 1..5);
    let config = ProptestConfig { cases: 10_000, ..ProptestConfig::default() };
    proptest!(config, |(list in lists, at in 0..requests.len(), last in 1_u8..4, is_tls: bool)| {
        let says_of_pages = list.iter().any(|at| is_of_pages(&filters[*at]));
        let list: Vec<Recipe> = list.iter().map(|at| recipes[*at].clone()).collect();
        let Some(folded) = Recipe::folded(&list) else {
            larger.set(larger.get() + 1);
            return Ok(());
        };
        let peer = [10, 0, 0, last].into();
        let mut world = World::of(peer);
        if is_tls {
            world.speaks_tls("a.b");
        }
        let expected = passed(&list, &requests[at], world);
        let mut changes = RequestChanges::default();
        let found = folded.pass(&requests[at], (peer, is_tls), &mut changes);
        let count = if found.is_some() { &let_in } else { &kept_out };
        count.set(count.get() + 1);
        let found = found.map(|changed| (changes, changed.as_deref().cloned().unwrap_or_default()));
        // Who comes from a page of another site is seen to by frames, where that is asked.
        let is_page = requests[at].first("origin").is_some() && says_of_pages;
        if is_page {
            handed.set(handed.get() + 1);
            prop_assert_eq!(found, None);
        } else {
            prop_assert_eq!(found, expected);
        }
    });
    let counts = [let_in, kept_out, larger, handed].map(|it| it.get());
    assert!(counts.iter().all(|count| *count > 200), "{counts:?}");
}

/// What keeps something, or asks for it, or looks at responses, is no step.
#[test]
fn what_is_more_than_a_step_is_not_folded() {
    let mut memory = Memory::seeded(1);
    let usage = Use { filter: "it".into(), state: "it".into() };
    let mut is_folded = |filter: &Filter| {
        Recipe::folded(&[Recipe::of(&usage, Some(filter), &mut memory).unwrap()]).is_some()
    };
    let filters = filters();
    let found: Vec<bool> = filters.iter().map(&mut is_folded).collect();
    // The host, sites that may be asked for, and what hangs on what an endpoint says.
    let larger: Vec<usize> = (0..filters.len()).filter(|at| !found[*at]).collect();
    assert_eq!(larger, [4, 5, 22]);
    assert!(!is_folded(&Filter::ContentType));
}
