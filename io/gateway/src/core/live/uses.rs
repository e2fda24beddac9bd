//! What requests pass on their way: the filters that listeners, routes and edges use.

use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use steelyard_filters::{ConnectionGate, Folded, Recipe};
use steelyard_model::routing::filter::{Filter, Use};
use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::listener::Listener;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::route::{Route, RouteKind};

use super::Scene;

/// What frames are made of, outermost first.
#[derive(Clone, Default)]
pub(crate) struct Recipes {
    all: Rc<[Recipe]>,
    /// The same as one, where they can be.
    folded: Option<Rc<Folded>>,
}

/// What the requests of one route pass.
#[derive(Default)]
pub(super) struct RouteUses {
    /// All of it by entry point and host, the most specific first. Empty where none of its
    /// listeners uses anything.
    listeners: Vec<(Part, HostPattern, Result<Option<Recipes>, LetsNobodyIn>)>,
    /// None, and not an empty one, where the route itself uses nothing.
    route: Option<Recipes>,
}

/// An entry point, and whether over TLS.
type Part = (EntryPointId, bool);

/// What a listener uses cannot be had.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LetsNobodyIn;

impl Recipes {
    /// The same as one, where they can be.
    pub(crate) fn folded(&self) -> Option<&Folded> {
        self.folded.as_deref()
    }
}

impl Deref for Recipes {
    type Target = [Recipe];

    fn deref(&self) -> &[Recipe] {
        &self.all
    }
}

impl FromIterator<Recipe> for Recipes {
    fn from_iter<I: IntoIterator<Item = Recipe>>(all: I) -> Self {
        let all: Rc<[Recipe]> = Recipe::in_runs(all).into();
        Self { folded: Recipe::folded(&all).map(Rc::new), all }
    }
}

/// Of one request alone: nothing is folded for it.
impl From<Vec<Recipe>> for Recipes {
    fn from(all: Vec<Recipe>) -> Self {
        Self { all: all.into(), folded: None }
    }
}

impl From<Recipes> for Rc<[Recipe]> {
    fn from(it: Recipes) -> Self {
        it.all
    }
}

impl RouteUses {
    /// None where that is nothing.
    pub(super) fn at(
        &self,
        (point, is_tls): (&EntryPointId, bool),
        host: &str,
    ) -> Result<Option<Recipes>, LetsNobodyIn> {
        let is_it = |(its, pattern, _): &&(Part, HostPattern, _)| {
            its.0 == *point && its.1 == is_tls && pattern.matches(host)
        };
        let found = self.listeners.iter().find(is_it);
        found.map_or_else(|| Ok(self.own()), |(_, _, recipes)| recipes.clone())
    }

    /// Whether some of it is to be made again.
    pub(super) fn has_lapsed(&self) -> bool {
        let of_listeners = self.listeners.iter().filter_map(|(_, _, all)| all.as_ref().ok());
        of_listeners.flatten().chain(&self.route).any(have_lapsed)
    }

    /// What the route itself uses.
    pub(super) fn own(&self) -> Option<Recipes> {
        self.route.clone()
    }
}

/// Whether any of these is to be made again: what it keeps was forgotten while this core did not
/// look, and another one is kept by all others.
pub(super) fn have_lapsed(recipes: &Recipes) -> bool {
    recipes.iter().any(Recipe::has_lapsed)
}

/// The same, if there are any.
fn passed(recipes: Recipes) -> Option<Recipes> {
    (!recipes.is_empty()).then_some(recipes)
}

impl Scene<'_> {
    /// What frames of these uses are made of; none if any of them is not built.
    pub(super) fn recipes(&self, uses: &[Use]) -> Option<Recipes> {
        self.recipes_of(uses, false)
    }

    fn recipes_of(&self, uses: &[Use], of_route: bool) -> Option<Recipes> {
        if uses.is_empty() {
            return Some(Recipes::default());
        }
        let filters = &self.live.config.routing.filters;
        let mut memory = self.shared.memory();
        let mut recipes = Vec::new();
        for usage in uses {
            for one in usage.expanded(filters)? {
                // A route sees to it itself.
                let filter = filters.get(&one.filter).map(|node| &node.filter);
                if of_route && matches!(filter, Some(Filter::Timeouts(_))) {
                    continue;
                }
                recipes.push(Recipe::among(&one, filters, &mut memory)?);
            }
        }
        Some(recipes.into())
    }

    /// What connections pass that come to a route; none if any of it is not built.
    pub(super) fn gates(&self, route: &Route) -> Option<Vec<ConnectionGate>> {
        // Datagrams pass nothing.
        if route.kind != RouteKind::Tcp && !route.uses.is_empty() {
            return None;
        }
        let filters = &self.live.config.routing.filters;
        let filter = |it: &Use| filters.get(&it.filter).map(|node| &node.filter);
        let mut gates = Vec::new();
        for usage in &route.uses {
            for one in usage.expanded(filters)? {
                gates.push(ConnectionGate::of(&one, filter(&one), &mut self.shared.memory())?);
            }
        }
        Some(gates)
    }

    pub(super) fn route_uses(&self, route: &Route) -> Option<RouteUses> {
        let known = &self.live.config.routing.listeners;
        let listeners = route.listeners.iter().filter_map(|id| known.get(id));
        let mut listeners = Vec::from_iter(listeners);
        // Connections as they come pass none of what requests pass.
        let is_used = route.kind.is_of_requests();
        if !is_used || listeners.iter().all(|it| it.uses.is_empty()) {
            listeners.clear();
        }
        listeners.sort_by(|a, b| a.host.cmp(&b.host));
        let own = self.recipes_of(&route.uses, true)?;
        let made = |it: &Arc<Listener>| {
            let part = (it.entry_point.clone(), it.security.is_tls());
            let all = self.recipes(&it.uses).ok_or(LetsNobodyIn);
            let all = all.map(|outer| passed(outer.iter().chain(&*own).cloned().collect()));
            (part, it.host.clone(), all)
        };
        let listeners = listeners.into_iter().map(made).collect();
        Some(RouteUses { listeners, route: passed(own.iter().cloned().collect()) })
    }

    /// What passes who has no route: what the entry point's own listener uses. A filter that is not
    /// built restricts nothing here.
    pub(crate) fn own_recipes(&self, point: &EntryPointId, is_tls: bool) -> Option<Recipes> {
        let part = (point.clone(), is_tls);
        let mut known = self.states.listeners.borrow_mut();
        if let Some(recipes) = known.get(&part).filter(|recipes| !have_lapsed(recipes)) {
            return passed(recipes.clone());
        }
        let mut listeners = self.live.config.routing.listeners.values();
        let is_own = |it: &&Arc<Listener>| it.gateway.is_none() && it.security.is_tls() == is_tls;
        let own = listeners.find(|it| it.entry_point == *point && is_own(it));
        let recipes = own.and_then(|it| self.recipes(&it.uses)).unwrap_or_default();
        known.insert(part, recipes.clone());
        passed(recipes)
    }
}
