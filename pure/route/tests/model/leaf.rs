//! Asking a tree of backends: which leaf takes a request, and what else is to be done.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_balance::SmoothWeighted;
use steelyard_balance::tree::{
    Asker, EdgePath, LeafChoice, Portion, Shape, Tree, choose, choose_from, token,
};
use steelyard_model::routing::backend::Backend;

use crate::ask::World;

/// Backends with their turns. Some of them may be down.
pub(crate) struct Trees {
    backends: BTreeMap<String, Backend>,
    down: BTreeSet<String>,
    turns: RefCell<BTreeMap<String, SmoothWeighted<usize>>>,
    portions: RefCell<BTreeMap<(String, usize), Portion>>,
}

/// Who asks.
#[derive(Clone, Default)]
pub(crate) struct Client {
    address: String,
    cookies: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
}

impl World {
    /// Its backends, of which these are down.
    pub(crate) fn trees(self, down: &[&str]) -> Trees {
        Trees {
            backends: self.backends,
            down: down.iter().map(|id| (*id).to_owned()).collect(),
            turns: RefCell::default(),
            portions: RefCell::default(),
        }
    }
}

impl Trees {
    pub(crate) fn choose(&self, root: &str, client: &Client) -> LeafChoice<String> {
        choose(self, root.to_owned(), client)
    }

    /// The leaf of a request; `-` where nobody takes it.
    pub(crate) fn leaf(&self, root: &str, client: &Client) -> String {
        self.choose(root, client).leaf.unwrap_or_else(|| "-".into())
    }

    /// How many of so many requests without cookies come to each leaf.
    pub(crate) fn counts(&self, root: &str, requests: usize) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for _ in 0..requests {
            *counts.entry(self.leaf(root, &Client::default())).or_default() += 1;
        }
        counts
    }

    /// Where a choice goes on that was to go on there.
    pub(crate) fn onward(&self, root: &str, path: EdgePath, client: &Client) -> LeafChoice<String> {
        let mut node = root.to_owned();
        for edge in path.edges() {
            node = self.follow(&node, edge);
        }
        choose_from(self, node, path, client)
    }
}

impl Tree for Trees {
    type Node = String;

    fn shape<'n>(&self, node: &'n String) -> Shape<'n> {
        match self.backends.get(node).filter(|_| !self.down.contains(node)) {
            // A test's backends live as long as the test.
            Some(backend) => Shape::of(Box::leak(Box::new(backend.clone()))),
            None => Shape::Nothing,
        }
    }

    fn follow(&self, node: &String, edge: usize) -> String {
        self.backends[node].edges()[edge].backend.to_string()
    }

    fn turn(&self, node: &String, weights: impl Iterator<Item = u32> + Clone) -> Option<usize> {
        let weights: Vec<(usize, u32)> = weights.enumerate().collect();
        let mut turns = self.turns.borrow_mut();
        let turns = turns.entry(node.clone()).or_default();
        turns.pick(weights.iter().map(|(at, weight)| (at, *weight)))
    }

    fn token(&self, node: &String, edge: usize) -> Arc<str> {
        token(&self.backends[node].edges()[edge].backend)
    }

    fn is_drawn(&self, node: &String, edge: usize, share: (u32, u32)) -> bool {
        let mut portions = self.portions.borrow_mut();
        portions.entry((node.clone(), edge)).or_default().draws(share)
    }
}

impl Client {
    pub(crate) fn at(address: &str) -> Self {
        Self { address: address.into(), ..Self::default() }
    }

    pub(crate) fn cookie(mut self, name: &str, value: &str) -> Self {
        self.cookies.insert(name.into(), value.into());
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// With the cookies that a choice wants to be set.
    pub(crate) fn keeping(mut self, choice: &LeafChoice<String>) -> Self {
        for pin in &choice.pins {
            self.cookies.insert(pin.sticky.cookie.to_string(), pin.value.to_string());
        }
        self
    }
}

impl Asker for Client {
    fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn client(&self) -> &str {
        &self.address
    }
}
