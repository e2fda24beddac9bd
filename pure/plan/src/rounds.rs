//! Backends, routes and filters that lead back to themselves by what they name.
//!
//! Whoever is on such a way ends on it (503), and nobody else: what goes round costs itself alone.
//! Not here: Services whose endpoints are addresses of others (`circles.rs`).

mod components;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use steelyard_model::routing::backend::{Backend, BackendNode};
use steelyard_model::routing::filter::{Filter, FilterNode};
use steelyard_model::routing::id::{BackendId, FilterId, RouteId};
use steelyard_model::routing::route::{Destination, Route};
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{Diagnostic, FieldPath, Provenance, Severity};

use crate::codes;

/// How many are looked at for the shortest way round: a longer one is not told whole.
const MOST_LOOKS: usize = 64;
/// How many of those between are named.
const MOST_NAMED: usize = 6;

/// What names others, and whom; what names nobody is not in it, so there are few.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    to: BTreeMap<Knot, Vec<Knot>>,
    found: Vec<Diagnostic>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Knot {
    Backend(BackendId),
    Filter(FilterId),
    Route(RouteId),
}

impl Rounds {
    /// Comes to be that of `now`.
    pub(crate) fn follow(&mut self, before: &RoutingMap, now: &RoutingMap) {
        let backends = now.backends.differing(&before.backends).into_iter();
        let backends = backends.map(|id| {
            let node = now.backends.get(id).map(Arc::as_ref);
            (Knot::Backend(id.clone()), node.map_or_else(Vec::new, by_backend))
        });
        let filters = now.filters.differing(&before.filters).into_iter();
        let filters = filters.map(|id| {
            let node = now.filters.get(id).map(Arc::as_ref);
            (Knot::Filter(id.clone()), node.map_or_else(Vec::new, by_filter))
        });
        let routes = now.routes.differing(&before.routes).into_iter();
        let routes = routes.map(|id| {
            let route = now.routes.get(id).map(Arc::as_ref);
            (Knot::Route(id.clone()), route.map_or_else(Vec::new, by_route))
        });
        let mut is_other = false;
        for (knot, to) in backends.chain(filters).chain(routes) {
            let names_nobody = to.is_empty();
            let before =
                if names_nobody { self.to.remove(&knot) } else { self.to.insert(knot, to) };
            is_other |= !names_nobody || before.is_some();
        }
        if is_other {
            self.found = self.report(now);
        }
    }

    /// What there is to say about all that goes round, by name.
    pub(crate) fn found(&self) -> &[Diagnostic] {
        &self.found
    }

    fn report(&self, map: &RoutingMap) -> Vec<Diagnostic> {
        let knots: Vec<&Knot> = self.to.keys().collect();
        let to: Vec<Vec<usize>> = self.to.values().map(|to| numbers(&knots, to)).collect();
        let circle = components::of(&to);
        let mut found: BTreeMap<(String, FieldPath), Diagnostic> = BTreeMap::new();
        for (from, knot) in knots.iter().enumerate() {
            let goes_on = |next: &usize| circle[*next] == circle[from];
            if !to[from].iter().any(goes_on) {
                continue;
            }
            let (between, is_whole) = way_round(from, &to, &circle);
            let next = between.first().map_or(knots[from], |next| knots[*next]);
            let Some(place) = self.place(map, knot, next) else { continue };
            let mut names: Vec<String> = Vec::new();
            for at in between {
                let name = self.place(map, knots[at], knots[at]).map(|it| it.object.to_string());
                names.extend(
                    name.filter(|it| !names.contains(it) && **it != place.object.to_string()),
                );
            }
            let key = (place.object.to_string(), place.field.clone());
            found.entry(key).or_insert_with(|| said(knot, &place, &names, is_whole));
        }
        found.into_values().collect()
    }

    /// Where a knot names the next one.
    fn place(&self, map: &RoutingMap, knot: &Knot, next: &Knot) -> Option<Provenance> {
        let at = self.to.get(knot)?.iter().position(|it| it == next);
        match knot {
            Knot::Backend(id) => {
                let node = map.backends.get(id)?;
                let place = node.place.as_ref()?;
                let field =
                    at.map_or_else(|| place.field.clone(), |at| edge(&node.backend, place, at));
                Some(Provenance::new(&place.object, field))
            }
            Knot::Filter(id) => {
                let place = map.filters.get(id)?.place.as_ref()?;
                let members = |at| place.field.key("chain").key("middlewares").index(at);
                let field = at.map_or_else(|| place.field.clone(), members);
                Some(Provenance::new(&place.object, field))
            }
            Knot::Route(id) => {
                let place = &map.routes.get(id)?.place;
                let of_file = FieldPath::from("parentRefs");
                let is_of_object = place.field.0.starts_with("spec");
                let field = if is_of_object { FieldPath::from("spec.parentRefs") } else { of_file };
                Some(Provenance::new(&place.object, field))
            }
        }
    }
}

fn by_backend(node: &BackendNode) -> Vec<Knot> {
    node.backend.edges().into_iter().map(|edge| Knot::Backend(edge.backend.clone())).collect()
}

fn by_filter(node: &FilterNode) -> Vec<Knot> {
    match &node.filter {
        Filter::Chain(members) => members.iter().cloned().map(Knot::Filter).collect(),
        _ => Vec::new(),
    }
}

fn by_route(route: &Route) -> Vec<Knot> {
    match &route.to {
        Destination::Routes(routes) => routes.iter().cloned().map(Knot::Route).collect(),
        Destination::Backend(_) => Vec::new(),
    }
}

/// The numbers of those that name others in turn.
fn numbers(knots: &[&Knot], to: &[Knot]) -> Vec<usize> {
    to.iter().filter_map(|next| knots.binary_search(&next).ok()).collect()
}

/// Where a backend writes the edge `at`.
fn edge(backend: &Backend, place: &Provenance, at: usize) -> FieldPath {
    let field = &place.field;
    match backend {
        Backend::Weighted { .. } => field.key("weighted").key("services").index(at),
        Backend::Rendezvous { .. } => field.key("highestRandomWeight").key("services").index(at),
        Backend::Mirror { .. } if at == 0 => field.key("mirroring"),
        Backend::Mirror { .. } => field.key("mirroring").key("mirrors").index(at - 1),
        Backend::Failover { .. } if at == 0 => field.key("failover").key("service"),
        Backend::Failover { .. } => field.key("failover").key("fallback"),
        _ => field.clone(),
    }
}

/// Those between on the shortest way from one back to it, and whether that is all of it.
fn way_round(from: usize, to: &[Vec<usize>], circle: &[usize]) -> (Vec<usize>, bool) {
    let mut came_from: BTreeMap<usize, usize> = BTreeMap::new();
    let mut ahead = VecDeque::from([from]);
    let mut last = from;
    while let Some(at) = ahead.pop_front().filter(|_| came_from.len() < MOST_LOOKS) {
        last = at;
        for next in to[at].iter().copied().filter(|next| circle[*next] == circle[from]) {
            if next == from {
                return (back(at, from, &came_from), true);
            }
            came_from.entry(next).or_insert_with(|| {
                ahead.push_back(next);
                at
            });
        }
    }
    (back(last, from, &came_from), false)
}

/// The way to `at`, without where it began.
fn back(at: usize, from: usize, came_from: &BTreeMap<usize, usize>) -> Vec<usize> {
    let mut way: Vec<usize> =
        std::iter::successors(Some(at), |at| came_from.get(at).copied()).collect();
    way.retain(|it| *it != from);
    way.reverse();
    way
}

fn said(knot: &Knot, place: &Provenance, between: &[String], is_whole: bool) -> Diagnostic {
    let (what, so, help) = match knot {
        Knot::Backend(_) => (
            "its services lead back to it",
            "who goes round gets to nobody, and requests are answered 503",
            "let one of them lead to what really answers",
        ),
        Knot::Filter(_) => (
            "the chain stands within itself",
            "routes that use it answer 503",
            "take it out of one of the chains",
        ),
        Knot::Route(_) => (
            "its parents are below it",
            "no request gets there, or it is answered 503",
            "name a parent that entry points lead to",
        ),
    };
    let mut message = what.to_owned();
    if !between.is_empty() {
        let is_all = is_whole && between.len() <= MOST_NAMED;
        let named = between[..between.len().min(MOST_NAMED)].join(", ");
        let others = if is_all { "" } else { " and others" };
        message = format!("{message}, through {named}{others}");
    }
    let message = format!("{message}: {so}");
    Diagnostic::at(Severity::Error, codes::REFERENCE_CIRCLE, place, message, help)
}
