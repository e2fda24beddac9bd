//! Who takes a request: from a backend down to endpoints.

use std::sync::Arc;

use steelyard_balance::tree::{EdgePath, LeafChoice, Tree, choose_from};
use steelyard_filters::Recipe;
use steelyard_model::routing::backend::Backend;

use super::Scene;
use super::backend::{BackendState, Form, Standing, Wood, unserved};
use super::caller::Caller;
use super::leaf::{Beside, Leaf};

/// Who takes a request.
pub(crate) enum Picked {
    /// Endpoints of a backend.
    Leaf(Leaf),
    /// Nobody: it is refused with this status, for this reason.
    Refused(u16, Arc<str>),
    /// Nobody: there is no endpoint.
    Nothing,
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
        let Form::Inner(..) = &*self.form else {
            return self.pick_here(scene, caller, None, recipes);
        };
        let wood = Wood(scene);
        let choice = choose_from(&wood, self.clone(), path, caller);
        let LeafChoice { path: way, leaf, pins, copies, rescues } = choice;
        let Some(leaf) = leaf else { return Picked::Nothing };
        let mut standing = self;
        for edge in way.edges().skip(path.len()) {
            standing.extend(edge, scene, recipes);
            standing = wood.follow(&standing, edge);
        }
        leaf.pick_here(scene, caller, Beside::of(pins, copies, rescues), recipes)
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
        self.if_fit(|backend| backend.carriage().is_some())
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
