//! Where requests end: which leaf takes the next one.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use steelyard_balance::SmoothWeighted;
use steelyard_filters::Recipe;
use steelyard_model::routing::backend::{Algorithm, Backend, Edge, Endpoints, RefusalReason};
use steelyard_model::routing::id::{BackendId, EndpointSetId};

use super::{Link, Recipes, Scene, SetState};

/// Status where a backend asks for what is not built yet.
const UNSERVED: u16 = 503;

/// Most backends on the way to a leaf.
const DEEPEST: usize = 16;

/// A backend on one core.
pub(crate) struct BackendState {
    id: BackendId,
    /// As metrics and logs call it.
    pub(crate) name: Arc<str>,
    form: RefCell<Rc<Form>>,
    /// Whose turn it is among its edges, by their backends.
    shares: SmoothWeighted<BackendId>,
    is_gone: Cell<bool>,
}

/// What a backend does.
enum Form {
    /// Sends to endpoints.
    Leaf(EndpointSetId, RefCell<Rc<SetState>>),
    /// Shares by weight.
    Weighted(Vec<Branch>),
    /// Answers that it must not serve.
    Refused(u16, Arc<str>),
    /// Leads to nothing.
    Nothing,
}

/// An edge to another backend.
struct Branch {
    to: Link,
    weight: u32,
    recipes: Recipes,
}

/// Who takes a request.
pub(crate) enum Picked {
    /// Endpoints of a backend.
    Leaf(Rc<BackendState>, Rc<SetState>),
    /// Nobody: it is refused with this status, for this reason.
    Refused(u16, Arc<str>),
    /// Nobody: there is no endpoint.
    Nothing,
}

/// What asks for something that is not built yet.
pub(super) fn unserved() -> Picked {
    Picked::Refused(UNSERVED, "it asks for what is not served yet".into())
}

impl BackendState {
    pub(super) fn new(id: &BackendId) -> Self {
        Self {
            id: id.clone(),
            name: id.traefik_name().into(),
            form: RefCell::new(Rc::new(Form::Nothing)),
            shares: SmoothWeighted::default(),
            is_gone: Cell::new(false),
        }
    }

    /// Becomes what the configuration says.
    pub(super) fn form(&self, scene: &Scene<'_>) {
        let node = scene.live.config.routing.backends.get(&self.id);
        let form = node.map_or(Form::Nothing, |node| Form::of(&node.backend, scene));
        if let Form::Weighted(edges) = &form {
            self.shares.retain(|id| edges.iter().any(|edge| edge.to.id == *id));
        }
        *self.form.borrow_mut() = Rc::new(form);
    }

    /// The configuration has it no more.
    pub(super) fn end(&self) {
        self.is_gone.set(true);
    }

    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.get()
    }

    /// Whether what is counted for it is to be counted for it.
    pub(crate) fn is_known(&self) -> bool {
        !self.is_gone.get()
    }

    pub(super) fn pick(self: &Rc<Self>, scene: &Scene<'_>, recipes: &mut Vec<Recipe>) -> Picked {
        self.pick_within(scene, DEEPEST, recipes)
    }

    fn pick_within(
        self: &Rc<Self>,
        scene: &Scene<'_>,
        deepest: usize,
        recipes: &mut Vec<Recipe>,
    ) -> Picked {
        let form = self.form.borrow().clone();
        match &*form {
            Form::Leaf(id, set) => {
                let mut set = set.borrow_mut();
                if set.is_gone() {
                    *set = scene.set(id);
                }
                if set.is_empty() {
                    Picked::Nothing
                } else {
                    Picked::Leaf(self.clone(), set.clone())
                }
            }
            Form::Weighted(edges) => self.pick_edge(edges, scene, deepest, recipes),
            Form::Refused(status, why) => Picked::Refused(*status, why.clone()),
            Form::Nothing => Picked::Nothing,
        }
    }

    /// The leaf of an edge whose turn it is, of those that lead to something.
    fn pick_edge(
        &self,
        edges: &[Branch],
        scene: &Scene<'_>,
        deepest: usize,
        recipes: &mut Vec<Recipe>,
    ) -> Picked {
        let Some(deepest) = deepest.checked_sub(1) else { return Picked::Nothing };
        let weight = |edge: &Branch| {
            if edge.to.get(scene).leads_somewhere(scene, deepest) { edge.weight } else { 0 }
        };
        match self.shares.pick(edges.iter().map(|edge| (&edge.to.id, weight(edge)))) {
            Some(index) => {
                recipes.extend_from_slice(&edges[index].recipes);
                edges[index].to.get(scene).pick_within(scene, deepest, recipes)
            }
            None => Picked::Nothing,
        }
    }

    fn leads_somewhere(&self, scene: &Scene<'_>, deepest: usize) -> bool {
        let form = self.form.borrow().clone();
        match &*form {
            Form::Leaf(_, set) => !set.borrow().is_empty(),
            Form::Weighted(edges) => {
                let mut leads = edges.iter().filter(|edge| edge.weight > 0);
                deepest > 0
                    && leads.any(|edge| edge.to.get(scene).leads_somewhere(scene, deepest - 1))
            }
            Form::Refused(..) => true,
            Form::Nothing => false,
        }
    }
}

impl Form {
    /// What asks for more than is built is refused, since it may restrict.
    fn of(backend: &Backend, scene: &Scene<'_>) -> Self {
        match backend {
            Backend::Endpoints(leaf) if is_built(leaf, scene) => {
                Self::Leaf(leaf.set.clone(), RefCell::new(scene.set(&leaf.set)))
            }
            Backend::Weighted { edges, sticky: None } => {
                let branch = |edge: &Edge| {
                    let recipes = scene.recipes(&edge.uses)?;
                    Some(Branch { to: scene.link(&edge.backend), weight: edge.weight, recipes })
                };
                let edges = edges.iter().map(branch).collect::<Option<_>>();
                edges.map_or_else(Self::unserved, Self::Weighted)
            }
            Backend::Refused { why: RefusalReason::Reference(_), status: UNSERVED, .. } => {
                Self::Nothing
            }
            Backend::Refused { status, why, .. } => Self::Refused(*status, why.to_string().into()),
            _ => Self::unserved(),
        }
    }

    fn unserved() -> Self {
        match unserved() {
            Picked::Refused(status, why) => Self::Refused(status, why),
            Picked::Leaf(..) | Picked::Nothing => Self::Nothing,
        }
    }
}

fn is_built(leaf: &Endpoints, scene: &Scene<'_>) -> bool {
    let transport = scene.live.config.routing.transports.get(&leaf.transport);
    leaf.algorithm == Algorithm::RoundRobin
        && leaf.sticky.is_none()
        && leaf.health.is_none()
        && leaf.host_header.is_none()
        && leaf.in_flight.is_none()
        && transport.is_some_and(|transport| transport.is_plain())
}
