//! Whether one rule holds wherever another one does.
//!
//! Invariant: what is said holds for every request whose host is written without the dot of the
//! root; it may go unsaid where it would hold, since rules can be compared in a bounded number of
//! steps only, and expressions by their text.
//! A request has a path, which begins with `/`: others are answered before any rule is asked.

use steelyard_model::routing::matcher::{Matcher, Values, without_brackets};
use steelyard_model::routing::pattern::{HostPattern, PathPattern, PathShape};
use steelyard_model::routing::rule::Rule;

/// Most pairs of parts that are compared.
const MOST_STEPS: usize = 1024;

/// Whether `wider` holds for every request that `narrower` holds for.
pub fn covers(wider: &Rule, narrower: &Rule) -> bool {
    let mut left = MOST_STEPS;
    follows(Part::of(wider, true), Part::of(narrower, true), &mut left)
}

/// A rule, or its negation, by what it is made of. Negation is pushed down to the conditions, as
/// [`Rule::holds`] does.
#[derive(Clone, Copy)]
enum Part<'r> {
    All(&'r [Rule], bool),
    Any(&'r [Rule], bool),
    One(&'r Matcher, bool),
}

impl<'r> Part<'r> {
    fn of(rule: &'r Rule, wanted: bool) -> Self {
        match rule {
            Rule::All(rules) if wanted => Self::All(rules, wanted),
            Rule::Any(rules) if !wanted => Self::All(rules, wanted),
            Rule::All(rules) | Rule::Any(rules) => Self::Any(rules, wanted),
            Rule::Not(rule) => Self::of(rule, !wanted),
            Rule::One(matcher) => Self::One(matcher, wanted),
        }
    }
}

fn follows(wider: Part<'_>, narrower: Part<'_>, left: &mut usize) -> bool {
    let Some(fewer) = left.checked_sub(1) else { return false };
    *left = fewer;
    match (wider, narrower) {
        (Part::All(rules, wanted), _) => {
            rules.iter().all(|rule| follows(Part::of(rule, wanted), narrower, left))
        }
        (_, Part::Any(rules, wanted)) => {
            // What never holds is no part of anything that somebody meant.
            let mut each = rules.iter();
            !rules.is_empty() && each.all(|rule| follows(wider, Part::of(rule, wanted), left))
        }
        (Part::Any(rules, wanted), Part::One(..)) => {
            rules.iter().any(|rule| follows(Part::of(rule, wanted), narrower, left))
        }
        (Part::Any(rules, is), Part::All(others, wanted)) => {
            rules.iter().any(|rule| follows(Part::of(rule, is), narrower, left))
                || others.iter().any(|rule| follows(wider, Part::of(rule, wanted), left))
        }
        (Part::One(matcher, is), Part::All(..)) if always(matcher, is) => true,
        (Part::One(..), Part::All(rules, wanted)) => {
            rules.iter().any(|rule| follows(wider, Part::of(rule, wanted), left))
        }
        (Part::One(wide, is), Part::One(narrow, wanted)) => literal((wide, is), (narrow, wanted)),
    }
}

/// Whether a condition, or its negation, holds for every request.
fn always(matcher: &Matcher, is: bool) -> bool {
    match matcher {
        Matcher::Invalid(_) => true,
        Matcher::Host(HostPattern::Any) | Matcher::Sni(HostPattern::Any) => is,
        Matcher::HostRegex(expression) | Matcher::SniRegex(expression) => {
            // A name has no line break, which `.` is not.
            let source = expression.source();
            let is_whole = source.ends_with(".*$");
            is && begins_all(if is_whole { source.trim_end_matches('$') } else { source }, &[""])
        }
        Matcher::Path(path) => is && takes_all(&path.shape),
        _ => false,
    }
}

/// Whether every path is meant.
fn takes_all(shape: &PathShape) -> bool {
    match shape {
        PathShape::Elements(prefix) => prefix.is_empty(),
        PathShape::Bytes(prefix) => prefix.is_empty() || **prefix == *"/",
        PathShape::Regex(expression) => begins_all(expression.source(), &["", "/", "/?"]),
        PathShape::Exact(_) => false,
    }
}

/// Whether an expression is no more than one of `starts`, at the beginning or anywhere, or that
/// with `.*` after it: it is found in every text that begins so.
fn begins_all(source: &str, starts: &[&str]) -> bool {
    let source = source.strip_prefix('^').unwrap_or(source);
    starts.contains(&source.strip_suffix(".*").unwrap_or(source))
}

fn literal((wide, is): (&Matcher, bool), (narrow, wanted): (&Matcher, bool)) -> bool {
    if always(wide, is) {
        return true;
    }
    if matches!(narrow, Matcher::Invalid(_)) {
        return false;
    }
    match (is, wanted) {
        (true, true) => contains(wide, narrow),
        (false, false) => contains(narrow, wide),
        (false, true) => excludes(wide, narrow),
        (true, false) => false,
    }
}

/// Whether `wide` holds wherever `narrow` does.
fn contains(wide: &Matcher, narrow: &Matcher) -> bool {
    match (wide, narrow) {
        (Matcher::Host(wide), Matcher::Host(narrow))
        | (Matcher::Sni(wide), Matcher::Sni(narrow)) => contains_host(wide, narrow),
        (
            Matcher::HostRegex(wide) | Matcher::RootedHostRegex(wide),
            Matcher::Host(HostPattern::Exact(host)),
        ) => wide.is_found_in(without_brackets(host)),
        (Matcher::SniRegex(wide), Matcher::Sni(HostPattern::Exact(host))) => wide.is_found_in(host),
        (Matcher::Path(wide), Matcher::Path(narrow)) => contains_path(wide, narrow),
        (Matcher::Header(name, wide), Matcher::Header(other, narrow))
        | (Matcher::Query(name, wide), Matcher::Query(other, narrow)) => {
            name == other && contains_values(wide, narrow)
        }
        (Matcher::ClientIp(wide), Matcher::ClientIp(narrow)) => wide.contains(narrow),
        (wide, narrow) => wide == narrow,
    }
}

fn contains_host(wide: &HostPattern, narrow: &HostPattern) -> bool {
    let ends = |of: &str, suffix: &str| {
        of.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    match (wide, narrow) {
        (wide, HostPattern::Exact(name)) => wide.matches(name),
        (HostPattern::Labels(wide), HostPattern::Label(narrow) | HostPattern::Labels(narrow)) => {
            ends(narrow, wide)
        }
        (wide, narrow) => wide == narrow || *wide == HostPattern::Any,
    }
}

fn contains_path(wide: &PathPattern, narrow: &PathPattern) -> bool {
    if wide.form != narrow.form {
        return false;
    }
    match (&wide.shape, &narrow.shape) {
        (wide, PathShape::Exact(path)) => wide.matches(path),
        (PathShape::Bytes(wide), PathShape::Bytes(narrow) | PathShape::Elements(narrow)) => {
            narrow.starts_with(&**wide)
        }
        (wide @ PathShape::Elements(_), PathShape::Elements(narrow)) => wide.matches(narrow),
        (PathShape::Elements(wide), PathShape::Bytes(narrow)) => {
            narrow.strip_prefix(&**wide).is_some_and(|rest| rest.starts_with('/'))
        }
        (wide, narrow) => wide == narrow,
    }
}

fn contains_values(wide: &Values, narrow: &Values) -> bool {
    match (wide, narrow) {
        (Values::Present, _) => true,
        (Values::Regex(wide), Values::Exact(value)) => wide.is_found_in(value),
        (wide, narrow) => wide == narrow,
    }
}

/// Whether no request is what both want.
fn excludes(one: &Matcher, other: &Matcher) -> bool {
    match (one, other) {
        (Matcher::Host(one), Matcher::Host(HostPattern::Exact(name))) => !one.matches(name),
        (
            Matcher::HostRegex(one) | Matcher::RootedHostRegex(one),
            Matcher::Host(HostPattern::Exact(name)),
        ) => !one.is_found_in(without_brackets(name)),
        (
            Matcher::Path(one),
            Matcher::Path(PathPattern { form, shape: PathShape::Exact(path) }),
        ) => one.form == *form && !one.shape.matches(path),
        (Matcher::Method(one), Matcher::Method(other)) => one != other,
        _ => false,
    }
}
