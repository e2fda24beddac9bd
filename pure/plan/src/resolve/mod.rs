//! The one join: items that are valid by themselves become the [`Snapshot`].
//!
//! Value and diagnostics, never an error; the same for any order of the items; linear or
//! n log n in their number. It knows nothing of "this node".
//!
//! What it decides: which pools and advertisements count and which belong together, which
//! Services are the gateway's, where a Service's endpoints come from, and which routes are served
//! with which backends. A route whose backend is wrong is kept and answers 503, so that its
//! requests do not end up somewhere else.

mod bgp;
pub mod codes;
mod endpoints;
mod gateway;
mod labels;
mod names;
mod pools;
mod routes;
mod suggestion;
mod tls;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;

use steelyard_model::{
    Diagnostic, Item, L2Advertisement, NamespacedName, ResolvedPort, ResolvedService, ServedBy,
    Snapshot,
};

use endpoints::Resolved;
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

/// A port the gateway listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPoint {
    /// Its name, `web`.
    pub name: String,
    /// Its port, 80.
    pub port: u16,
}

/// What `plan` assumes: `web` on 80, `websecure` on 443, the gateway's Service inferred.
impl Default for ResolveOptions {
    fn default() -> Self {
        let entry_point = |name: &str, port| EntryPoint { name: name.to_owned(), port };
        Self {
            infer_gateway: true,
            config_namespace: None,
            load_balancer_class: None,
            entry_points: vec![entry_point("web", 80), entry_point("websecure", 443)],
            established: BTreeSet::new(),
        }
    }
}

/// Joins `items`. The diagnostics are those of the join alone; the caller adds what lowering said.
pub fn resolve(items: &[Arc<Item>], options: &ResolveOptions) -> Snapshot {
    let mut diagnostics = Vec::new();
    let mut world = World::new(items);
    if let Some(namespace) = &options.config_namespace {
        world.restrict(namespace, &mut diagnostics);
    }
    let mut snapshot = Snapshot {
        nodes: world.nodes().into(),
        namespaces: world.namespaces().into(),
        workloads: world.workloads().into(),
        entry_points: options.entry_points.iter().map(|it| (it.name.clone(), it.port)).collect(),
        load_balancer_class: options.load_balancer_class.clone(),
        diagnostics,
        ..Snapshot::default()
    };
    announcing(&world, options, &mut snapshot);
    let diagnostics = &mut snapshot.diagnostics;
    let sets = routes::served_sets(&world, diagnostics);
    let backends = routes::named_backends(&sets);
    let resolved = endpoints::resolve(&world, &snapshot.pools, diagnostics);
    let gateways = gateway::find(&world, &resolved, &backends, options, diagnostics);
    endpoints::report_silent(&world, &resolved, &gateways, &backends, diagnostics);
    snapshot.routes = routes::resolve(&world, &sets, &resolved, options, diagnostics).into();
    tls::report(&world, &sets, diagnostics);
    let services = world.services.iter().zip(resolved.values()).map(|((id, service), resolved)| {
        ((*id).clone(), resolved_service(service, resolved, gateways.contains(*id)))
    });
    snapshot.services = services.collect();
    snapshot.diagnostics.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    snapshot
}

/// Pools, and what is announced of them to whom.
fn announcing(world: &World<'_>, options: &ResolveOptions, snapshot: &mut Snapshot) {
    let diagnostics = &mut snapshot.diagnostics;
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
    let ads: Vec<L2Advertisement> = world.advertisements.values().map(|ad| (*ad).clone()).collect();
    snapshot.l2_advertisements = ads.into();
    snapshot.pools = pools.into();
    (snapshot.pool_advertisements, snapshot.bgp) = (layer2.into(), bgp.into());
}

/// A Service that restricts who may connect, which we cannot, leads nowhere: neither to the
/// gateway nor to endpoints.
fn resolved_service(
    service: &Arc<steelyard_model::Service>,
    resolved: &Resolved,
    gateway: bool,
) -> ResolvedService {
    let closed = service.refusal.is_some();
    let ports = service.ports.iter().zip(&resolved.endpoints).map(|(port, endpoints)| {
        let endpoints = if closed { Vec::new() } else { endpoints.clone() };
        ResolvedPort { port: port.clone(), endpoints }
    });
    ResolvedService {
        service: Arc::clone(service),
        ports: ports.collect(),
        served_by: if gateway { ServedBy::Gateway } else { ServedBy::Forward },
    }
}

fn sort_key(diagnostic: &Diagnostic) -> impl Ord + '_ {
    (&diagnostic.object, &diagnostic.path, diagnostic.code, &diagnostic.message)
}

#[cfg(test)]
mod tests;
