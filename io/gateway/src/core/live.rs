//! The configuration as one core sees it, and what the core keeps for it: per route, backend and
//! set of endpoints what a request needs, made when it is first used.
//!
//! What is kept has the id of what it is for. A new configuration touches what differs from the
//! last one that this core saw, and nothing else; what it no longer has is forgotten. So turns go
//! on over any number of reloads, and whatever happens between two requests.

mod backend;
mod caller;
mod choice;
mod endpoints;
mod leaf;
mod picking;
mod times;
mod uses;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steelyard_balance::tree::{Copied, EdgePath, Tree as _};
use steelyard_filters::{Admission, ConnectionGate, NoAdmission, Recipe};
use steelyard_http::Limits;
use steelyard_model::routing::id::{BackendId, EndpointSetId, EntryPointId, RouteId};
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::route::{Destination, Manner, Route};
use steelyard_model::routing::world::RoutingDelta;

use crate::core::chance::Chance;
use crate::shared::{Config, Shared};
use crate::tell::metrics::RouteSeries;
use crate::up::upstream::Upstreams;
use crate::wire::secured::Secured;

use backend::Wood;
pub(crate) use backend::{BackendState, Carriage, Standing, unserved};
pub(crate) use caller::Caller;
pub(crate) use choice::{Fork, Picked};
use endpoints::SetState;
pub(crate) use endpoints::Target;
pub(crate) use leaf::{Leaf, PastAttempts};
pub(crate) use times::RequestTimes;
use times::RouteTimes;
use uses::RouteUses;
pub(crate) use uses::{LetsNobodyIn, Recipes};

/// One configuration on one core.
pub(crate) struct Live {
    /// Which swap of the configuration this is.
    pub(crate) version: u64,
    pub(crate) config: Arc<Config>,
}

/// What a request to a route needs.
pub(crate) struct RouteState {
    id: RouteId,
    /// As metrics and logs call it.
    pub(crate) name: Arc<str>,
    pub(crate) series: RouteSeries,
    /// What the route was made of.
    route: Arc<Route>,
    way: Way,
    uses: RouteUses,
    /// What connections pass.
    gates: Vec<ConnectionGate>,
    /// How long what may take, where it says so.
    times: Option<Box<RouteTimes>>,
    /// What may be told of requests, since they are for the program's own services; nothing is said
    /// for all others.
    internals: Observability,
    /// The configuration that was last known to have the route.
    seen: Cell<u64>,
}

/// The route that takes a request, and who is asked.
pub(crate) struct Chosen {
    pub(crate) route: Rc<RouteState>,
    pub(crate) picked: Picked,
}

/// Where a route leads.
enum Way {
    Backend(Link),
    /// To other routes.
    Routes,
    /// Nowhere: it asks for what is not built yet, and must not be served without.
    Unserved,
}

/// The way to a backend. One that went and came again is another one.
pub(crate) struct Link {
    id: BackendId,
    to: RefCell<Rc<BackendState>>,
}

/// Asked on each request. Ids come from configuration: no client chooses what is hashed.
type ById<Id, V> = HashMap<Id, V, foldhash::fast::RandomState>;

/// Everything that outlives a reload.
#[derive(Default)]
pub(crate) struct States {
    routes: RefCell<ById<RouteId, Rc<RouteState>>>,
    backends: RefCell<ById<BackendId, Rc<BackendState>>>,
    sets: RefCell<ById<EndpointSetId, Rc<SetState>>>,
    /// What is used where no route is found, by entry point: plain, and over TLS.
    listeners: RefCell<ById<(EntryPointId, bool), Recipes>>,
}

/// What states are made of.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) live: &'a Live,
    pub(crate) states: &'a States,
    pub(crate) upstreams: &'a Upstreams,
    pub(crate) shared: &'a Shared,
    pub(crate) chance: &'a Chance,
}

impl Drop for States {
    fn drop(&mut self) {
        // Backends may lead to each other.
        self.backends.borrow().values().for_each(|backend| backend.end());
    }
}

impl Live {
    pub(crate) fn new(version: u64, config: Arc<Config>) -> Rc<Self> {
        Rc::new(Self { version, config })
    }

    /// Whether a connection was made by terms that hold no more for its name.
    pub(crate) fn outdates(&self, point: &EntryPointId, tls: &Secured) -> bool {
        tls.is_outdated_in(self.version, |tls| self.config.outdates(point, tls))
    }
}

impl Scene<'_> {
    /// The state of a route of this configuration.
    pub(crate) fn route(&self, route: &Arc<Route>) -> Rc<RouteState> {
        if let Some(known) = self.states.routes.borrow().get(&route.id)
            && Arc::ptr_eq(&known.route, route)
            && !known.uses.has_lapsed()
            && !known.gates.iter().any(ConnectionGate::has_lapsed)
        {
            known.seen.set(self.live.version);
            return known.clone();
        }
        // What listeners use is for requests.
        let (uses, gates) = match route.kind.is_of_requests() {
            true => (self.route_uses(route), Some(Vec::new())),
            false => (Some(RouteUses::default()), self.gates(route)),
        };
        let made = Rc::new(RouteState {
            id: route.id.clone(),
            name: route.id.traefik_name().into(),
            series: RouteSeries::default(),
            route: route.clone(),
            way: self.way(route, uses.is_some() && gates.is_some()),
            uses: uses.unwrap_or_default(),
            gates: gates.unwrap_or_default(),
            times: self.times(route),
            internals: match route.to.is_internal() {
                true => self.shared.options.internals,
                false => Observability::default(),
            },
            seen: Cell::new(self.live.version),
        });
        self.states.routes.borrow_mut().insert(route.id.clone(), made.clone());
        made
    }

    /// Whether what a route asks for can be done: what restricts and cannot be is refused.
    fn way(&self, route: &Route, are_uses_built: bool) -> Way {
        match &route.to {
            _ if !are_uses_built => Way::Unserved,
            Destination::Backend(id) => Way::Backend(self.link(id)),
            Destination::Routes(_) => Way::Routes,
        }
    }

    fn link(&self, id: &BackendId) -> Link {
        Link { id: id.clone(), to: RefCell::new(self.backend(id)) }
    }

    /// The state of a backend, made where there is none.
    pub(crate) fn backend(&self, id: &BackendId) -> Rc<BackendState> {
        if let Some(known) = self.states.backends.borrow().get(id) {
            return known.clone();
        }
        // It is there before what it leads to is made, which may lead back to it.
        let made = Rc::new(BackendState::new(id, self.shared.options.workers));
        self.states.backends.borrow_mut().insert(id.clone(), made.clone());
        made.form(self);
        made
    }

    /// The state of a set of endpoints, made where there is none.
    fn set(&self, id: &EndpointSetId) -> Rc<SetState> {
        let mut sets = self.states.sets.borrow_mut();
        let made = || {
            let set = self.live.config.routing.endpoint_sets.get(id);
            Rc::new(SetState::new(set, self.upstreams))
        };
        sets.entry(id.clone()).or_insert_with(made).clone()
    }

    /// Takes in how the configuration differs from the one before.
    pub(crate) fn follow(&self, delta: &RoutingDelta) {
        self.follow_sets(delta);
        self.follow_backends(delta);
        let mut routes = self.states.routes.borrow_mut();
        if !delta.listeners.is_empty() || !delta.filters.is_empty() {
            routes.clear();
            self.states.listeners.borrow_mut().clear();
        }
        for (id, _) in &delta.routes {
            routes.remove(id);
        }
    }

    fn follow_sets(&self, delta: &RoutingDelta) {
        let mut sets = self.states.sets.borrow_mut();
        for (id, now) in &delta.endpoint_sets {
            let Some(known) = sets.get(id) else { continue };
            known.follow(now.as_ref(), self.upstreams);
            if now.is_none() {
                sets.remove(id);
            }
        }
    }

    fn follow_backends(&self, delta: &RoutingDelta) {
        let mut concerned: Vec<Rc<BackendState>> = Vec::new();
        {
            let mut backends = self.states.backends.borrow_mut();
            for (id, now) in &delta.backends {
                match now {
                    Some(_) => concerned.extend(backends.get(id).cloned()),
                    None => backends.remove(id).iter().for_each(|gone| gone.end()),
                }
            }
            if !delta.transports.is_empty() || !delta.filters.is_empty() {
                concerned = backends.values().cloned().collect();
            }
        }
        concerned.iter().for_each(|backend| backend.form(self));
    }
}

impl Scene<'_> {
    /// Who takes a request that a filter makes for a client. What would pass filters of its own on
    /// the way gets nowhere.
    pub(crate) fn pick(&self, id: &BackendId, caller: &Caller<'_>) -> Picked {
        self.pick_bare(id, caller).for_requests()
    }

    /// The same of what a filter asks by something else than HTTP.
    pub(crate) fn pick_for_bytes(&self, id: &BackendId, caller: &Caller<'_>) -> Picked {
        self.pick_bare(id, caller).for_bytes()
    }

    fn pick_bare(&self, id: &BackendId, caller: &Caller<'_>) -> Picked {
        let mut recipes = Vec::new();
        let picked =
            Standing::of(self.backend(id)).pick(EdgePath::default(), self, caller, &mut recipes);
        if recipes.is_empty() { picked } else { Picked::Nothing }
    }

    /// Who gets a copy, and what it passes on its way.
    pub(crate) fn pick_copy(
        &self,
        copied: &Copied<Standing>,
        caller: &Caller<'_>,
    ) -> Option<(Leaf, Vec<Recipe>)> {
        let mut recipes = Vec::new();
        copied.from.extend(copied.edge, self, &mut recipes);
        let to = Wood(self).follow(&copied.from, copied.edge);
        match to.pick(copied.path, self, caller, &mut recipes).for_requests() {
            Picked::Leaf(leaf) => Some((leaf, recipes)),
            // Nobody looks at what a copy is answered.
            Picked::Fork(fork) => {
                recipes.pop();
                match fork.pick(false, self, caller, &mut recipes) {
                    Picked::Leaf(leaf) => Some((leaf, recipes)),
                    _ => None,
                }
            }
            Picked::Refused(..) | Picked::Nothing => None,
        }
    }

    /// The same for who is asked when another one fails.
    pub(crate) fn pick_aside(
        &self,
        from: &Standing,
        path: EdgePath,
        caller: &Caller<'_>,
    ) -> Option<Leaf> {
        let mut recipes = Vec::new();
        let picked = from.clone().pick(path, self, caller, &mut recipes).for_requests();
        match picked {
            Picked::Leaf(leaf) if recipes.is_empty() => Some(leaf),
            Picked::Leaf(_) | Picked::Fork(_) | Picked::Refused(..) | Picked::Nothing => None,
        }
    }
}

impl Link {
    fn get(&self, scene: &Scene<'_>) -> Rc<BackendState> {
        let mut to = self.to.borrow_mut();
        if to.is_gone() {
            *to = scene.backend(&self.id);
        }
        to.clone()
    }
}

impl RouteState {
    pub(crate) fn id(&self) -> RouteId {
        self.id.clone()
    }

    /// What it was made of.
    pub(crate) fn made_of(&self) -> &Route {
        &self.route
    }

    pub(crate) fn manner(&self) -> Manner {
        self.route.manner
    }

    /// How long what may take of a request that came at `started`, and is to be answered whole
    /// after `limit`, whatever the route says.
    pub(crate) fn times(&self, started: Instant, limit: Option<Duration>) -> RequestTimes {
        let times = self.times.as_ref().map(|times| times.since(started)).unwrap_or_default();
        times.within(started, limit)
    }

    /// The same for an exchange; `usual` where the route says nothing.
    pub(crate) fn limits(&self, usual: &Rc<Limits>) -> Rc<Limits> {
        self.times.as_ref().map_or_else(|| usual.clone(), |times| times.limits(usual))
    }

    /// Whether other routes are asked before anybody is.
    pub(crate) fn leads_to_routes(&self) -> bool {
        matches!(self.way, Way::Routes)
    }

    /// Whether it is as this configuration has it.
    pub(crate) fn is_of(&self, live: &Live) -> bool {
        let now = live.config.routing.routes.get(&self.id);
        now.is_some_and(|now| Arc::ptr_eq(now, &self.route))
    }

    /// What requests pass that come to it from another route; none where that is nothing.
    pub(crate) fn own_recipes(&self) -> Option<Recipes> {
        self.uses.own()
    }

    /// What requests for `host` at an entry point, plain or over TLS, pass, but for what edges
    /// use; none where that is nothing. The listener may let nobody in, since what it uses cannot
    /// be had.
    pub(crate) fn recipes(
        &self,
        at: (&EntryPointId, bool),
        host: &str,
    ) -> Result<Option<Recipes>, LetsNobodyIn> {
        self.uses.at(at, host)
    }

    /// What is told of its requests at an entry point that says so, where the route does not.
    pub(crate) fn observability(&self, outer: Observability) -> Observability {
        self.route.observability.or(outer).and(self.internals)
    }

    /// Lets a client's connection through what the route uses.
    pub(crate) fn admit(&self, client: IpAddr) -> Result<Admission, NoAdmission> {
        Admission::of(&self.gates, client)
    }

    /// Who takes the next request of a client. What the way there uses is added to `recipes`.
    pub(crate) fn pick(
        &self,
        scene: &Scene<'_>,
        caller: &Caller<'_>,
        recipes: &mut Vec<Recipe>,
    ) -> Picked {
        self.pick_any(scene, caller, recipes).for_requests()
    }

    /// The same where it leads to endpoints of one backend, which no cookie keeps together. None
    /// where there is more to the choice, of which nobody's turn may be taken in vain.
    pub(crate) fn pick_plain(&self, scene: &Scene<'_>, caller: &Caller<'_>) -> Option<Picked> {
        let Way::Backend(link) = &self.way else { return None };
        let root = Standing::of(link.get(scene));
        if !root.is_plain() {
            return None;
        }
        let picked = root.pick(EdgePath::default(), scene, caller, &mut Vec::new());
        Some(picked.for_requests()).filter(|picked| matches!(picked, Picked::Leaf(_)))
    }

    /// Who takes a client's connection, as it is.
    pub(crate) fn pick_for_bytes(
        &self,
        scene: &Scene<'_>,
        caller: &Caller<'_>,
        recipes: &mut Vec<Recipe>,
    ) -> Picked {
        self.pick_any(scene, caller, recipes).for_bytes()
    }

    fn pick_any(
        &self,
        scene: &Scene<'_>,
        caller: &Caller<'_>,
        recipes: &mut Vec<Recipe>,
    ) -> Picked {
        match &self.way {
            Way::Backend(link) => {
                let root = Standing::of(link.get(scene));
                root.pick(EdgePath::default(), scene, caller, recipes)
            }
            // Whoever leads on is asked where to, and not here.
            Way::Routes | Way::Unserved => Picked::unserved(),
        }
    }

    /// Whether the configuration still has the route: what is counted for one that is gone is
    /// counted for no route.
    pub(crate) fn is_known(&self, live: &Live) -> bool {
        if self.seen.get() != live.version && live.config.routing.routes.contains_key(&self.id) {
            self.seen.set(live.version);
        }
        self.seen.get() == live.version
    }
}
