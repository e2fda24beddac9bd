//! Paths of hosts all of whose paths are regular expressions.
//!
//! ingress-nginx does not start with a path that cannot be read as one. Here such a path closes
//! what it is about, as far as that is plain to see: whatever begins as it does, up to the first
//! sign of an expression.

use std::cmp::Reverse;
use std::sync::Arc;

use steelyard_dialects::codes::{PATH_INVALID, PATH_REGEX, PATH_UNREACHABLE};
use steelyard_model::routing::backend::RefusalReason;
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::{Expression, HostPattern, PathPattern, PathShape};
use steelyard_model::routing::rank::PathSpecificity;
use steelyard_model::routing::route::Route;
use steelyard_model::routing::rule::Rule;
use steelyard_model::{Diagnostic, Provenance, RouteDraft, Severity};

use crate::tables::Reads;
use crate::tables::cell::Cell;
use crate::tables::row::ReadSet;

/// What the path of a route comes to where its host has expressions: found from the begin of the
/// decoded path, in any case. And why it is closed, where it is none.
pub(in crate::tables::routes) fn expressed(
    draft: &RouteDraft,
    read: &ReadSet<'_>,
    reads: &mut Reads<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Option<Expression>, Option<RefusalReason>) {
    if !is_expressed(draft, reads) {
        return (None, None);
    }
    let written = draft.written();
    if let Ok(expression) = Expression::looking(&format!("(?i)^{written}")) {
        return (Some(expression), None);
    }
    let place = Provenance::new(&draft.place.object, draft.place.field.key("path"));
    // Of an Ingress that asks for expressions itself it is said already.
    if !read.reading.has_expressions {
        let message = format!(
            "path `{written}` is a regular expression, since another Ingress makes expressions of \
             all paths of its host, and cannot be read as one: the route answers 503"
        );
        let help = "mend the expression";
        diagnostics.push(Diagnostic::at(Severity::Error, PATH_INVALID, &place, message, help));
    }
    (Some(begins(&written)), Some(RefusalReason::Mistake(place)))
}

/// The path of a route is an expression from now on; the longest text of all is tried first.
pub(in crate::tables::routes) fn express(
    draft: &RouteDraft,
    expression: Option<Expression>,
    route: &mut Route,
) {
    let Some(expression) = expression else { return };
    let pattern = PathPattern::decoded(PathShape::Regex(expression));
    let path = Rule::One(Matcher::Path(pattern));
    route.rule = Arc::new(Rule::All(match draft.rule.host() {
        HostPattern::Any => vec![path],
        host => vec![Rule::One(Matcher::Host(host.clone())), path],
    }));
    let length = u16::try_from(draft.written().len()).unwrap_or(u16::MAX);
    route.rank.specific.path = PathSpecificity::Length(Reverse(length));
}

/// Says of paths that are compared letter by letter that nobody asks for them.
pub(super) fn tell_of_unasked(
    read: &ReadSet<'_>,
    reads: &mut Reads<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for found in read.reading.said.iter().filter(|it| is_of_path(it)) {
        let is_its = |it: &&RouteDraft| it.place.field.key("path") == found.path;
        let draft = read.routes().iter().find(is_its);
        if !draft.is_some_and(|it| is_expressed(it, reads)) {
            diagnostics.push(found.clone());
        }
    }
}

/// Whether that is what is said: it is untrue where the host has expressions.
pub(in crate::tables) fn is_of_path(found: &Diagnostic) -> bool {
    [PATH_REGEX, PATH_UNREACHABLE].contains(&found.code)
}

fn is_expressed(draft: &RouteDraft, reads: &mut Reads<'_>) -> bool {
    let host = draft.rule.host();
    !draft.rank.specific.is_fallback && reads.any(&Cell::Expressions(host.clone()))
}

/// What begins as a path does that is no expression.
fn begins(written: &str) -> Expression {
    let text = written.strip_prefix('^').unwrap_or(written);
    Expression::of_beginning(&format!("^{text}"))
}

#[cfg(test)]
mod tests {
    use super::begins;

    #[test]
    fn what_is_closed_begins_as_the_path_does() {
        for (written, within, without) in [
            ("/adm(.*", "/ADM/x", Some("/ad")),
            ("/a-b c/(", "/a-b c/d", Some("/a-b")),
            ("/a<b>/(", "/a<b>/d", Some("/a")),
            ("/ab*(", "/a", Some("/b")),
            ("/a|/b(", "/b", None),
            ("^/a[", "/ab", Some("/b")),
            ("(", "/any", None),
        ] {
            let found = begins(written);
            assert!(found.is_found_in(within), "{written}");
            assert!(without.is_none_or(|it| !found.is_found_in(it)), "{written}");
        }
    }
}
