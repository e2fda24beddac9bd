//! Why no route matches: the rules that were nearest, each with the reason it lost. Data for the
//! 404 page and for explanations.
//!
//! A flood of requests that match nothing must not cost much, so only so many routes are looked
//! at, in order of precedence.

use std::fmt;

use steelyard_model::{HostMatch, PathMatch, Route, suggest};

use crate::table::RouteTable;

/// Most rules that are named.
const MAX_RULES: usize = 5;

/// Most routes that are looked at.
const MAX_LOOKED_AT: usize = 512;

/// A rule that was near, and why it does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near<'t> {
    /// The route.
    pub route: &'t Route,
    /// The first of its conditions that fails.
    pub why: WhyNot,
}

/// Which condition of a route fails for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhyNot {
    /// It is not for this entry point.
    EntryPoint,
    /// It is for another host.
    Host,
    /// Its wildcard stands for one label, not for several.
    WildcardDepth,
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
}

impl WhyNot {
    /// Why `route` does not match, or `None` when it does.
    pub fn explain(route: &Route, entry_point: &str, host: &str, path: &str) -> Option<Self> {
        if !route.entry_points.iter().any(|name| name == entry_point) {
            return Some(Self::EntryPoint);
        }
        Self::of_host(&route.host, host).or_else(|| Self::of_path(&route.path, path))
    }

    fn of_host(wanted: &HostMatch, host: &str) -> Option<Self> {
        if wanted.matches(host) {
            return None;
        }
        match wanted {
            HostMatch::Wildcard(suffix)
                if host.strip_suffix(&**suffix).is_some_and(|rest| rest.ends_with('.')) =>
            {
                Some(Self::WildcardDepth)
            }
            _ => Some(Self::Host),
        }
    }

    fn of_path(wanted: &PathMatch, path: &str) -> Option<Self> {
        if wanted.matches(path) {
            return None;
        }
        Some(match wanted {
            PathMatch::Prefix(prefix) if path.starts_with(&**prefix) => Self::PathElement,
            PathMatch::Prefix(prefix) => {
                let folded = PathMatch::Prefix(prefix.to_ascii_lowercase().into());
                if folded.matches(&path.to_ascii_lowercase()) {
                    Self::PathCase
                } else {
                    Self::PathPrefix
                }
            }
            PathMatch::Exact(exact) if exact.eq_ignore_ascii_case(path) => Self::PathCase,
            PathMatch::Exact(exact)
                if exact.trim_end_matches('/') == path.trim_end_matches('/') =>
            {
                Self::PathSlash
            }
            PathMatch::Exact(_) => Self::PathExact,
        })
    }

    /// How near it was, least first.
    fn distance(self) -> u8 {
        match self {
            Self::PathCase | Self::PathSlash => 0,
            Self::PathElement => 1,
            Self::EntryPoint | Self::WildcardDepth => 2,
            Self::PathPrefix | Self::PathExact => 3,
            Self::Host => 4,
        }
    }
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EntryPoint => "it is for another entry point",
            Self::Host => "it is for another host",
            Self::WildcardDepth => "its * stands for exactly one label",
            Self::PathCase => "paths differ in upper and lower case",
            Self::PathElement => "its prefix matches whole path elements only",
            Self::PathPrefix => "the path is not below its prefix",
            Self::PathSlash => "its path must match exactly, also the slash at the end",
            Self::PathExact => "its path must match exactly",
        })
    }
}

impl RouteTable {
    /// The rules nearest to a request that no route matches, nearest first. For a host that has
    /// routes these are its own; otherwise those of the host with the most similar name.
    pub fn nearest(&self, entry_point: &str, host: &str, path: &str) -> Vec<Near<'_>> {
        let looked_at = || self.routes().iter().take(MAX_LOOKED_AT).map(|compiled| &compiled.route);
        let mut near: Vec<Near<'_>> = looked_at()
            .filter_map(|route| {
                let why = WhyNot::explain(route, entry_point, host, path)?;
                let is_near = match why {
                    WhyNot::Host => false,
                    WhyNot::EntryPoint => route.host.matches(host) && route.path.matches(path),
                    _ => true,
                };
                is_near.then_some(Near { route, why })
            })
            .collect();
        if near.is_empty() {
            let names = looked_at().filter_map(|route| match &route.host {
                HostMatch::Exact(name) => Some(&**name),
                HostMatch::Wildcard(_) | HostMatch::Any => None,
            });
            let meant = suggest::nearest(host, names);
            let of_host = looked_at().filter(|route| match &route.host {
                HostMatch::Exact(name) => meant == Some(&**name),
                HostMatch::Wildcard(_) | HostMatch::Any => false,
            });
            near = of_host.map(|route| Near { route, why: WhyNot::Host }).collect();
        }
        near.sort_by_key(|near| {
            let shared = shared_elements(&near.route.path, path);
            (near.why.distance(), std::cmp::Reverse(shared))
        });
        near.truncate(MAX_RULES);
        near
    }
}

/// How many bytes the wanted and the actual path have in common at the start.
fn shared_elements(wanted: &PathMatch, path: &str) -> usize {
    let (PathMatch::Exact(wanted) | PathMatch::Prefix(wanted)) = wanted;
    wanted.bytes().zip(path.bytes()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::route;

    fn near(host: &str, path: &str) -> Vec<(String, WhyNot)> {
        let mut secure = route("secure", "s.local", "/");
        secure.entry_points = vec!["websecure".into()];
        let table = RouteTable::compile(&[
            route("api", "test.local", "/api"),
            route("docs", "test.local", "/docs"),
            route("exact", "test.local", "=/status"),
            route("wild", "*.wild.local", "/"),
            secure,
        ]);
        let near = table.nearest("web", host, path);
        near.iter().map(|near| (near.route.name.to_string(), near.why)).collect()
    }

    #[test]
    fn nearest_rules_first() {
        use WhyNot::*;
        let first = |host, path| near(host, path).into_iter().next();
        let expect = |name: &str, why| Some((name.to_owned(), why));
        assert_eq!(first("test.local", "/apiary"), expect("api", PathElement));
        assert_eq!(first("test.local", "/API/x"), expect("api", PathCase));
        assert_eq!(first("test.local", "/status/"), expect("exact", PathSlash));
        assert_eq!(first("test.local", "/doc"), expect("docs", PathPrefix));
        assert_eq!(first("tset.local", "/api"), expect("api", Host));
        assert_eq!(first("a.b.wild.local", "/"), expect("wild", WildcardDepth));
        assert_eq!(first("s.local", "/"), expect("secure", EntryPoint));
        assert_eq!(first("else.where.example", "/"), None);
    }

    #[test]
    fn a_route_that_matches_has_no_reason() {
        let route = route("api", "*.local", "/api");
        assert_eq!(WhyNot::explain(&route, "web", "a.local", "/api/x"), None);
    }
}
