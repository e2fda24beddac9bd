//! Where requests end: which leaf takes the next one.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use steelyard_balance::SmoothWeighted;
use steelyard_model::routing::backend::{Algorithm, Backend, Edge, Endpoints, RefusalReason};
use steelyard_model::routing::id::{BackendId, EndpointSetId};

use super::{Link, Scene, SetState};

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
    Weighted(Vec<(Link, u32)>),
    /// Answers that it must not serve.
    Refused(u16, Arc<str>),
    /// Leads to nothing.
    Nothing,
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
            self.shares.retain(|id| edges.iter().any(|(link, _)| link.id == *id));
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

    pub(super) fn pick(self: &Rc<Self>, scene: &Scene<'_>) -> Picked {
        self.pick_within(scene, DEEPEST)
    }

    fn pick_within(self: &Rc<Self>, scene: &Scene<'_>, deepest: usize) -> Picked {
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
            Form::Weighted(edges) => self.pick_edge(edges, scene, deepest),
            Form::Refused(status, why) => Picked::Refused(*status, why.clone()),
            Form::Nothing => Picked::Nothing,
        }
    }

    /// The leaf of an edge whose turn it is, of those that lead to something.
    fn pick_edge(&self, edges: &[(Link, u32)], scene: &Scene<'_>, deepest: usize) -> Picked {
        let Some(deepest) = deepest.checked_sub(1) else { return Picked::Nothing };
        let weight = |(link, weight): &(Link, u32)| {
            if link.get(scene).leads_somewhere(scene, deepest) { *weight } else { 0 }
        };
        match self.shares.pick(edges.iter().map(|edge| (&edge.0.id, weight(edge)))) {
            Some(index) => edges[index].0.get(scene).pick_within(scene, deepest),
            None => Picked::Nothing,
        }
    }

    fn leads_somewhere(&self, scene: &Scene<'_>, deepest: usize) -> bool {
        let form = self.form.borrow().clone();
        match &*form {
            Form::Leaf(_, set) => !set.borrow().is_empty(),
            Form::Weighted(edges) => {
                let mut leads = edges.iter().filter(|(_, weight)| *weight > 0);
                deepest > 0
                    && leads.any(|(link, _)| link.get(scene).leads_somewhere(scene, deepest - 1))
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
            Backend::Weighted { edges, sticky: None } if edges.iter().all(is_plain) => {
                let edges = edges.iter().map(|edge| (scene.link(&edge.backend), edge.weight));
                Self::Weighted(edges.collect())
            }
            Backend::Refused { why: RefusalReason::Reference(_), status: UNSERVED, .. } => {
                Self::Nothing
            }
            Backend::Refused { status, why, .. } => Self::Refused(*status, why.to_string().into()),
            _ => match unserved() {
                Picked::Refused(status, why) => Self::Refused(status, why),
                Picked::Leaf(..) | Picked::Nothing => Self::Nothing,
            },
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

fn is_plain(edge: &Edge) -> bool {
    edge.uses.is_empty()
}
