//! Why a route does not serve a request: the first of its conditions that fails, as data.

use std::fmt;
use std::sync::Arc;

use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::{HostPattern, PathShape};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::subject::Subject;

/// What keeps a route from a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WhyNot {
    /// It is for other entry points than the one that was asked.
    EntryPoint {
        /// Its own.
        of: Vec<EntryPointId>,
        /// The one that was asked.
        asked: EntryPointId,
    },
    /// It is for requests over TLS, or only for others.
    Tls(bool),
    /// It is for another host.
    Host,
    /// Its wildcard stands for one label, not for several.
    WildcardDepth,
    /// The TLS handshake names another server, or offers other protocols.
    Handshake,
    /// The path differs in upper and lower case only.
    PathCase,
    /// Its prefix ends in the middle of a path element.
    PathElement,
    /// The path does not begin with its prefix.
    PathPrefix,
    /// The path is not exactly its path; only a slash at the end differs.
    PathSlash,
    /// The path is not exactly its path.
    PathExact,
    /// Its expression is not found in the path.
    PathExpression,
    /// It is for another method.
    Method(Arc<str>),
    /// It asks for a header that is not there, or has another value.
    Header(Arc<str>),
    /// It asks for a query parameter that is not there, or has another value.
    Query(Arc<str>),
    /// It is for other clients.
    Client,
    /// It is not for what holds here: the condition, as strangers may know it.
    Excluded(String),
    /// It is for nothing at all.
    Never,
}

impl WhyNot {
    /// Why `rule` does not hold for `subject`; none when it does.
    pub fn of(rule: &Rule, subject: &impl Subject) -> Option<Self> {
        if rule.holds(subject) {
            return None;
        }
        Some(match rule.first_failure(subject) {
            None => Self::Never,
            Some(matcher) if matcher.holds(subject) => {
                Self::Excluded(matcher.discreet().to_string())
            }
            Some(matcher) => Self::of_matcher(matcher, subject),
        })
    }

    fn of_matcher(matcher: &Matcher, subject: &impl Subject) -> Self {
        match matcher {
            Matcher::Host(HostPattern::Label(suffix)) if is_below(subject.host(), suffix) => {
                Self::WildcardDepth
            }
            Matcher::Host(_) | Matcher::HostRegex(_) | Matcher::RootedHostRegex(_) => Self::Host,
            Matcher::Sni(_) | Matcher::SniRegex(_) | Matcher::Alpn(_) => Self::Handshake,
            Matcher::Path(pattern) => Self::of_path(&pattern.shape, subject.path(pattern.form)),
            Matcher::Method(method) => Self::Method(method.clone()),
            Matcher::Header(name, _) => Self::Header(name.clone()),
            Matcher::Query(name, _) => Self::Query(name.clone()),
            Matcher::ClientIp(_) => Self::Client,
            Matcher::Invalid(written) => Self::Excluded(written.to_string()),
        }
    }

    fn of_path(wanted: &PathShape, path: &str) -> Self {
        match wanted {
            PathShape::Regex(_) => Self::PathExpression,
            PathShape::Exact(exact) if exact.eq_ignore_ascii_case(path) => Self::PathCase,
            PathShape::Exact(exact)
                if exact.trim_end_matches('/') == path.trim_end_matches('/') =>
            {
                Self::PathSlash
            }
            PathShape::Exact(_) => Self::PathExact,
            PathShape::Elements(prefix) if path.starts_with(&**prefix) => Self::PathElement,
            PathShape::Elements(prefix) | PathShape::Bytes(prefix) => {
                let same = path.get(..prefix.len()).filter(|it| it.eq_ignore_ascii_case(prefix));
                let rest = same.map(|_| &path[prefix.len()..]);
                let is_whole = |rest: &str| rest.is_empty() || rest.starts_with('/');
                let is_bytes = matches!(wanted, PathShape::Bytes(_));
                if rest.is_some_and(|rest| is_bytes || is_whole(rest)) {
                    Self::PathCase
                } else {
                    Self::PathPrefix
                }
            }
        }
    }

    /// How near it was, least first.
    pub(crate) fn distance(&self) -> u8 {
        match self {
            Self::PathCase | Self::PathSlash => 0,
            Self::PathElement
            | Self::Method(_)
            | Self::Header(_)
            | Self::Query(_)
            | Self::Client
            | Self::Excluded(_) => 1,
            Self::EntryPoint { .. } | Self::Tls(_) | Self::WildcardDepth => 2,
            Self::PathPrefix | Self::PathExact | Self::PathExpression => 3,
            Self::Host | Self::Handshake | Self::Never => 4,
        }
    }
}

fn is_below(host: &str, suffix: &str) -> bool {
    host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'))
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EntryPoint { of, asked } => {
                let of: Vec<&str> = of.iter().map(EntryPointId::as_str).collect();
                return write!(f, "it is for {}, not {asked}", of.join(", "));
            }
            Self::Method(method) => return write!(f, "it is for method {method}"),
            Self::Header(name) => return write!(f, "it wants another header `{name}`"),
            Self::Query(name) => return write!(f, "it wants another query parameter `{name}`"),
            Self::Excluded(matcher) => return write!(f, "it is not for {matcher}"),
            Self::Tls(true) => "it is for TLS",
            Self::Tls(false) => "it is not for TLS",
            Self::Host => "it is for another host",
            Self::WildcardDepth => "its * stands for exactly one label",
            Self::Handshake => "it is for another TLS handshake",
            Self::PathCase => "paths differ in upper and lower case",
            Self::PathElement => "its prefix matches whole path elements only",
            Self::PathPrefix => "the path is not below its prefix",
            Self::PathSlash => "its path must match exactly, also the slash at the end",
            Self::PathExact => "its path must match exactly",
            Self::PathExpression => "its expression does not match the path",
            Self::Client => "it is for other clients",
            Self::Never => "it matches nothing",
        })
    }
}
