//! Plugins, which are never run here: what each closes, since who migrates wants to know that
//! first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_model::routing::filter::{Filter, Use};
use steelyard_model::routing::id::{EntryPointId, RouteId};
use steelyard_model::routing::world::RoutingMap;

/// What a plugin closes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginClosure {
    /// Routes that pass it, or stand where all pass it.
    pub routes: BTreeSet<RouteId>,
    /// Entry points on which all pass it.
    pub entry_points: BTreeSet<EntryPointId>,
}

/// What each plugin closes, by its name.
pub fn closed_by_plugins(map: &RoutingMap) -> BTreeMap<Arc<str>, PluginClosure> {
    let mut all: BTreeMap<Arc<str>, PluginClosure> = BTreeMap::new();
    for route in map.routes.values() {
        for name in route.uses.iter().flat_map(|usage| plugins_of(usage, map)) {
            all.entry(name).or_default().routes.insert(route.id.clone());
        }
    }
    for (id, listener) in map.listeners.iter() {
        for name in listener.uses.iter().flat_map(|usage| plugins_of(usage, map)) {
            let closed = all.entry(name).or_default();
            closed.entry_points.insert(listener.entry_point.clone());
            let its = map.routes.values().filter(|route| route.listeners.contains(id));
            closed.routes.extend(its.map(|route| route.id.clone()));
        }
    }
    all
}

/// The plugins that a use comes to.
fn plugins_of(usage: &Use, map: &RoutingMap) -> Vec<Arc<str>> {
    let mut names = Vec::new();
    usage.each_within(&map.filters, &mut |one| {
        if let Some(Filter::Plugin(name)) = map.filters.get(&one.filter).map(|it| &it.filter) {
            names.push(name.clone());
        }
    });
    names
}
