//! The nodes, and which of them an advertisement lets answer for a Service.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_model::{Labels, Selector, Snapshot};

use crate::Facts;
use crate::election::Candidate;

/// Label that Kubernetes gives every node.
const HOSTNAME: &str = "kubernetes.io/hostname";

/// All nodes, and the machines beside them; without any the one that `facts` names.
pub(crate) struct Nodes<'a> {
    list: Vec<NodeView>,
    snapshot: &'a Snapshot,
    /// Whether nobody described any.
    pub(crate) assumed: bool,
    /// Candidates of each set of advertisements, worked out once.
    selected: BTreeMap<Arc<[usize]>, Arc<[Candidate]>>,
}

struct NodeView {
    name: Arc<str>,
    labels: Labels,
    bar: Option<Bar>,
}

/// What keeps a node from answering for anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bar {
    /// It does not answer itself.
    NotAlive,
    /// Its label excludes it from load balancers.
    Excluded,
    /// Its network is not set up.
    NetworkUnavailable,
}

impl<'a> Nodes<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, facts: &Facts) -> Self {
        let mut list: Vec<_> =
            snapshot.nodes.iter().map(|node| NodeView::new(node, facts)).collect();
        let described = |name: &String| snapshot.nodes.iter().any(|node| *node.name == **name);
        let beside = facts.beside.iter().filter(|name| !described(name));
        list.extend(beside.map(|name| NodeView::beside(name, facts)));
        let assumed = list.is_empty();
        if assumed {
            let name = facts.node.clone();
            let labels = Labels::from([(HOSTNAME.to_owned(), name.clone())]);
            let bar = (!facts.is_alive(&name)).then_some(Bar::NotAlive);
            list.push(NodeView { name: name.into(), labels, bar });
        }
        Self { list, snapshot, assumed, selected: BTreeMap::new() }
    }

    pub(crate) fn name(&self, node: usize) -> &Arc<str> {
        &self.list[node].name
    }

    pub(crate) fn count(&self) -> usize {
        self.list.len()
    }

    /// What keeps a node from announcing anything.
    pub(crate) fn bar(&self, node: usize) -> Option<Bar> {
        self.list[node].bar
    }

    /// Nodes that any of `selectors` selects; all without selectors. In order.
    pub(crate) fn matching(&self, selectors: &[Selector]) -> impl Iterator<Item = usize> {
        let selected =
            |view: &NodeView| selectors.is_empty() || Selector::any(selectors, &view.labels);
        self.list.iter().enumerate().filter(move |(_, view)| selected(view)).map(|(node, _)| node)
    }

    /// Whether a node is one of `places`. With one node that nobody described, what is not said
    /// to be elsewhere is here.
    pub(crate) fn is_among(&self, node: usize, places: &BTreeSet<Option<&str>>) -> bool {
        (self.assumed && places.contains(&None)) || places.contains(&Some(&**self.name(node)))
    }

    /// Whether the only obstacle at some node that an advertisement selects is that it does not
    /// answer just now.
    pub(crate) fn are_down(&self, advertisements: &[usize]) -> bool {
        let selected =
            |node: &&NodeView| advertisements.iter().any(|&index| self.selects(index, node));
        self.list.iter().filter(selected).any(|node| node.bar == Some(Bar::NotAlive))
    }

    /// The same advertisements: of most Services they are the same, and lie in memory once.
    pub(crate) fn known(&mut self, advertisements: Arc<[usize]>) -> Arc<[usize]> {
        if let Some((known, _)) = self.selected.get_key_value(&advertisements) {
            return known.clone();
        }
        self.candidates(&advertisements);
        advertisements
    }

    /// Nodes that may answer under one of these advertisements, with the sum of their scores.
    pub(crate) fn candidates(&mut self, advertisements: &Arc<[usize]>) -> Arc<[Candidate]> {
        if let Some(known) = self.selected.get(advertisements) {
            return known.clone();
        }
        let candidate = |(node, view): (usize, &NodeView)| {
            let selecting: Vec<usize> = advertisements
                .iter()
                .copied()
                .filter(|&index| view.bar.is_none() && self.selects(index, view))
                .collect();
            let score = selecting.iter().map(|&index| self.score(index, view)).sum();
            (!selecting.is_empty()).then_some(Candidate { node, score })
        };
        let found: Arc<[Candidate]> = self.list.iter().enumerate().filter_map(candidate).collect();
        self.selected.insert(advertisements.clone(), found.clone());
        found
    }

    /// The only interfaces that these advertisements allow on `node` (anywhere, without one);
    /// empty means every suitable one.
    pub(crate) fn interfaces(&self, advertisements: &[usize], node: Option<usize>) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for &index in advertisements {
            if node.is_some_and(|node| !self.selects(index, &self.list[node])) {
                continue;
            }
            let named = &self.snapshot.l2_advertisements[index].interfaces;
            if named.is_empty() {
                return Vec::new();
            }
            all.extend(named.iter().cloned());
        }
        all.sort();
        all.dedup();
        all
    }

    fn selects(&self, index: usize, node: &NodeView) -> bool {
        let selectors = &self.snapshot.l2_advertisements[index].node_selectors;
        selectors.is_empty() || Selector::any(selectors, &node.labels)
    }

    fn score(&self, index: usize, node: &NodeView) -> u32 {
        let preferences = &self.snapshot.l2_advertisements[index].preferred_nodes;
        let matching = preferences.iter().filter(|it| it.preference.matches(&node.labels));
        matching.map(|it| it.weight).sum()
    }
}

impl NodeView {
    /// A machine that no Node object describes.
    fn beside(name: &str, facts: &Facts) -> Self {
        let bar = (!facts.is_alive(name)).then_some(Bar::NotAlive);
        Self { name: name.into(), labels: Labels::new(), bar }
    }

    fn new(node: &steelyard_model::Node, facts: &Facts) -> Self {
        let bar = if !facts.is_alive(&node.name) {
            Some(Bar::NotAlive)
        } else if node.excluded && !facts.ignore_exclude_lb {
            Some(Bar::Excluded)
        } else {
            node.network_unavailable.then_some(Bar::NetworkUnavailable)
        };
        Self { name: node.name.clone(), labels: node.labels.clone(), bar }
    }
}
