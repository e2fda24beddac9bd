//! Filters within others: one of several, and one with exemptions.

use std::sync::Arc;

use steelyard_http::{Head as _, RequestEdits};
use steelyard_model::Sorted;
use steelyard_model::routing::claims::ClaimPath;
use steelyard_model::routing::filter::access::{Networks, PasswordAuth, PasswordManner};
use steelyard_model::routing::filter::token::{TokenAuth, TokenKeys};
use steelyard_model::routing::filter::{Filter, FilterNode, Use};
use steelyard_model::routing::id::FilterId;
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::{Expression, PathForm, PathPattern, PathShape};
use steelyard_model::routing::rule::Rule;

use super::{Asked, World};
use crate::ask::Got;
use crate::context::{Ending, Note};
use crate::frame::{Blueprint as _, Enter, Frame as _};
use crate::memory::Memory;
use crate::recipe::Recipe;

fn addresses(range: &str) -> Filter {
    Filter::AllowAddresses(vec![range.parse().unwrap()].into())
}

fn basic() -> Filter {
    Filter::BasicAuth(PasswordAuth {
        users: vec![Arc::from("ann:{PLAIN}secret")].into(),
        realm: "x".into(),
        removes_header: false,
        user_header: Some("X-User".into()),
        manner: PasswordManner::Traefik,
    })
}

fn token() -> Filter {
    Filter::Token(Box::new(TokenAuth {
        keys: TokenKeys::Secret((*b"a secret of sufficient length for this").into()),
        parameter: None,
        claims: None,
        user: None,
        told: vec![("X-Groups".into(), ClaimPath::read("groups"))],
        is_passed_on: false,
    }))
}

/// What the first of these is made of, among all of them.
fn recipe(all: Vec<(&str, Filter)>) -> Option<Recipe> {
    let usage = Use { filter: all[0].0.into(), state: "used".into() };
    let nodes = all.into_iter().map(|(name, filter)| {
        let id = FilterId::from(name);
        (id.clone(), Arc::new(FilterNode { id, place: None, filter }))
    });
    let filters: Sorted<FilterId, Arc<FilterNode>> = nodes.collect();
    Recipe::among(&usage, &filters, &mut Memory::default())
}

/// A status, 200 where it passes, who was noted, and the lines of these names that go on.
fn pass(recipe: &Recipe, peer: [u8; 4], asked: &Asked) -> (u16, Vec<String>, Vec<String>) {
    let (mut frame, mut world) = (recipe.frame(), World::of(peer.into()));
    let mut head = RequestEdits::new(asked);
    let status = match frame.enter(&mut world.context(), &mut head, Got::Nothing) {
        Enter::Next => 200,
        Enter::Answer(answer) => answer.status,
        Enter::Ask(ask) => panic!("{ask:?}"),
    };
    frame.done(&mut world.context(), Ending::Finished);
    let mut lines = Vec::new();
    head.each(&mut |name, value| {
        if !name.eq_ignore_ascii_case("authorization") {
            lines.push(format!("{name}: {}", String::from_utf8_lossy(value)));
        }
    });
    let users = world.notes.iter().filter_map(|note| match note {
        Note::User(name) => Some(name.to_string()),
        Note::Reason(_) if status == 200 => panic!("{note:?}"),
        _ => None,
    });
    (status, users.collect(), lines)
}

const ANN: (&str, &str) = ("Authorization", "Basic YW5uOnNlY3JldA==");
const WRONG: (&str, &str) = ("Authorization", "Basic YW5uOndyb25n");
const FORGED: [(&str, &str); 3] = [("x_user", "root"), ("X-GROUPS", "admin"), ("X-Other", "1")];

#[test]
fn one_of_several_lets_in_and_says_who_it_was() {
    let any =
        |members: &[&str]| Filter::AnyOf(members.iter().map(|it| FilterId::from(*it)).collect());
    let recipe = recipe(vec![
        ("any", any(&["lan", "password", "token"])),
        ("lan", addresses("10.0.0.0/8")),
        ("password", basic()),
        ("token", token()),
    ])
    .unwrap();
    let of = |lines: &[(&'static str, &'static str)]| {
        Asked::get("a.test", "/").with_all(&FORGED).with_all(lines)
    };
    let (lan, elsewhere) = ([10, 0, 0, 1], [192, 0, 2, 1]);
    // Whoever is let in, and by whom: nobody is told what a client has made up.
    assert_eq!(pass(&recipe, lan, &of(&[WRONG])), (200, vec![], vec!["X-Other: 1".into()]));
    let told = vec!["X-Other: 1".to_owned(), "X-User: ann".to_owned()];
    assert_eq!(pass(&recipe, elsewhere, &of(&[ANN])), (200, vec!["ann".into()], told));
    assert_eq!(pass(&recipe, elsewhere, &of(&[WRONG])).0, 401);
    assert_eq!(pass(&recipe, elsewhere, &of(&[])).0, 401);
}

#[test]
fn who_asks_for_something_answers() {
    for members in [["lan", "password"], ["password", "lan"]] {
        let any = Filter::AnyOf(members.iter().map(|it| FilterId::from(*it)).collect());
        let recipe =
            recipe(vec![("any", any), ("lan", addresses("10.0.0.0/8")), ("password", basic())]);
        let recipe = recipe.unwrap();
        let asked = Asked::get("a.test", "/");
        assert_eq!(pass(&recipe, [192, 0, 2, 1], &asked).0, 401, "{members:?}");
        assert_eq!(pass(&recipe, [10, 0, 0, 1], &asked).0, 200, "{members:?}");
    }
}

#[test]
fn what_cannot_be_had_lets_nobody_in() {
    let any =
        |members: &[&str]| Filter::AnyOf(members.iter().map(|it| FilterId::from(*it)).collect());
    assert!(recipe(vec![("any", any(&[]))]).is_none());
    assert!(recipe(vec![("any", any(&["gone"]))]).is_none());
    assert!(recipe(vec![("any", any(&["any"]))]).is_none(), "a circle");
    assert!(recipe(vec![("any", any(&["x"])), ("x", Filter::Plugin("x".into()))]).is_none());
    let some = vec![("any", any(&["password", "gone"])), ("password", basic())];
    assert!(recipe(some).is_none(), "one of them is not there");
    let all = vec![
        ("any", any(&["password", "type"])),
        ("password", basic()),
        ("type", Filter::ContentType),
    ];
    assert!(recipe(all).is_none(), "one of them says nothing of who may pass");
    let when = Filter::When(Rule::always(), "gone".into());
    assert!(recipe(vec![("when", when)]).is_none());
}

#[test]
fn exemptions_are_of_what_every_server_sees_there() {
    let public =
        Rule::One(Matcher::Path(PathPattern::normal(PathShape::Elements("/public".into()))));
    let recipe = recipe(vec![
        ("when", Filter::When(public.negated(), "password".into())),
        ("password", basic()),
    ])
    .unwrap();
    for (target, status) in [
        ("/public", 200),
        ("/public/x", 200),
        ("/publicx", 401),
        ("/", 401),
        ("/admin", 401),
        ("/public/../admin", 401),
        ("/public/%2e%2e/admin", 401),
        ("/public/..%2Fadmin", 401),
        ("/public%2F..%2Fadmin", 401),
        ("/public/x%2F..%2F..%2Fadmin", 401),
        ("/public;/../admin", 401),
        ("/public/..;/admin", 401),
        ("/public/..%3B/admin", 401),
        ("/public/..\\admin", 401),
        ("//public/../admin", 401),
        ("/admin/../public", 200),
        ("/public/a%20b/%C3%A9.css", 200),
        ("/public/%252e%252e/admin", 401),
        ("/public/..%20/admin", 401),
        ("/public/%c0%ae%c0%ae/admin", 401),
        ("/public/x%3f.css", 401),
        ("/public/x%23.css", 401),
        ("/public/x%0a.css", 401),
    ] {
        let asked = Asked::get("a.test", target).with_all(&FORGED);
        let (found, _, lines) = pass(&recipe, [192, 0, 2, 1], &asked);
        assert_eq!(found, status, "{target}");
        if status == 200 {
            assert!(!lines.iter().any(|line| line.starts_with("x_user")), "{lines:?}");
        }
        assert_eq!(pass(&recipe, [192, 0, 2, 1], &asked.with(ANN.0, ANN.1)).0, 200, "{target}");
    }
}

/// An expression is written for one spelling of a path, and holds for all of them or none.
#[test]
fn expressions_exempt_what_they_hold_for_in_every_spelling() {
    let rule = |source: &str| {
        let shape = PathShape::Regex(Expression::new(source).unwrap());
        Rule::One(Matcher::Path(PathPattern { form: PathForm::Readable, shape }))
    };
    let all_but = |source: &str| rule(source).negated();
    for (exempted, target, status) in [
        (rule("^/public/"), "/public/a", 200),
        (rule("^/public/"), "/public/a%2Fb%20c", 200),
        (rule("^/[^/]*$"), "/a%2fb", 401),
        (rule("^/a%2fb$"), "/a%2fb", 401),
        (rule("^/[a-z ]+$"), "/a%20b", 401),
        (all_but("^/a%2fb"), "/a%2fb", 401),
        (all_but("^/a%2Fb"), "/a%2fb", 401),
        (all_but("^/a/b"), "/a%2fb", 401),
        (all_but("^/a b"), "/a%20b", 401),
        (all_but("^/a%20b"), "/a%20b", 401),
        (all_but("^/a/b"), "/a/c", 200),
    ] {
        let case = format!("{exempted} {target}");
        let when = Filter::When(exempted.negated(), "password".into());
        let recipe = recipe(vec![("when", when), ("password", basic())]).unwrap();
        let asked = Asked::get("a.test", target);
        assert_eq!(pass(&recipe, [192, 0, 2, 1], &asked).0, status, "{case}");
    }
}

/// Who is exempted by something else than a path may ask for any.
#[test]
fn a_doubtful_path_matters_where_paths_do() {
    let lan = Rule::One(Matcher::ClientIp("10.0.0.0/8".parse().unwrap()));
    let recipe = recipe(vec![
        ("when", Filter::When(lan.negated(), "password".into())),
        ("password", basic()),
    ])
    .unwrap();
    let asked = Asked::get("a.test", "/100%25");
    assert_eq!(pass(&recipe, [10, 0, 0, 1], &asked).0, 200);
    assert_eq!(pass(&recipe, [192, 0, 2, 1], &asked).0, 401);
}

#[test]
fn who_is_kept_out_is_and_so_is_who_is_not_known() {
    let list = |ranges: &[&str], depth: Option<usize>| {
        use steelyard_model::routing::filter::access::{AllowedClients, ClientPlace, ClientSource};
        let from = depth.map_or(ClientPlace::Peer, ClientPlace::Depth);
        let source = ClientSource { from, ipv6_subnet: None };
        let ranges = Networks::parse(ranges).unwrap();
        Filter::RefuseAddresses(AllowedClients {
            ranges,
            source,
            status: 404,
            page: Default::default(),
        })
    };
    for (filter, peer, status) in [
        (list(&["192.0.2.0/24"], None), [192, 0, 2, 1], 404),
        (list(&["192.0.2.0/24"], None), [192, 0, 3, 1], 200),
        (list(&["192.0.2.0/24"], Some(1)), [192, 0, 3, 1], 404),
    ] {
        let recipe = recipe(vec![("list", filter)]).unwrap();
        assert_eq!(pass(&recipe, peer, &Asked::get("a.test", "/")).0, status);
    }
}
