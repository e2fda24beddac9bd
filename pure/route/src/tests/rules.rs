//! Each matcher, what it takes for, and how it is written.

use steelyard_model::routing::matcher::{Matcher, Values};
use steelyard_model::routing::pattern::{
    BadPattern, Expression, HostPattern, PathPattern, PathShape,
};
use steelyard_model::routing::rule::Rule;
use steelyard_testbed::Probe;
use steelyard_testbed::probe::get;

fn regex(source: &str) -> Expression {
    Expression::new(source).expect("the expression is right")
}

fn path(shape: PathShape) -> Rule {
    Rule::One(Matcher::Path(PathPattern::normal(shape)))
}

fn host(pattern: HostPattern) -> Rule {
    Rule::One(Matcher::Host(pattern))
}

#[test]
fn hosts() {
    let holds = |pattern: HostPattern, name: &str| host(pattern).holds(&get(name, "/"));
    assert!(holds(HostPattern::Exact("a.b".into()), "a.b"));
    assert!(!holds(HostPattern::Exact("a.b".into()), "b.a.b"));
    assert!(holds(HostPattern::Label("b.c".into()), "a.b.c"));
    for other in ["b.c", ".b.c", "x.a.b.c", "ab.c", ""] {
        assert!(!holds(HostPattern::Label("b.c".into()), other), "{other}");
    }
    assert!(holds(HostPattern::Labels("b.c".into()), "a.b.c"));
    assert!(holds(HostPattern::Labels("b.c".into()), "x.a.b.c"));
    for other in ["b.c", ".b.c", "xb.c", ""] {
        assert!(!holds(HostPattern::Labels("b.c".into()), other), "{other}");
    }
    assert!(holds(HostPattern::Any, ""));
}

#[test]
fn paths() {
    let holds = |shape: PathShape, asked: &str| path(shape).holds(&get("h", asked));
    assert!(holds(PathShape::elements("/foo/"), "/foo"));
    assert!(holds(PathShape::elements("/foo"), "/foo/bar"));
    assert!(!holds(PathShape::elements("/foo"), "/foobar"));
    assert!(holds(PathShape::elements("/"), "/x"));
    assert!(holds(PathShape::Bytes("/foo".into()), "/foobar"));
    assert!(holds(PathShape::Exact("/foo".into()), "/foo"));
    assert!(!holds(PathShape::Exact("/foo".into()), "/foo/"));
    assert!(holds(PathShape::Regex(regex("^/v[0-9]+/")), "/v12/x"));
    let decoded = PathPattern::decoded(PathShape::Exact("/a/b".into()));
    assert!(Rule::One(Matcher::Path(decoded)).holds(&get("h", "/a%2Fb")));
    assert!(!holds(PathShape::Exact("/a/b".into()), "/a%2Fb"));
}

#[test]
fn headers_queries_methods_and_addresses() {
    let request = Probe {
        client: Some("::ffff:10.0.0.7".parse().expect("an address")),
        ..get("h", "/").header("x-env", "blue").header("x-env", "green").query("v", "2")
    };
    let one = |matcher| Rule::One(matcher).holds(&request);
    assert!(one(Matcher::Header("x-env".into(), Values::Exact("green".into()))));
    assert!(!one(Matcher::Header("x-env".into(), Values::Exact("gree".into()))));
    assert!(one(Matcher::Header("x-env".into(), Values::Regex(regex("^gr")))));
    assert!(!one(Matcher::Header("x-other".into(), Values::Present)));
    assert!(one(Matcher::Query("v".into(), Values::Exact("2".into()))));
    assert!(!one(Matcher::Query("v".into(), Values::Exact(String::new().into()))));
    assert!(one(Matcher::Method("GET".into())));
    assert!(!one(Matcher::Method("get".into())));
    assert!(one(Matcher::ClientIp("10.0.0.0/24".parse().expect("a range"))));
    assert!(!one(Matcher::ClientIp("10.0.1.0/24".parse().expect("a range"))));
}

#[test]
fn what_a_handshake_tells() {
    let handshake =
        Probe { sni: Some("db.lan".into()), alpn: vec!["h2".into()], ..Probe::default() };
    let one = |matcher| Rule::One(matcher).holds(&handshake);
    assert!(one(Matcher::Sni(HostPattern::Exact("db.lan".into()))));
    assert!(one(Matcher::SniRegex(regex("^db"))));
    assert!(one(Matcher::Alpn("h2".into())));
    assert!(!one(Matcher::Alpn("http/1.1".into())));
    let without = Probe::default();
    assert!(Rule::One(Matcher::Sni(HostPattern::Any)).holds(&without));
    assert!(!Rule::One(Matcher::Sni(HostPattern::Exact("db.lan".into()))).holds(&without));
}

#[test]
fn an_invalid_argument_counts_as_true_also_under_not() {
    let invalid = Rule::One(Matcher::Invalid("ClientIP(`nonsense`)".into()));
    let other = host(HostPattern::Exact("a".into()));
    let asked = get("b", "/");
    assert!(invalid.clone().holds(&asked));
    assert!(invalid.clone().negated().holds(&asked));
    assert!(Rule::All(vec![other.clone(), invalid.clone()]).negated().holds(&asked));
    assert!(!Rule::All(vec![other, invalid]).holds(&asked));
}

#[test]
fn nothing_of_all_is_always_and_nothing_of_any_is_never() {
    let asked = get("a", "/");
    assert!(Rule::always().holds(&asked));
    assert!(!Rule::Any(Vec::new()).holds(&asked));
}

#[test]
fn the_first_condition_that_fails_is_named() {
    let rule = Rule::All(vec![
        host(HostPattern::Exact("a".into())),
        path(PathShape::Exact("/private".into())).negated(),
        Rule::One(Matcher::Method("GET".into())),
    ]);
    let failure = |request: &Probe| rule.first_failure(request).map(ToString::to_string);
    assert_eq!(failure(&get("b", "/x")).as_deref(), Some("Host(`a`)"));
    assert_eq!(failure(&get("a", "/private")).as_deref(), Some("Path(`/private`)"));
    assert_eq!(failure(&get("a", "/x")), None);
}

#[test]
fn rules_are_written_as_traefik_writes_them() {
    let rule = Rule::All(vec![
        Rule::Any(vec![
            host(HostPattern::Exact("a.b".into())),
            host(HostPattern::Label("c.d".into())),
            host(HostPattern::Labels("e.f".into())),
        ]),
        path(PathShape::elements("/api/")),
        path(PathShape::Exact("/x".into())).negated(),
        Rule::One(Matcher::Header("x-a".into(), Values::Exact("b`c".into()))),
        Rule::One(Matcher::Query("q".into(), Values::Regex(regex("^1")))),
    ]);
    assert_eq!(
        rule.to_string(),
        "(Host(`a.b`) || Host(`*.c.d`) || HostRegexp(`^[a-z0-9-\\.]+\\.e\\.f$`)) \
         && PathPrefix(`/api`) && !Path(`/x`) && Header(\"x-a\", \"b`c\") \
         && QueryRegexp(`q`, `^1`)"
            .replace("Header(\"x-a\"", "Header(`x-a`")
    );
    assert_eq!(Rule::always().to_string(), "PathPrefix(`/`)");
}

#[test]
fn expressions_are_bounded() {
    assert_eq!(Expression::new(r"\pL{1000}"), Err(BadPattern::TooLarge));
    assert!(matches!(Expression::new("(?=a)"), Err(BadPattern::Syntax(_))));
}
