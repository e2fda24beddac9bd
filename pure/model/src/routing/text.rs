//! Rules in Traefik's words (rule syntax v3), for people and for its API.
//!
//! What Traefik cannot say is written as what comes nearest: a prefix by elements as
//! `PathPrefix`, a wildcard of many labels as an expression.

use std::borrow::Cow;
use std::fmt;

use crate::routing::matcher::{Matcher, Values};
use crate::routing::pattern::{HostPattern, PathForm, PathPattern, PathShape};
use crate::routing::readable::readable;
use crate::routing::rule::Rule;

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(rules) if rules.is_empty() => f.write_str("PathPrefix(`/`)"),
            Self::Any(rules) if rules.is_empty() => f.write_str("!PathPrefix(`/`)"),
            Self::All(rules) => joined(f, rules, " && "),
            Self::Any(rules) => joined(f, rules, " || "),
            Self::Not(rule) => {
                f.write_str("!")?;
                nested(f, rule)
            }
            Self::One(matcher) => fmt::Display::fmt(matcher, f),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, rules: &[Rule], word: &str) -> fmt::Result {
    if let [only] = rules {
        return fmt::Display::fmt(only, f);
    }
    for (at, rule) in rules.iter().enumerate() {
        if at > 0 {
            f.write_str(word)?;
        }
        nested(f, rule)?;
    }
    Ok(())
}

fn nested(f: &mut fmt::Formatter<'_>, rule: &Rule) -> fmt::Result {
    match rule {
        Rule::All(rules) | Rule::Any(rules) if rules.len() > 1 => write!(f, "({rule})"),
        rule => fmt::Display::fmt(rule, f),
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(pattern) => host(f, "Host", pattern),
            Self::HostRegex(expression) | Self::RootedHostRegex(expression) => {
                call(f, "HostRegexp", &[expression.source()])
            }
            Self::Sni(pattern) => host(f, "HostSNI", pattern),
            Self::SniRegex(expression) => call(f, "HostSNIRegexp", &[expression.source()]),
            Self::Alpn(protocol) => call(f, "ALPN", &[protocol]),
            Self::Path(pattern) => path(f, pattern),
            Self::Method(method) => call(f, "Method", &[method]),
            Self::Header(name, values) => named(f, "Header", name, values),
            Self::Query(name, values) => named(f, "Query", name, values),
            Self::ClientIp(net) => call(f, "ClientIP", &[&net.to_string()]),
            Self::Invalid(written) => f.write_str(written),
        }
    }
}

/// As a rule has it that means it: what is not reserved is written as it is.
fn path(f: &mut fmt::Formatter<'_>, pattern: &PathPattern) -> fmt::Result {
    let text = |text| match pattern.form {
        PathForm::Normal => readable(text),
        PathForm::Decoded | PathForm::Readable => Cow::Borrowed(text),
    };
    match &pattern.shape {
        PathShape::Exact(path) => call(f, "Path", &[&text(path)]),
        PathShape::Elements(prefix) if prefix.is_empty() => call(f, "PathPrefix", &["/"]),
        PathShape::Elements(prefix) | PathShape::Bytes(prefix) => {
            call(f, "PathPrefix", &[&text(prefix)])
        }
        PathShape::Regex(expression) => call(f, "PathRegexp", &[expression.source()]),
    }
}

fn host(f: &mut fmt::Formatter<'_>, matcher: &str, pattern: &HostPattern) -> fmt::Result {
    match pattern {
        HostPattern::Exact(name) => call(f, matcher, &[name]),
        HostPattern::Label(suffix) => call(f, matcher, &[&format!("*.{suffix}")]),
        HostPattern::Labels(suffix) => {
            let expression = format!(r"^[a-z0-9-\.]+\.{}$", suffix.replace('.', r"\."));
            call(f, &format!("{matcher}Regexp"), &[&expression])
        }
        HostPattern::Any => call(f, matcher, &["*"]),
    }
}

fn named(f: &mut fmt::Formatter<'_>, matcher: &str, name: &str, values: &Values) -> fmt::Result {
    match values {
        Values::Present => call(f, &format!("{matcher}Regexp"), &[name, ".*"]),
        Values::Exact(value) => call(f, matcher, &[name, value]),
        Values::Regex(expression) => {
            call(f, &format!("{matcher}Regexp"), &[name, expression.source()])
        }
    }
}

/// `Name(`argument`, …)`; an argument that has a backtick itself stands in double quotes.
fn call(f: &mut fmt::Formatter<'_>, name: &str, arguments: &[&str]) -> fmt::Result {
    write!(f, "{name}(")?;
    for (at, argument) in arguments.iter().enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        if argument.contains('`') {
            write!(f, "{argument:?}")?;
        } else {
            write!(f, "`{argument}`")?;
        }
    }
    f.write_str(")")
}
