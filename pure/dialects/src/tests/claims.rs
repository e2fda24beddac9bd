//! What is demanded of claims: what it comes to, and where which mistake is seen.

use steelyard_model::routing::claims::ClaimRule::{All, Any, Claim, Not};
use steelyard_model::routing::claims::ClaimTest::{Contains, Equals, OneOf, Prefix, SplitContains};
use steelyard_model::routing::claims::{ClaimPath, ClaimRule, ClaimTest};

use crate::traefik::rule::claims;

fn claim(path: &str, test: ClaimTest) -> ClaimRule {
    Claim(ClaimPath::read(path), test)
}

#[test]
fn each_test_and_how_they_are_joined() {
    let ann = || claim("sub", Equals("ann".into()));
    let ops = || claim("groups", Contains("ops".into()));
    for (text, expected) in [
        ("Equals(`sub`, `ann`)", ann()),
        ("equals(\"sub\",\"ann\")", ann()),
        ("Prefix(`a.b`, `x`)", claim("a.b", Prefix("x".into()))),
        ("Contains(`groups`, `ops`)", ops()),
        ("SplitContains(`scope`, ` `, `w`)", claim("scope", SplitContains(" ".into(), "w".into()))),
        ("OneOf(`c`, `BE`, `FR`)", claim("c", OneOf(vec!["BE".into(), "FR".into()]))),
        ("OneOf(`c`, `BE`)", claim("c", OneOf(vec!["BE".into()]))),
        (
            "Equals(`sub`,`ann`) || Equals(`sub`,`ann`) && !Contains(`groups`,`ops`)",
            Any(vec![ann(), All(vec![ann(), Not(Box::new(ops()))])]),
        ),
    ] {
        assert_eq!(claims(text), Ok(expected), "{text}");
    }
}

#[test]
fn mistakes_are_seen_where_they_stand() {
    for (text, at, what) in [
        ("", "", "the rule is empty"),
        ("Equal(`a`, `b`)", "Equal", "there is no matcher `Equal`"),
        ("Host(`a`)", "Host", "there is no matcher `Host`"),
        ("Equals(`a`)", "Equals(`a`)", "`Equals` has 2 arguments"),
        ("Equals(`a`,`b`,`c`)", "Equals(`a`,`b`,`c`)", "`Equals` has 2 arguments"),
        ("SplitContains(`a`,`b`)", "SplitContains(`a`,`b`)", "`SplitContains` has 3 arguments"),
        ("OneOf(`a`)", "OneOf(`a`)", "`OneOf` has 2 or more arguments"),
        ("Equals(``,`b`)", "``", "the argument is empty"),
        ("Equals(`a`,`b`) &&", "", "expected a matcher"),
        ("Equals(`a`,`b`) Equals(`a`,`b`)", "E", "expected &&, || or the end"),
    ] {
        let found = claims(text).unwrap_err();
        assert_eq!((&text[found.at], found.what.to_string().as_str()), (at, what), "{text}");
    }
}
