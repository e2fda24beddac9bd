//! How much each node has to do.

use std::collections::BTreeMap;

use crate::id::NodeId;

/// How many vips each node has, or is about to have.
#[derive(Clone, Debug, Default)]
pub(super) struct Load(BTreeMap<NodeId, usize>);

impl Load {
    pub(super) fn of(&self, node: NodeId) -> usize {
        self.0.get(&node).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, node: NodeId) {
        *self.0.entry(node).or_default() += 1;
    }

    pub(super) fn remove(&mut self, node: NodeId) {
        let count = self.0.entry(node).or_default();
        *count = count.saturating_sub(1);
    }
}
