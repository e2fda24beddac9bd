//! Who takes a request: from a backend down to endpoints.

use std::sync::Arc;

use steelyard_balance::tree::{Copied, EdgePath, LeafChoice, Pin, Tree, choose_from};
use steelyard_filters::Recipe;
use steelyard_model::routing::backend::{Backend, RefusalReason};

use super::Scene;
use super::backend::{BackendState, Form, Standing, UNSERVED, Wood, unserved};
use super::caller::Caller;
use super::leaf::{Beside, Leaf};

/// Who takes a request.
pub(crate) enum Picked {
    /// Endpoints of a backend.
    Leaf(Leaf),
    /// Who that is hangs on what the first one answers; what has it asked is the innermost frame.
    Fork(Box<Fork>),
    /// Nobody: it is refused with this status, for this reason.
    Refused(u16, Arc<str>),
    /// Nobody: there is no endpoint.
    Nothing,
}

/// A backend from which a request goes one of two ways, each with filters of its own.
pub(crate) struct Fork {
    node: Standing,
    path: EdgePath,
    /// Cookies of backends before it, to be set.
    pins: Vec<Pin>,
    /// Who gets copies, since a backend before it says so: once.
    copies: Vec<Copied<Standing>>,
}

impl Fork {
    /// Who takes a request that goes on the first way, or on the second.
    pub(crate) fn pick(
        &self,
        is_second: bool,
        scene: &Scene<'_>,
        caller: &Caller<'_>,
        recipes: &mut Vec<Recipe>,
    ) -> Picked {
        let edge = usize::from(is_second);
        let Some(path) = self.path.then(edge) else { return Picked::Nothing };
        self.node.extend(edge, scene, recipes);
        let to = Wood(scene).follow(&self.node, edge);
        let copies = if is_second { Vec::new() } else { self.copies.clone() };
        to.pick_with((path, self.pins.clone(), copies), scene, caller, recipes).for_requests()
    }
}

impl Standing {
    /// Whether it is endpoints, and no cookie leads to one of them.
    pub(super) fn is_plain(&self) -> bool {
        let Form::Leaf(node, ..) = &*self.form else { return false };
        matches!(&node.backend, Backend::Endpoints(it) if it.sticky.is_none())
    }

    /// Who takes a request from here on, where `path` leads.
    pub(super) fn pick(
        self,
        path: EdgePath,
        scene: &Scene<'_>,
        caller: &Caller<'_>,
        recipes: &mut Vec<Recipe>,
    ) -> Picked {
        self.pick_with((path, Vec::new(), Vec::new()), scene, caller, recipes)
    }

    /// The same where backends before it have said what else is to be done.
    fn pick_with(
        self,
        (path, mut pins, mut copies): (EdgePath, Vec<Pin>, Vec<Copied<Self>>),
        scene: &Scene<'_>,
        caller: &Caller<'_>,
        recipes: &mut Vec<Recipe>,
    ) -> Picked {
        let Form::Inner(..) = &*self.form else {
            let beside = Beside::of(pins, copies, Vec::new());
            return self.pick_here(scene, caller, beside, recipes);
        };
        let wood = Wood(scene);
        let LeafChoice { path: way, leaf, pins: more, copies: others, rescues, fork } =
            choose_from(&wood, self.clone(), path, caller);
        pins.extend(more);
        copies.extend(others);
        let mut standing = self;
        let way = fork.as_ref().map_or(way, |fork| fork.path);
        let mut go = |recipes: &mut Vec<Recipe>| {
            for edge in way.edges().skip(path.len()) {
                standing.extend(edge, scene, recipes);
                standing = wood.follow(&standing, edge);
            }
        };
        match (leaf, fork) {
            (_, Some(fork)) => {
                go(recipes);
                recipes.push(Recipe::detour(&fork.statuses, fork.replay));
                Picked::Fork(Box::new(Fork { node: fork.node, path: fork.path, pins, copies }))
            }
            (Some(leaf), None) => {
                go(recipes);
                leaf.pick_here(scene, caller, Beside::of(pins, copies, rescues), recipes)
            }
            (None, None) if scene.live.config.routing.leads_round(&standing.state.id) => {
                let why = RefusalReason::Round.to_string();
                Picked::Refused(UNSERVED, why.into())
            }
            (None, None) => Picked::Nothing,
        }
    }

    /// The same at a leaf. What answers by itself does so in a frame: it is the innermost of all,
    /// and nobody is picked behind it.
    fn pick_here(
        self,
        scene: &Scene<'_>,
        caller: &Caller<'_>,
        beside: Option<Box<Beside>>,
        recipes: &mut Vec<Recipe>,
    ) -> Picked {
        match &*self.form {
            Form::Leaf(node, id, set) => {
                let roster = scene.present(id, set);
                let Backend::Endpoints(endpoints) = &node.backend else { return Picked::Nothing };
                if roster.open == 0 {
                    return Picked::Nothing;
                }
                Picked::Leaf(Leaf::new(self.state, endpoints, roster, scene, caller, beside))
            }
            Form::Own(service, answers) => {
                recipes.push(Recipe::own(*service, &answers.0));
                Picked::Nothing
            }
            Form::Refused(status, why) => Picked::Refused(*status, why.clone()),
            Form::Inner(..) | Form::Nothing => Picked::Nothing,
        }
    }
}

impl Picked {
    /// Nobody, since it asks for what is not built yet.
    pub(super) fn unserved() -> Self {
        let (status, why) = unserved();
        Self::Refused(status, why)
    }

    /// The same, if it can take a request.
    pub(super) fn for_requests(self) -> Self {
        self.if_fit(|backend| backend.carriage().is_none())
    }

    /// The same, if it can take a connection.
    pub(super) fn for_bytes(self) -> Self {
        match self {
            // No status is heard of those.
            Self::Fork(_) => Self::unserved(),
            other => other.if_fit(|backend| backend.carriage().is_some()),
        }
    }

    fn if_fit(self, is_fit: impl Fn(&BackendState) -> bool) -> Self {
        match self {
            Self::Leaf(leaf) if !is_fit(&leaf.backend) => {
                Self::Refused(unserved().0, "something else is spoken to its backend".into())
            }
            other => other,
        }
    }
}
