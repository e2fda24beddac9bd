//! Why no route matches: those that were nearest, each with the reason it lost. Data for the 404
//! page and for explanations.
//!
//! Requests that match nothing come in floods, and what is done for each has a constant bound: the
//! tables say which routes can be near, however many others there are, and of each place only so
//! many are looked at.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use steelyard_model::routing::id::{EntryPointId, RouteId};
use steelyard_model::routing::pattern::{PathForm, PathShape};
use steelyard_model::routing::route::Route;
use steelyard_model::routing::subject::Subject;

use crate::compile::RoutingTable;
use crate::why_not::WhyNot;

/// Most routes that are named.
const MAX_NAMED: usize = 5;

/// Most entry points that are looked at.
const MAX_ENTRY_POINTS: usize = 8;

/// Most listeners of the entry point that are looked at.
const MAX_LISTENERS: usize = 4;

/// Characters of a rule that are shown.
const LONGEST_RULE: usize = 300;

/// A route that was near, and why it does not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss<'t> {
    /// The route.
    pub route: &'t Arc<Route>,
    /// What keeps it from the request.
    pub why: WhyNot,
}

impl RoutingTable {
    /// The routes nearest to a request that none serves, nearest first. For a host that has routes
    /// these are its own; otherwise those of the host with the most similar name.
    pub fn nearest(
        &self,
        entry_point: &EntryPointId,
        is_tls: bool,
        subject: &impl Subject,
    ) -> Vec<NearMiss<'_>> {
        let mut near = misses(self.of_host(entry_point, is_tls, subject), subject);
        near.extend(self.elsewhere(entry_point, is_tls, subject));
        if near.is_empty() {
            near = misses(self.of_similar(entry_point, is_tls, subject), subject);
        }
        nearest_first(near, subject)
    }

    /// The same among the routes that `parent` leads to, of which none serves the request.
    pub fn nearest_child(&self, parent: &RouteId, subject: &impl Subject) -> Vec<NearMiss<'_>> {
        let mut found = Vec::new();
        if let Some(table) = self.children(parent) {
            table.sample(subject.host(), &mut found);
            if found.is_empty() {
                table.sample_similar(subject.host(), &mut found);
            }
        }
        nearest_first(misses(found, subject), subject)
    }

    /// Routes for the host itself, or nearly.
    fn of_host(&self, at: &EntryPointId, is_tls: bool, by: &impl Subject) -> Vec<&Arc<Route>> {
        let mut found = Vec::new();
        if let Some(table) = self.entry_point(at) {
            let tables = table.tables(is_tls, by.host()).take(MAX_LISTENERS);
            tables.for_each(|table| table.sample(by.host(), &mut found));
        }
        found
    }

    /// Routes for the host whose name is the most similar.
    fn of_similar(&self, at: &EntryPointId, is_tls: bool, by: &impl Subject) -> Vec<&Arc<Route>> {
        let mut found = Vec::new();
        if let Some(table) = self.entry_point(at) {
            let tables = table.tables(is_tls, by.host()).take(MAX_LISTENERS);
            tables.for_each(|table| table.sample_similar(by.host(), &mut found));
        }
        found
    }

    /// Routes that would serve the request over TLS, or without, or at another entry point.
    fn elsewhere(&self, at: &EntryPointId, is_tls: bool, by: &impl Subject) -> Vec<NearMiss<'_>> {
        let mut found = Vec::new();
        let others = self.entry_points().filter(|(id, _)| *id != at).take(MAX_ENTRY_POINTS);
        let other_way = self.entry_point(at).and_then(|table| table.serves(!is_tls, by));
        if let Some(route) = other_way {
            found.push(NearMiss { route, why: WhyNot::Tls(!is_tls) });
        }
        for (_, table) in others {
            let serves = table.serves(is_tls, by).or_else(|| table.serves(!is_tls, by));
            let Some(route) = serves else { continue };
            let why = WhyNot::EntryPoint { of: self.entry_points_of(route), asked: at.clone() };
            found.push(NearMiss { route, why });
        }
        found
    }

    pub(crate) fn entry_points_of(&self, route: &Route) -> Vec<EntryPointId> {
        let mut names: Vec<EntryPointId> = Vec::new();
        for listener in route.listeners.iter().filter_map(|id| self.listeners.get(id)) {
            if !names.contains(&listener.entry_point) {
                names.push(listener.entry_point.clone());
            }
        }
        names
    }
}

fn misses<'t>(routes: Vec<&'t Arc<Route>>, subject: &impl Subject) -> Vec<NearMiss<'t>> {
    let explained =
        |route: &'t Arc<Route>| Some(NearMiss { route, why: WhyNot::of(&route.rule, subject)? });
    routes.into_iter().filter_map(explained).collect()
}

fn nearest_first<'t>(mut near: Vec<NearMiss<'t>>, subject: &impl Subject) -> Vec<NearMiss<'t>> {
    near.sort_by_cached_key(|miss| {
        let (route, path) = (&miss.route, subject.path(PathForm::Normal));
        let order = (route.rank.specific.clone(), route.id.clone());
        (miss.why.distance(), Reverse(shared_bytes(route, path)), order)
    });
    near.dedup_by(|a, b| a.route.id == b.route.id);
    near.truncate(MAX_NAMED);
    near
}

/// How many bytes the wanted and the actual path have in common at the start.
fn shared_bytes(route: &Route, path: &str) -> usize {
    let Some(wanted) = route.rule.path() else { return 0 };
    match &wanted.shape {
        PathShape::Exact(wanted) | PathShape::Elements(wanted) | PathShape::Bytes(wanted) => {
            wanted.bytes().zip(path.bytes()).take_while(|(a, b)| a == b).count()
        }
        PathShape::Regex(_) => 0,
    }
}

/// As anybody may know it:
/// ``Host(`a.b`) && PathPrefix(`/x`): the path is not below its prefix (default-web-0@ingress)``.
impl fmt::Display for NearMiss<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = self.route.rule.discreet().to_string();
        let shown = rule.char_indices().nth(LONGEST_RULE).map_or(&*rule, |(at, _)| &rule[..at]);
        write!(f, "{shown}: {} ({})", self.why, self.route.id.traefik_name())
    }
}
