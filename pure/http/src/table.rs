//! Routes, compiled: which route a request takes, at a cost that does not grow with their number.
//!
//! By definition the answer is the first route in [`Route::precedence`] order whose host and path
//! match; tests hold the table to that. Per entry point: exact hosts by hash, wildcards by their
//! suffix, then routes for every host; per host exact paths by hash, then prefixes, longest first.
//! When no path of a host matches, the next kind of host is tried.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use steelyard_model::{HostMatch, PathMatch, Route};

use crate::hosts::Hosts;
use crate::readings::readings;

/// Keys come from configuration, so a fixed hasher is safe: clients cannot insert.
pub(crate) type Map<V> = HashMap<Arc<str>, V, BuildHasherDefault<DefaultHasher>>;

/// All routes, ready for lookups. Immutable; a new configuration is a new table.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    routes: Vec<CompiledRoute>,
    entry_points: Vec<(Box<str>, EntryPointTable)>,
    hosts: Hosts,
}

/// A route and its place in the table, which stays the same for the table's life.
#[derive(Clone, Debug)]
pub struct CompiledRoute {
    /// From 0, in order of precedence; below [`RouteTable::len`].
    pub index: usize,
    /// The route.
    pub route: Route,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct EntryPointTable {
    pub(crate) exact: Map<HostTable>,
    pub(crate) wildcard: Map<HostTable>,
    pub(crate) any: HostTable,
}

/// The paths of one host; values are indices of routes.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostTable {
    pub(crate) exact: Map<usize>,
    pub(crate) prefixes: Map<usize>,
    /// The prefix `/`, which most hosts have and nothing else.
    pub(crate) root: Option<usize>,
    /// Length of the longest prefix: longer candidates need not be hashed.
    longest: usize,
}

impl RouteTable {
    /// Compiles `routes`, in any order. Of two for the same host and path the one that precedes
    /// wins.
    pub fn compile(routes: &[Route]) -> Self {
        let mut sorted: Vec<&Route> = routes.iter().collect();
        sorted.sort_by(|a, b| a.precedence().cmp(&b.precedence()));
        let mut table = Self::default();
        for (index, route) in sorted.into_iter().enumerate() {
            for name in &route.entry_points {
                table.entry_point_mut(name).insert(route, index);
            }
            table.routes.push(CompiledRoute { index, route: route.clone() });
        }
        let exact = table.entry_points.iter().flat_map(|(_, entry_point)| entry_point.exact.keys());
        table.hosts = Hosts::new(exact.cloned());
        table
    }

    /// How many routes there are.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// All routes, in order of precedence.
    pub fn routes(&self) -> &[CompiledRoute] {
        &self.routes
    }

    /// The route for a request to `host` (lower case, without port and trailing dot) and `path`
    /// (in normal form) that came in at `entry_point`.
    pub fn lookup(&self, entry_point: &str, host: &str, path: &str) -> Option<&CompiledRoute> {
        let table = self.entry_point(entry_point)?;
        let found = table
            .exact
            .get(host)
            .and_then(|paths| paths.lookup(path))
            .or_else(|| table.wildcard_of(host).and_then(|paths| paths.lookup(path)))
            .or_else(|| table.any.lookup(path))?;
        self.routes.get(found)
    }

    /// Whether some server sees in `path` one that the table has another route for than `found`,
    /// and it makes a difference: what that route keeps out, or leads elsewhere, would be got at
    /// through this one. Costs nothing where the path has one reading.
    pub fn is_ambiguous(
        &self,
        entry_point: &str,
        host: &str,
        path: &str,
        found: &CompiledRoute,
    ) -> bool {
        readings(path)
            .filter_map(|other| self.lookup(entry_point, host, &other))
            .any(|other| !other.route.serves_like(&found.route))
    }

    /// Hosts with routes of their own whose names may be meant by `host`: a constant number.
    pub(crate) fn similar_hosts(&self, host: &str) -> impl Iterator<Item = &str> {
        self.hosts.around(host)
    }

    pub(crate) fn entry_points(&self) -> impl Iterator<Item = &str> {
        self.entry_points.iter().map(|(name, _)| &**name)
    }

    pub(crate) fn entry_point(&self, name: &str) -> Option<&EntryPointTable> {
        self.entry_points.iter().find(|(known, _)| **known == *name).map(|(_, table)| table)
    }

    fn entry_point_mut(&mut self, name: &str) -> &mut EntryPointTable {
        let at = self.entry_points.iter().position(|(known, _)| **known == *name);
        let at = at.unwrap_or_else(|| {
            self.entry_points.push((name.into(), EntryPointTable::default()));
            self.entry_points.len() - 1
        });
        &mut self.entry_points[at].1
    }
}

impl EntryPointTable {
    /// The one wildcard that can match: `*.` and what follows the first label.
    pub(crate) fn wildcard_of(&self, host: &str) -> Option<&HostTable> {
        if self.wildcard.is_empty() {
            return None;
        }
        let (label, rest) = host.split_once('.')?;
        if label.is_empty() { None } else { self.wildcard.get(rest) }
    }

    /// Routes come in order of precedence, so the first for a place keeps it.
    fn insert(&mut self, route: &Route, index: usize) {
        let paths = match &route.host {
            HostMatch::Exact(name) => self.exact.entry(name.clone()).or_default(),
            HostMatch::Wildcard(suffix) => self.wildcard.entry(suffix.clone()).or_default(),
            HostMatch::Any => &mut self.any,
        };
        match &route.path {
            PathMatch::Exact(path) => paths.exact.entry(path.clone()).or_insert(index),
            PathMatch::Prefix(prefix) if prefix.is_empty() => paths.root.get_or_insert(index),
            PathMatch::Prefix(prefix) => {
                paths.longest = paths.longest.max(prefix.len());
                paths.prefixes.entry(prefix.clone()).or_insert(index)
            }
        };
    }
}

impl HostTable {
    fn lookup(&self, path: &str) -> Option<usize> {
        if !self.exact.is_empty()
            && let Some(found) = self.exact.get(path)
        {
            return Some(*found);
        }
        let root = || self.root.filter(|_| path.is_empty() || path.starts_with('/'));
        if self.prefixes.is_empty() {
            return root();
        }
        if path.len() <= self.longest
            && let Some(found) = self.prefixes.get(path)
        {
            return Some(*found);
        }
        // A prefix ends before a slash: try these places from the right, but none beyond the
        // longest prefix, so that a path of many elements costs no more than the routes warrant.
        let mut end = path.len().min(self.longest.saturating_add(1));
        while let Some(slash) = memchr::memrchr(b'/', &path.as_bytes()[..end]) {
            if let Some(found) = self.prefixes.get(&path[..slash]) {
                return Some(*found);
            }
            end = slash;
        }
        root()
    }
}

#[cfg(test)]
mod tests;
