//! What is announced where.

use std::sync::Arc;

use crate::object::{NamespacedName, ObjectRef};
use crate::selector::Selector;

/// A valid L2Advertisement: addresses of its pools are answered for on the LAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L2Advertisement {
    /// `namespace/name`.
    pub id: NamespacedName,
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// Pools by name; with `pool_selectors` empty too, all pools.
    pub pools: Vec<String>,
    /// Pools by label, in addition.
    pub pool_selectors: Vec<Selector>,
    /// Nodes that may announce; empty means all.
    pub node_selectors: Vec<Selector>,
    /// Services by label; empty means all.
    pub service_selectors: Vec<Selector>,
    /// Interface names; empty means every suitable one.
    pub interfaces: Vec<String>,
    /// Soft preferences among the selected nodes.
    pub preferred_nodes: Vec<PreferredNodes>,
}

/// A soft preference: nodes that match score `weight`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreferredNodes {
    /// 1 to 100.
    pub weight: u32,
    /// Which nodes.
    pub preference: Selector,
}
