//! What a run of the planner looks at.

use steelyard_model::Snapshot;

use crate::Facts;
use crate::nodes::Nodes;

/// The world, and what is known on this node.
pub(crate) struct Scene<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) facts: &'a Facts,
    pub(crate) nodes: Nodes<'a>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, facts: &'a Facts) -> Self {
        Self { snapshot, facts, nodes: Nodes::new(snapshot, facts) }
    }

    /// Whether a node, by its index, is the one that `facts` names.
    pub(crate) fn is_this_node(&self, node: usize) -> bool {
        **self.nodes.name(node) == *self.facts.node
    }
}
