//! Which leaf of a tree of backends takes a request.
//!
//! [`choose`] walks from the root to a leaf: weights, cookies, the client's address and words of
//! the request decide at each node, and what leads to nothing is no choice. It says as well what
//! else is to be done: who gets copies, who is asked when the first fails, and which cookies lead
//! back. It waits where a request must pass filters before it can be known where it goes. What it
//! does not: it knows no endpoint, and keeps no turns; both are the [`Tree`]'s.
//!
//! Invariants: a choice ends after a bounded number of nodes, whatever shape the tree has, also one
//! that leads back to itself; an edge of weight 0 takes nothing that is chosen by weight.

mod choice;
mod spread;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::sync::Arc;

use steelyard_model::routing::backend::{
    Backend, CanaryAffinity, CanaryChoice, CanaryValue, Edge, RefusalReason, Sticky,
};
use steelyard_model::routing::expression::TooManySteps;
use steelyard_model::routing::id::BackendId;

use crate::pick::{hash, score};
use crate::sticky;

pub use choice::{Copied, EdgePath, LeafChoice, Pin, Rescue};
pub use spread::Portion;

/// Most edges on the way to a leaf.
pub const DEEPEST: usize = 16;

/// Most nodes that are asked for one request whether they lead anywhere: a tree whose parts are
/// shared may have more ways than anybody can walk. Who is not asked is taken to.
const MOST_LOOKS: usize = 4096;

/// Status of what leads to nothing, where the dialect has no word of its own for it.
const UNAVAILABLE: u16 = 503;

/// Backends as whoever asks has them.
pub trait Tree {
    /// A backend.
    type Node: Clone;

    /// What stands there.
    fn shape<'n>(&self, node: &'n Self::Node) -> Shape<'n>;

    /// Where an edge leads, by its place among [`Backend::edges`].
    fn follow(&self, node: &Self::Node, edge: usize) -> Self::Node;

    /// Whose turn it is at this node, by the weights of its edges; none where all are 0.
    fn turn(&self, node: &Self::Node, weights: impl Iterator<Item = u32> + Clone) -> Option<usize>;

    /// What cookies say of where an edge leads.
    fn token(&self, node: &Self::Node, edge: usize) -> Arc<str>;

    /// Whether this request is one of the so many of so many that an edge takes.
    fn is_drawn(&self, node: &Self::Node, edge: usize, share: (u32, u32)) -> bool;

    /// Whether requests pass filters on ways below this node: then who is asked second, by what the
    /// first one answers, is chosen once it has answered.
    fn is_filtered(&self, _: &Self::Node) -> bool {
        false
    }
}

/// What stands at a node.
#[derive(Clone, Copy, Debug)]
pub enum Shape<'n> {
    /// Nothing: there is no such backend, or nobody there takes requests now.
    Nothing,
    /// What answers; its endpoints may have a cookie of their own.
    Leaf(Option<&'n Sticky>),
    /// A choice.
    Inner(&'n Backend),
}

/// Who asks.
pub trait Asker {
    /// The value of a cookie.
    fn cookie(&self, name: &str) -> Option<&str>;

    /// The value of a header, by its name in lower case.
    fn header(&self, name: &str) -> Option<&str>;

    /// The client's address, as text.
    fn client(&self) -> &str;
}

impl<'n> Shape<'n> {
    /// The shape of a backend whose endpoints, if it has any, take requests.
    pub fn of(backend: &'n Backend) -> Self {
        match backend {
            Backend::Endpoints(endpoints) => Self::Leaf(endpoints.sticky.as_deref()),
            Backend::Answer(_) | Backend::Internal(_) => Self::Leaf(None),
            Backend::Refused { why: RefusalReason::Reference(_), status: UNAVAILABLE, .. } => {
                Self::Nothing
            }
            // Its share is answered so: who named it so is to see it.
            Backend::Refused { .. } => Self::Leaf(None),
            inner => Self::Inner(inner),
        }
    }
}

/// The leaf that takes a request, from `root` on.
pub fn choose<T: Tree>(tree: &T, root: T::Node, asker: &impl Asker) -> LeafChoice<T::Node> {
    choose_from(tree, root, EdgePath::default(), asker)
}

/// The same from a node on that is reached by `path`: where a [`Rescue`] leads, or a copy.
pub fn choose_from<T: Tree>(
    tree: &T,
    node: T::Node,
    path: EdgePath,
    asker: &impl Asker,
) -> LeafChoice<T::Node> {
    let chooser = Chooser { tree, asker, looks: Cell::new(0) };
    let mut choice = LeafChoice::new(path);
    chooser.descend(node, path, &mut choice);
    choice
}

struct Chooser<'t, T, A> {
    tree: &'t T,
    asker: &'t A,
    looks: Cell<usize>,
}

impl<T: Tree, A: Asker> Chooser<'_, T, A> {
    fn descend(&self, node: T::Node, path: EdgePath, choice: &mut LeafChoice<T::Node>) {
        let edge = match self.tree.shape(&node) {
            Shape::Nothing => None,
            Shape::Leaf(_) => {
                choice.path = path;
                choice.leaf = Some(node);
                return;
            }
            Shape::Inner(backend) => self.edge(&node, backend, path, choice),
        };
        if let Some((edge, path)) = edge.and_then(|edge| Some((edge, path.then(edge)?))) {
            self.descend(self.tree.follow(&node, edge), path, choice);
        }
    }

    /// Which edge the request takes, and what else is to be done there.
    fn edge(
        &self,
        node: &T::Node,
        backend: &Backend,
        path: EdgePath,
        choice: &mut LeafChoice<T::Node>,
    ) -> Option<usize> {
        match backend {
            Backend::Weighted { edges, sticky } => {
                self.weighted(node, edges, sticky.as_ref(), path, choice)
            }
            Backend::Mirror { copies, body, .. } => {
                for (at, (_, percent)) in copies.iter().enumerate() {
                    let edge = at + 1;
                    if self.tree.is_drawn(node, edge, (u32::from(*percent), 100)) {
                        let to = path.then(edge);
                        choice.copies.extend(to.map(|path| Copied {
                            from: node.clone(),
                            edge,
                            path,
                            body: *body,
                        }));
                    }
                }
                Some(0)
            }
            Backend::Failover { statuses, replay, .. } => {
                if !self.leads(node, 0, path) {
                    return Some(1);
                }
                // Who may send more than is kept is known before anybody is asked.
                let is_fork = self.tree.is_filtered(node) || replay.is_some();
                if !statuses.is_empty() && is_fork {
                    let (node, statuses) = (node.clone(), statuses.clone());
                    choice.fork = Some(Rescue { node, path, statuses, replay: *replay });
                    return None;
                }
                if let Some(path) = path.then(1).filter(|_| !statuses.is_empty()) {
                    let (node, statuses) = (self.tree.follow(node, 1), statuses.clone());
                    choice.rescues.push(Rescue { node, path, statuses, replay: None });
                }
                Some(0)
            }
            Backend::Rendezvous { edges } => self.rendezvous(node, edges, path),
            Backend::Canary { by, affinity, .. } => self.canary(node, by, *affinity, path, choice),
            Backend::Endpoints(_)
            | Backend::Answer(_)
            | Backend::Internal(_)
            | Backend::Refused { .. } => None,
        }
    }

    fn weighted(
        &self,
        node: &T::Node,
        edges: &[Edge],
        sticky: Option<&Sticky>,
        path: EdgePath,
        choice: &mut LeafChoice<T::Node>,
    ) -> Option<usize> {
        let cookie = sticky.and_then(|sticky| self.asker.cookie(&sticky.cookie));
        let known = cookie.and_then(|cookie| {
            let is_it =
                |edge: &usize| edges[*edge].weight > 0 && *cookie == *self.tree.token(node, *edge);
            (0..edges.len()).find(is_it).filter(|edge| self.leads(node, *edge, path))
        });
        if known.is_some() {
            return known;
        }
        let edge = self.tree.turn(node, self.weights(node, edges, path))?;
        if let Some(sticky) = sticky {
            let value = self.tree.token(node, edge);
            choice.pins.push(Pin { sticky: sticky.clone(), value });
        }
        Some(edge)
    }

    fn weights(
        &self,
        node: &T::Node,
        edges: &[Edge],
        path: EdgePath,
    ) -> impl Iterator<Item = u32> + Clone {
        edges.iter().enumerate().map(move |(at, edge)| {
            if edge.weight > 0 && self.leads(node, at, path) { edge.weight } else { 0 }
        })
    }

    /// The edge with the highest score: where one goes, its clients alone move.
    fn rendezvous(&self, node: &T::Node, edges: &[Edge], path: EdgePath) -> Option<usize> {
        let client = self.asker.client();
        let scores = edges.iter().zip(self.weights(node, edges, path)).map(|(edge, weight)| {
            score(hash(client.bytes().chain(edge.backend.as_str().bytes())), weight)
        });
        let best = scores.enumerate().filter(|(_, score)| *score > 0.0);
        best.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(at, _)| at)
    }

    /// Ingress-nginx's order: who was somewhere stays there, then header, cookie and weight, each
    /// where it decides.
    fn canary(
        &self,
        node: &T::Node,
        by: &CanaryChoice,
        affinity: CanaryAffinity,
        path: EdgePath,
        choice: &mut LeafChoice<T::Node>,
    ) -> Option<usize> {
        if !self.leads(node, 1, path) {
            return Some(0);
        }
        let stickies = [0, 1].map(|edge| self.sticky(node, edge));
        let was_at = |edge: usize| {
            let sticky = stickies[edge].as_ref().filter(|_| affinity == CanaryAffinity::Sticky);
            let cookie = sticky.and_then(|sticky| self.asker.cookie(&sticky.cookie));
            let backend = cookie.map(|cookie| cookie.split_once('|').map_or(cookie, |it| it.0));
            backend.is_some_and(|backend| *backend == *self.tree.token(node, edge))
        };
        if let Some(edge) = (0..2).find(|edge| was_at(*edge)) {
            return Some(edge);
        }
        let asked = self.asked_for(by).ok()?;
        let is_canary = asked.unwrap_or_else(|| self.tree.is_drawn(node, 1, by.weight));
        let edge = usize::from(is_canary);
        let [main, canary] = stickies;
        if let Some(sticky) = if is_canary { canary } else { main } {
            choice.pins.push(Pin { sticky, value: self.tree.token(node, edge) });
        }
        Some(edge)
    }

    /// Whether a header or a cookie asks for the canary; none where they leave it open.
    ///
    /// # Errors
    /// It is not known what the header asks for: nobody takes the request then, as nobody takes
    /// one for a path of which it is not known.
    fn asked_for(&self, by: &CanaryChoice) -> Result<Option<bool>, TooManySteps> {
        let word = |value: &str| match value {
            "always" => Some(true),
            "never" => Some(false),
            _ => None,
        };
        let header = by.header.as_ref();
        let header = header.and_then(|(name, wanted)| Some((self.asker.header(name)?, wanted)));
        let header = match header {
            None => None,
            Some((value, CanaryValue::AlwaysOrNever)) => word(value),
            Some((value, CanaryValue::Exact(text))) => (*value == **text).then_some(true),
            Some((value, CanaryValue::Regex(it))) => it.decides(value)?.then_some(true),
            Some((_, CanaryValue::Nothing)) => Some(false),
        };
        let cookie = || word(self.asker.cookie(by.cookie.as_ref()?)?);
        Ok(header.or_else(cookie))
    }

    /// The cookie of the endpoints that an edge leads to.
    fn sticky(&self, node: &T::Node, edge: usize) -> Option<Sticky> {
        match self.tree.shape(&self.tree.follow(node, edge)) {
            Shape::Leaf(sticky) => sticky.cloned(),
            Shape::Nothing | Shape::Inner(_) => None,
        }
    }

    /// Whether an edge leads to anything that answers.
    fn leads(&self, node: &T::Node, edge: usize, path: EdgePath) -> bool {
        let Some(path) = path.then(edge) else { return false };
        let looks = self.looks.get() + 1;
        self.looks.set(looks);
        if looks > MOST_LOOKS {
            return true;
        }
        let node = self.tree.follow(node, edge);
        match self.tree.shape(&node) {
            Shape::Nothing => false,
            Shape::Leaf(_) => true,
            Shape::Inner(Backend::Weighted { edges, .. } | Backend::Rendezvous { edges }) => {
                self.weights(&node, edges, path).any(|weight| weight > 0)
            }
            Shape::Inner(Backend::Failover { .. }) => {
                (0..2).any(|edge| self.leads(&node, edge, path))
            }
            // Copies answer nobody, and a canary is none without what it is one of.
            Shape::Inner(_) => self.leads(&node, 0, path),
        }
    }
}

/// What cookies say of a backend: the same on all nodes, and what Traefik writes of it.
pub fn token(backend: &BackendId) -> Arc<str> {
    let name = backend.traefik_name();
    let bare = name.split_once('@').map_or(&*name, |(name, _)| name);
    sticky::value_for(bare).into()
}
