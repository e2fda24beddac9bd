//! Matchers of rules, of both versions of the language.

use steelyard_dialects::traefik::rule::{RuleSubject, RuleSyntax, matchers};

use super::{SupportRow, SupportState, SupportTable};

/// What is not as with Traefik: by the end of a matcher's name.
const EXCEPTIONS: [(&str, &str); 1] = [(
    "Regexp",
    "expressions are those of the Rust crate `regex`, whose language is RE2's but for details",
)];

const ABOUT: [(&str, RuleSubject, RuleSyntax); 4] = [
    ("Matchers of requests", RuleSubject::Requests, RuleSyntax::V3),
    ("Matchers of connections", RuleSubject::Connections, RuleSyntax::V3),
    ("Matchers of requests, version 2", RuleSubject::Requests, RuleSyntax::V2),
    ("Matchers of connections, version 2", RuleSubject::Connections, RuleSyntax::V2),
];

/// A table for each.
pub(super) fn tables() -> Vec<SupportTable> {
    let row = |name: &'static str| {
        let found = EXCEPTIONS.iter().find(|(end, _)| name.ends_with(end));
        let (state, remark) =
            found.map_or((SupportState::Supported, ""), |(_, so)| (SupportState::Different, so));
        SupportRow { name: name.to_owned(), state, remark }
    };
    let table = |(title, about, syntax): (&str, RuleSubject, RuleSyntax)| SupportTable {
        title: title.to_owned(),
        what: "matcher",
        rows: matchers(about, syntax).map(row).collect(),
    };
    ABOUT.into_iter().map(table).collect()
}
