//! From the valid world to what happens: join ([`resolve`]), then [`plan`].
//!
//! `plan` is a pure function of the Snapshot, of what Services hold already and of a few facts
//! about this node. Its value serialises to exactly the JSON of `plan -o json`; what that contract
//! has no field for ([`NodePlan`], explanations, the next holdings) stays beside it.

mod bgp;
pub mod codes;
mod election;
mod endpoints;
mod exercise;
mod explain;
mod layer2;
mod node_plan;
mod nodes;
mod obstacle;
pub mod resolve;
mod routes;
mod rows;
mod sha256;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use steelyard_ipam::{Assignments, Options, assign};
use steelyard_model::{Diagnostic, Held, NamespacedName, Snapshot};

#[doc(hidden)]
pub use exercise::exercise;
pub use node_plan::{Announce, Forward, ForwardPort, NodePlan, Serve, Share};
pub use rows::{
    AdvertisedRow, AnnouncementRow, BackendRow, BgpRow, FilterRow, Layer2Row, PeerRow, Protocol,
    RouteKind, RouteRow, ServiceRow, TlsRow,
};
pub use steelyard_ipam::{Absent, Event, EventKind, Exclusion, PoolUsage};

/// What is known on this node beyond the manifests.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Name of this node.
    pub node: String,
    /// Nodes that answer; none means all.
    pub alive: Option<BTreeSet<String>>,
    /// Whether nodes labelled as excluded from load balancers may announce all the same.
    pub ignore_exclude_lb: bool,
    /// Whether owners are elected as MetalLB's speakers do.
    pub compat_election: bool,
    /// What becomes of holdings whose Service is not in the Snapshot.
    pub absent: Absent,
    /// Whether only addresses that are held are given: another node decides about the others.
    pub held_only: bool,
}

/// What happens, everywhere and on this node.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Plan {
    /// LoadBalancer Services that are ours, by name.
    pub services: Vec<ServiceRow>,
    /// Who announces which address, by Service.
    pub announcements: Vec<AnnouncementRow>,
    /// How much of each pool is used.
    pub pools: Vec<PoolUsage>,
    /// Sessions with routers.
    pub peers: Vec<PeerRow>,
    /// Routes, in the order they are tried.
    pub routes: Vec<RouteRow>,
    /// What is wrong, or worth knowing; sorted as [`sort`] does.
    pub diagnostics: Vec<Diagnostic>,
    /// What Services hold now.
    #[serde(skip)]
    pub held: Held,
    /// What this node does.
    #[serde(skip)]
    pub node: NodePlan,
    /// Per Service, in sentences: why its addresses, why none, who announces them.
    #[serde(skip)]
    pub explanations: BTreeMap<NamespacedName, Vec<String>>,
    /// Per Service without an address: why no pool serves it.
    #[serde(skip)]
    pub exclusions: BTreeMap<NamespacedName, Vec<Exclusion>>,
}

/// Plans. `held` is what came out last time (the lock).
pub fn plan(snapshot: &Snapshot, held: &Held, facts: &Facts) -> Plan {
    let assignments = assignments(snapshot, held, facts);
    let layer2 = layer2::Layer2::new(snapshot, facts, &assignments);
    let bgp = bgp::plan(snapshot, &layer2.nodes, &assignments);
    let mut diagnostics = snapshot.diagnostics.clone();
    diagnostics.extend(explain::diagnostics(snapshot, &layer2, &bgp));
    diagnostics.extend(assignments.diagnostics.iter().cloned());
    sort(&mut diagnostics);
    Plan {
        services: services(snapshot, &assignments),
        node: NodePlan::new(snapshot, facts, &assignments, &layer2, &bgp),
        explanations: explain::explanations(&assignments, &layer2, &bgp),
        announcements: announcements(layer2.rows, bgp.rows),
        routes: routes::rows(&snapshot.routes),
        pools: assignments.pools,
        held: assignments.held,
        exclusions: assignments.exclusions,
        peers: bgp.peers,
        diagnostics,
    }
}

/// By Service, those on the LAN first.
fn announcements(layer2: Vec<Layer2Row>, bgp: Vec<BgpRow>) -> Vec<AnnouncementRow> {
    let layer2 = layer2.into_iter().map(AnnouncementRow::Layer2);
    let mut rows: Vec<_> = layer2.chain(bgp.into_iter().map(AnnouncementRow::Bgp)).collect();
    rows.sort_by(|a, b| a.service().cmp(b.service()));
    rows
}

/// Sorts diagnostics for people: by file, line and column where known, then worst first, then by
/// object, path and code.
pub fn sort(diagnostics: &mut [Diagnostic]) {
    let key = |it: &Diagnostic| {
        let place = (it.location.is_none(), it.location.clone());
        (place, it.severity, it.object.clone(), it.path.clone(), it.code, it.message.clone())
    };
    diagnostics.sort_by_cached_key(key);
}

fn assignments(snapshot: &Snapshot, held: &Held, facts: &Facts) -> Assignments {
    let options = Options {
        load_balancer_class: snapshot.load_balancer_class.clone(),
        absent: facts.absent.clone(),
        held_only: facts.held_only,
    };
    let services = snapshot.services.values().map(|resolved| resolved.service.clone());
    let wanting = services.filter(|service| service.is_load_balancer());
    assign(&snapshot.pools, &snapshot.namespaces, wanting, held, &options)
}

fn services(snapshot: &Snapshot, assignments: &Assignments) -> Vec<ServiceRow> {
    let row = |(id, assignment): (&NamespacedName, &steelyard_ipam::Assignment)| {
        if assignment.reason == steelyard_ipam::Reason::ForeignClass {
            return None;
        }
        let served_by = || snapshot.services.get(id).map(|it| it.served_by);
        let served_by = if assignment.addresses.is_empty() { None } else { served_by() };
        Some(ServiceRow {
            namespace: id.namespace.to_string(),
            name: id.name.to_string(),
            addresses: assignment.addresses.clone(),
            pool: assignment.pool_name().map(ToString::to_string),
            served_by,
            events: assignment.events.clone(),
        })
    };
    assignments.services.iter().filter_map(row).collect()
}

impl Facts {
    /// Whether a node answers.
    fn is_alive(&self, node: &str) -> bool {
        self.alive.as_ref().is_none_or(|alive| alive.contains(node))
    }
}
