//! Which routes anybody gets to: those of entry points, and those that they lead to.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use steelyard_model::routing::backend::RefusalReason;
use steelyard_model::routing::filter::Use;
use steelyard_model::routing::id::{ListenerId, RouteId};
use steelyard_model::routing::listener::Listener;
use steelyard_model::routing::route::{Destination, Route, RouteKind};
use steelyard_model::routing::world::{Denial, RoutingMap};
use steelyard_tls::{HeldHandshakes, Unheld};

/// Who gets where.
pub struct Reached<'r> {
    routing: &'r RoutingMap,
    pub(crate) held: HeldHandshakes<'r>,
    /// Those that another one goes before wherever they match.
    after: &'r BTreeMap<RouteId, RouteId>,
    routes: HashSet<&'r RouteId>,
    /// Which route has datagrams that come to a listener.
    of_datagrams: HashMap<&'r ListenerId, &'r Route>,
}

/// Why a route serves nobody, whatever its endpoints do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Idle<'r> {
    /// It is not to be served: the status that says so, and why.
    Refused(u16, &'r RefusalReason),
    /// What its requests pass lets nobody in.
    Denied(Denial<'r>),
    /// All who come in at its entry point are refused.
    Closed(&'r Listener),
    /// No handshake is held for it.
    Unheld(Unheld),
    /// This one goes first wherever it matches.
    After(&'r RouteId),
    /// Another one has the entry points for datagrams that it is at.
    Behind,
    /// It is at no entry point, and no route that serves anybody leads there.
    Unreached,
}

impl<'r> Reached<'r> {
    /// Of all routes; `after` are those that another one goes before wherever they match.
    pub fn of(routing: &'r RoutingMap, after: &'r BTreeMap<RouteId, RouteId>) -> Self {
        let held = HeldHandshakes::new(routing);
        let routes = HashSet::new();
        let mut reached =
            Self { routing, held, after, routes, of_datagrams: of_datagrams(routing) };
        let roots = routing.routes.values().filter(|route| !route.listeners.is_empty());
        let mut open: Vec<&'r Route> = roots.map(|route| &**route).collect();
        while let Some(route) = open.pop() {
            if !reached.routes.insert(&route.id) || reached.own_reason(route).is_some() {
                continue;
            }
            if let Destination::Routes(children) = &route.to {
                open.extend(children.iter().filter_map(|id| Some(&**routing.routes.get(id)?)));
            }
        }
        reached
    }

    /// Why it serves nobody, if it does not.
    pub fn idle(&self, route: &Route) -> Option<Idle<'r>> {
        let unreached = || (!self.routes.contains(&route.id)).then_some(Idle::Unreached);
        self.own_reason(route).or_else(unreached)
    }

    fn own_reason(&self, route: &Route) -> Option<Idle<'r>> {
        let closed = || Some(Idle::Closed(self.closed(route)?));
        let unheld = || self.held.none_for(route).map(Idle::Unheld);
        let denied = || self.routing.denial(route).map(Idle::Denied);
        let behind = || self.is_behind(route).then_some(Idle::Behind);
        let after = || self.after.get(&route.id).map(Idle::After);
        let own = self.refused(route).or_else(closed).or_else(unheld).or_else(denied);
        own.or_else(after).or_else(behind)
    }

    fn closed(&self, route: &Route) -> Option<&'r Listener> {
        if !route.kind.is_of_requests() {
            return None;
        }
        let is_there = |usage: &Use| self.routing.filters.get(&usage.filter).is_some();
        // Who is let in at one of several is served there.
        let mut listeners = route.listeners.iter().filter_map(|id| self.routing.listeners.get(id));
        let first = listeners.next()?;
        let is_closed = |it: &Listener| !it.uses.iter().all(is_there);
        (is_closed(first) && listeners.all(|it| is_closed(it))).then_some(&**first)
    }

    fn is_behind(&self, route: &Route) -> bool {
        let has = |id: &ListenerId| self.of_datagrams.get(id).is_some_and(|it| it.id == route.id);
        let is_at_some = !route.listeners.is_empty();
        route.kind == RouteKind::Udp && is_at_some && !route.listeners.iter().any(has)
    }

    fn refused(&self, route: &Route) -> Option<Idle<'r>> {
        self.routing.refused(route).map(|(status, why)| Idle::Refused(status, why))
    }
}

/// `503: …` is said of it by who tells the status too.
impl fmt::Display for Idle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(_, why) => why.fmt(f),
            Self::Denied(denial) => denial.fmt(f),
            Self::Closed(it) => write!(f, "entry point {} is closed", it.entry_point),
            Self::After(first) => {
                write!(f, "{} goes first wherever it matches", first.traefik_name())
            }
            Self::Unheld(why) => write!(f, "no handshake is held: {why}"),
            Self::Behind => f.write_str("another router has the datagrams of its entry point"),
            Self::Unreached => f.write_str("it is at no entry point, nor led to"),
        }
    }
}

/// The first route of each listener for datagrams, which has all of them.
fn of_datagrams(routing: &RoutingMap) -> HashMap<&ListenerId, &Route> {
    let mut first: HashMap<&ListenerId, &Route> = HashMap::new();
    for route in routing.routes.values().filter(|it| it.kind == RouteKind::Udp) {
        for listener in &route.listeners {
            let known = first.entry(listener).or_insert(route);
            let order = route.rank.before(&known.rank).then_with(|| route.id.cmp(&known.id));
            if order.is_lt() {
                *known = route;
            }
        }
    }
    first
}
