//! What requests pass on their way: the filters that listeners, routes and edges use.

use std::rc::Rc;
use std::sync::Arc;

use steelyard_filters::{ConnectionGate, Recipe};
use steelyard_model::routing::filter::{Filter, Use};
use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::listener::Listener;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::route::{Route, RouteKind};

use super::Scene;

/// What frames are made of, outermost first.
pub(crate) type Recipes = Rc<[Recipe]>;

/// What the requests of one route pass.
#[derive(Default)]
pub(super) struct RouteUses {
    /// By entry point and host, the most specific first. Empty where none of its listeners uses
    /// anything; one without recipes uses what cannot be had, and lets nobody in.
    listeners: Vec<(Part, HostPattern, Option<Recipes>)>,
    route: Option<Recipes>,
}

/// An entry point, and whether over TLS.
type Part = (EntryPointId, bool);

impl RouteUses {
    /// None where the listener lets nobody in.
    pub(super) fn at(
        &self,
        (point, is_tls): (&EntryPointId, bool),
        host: &str,
    ) -> Option<Vec<Recipe>> {
        let mut all = Vec::new();
        let is_it = |(its, pattern, _): &&(Part, HostPattern, Option<Recipes>)| {
            its.0 == *point && its.1 == is_tls && pattern.matches(host)
        };
        if let Some((_, _, recipes)) = self.listeners.iter().find(is_it) {
            all.extend_from_slice(recipes.as_ref()?);
        }
        all.extend_from_slice(self.own());
        Some(all)
    }

    /// Whether some of it is to be made again.
    pub(super) fn has_lapsed(&self) -> bool {
        let of_listeners = self.listeners.iter().filter_map(|(_, _, recipes)| recipes.as_ref());
        of_listeners.chain(&self.route).any(have_lapsed)
    }

    /// What the route itself uses.
    pub(super) fn own(&self) -> &[Recipe] {
        self.route.as_deref().unwrap_or_default()
    }
}

/// Whether any of these is to be made again: what it keeps was forgotten while this core did not
/// look, and another one is kept by all others.
pub(super) fn have_lapsed(recipes: &Recipes) -> bool {
    recipes.iter().any(Recipe::has_lapsed)
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
        let made = |it: &Arc<Listener>| {
            let part = (it.entry_point.clone(), it.security.is_tls());
            (part, it.host.clone(), self.recipes(&it.uses))
        };
        let listeners = listeners.into_iter().map(made).collect();
        let route =
            if route.uses.is_empty() { None } else { Some(self.recipes_of(&route.uses, true)?) };
        Some(RouteUses { listeners, route })
    }

    /// What passes who has no route: what the entry point's own listener uses. A filter that is not
    /// built restricts nothing here.
    pub(crate) fn own_recipes(&self, point: &EntryPointId, is_tls: bool) -> Recipes {
        let part = (point.clone(), is_tls);
        let mut known = self.states.listeners.borrow_mut();
        if let Some(recipes) = known.get(&part).filter(|recipes| !have_lapsed(recipes)) {
            return recipes.clone();
        }
        let mut listeners = self.live.config.routing.listeners.values();
        let is_own = |it: &&Arc<Listener>| it.gateway.is_none() && it.security.is_tls() == is_tls;
        let own = listeners.find(|it| it.entry_point == *point && is_own(it));
        let recipes = own.and_then(|it| self.recipes(&it.uses)).unwrap_or_default();
        known.insert(part, recipes.clone());
        recipes
    }
}
