//! Why no route matches: the rules that were nearest, each with the reason it lost. Data for the
//! 404 page and for explanations.
//!
//! Requests that match nothing come in floods, and what is done for each has a constant bound: the
//! tables say which rules can be near, however many others there are, and of a host's rules only
//! so many are looked at.

use std::fmt;

use steelyard_model::{HostMatch, PathMatch, Route, suggest};

use crate::table::{HostTable, RouteTable};

/// Most rules that are named.
const MAX_RULES: usize = 5;

/// Most rules of one host that are looked at, of each kind of path.
const MAX_OF_HOST: usize = 32;

/// Most entry points that are looked at.
const MAX_ENTRY_POINTS: usize = 8;

/// Most labels before a wildcard's suffix that are recognised as too many.
const MAX_LABELS: usize = 8;

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
                let same = path.get(..prefix.len()).filter(|it| it.eq_ignore_ascii_case(prefix));
                let rest = same.map(|_| &path[prefix.len()..]);
                if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
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
        let explained =
            |route| Some(Near { route, why: WhyNot::explain(route, entry_point, host, path)? });
        let mut near: Vec<Near<'_>> =
            self.of_host(entry_point, host, path).into_iter().filter_map(explained).collect();
        if near.is_empty() {
            near = self.of_similar(entry_point, host).into_iter().filter_map(explained).collect();
        }
        near.sort_by_key(|near| {
            let shared = shared_bytes(&near.route.path, path);
            (near.why.distance(), std::cmp::Reverse(shared))
        });
        near.truncate(MAX_RULES);
        near
    }

    /// Rules for the host itself, or nearly.
    fn of_host(&self, entry_point: &str, host: &str, path: &str) -> Vec<&Route> {
        let mut found = Vec::new();
        if let Some(table) = self.entry_point(entry_point) {
            let suffixes = std::iter::successors(Some(host), |host| Some(host.split_once('.')?.1));
            let wildcards =
                suffixes.skip(1).take(MAX_LABELS).filter_map(|rest| table.wildcard.get(rest));
            for rules in table.exact.get(host).into_iter().chain(wildcards).chain([&table.any]) {
                found.extend(self.some_of(rules));
            }
        }
        let elsewhere = self.entry_points().filter(|name| *name != entry_point);
        let elsewhere = elsewhere.take(MAX_ENTRY_POINTS);
        found.extend(elsewhere.filter_map(|name| Some(&self.lookup(name, host, path)?.route)));
        found
    }

    /// Rules for the host whose name is the most similar.
    fn of_similar(&self, entry_point: &str, host: &str) -> Vec<&Route> {
        let meant = suggest::nearest(host, self.similar_hosts(host));
        let tables = self.entry_point(entry_point).zip(meant);
        let rules = tables.and_then(|(table, meant)| table.exact.get(meant));
        rules.map(|rules| self.some_of(rules).collect()).unwrap_or_default()
    }

    /// Some rules of a host, all if they are few, in order of precedence.
    fn some_of(&self, rules: &HostTable) -> impl Iterator<Item = &Route> {
        let exact = rules.exact.values().take(MAX_OF_HOST);
        let mut found: Vec<usize> =
            exact.chain(rules.prefixes.values().take(MAX_OF_HOST)).copied().collect();
        found.extend(rules.root);
        found.sort_unstable();
        found.into_iter().map(|index| &self.routes()[index].route)
    }
}

/// How many bytes the wanted and the actual path have in common at the start.
fn shared_bytes(wanted: &PathMatch, path: &str) -> usize {
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

    /// However many routes there are, so many are looked at and no more.
    #[test]
    fn the_cost_has_a_bound() {
        let mut routes: Vec<Route> = (0..3_000)
            .map(|n| route(&format!("h{n}"), &format!("service-{n:04}.apps.local"), "/x"))
            .collect();
        routes.extend((0..3_000).map(|n| route(&format!("p{n}"), "many.local", &format!("/{n}"))));
        routes.extend((0..3_000).map(|n| route(&format!("e{n}"), "many.local", &format!("=/{n}"))));
        routes.extend((0..3_000).map(|n| route(&format!("w{n}"), &format!("*.{n}.local"), "/x")));
        let table = RouteTable::compile(&routes);
        let long = format!("{}local", "a.".repeat(30_000));
        for host in
            ["many.local", "manu.local", "service-01x4.apps.local", "a.b.7.local", &long, ""]
        {
            assert!(table.of_host("web", host, "/zz").len() <= 4 * MAX_OF_HOST, "{host}");
            assert!(table.of_similar("web", host).len() <= 3 * MAX_OF_HOST, "{host}");
            assert!(table.similar_hosts(host).count() <= 64, "{host}");
            assert!(table.nearest("web", host, "/zz").len() <= MAX_RULES, "{host}");
        }
        for host in ["service-0123.apps.local", "sevice-0123.apps.local", "service-0123.app.local"]
        {
            let near = table.nearest("web", host, "/y");
            let found = near.first().map(|near| near.route.host.to_string());
            assert_eq!(found.as_deref(), Some("service-0123.apps.local"), "{host}");
        }
    }

    #[test]
    fn a_route_that_matches_has_no_reason() {
        let route = route("api", "*.local", "/api");
        assert_eq!(WhyNot::explain(&route, "web", "a.local", "/api/x"), None);
    }
}
