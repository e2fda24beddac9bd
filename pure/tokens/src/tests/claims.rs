//! What is asked of claims.

use serde_json::{Value, json};
use steelyard_model::routing::claims::{ClaimPath, ClaimRule, ClaimTest};

use crate::Claims;

fn claims() -> Claims {
    let Value::Object(claims) = json!({
        "sub": "ann", "level": 3, "admin": true, "none": null, "scope": "read write:all",
        "groups": ["ops", "dev", 7], "user": {"address": {"city": "Ulm"}}, "a.b": "dotted",
        "mixed": ["x", null, ["y"], {"z": 1}],
    }) else {
        unreachable!("it is an object")
    };
    Claims(claims)
}

fn claim(path: &str, test: ClaimTest) -> ClaimRule {
    ClaimRule::Claim(ClaimPath::read(path), test)
}

#[test]
fn tests_of_one_claim() {
    use ClaimTest::{Contains, Equals, OneOf, Prefix, SplitContains};
    let any = |values: &[&str]| OneOf(values.iter().map(|it| (*it).into()).collect());
    for (path, test, expected) in [
        ("sub", Equals("ann".into()), true),
        ("sub", Equals("Ann".into()), false),
        ("level", Equals("3".into()), true),
        ("admin", Equals("true".into()), true),
        ("none", Equals("null".into()), false),
        ("none", Equals("".into()), false),
        ("gone", Equals("".into()), false),
        ("groups", Equals("ops".into()), false),
        ("user.address.city", Equals("Ulm".into()), true),
        ("user.address", Equals("Ulm".into()), false),
        ("user.gone.city", Equals("Ulm".into()), false),
        ("sub.0", Equals("a".into()), false),
        (r"a\.b", Equals("dotted".into()), true),
        ("a.b", Equals("dotted".into()), false),
        ("sub", Prefix("an".into()), true),
        ("sub", Prefix("nn".into()), false),
        ("groups", Prefix("op".into()), false),
        ("groups", Contains("ops".into()), true),
        ("groups", Contains("op".into()), false),
        ("groups", Contains("7".into()), true),
        ("sub", Contains("ann".into()), true),
        ("sub", Contains("nn".into()), false),
        ("scope", Contains("read".into()), true),
        ("scope", Contains("write".into()), false),
        ("scope", Contains("read write:all".into()), true),
        ("scope", Contains("".into()), false),
        ("user", Contains("city".into()), false),
        ("scope", SplitContains(" ".into(), "read".into()), true),
        ("scope", SplitContains(" ".into(), "write".into()), false),
        ("scope", SplitContains("".into(), "r".into()), false),
        ("groups", SplitContains(",".into(), "ops".into()), false),
        ("sub", any(&["bob", "ann"]), true),
        ("sub", any(&["bob"]), false),
        ("groups", any(&["qa", "dev"]), true),
        ("groups", any(&[]), false),
    ] {
        assert_eq!(claims().meet(&claim(path, test.clone())), expected, "{path} {test:?}");
    }
}

#[test]
fn tests_joined() {
    let holds = || claim("sub", ClaimTest::Equals("ann".into()));
    let fails = || claim("gone", ClaimTest::Equals("ann".into()));
    for (rule, expected) in [
        (ClaimRule::All(vec![holds(), holds()]), true),
        (ClaimRule::All(vec![holds(), fails()]), false),
        (ClaimRule::Any(vec![fails(), holds()]), true),
        (ClaimRule::Any(vec![fails(), fails()]), false),
        (ClaimRule::Not(Box::new(fails())), true),
        (ClaimRule::Not(Box::new(holds())), false),
    ] {
        assert_eq!(claims().meet(&rule), expected, "{rule:?}");
    }
}

#[test]
fn as_text() {
    for (path, expected) in [
        ("sub", Some("ann")),
        ("level", Some("3")),
        ("groups", Some("ops,dev,7")),
        ("mixed", Some("x")),
        ("user.address", Some(r#"{"city":"Ulm"}"#)),
        ("none", None),
        ("gone", None),
        ("", None),
    ] {
        assert_eq!(claims().text(&ClaimPath::read(path)).as_deref(), expected, "{path}");
    }
}
