//! The one join: items that are valid by themselves become the [`Snapshot`].
//!
//! Value and diagnostics, never an error; the same for any order of the items; linear or
//! n log n in their number. It knows nothing of "this node".
//!
//! What it decides: which pools and advertisements count and which belong together, which
//! Services are the gateway's, where a Service's endpoints come from, and which routes are served
//! with which backends. A route whose backend is wrong is kept and answers 503, so that its
//! requests do not end up somewhere else.

mod backing;
mod bgp;
pub mod codes;
mod endpoints;
mod gateway;
mod labels;
mod names;
mod policies;
mod pools;
mod resolver;
mod routes;
mod subnets;
mod suggestion;
mod tls;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;

use steelyard_model::routing::entry_point::{BUILT_IN, EntryPoint};
use steelyard_model::{Diagnostic, Item, L2Advertisement, NamespacedName, Snapshot};

pub use resolver::{Resolver, Retold};
use world::World;

/// How to join.
#[derive(Clone, Debug)]
pub struct ResolveOptions {
    /// Whether a Service may become the gateway's by inference; not in Kubernetes.
    pub infer_gateway: bool,
    /// Only metallb.io objects of this namespace count.
    pub config_namespace: Option<String>,
    /// Only Services of this `loadBalancerClass` are ours; none means those without a class.
    pub load_balancer_class: Option<String>,
    /// Where the gateway listens.
    pub entry_points: Vec<EntryPoint>,
    /// Pools in force as they are written: of two that overlap, another one loses.
    pub established: BTreeSet<NamespacedName>,
}

/// What `plan` assumes: the built-in entry points, the gateway's Service inferred.
impl Default for ResolveOptions {
    fn default() -> Self {
        Self {
            infer_gateway: true,
            config_namespace: None,
            load_balancer_class: None,
            entry_points: BUILT_IN.iter().map(|it| it.entry_point()).collect(),
            established: BTreeSet::new(),
        }
    }
}

/// Joins `items`. The diagnostics are those of the join alone; the caller adds what lowering said.
pub fn resolve(items: &[Arc<Item>], options: &ResolveOptions) -> Snapshot {
    let (resolver, diagnostics) = Resolver::new(items, options);
    let mut snapshot = resolver.snapshot;
    snapshot.diagnostics = diagnostics.into_iter().collect();
    snapshot
}

/// Pools, and what is announced of them to whom.
fn announcing(
    world: &World<'_>,
    options: &ResolveOptions,
    snapshot: &mut Snapshot,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let nodes = &snapshot.nodes;
    let pools = pools::resolve(world, options, diagnostics);
    let ads = world.advertisements.values().map(|ad| pools::Selecting {
        object: &ad.object,
        names: &ad.pools,
        pool_selectors: &ad.pool_selectors,
        node_selectors: &ad.node_selectors,
    });
    let mut layer2 = pools::select(world, ads, nodes, diagnostics);
    layer2.retain(|id, _| pools.binary_search_by(|pool| pool.id.cmp(id)).is_ok());
    let (bgp, routed) = bgp::resolve(world, &pools, nodes, diagnostics);
    pools::report_silent(&pools, [&layer2, &routed], diagnostics);
    subnets::report(&pools, [&layer2, &routed], nodes, diagnostics);
    let ads: Vec<L2Advertisement> = world.advertisements.values().map(|ad| (*ad).clone()).collect();
    snapshot.l2_advertisements = ads.into();
    snapshot.pools = pools.into();
    (snapshot.pool_advertisements, snapshot.bgp) = (layer2.into(), bgp.into());
}

#[cfg(test)]
mod tests;
