//! What is to be so.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use steelyard_model::{ResolvedService, ServedBy, Snapshot};
use steelyard_pipeline::{Known, WrittenPlaces};
use steelyard_plan::Plan;

/// A decision, and what it was made by. Nobody changes it.
#[derive(Clone)]
pub(crate) struct Decided {
    /// When that was seen which it follows from.
    pub(crate) seen: Instant,
    /// Counts the changes taken in.
    pub(crate) generation: u64,
    /// The name of this node.
    pub(crate) node: String,
    /// Addresses of this machine. What reaches those is the machine's business, whatever the plan
    /// says: a guard before one would lock its owner out.
    pub(crate) own: Arc<BTreeSet<IpAddr>>,
    pub(crate) snapshot: Snapshot,
    pub(crate) plan: Plan,
    /// What is there, for advice about what is not.
    pub(crate) known: Known,
    /// Where objects are written, for what is found later.
    pub(crate) places: WrittenPlaces,
    /// Files with less in them than before: each stands as it was until that has lasted.
    pub(crate) doubted: Vec<Arc<str>>,
}

/// Whether our entry points are reached by a Service.
pub(crate) fn is_gateway(service: &ResolvedService) -> bool {
    service.served_by == ServedBy::Gateway && service.service.is_load_balancer()
}
