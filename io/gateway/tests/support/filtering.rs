//! Uses of test frames on listeners, routes and edges, and what became of them.

use std::sync::Arc;

use steelyard_filters::trial::diary;
use steelyard_model::routing::backend::{Backend, BackendNode, Edge};
use steelyard_model::routing::filter::{Filter, FilterNode, Use};
use steelyard_model::routing::id::{FilterId, RouteId};
use steelyard_model::routing::route::{Destination, Route};
use steelyard_model::routing::world::RoutingMap;

use super::eventually;

/// Deeds with the names of their frames.
pub(crate) type Uses<'a> = &'a [(&'a str, &'a str)];

pub(crate) fn uses(all: Uses<'_>) -> Vec<Use> {
    let made = |(deed, name): &(&str, &str)| Use {
        filter: format!("trial:{deed}").into(),
        state: Arc::from(*name),
    };
    all.iter().map(made).collect()
}

pub(crate) fn using(mut map: RoutingMap, listener: Uses<'_>, route: Uses<'_>) -> RoutingMap {
    let listeners: Vec<_> = map.listeners.iter().map(|(id, it)| (id.clone(), it.clone())).collect();
    for (id, it) in listeners {
        let mut it = (*it).clone();
        it.uses = uses(listener);
        map.listeners.insert(id, Arc::new(it));
    }
    let routes: Vec<_> = map.routes.iter().map(|(id, it)| (id.clone(), it.clone())).collect();
    for (id, it) in routes {
        let mut it = (*it).clone();
        it.uses = uses(route);
        map.routes.insert(id, Arc::new(it));
    }
    map
}

/// The route that [`super::route`] made under this name.
pub(crate) fn id(name: &str) -> RouteId {
    format!("default/{name}/0@ingress").into()
}

/// The backend of its endpoints.
pub(crate) fn leaf(name: &str) -> String {
    format!("default/{name}:80@ingress")
}

/// Changes a route.
pub(crate) fn change(map: &mut RoutingMap, name: &str, change: impl FnOnce(&mut Route)) {
    let mut route = (**map.routes.get(&id(name)).unwrap()).clone();
    change(&mut route);
    map.routes.insert(id(name), Arc::new(route));
}

/// The route `parent` leads to these from now on, which have no listener of their own.
pub(crate) fn adopt(map: &mut RoutingMap, parent: &str, children: &[&str]) {
    let all = children.iter().map(|name| id(name)).collect();
    change(map, parent, |route| route.to = Destination::Routes(all));
    for name in children {
        change(map, name, |route| route.listeners.clear());
    }
}

/// Puts a backend in.
pub(crate) fn put_backend(map: &mut RoutingMap, id: &str, backend: Backend) {
    let node = BackendNode { id: id.into(), place: None, service: None, backend };
    map.backends.insert(node.id.clone(), Arc::new(node));
}

/// The route of this name uses these filters from now on, the first outermost.
pub(crate) fn put_filters(map: &mut RoutingMap, route: &str, filters: Vec<Filter>) {
    let mut uses = Vec::new();
    for (number, filter) in filters.into_iter().enumerate() {
        let id = FilterId::from(format!("filter-{number}"));
        uses.push(Use { filter: id.clone(), state: id.as_str().into() });
        let node = FilterNode { id: id.clone(), place: None, filter };
        map.filters.insert(id, Arc::new(node));
    }
    change(map, route, |route| route.uses = uses);
}

/// An edge with uses.
pub(crate) fn edge(to: &str, weight: u32, on_it: Uses<'_>) -> Edge {
    Edge { backend: to.into(), weight, uses: uses(on_it) }
}

/// That this happened to the frames of a name, some of it after the client had its answer.
pub(crate) fn told(name: &str, expected: &[&str]) {
    eventually(&format!("{name}: {expected:?}"), || diary(name).len() >= expected.len());
    assert_eq!(diary(name), expected, "{name}");
}

/// The first header line of this name in a head that was echoed.
pub(crate) fn echoed<'r>(text: &'r str, name: &str) -> Option<&'r str> {
    let mut lines = text.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(its, _)| its.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// How often the frames of a name wanted another attempt.
pub(crate) fn again(name: &str) -> usize {
    diary(name).iter().filter(|it| *it == "again").count()
}
