//! Which way a request goes: to the route that takes it, on to those that this one leads to, and to
//! a leaf of its backend.
//!
//! Invariants: a path that is another route's to some servers goes nowhere, at every step; what
//! leads in a circle ends; who is on its way when the configuration changes ends by the one that it
//! began with, where the new one has its route otherwise or not at all.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use steelyard_filters::Recipe;
use steelyard_http::{RequestChanges, RequestEdits, RequestHead, RequestSubject};
use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::route::{Manner, Route};

use crate::core::Core;
use crate::core::live::{Caller, Chosen, Fork, Live, Picked, RouteState, Scene, States};
use crate::shared::Config;

/// Most routes on the way of a request.
pub(crate) const DEEPEST: usize = 16;

/// What routes say of a request.
pub(crate) enum Found<'c> {
    Route(&'c Arc<Route>),
    Nothing,
    /// To some servers its path is another route's, or it is none.
    Ambiguous,
}

/// How a request goes on after a route.
pub(crate) enum Onward {
    /// Through what it uses, and further from there.
    Route(Rc<RouteState>),
    /// To a backend.
    Backend(Chosen),
    /// On one of two ways, by what the first one answers.
    Fork(Rc<RouteState>, Box<Fork>),
    /// Nowhere: it is refused with this status, for this reason.
    Refused(u16, Arc<str>),
    /// Nowhere: none of the routes that it leads to matches. The nearest of them, if clients may
    /// know.
    Nothing(Option<Vec<String>>),
    /// Nowhere: its path has more than one meaning.
    Ambiguous,
}

/// The route of a request at an entry point, that came to it plain or over TLS.
pub(crate) fn first<'c>(
    config: &'c Config,
    (point, is_tls): (&EntryPointId, bool),
    subject: &RequestSubject<'_, '_, '_>,
) -> Found<'c> {
    let Some(point) = config.table.entry_point(point) else { return Found::Nothing };
    find(config, subject, |it| Some(point.choose(is_tls, it)?.candidate))
}

/// Of the routes that `parent` leads to, the one that takes a request.
pub(crate) fn child<'c>(
    config: &'c Config,
    parent: &RouteState,
    subject: &RequestSubject<'_, '_, '_>,
) -> Found<'c> {
    find(config, subject, |it| Some(config.table.child(&parent.id(), it)?.candidate))
}

fn find<'c>(
    config: &Config,
    subject: &RequestSubject<'_, '_, '_>,
    choose: impl Fn(&RequestSubject<'_, '_, '_>) -> Option<&'c Arc<Route>>,
) -> Found<'c> {
    let is_rooted = |route: &&Arc<Route>| route.manner == Manner::Nginx;
    let is_like =
        |other: &&Arc<Route>, route: &&Arc<Route>| config.routing.serves_alike(other, route);
    match subject.sole(choose, is_rooted, is_like) {
        Ok(Some(route)) => Found::Route(route),
        Ok(None) => Found::Nothing,
        Err(_) => Found::Ambiguous,
    }
}

/// A request as filters have made it.
#[derive(Clone, Copy)]
pub(crate) struct Made<'m> {
    /// As it came; none for what is none.
    pub(crate) head: Option<&'m RequestHead<'m, 'm>>,
    pub(crate) changes: &'m RequestChanges,
    /// Who asks.
    pub(crate) client: IpAddr,
}

/// How a request goes on after `route`, whose filters have let it in, and what it passes there.
/// `taken` is the configuration that it began with, as long as it is known.
pub(crate) fn onward(
    core: &Core,
    taken: Option<&Rc<Live>>,
    route: &Rc<RouteState>,
    made: Made<'_>,
) -> (Onward, Vec<Recipe>) {
    let live = core.live();
    let go_on = |scene: &Scene<'_>| from(core, scene, route, made);
    match taken.filter(|taken| !Rc::ptr_eq(taken, &live) && !route.is_of(&live)) {
        None => go_on(&core.scene(&live)),
        Some(taken) => {
            // Nothing of what was is kept.
            let states = States::default();
            go_on(&Scene { live: taken, states: &states, ..core.scene(&live) })
        }
    }
}

/// The same from where the way of a request forks.
pub(crate) fn beyond(
    core: &Core,
    (route, fork): (&Rc<RouteState>, &Fork),
    is_second: bool,
    Made { head, changes, client }: Made<'_>,
) -> (Onward, Vec<Recipe>) {
    let (live, mut recipes) = (core.live(), Vec::new());
    let picked = head.map_or(Picked::Nothing, |head| {
        let changed = RequestEdits::seen(head, changes);
        let caller = Caller::of(&changed, client);
        fork.pick(is_second, &core.scene(&live), &caller, &mut recipes)
    });
    (Onward::to(picked, route, core), recipes)
}

impl Onward {
    fn to(picked: Picked, route: &Rc<RouteState>, core: &Core) -> Self {
        match picked {
            Picked::Refused(status, why) => {
                core.refused(&route.name, &why);
                Self::Refused(status, why)
            }
            Picked::Fork(fork) => Self::Fork(route.clone(), fork),
            picked => Self::Backend(Chosen { route: route.clone(), picked }),
        }
    }
}

fn from(
    core: &Core,
    scene: &Scene<'_>,
    route: &Rc<RouteState>,
    Made { head, changes, client }: Made<'_>,
) -> (Onward, Vec<Recipe>) {
    let mut recipes = Vec::new();
    if !route.leads_to_routes() {
        let picked = head.map(|head| {
            let changed = RequestEdits::seen(head, changes);
            route.pick(scene, &Caller::of(&changed, client), &mut recipes)
        });
        let onward = Onward::to(picked.unwrap_or(Picked::Nothing), route, core);
        return (onward, recipes);
    }
    let found = head.and_then(|head| {
        let subject = RequestSubject::changed(head, changes, client).ok()?;
        Some(match child(&scene.live.config, route, &subject) {
            Found::Route(found) => Onward::Route(scene.route(found)),
            Found::Nothing => Onward::Nothing(
                core.told(|| scene.live.config.table.nearest_child(&route.id(), &subject)),
            ),
            Found::Ambiguous => Onward::Ambiguous,
        })
    });
    let onward = found.unwrap_or(Onward::Ambiguous);
    if let Onward::Route(found) = &onward {
        recipes = found.own_recipes().map(|own| own.to_vec()).unwrap_or_default();
    }
    (onward, recipes)
}
