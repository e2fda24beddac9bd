//! From the valid world to what happens: [`plan`].
//!
//! It is a pure function of the Snapshot, of what Services hold already and of a few facts
//! about this node. Its value serialises to exactly the JSON of `plan -o json`; what that contract
//! has no field for ([`NodePlan`], explanations, the next holdings) stays beside it. [`Planner`]
//! is the same function for somebody who plans again and again.

mod bgp;
mod circles;
pub mod codes;
mod election;
mod endpoints;
mod exercise;
mod explain;
mod impediment;
mod layer2;
mod nearby;
mod node_plan;
mod nodes;
mod occupants;
mod overshadowed;
mod planner;
mod plugins;
mod rounds;
mod routes;
mod rows;
mod scene;
mod services;
mod sha256;
mod shares;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;
use steelyard_model::{Diagnostics, Holdings, NamespacedName, Snapshot, Sorted};

#[doc(hidden)]
pub use exercise::exercise;
pub use explain::Explanation;
pub use impediment::Impediment;
pub use node_plan::{Announce, Forward, ForwardPort, NodePlan, Serve, Share};
pub use planner::Planner;
pub use plugins::{PluginClosure, closed_by_plugins};
pub use routes::RouteRows;
pub use rows::{
    AdvertisedRow, AnnouncedBy, AnnouncementRow, BackendRow, BgpRow, FilterRow, Layer2Row, PeerRow,
    RouteRow, RoutedKind, ServiceRow, TlsRow,
};
pub use services::ServiceRows;
pub use shares::Shares;
pub use steelyard_ipam::{
    Absent, Author, Exclusion, Occupant, PoolUsage, ServiceEvent, ServiceEventKind,
};

/// What is known on this node beyond the manifests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Name of this node.
    pub node: String,
    /// Nodes that answer; none means all.
    pub alive: Option<BTreeSet<String>>,
    /// Machines that stand beside the Node objects: they can own what is not tied to labels.
    pub beside: BTreeSet<String>,
    /// Whether nodes labelled as excluded from load balancers may announce all the same.
    pub ignore_exclude_lb: bool,
    /// Whether owners are elected as MetalLB's speakers do.
    pub compat_election: bool,
    /// What becomes of holdings whose Service is not in the Snapshot.
    pub absent: Absent,
    /// Who decides who has which address.
    pub author: Author,
    /// Whose each address is that a machine has as its own, beside what Node objects say.
    pub occupants: BTreeMap<IpAddr, Occupant>,
    /// Whether others carry packets for vips to endpoints: this node forwards none.
    pub leaves_forwarding: bool,
    /// Whether nodes settle among themselves who answers for which vip: [`NodePlan::share`] counts,
    /// and [`NodePlan::announce`] is empty.
    pub settles: bool,
}

/// What happens, everywhere and on this node. Cheap to clone; what a change did not concern is
/// shared with the plan before it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Plan {
    /// LoadBalancer Services that are ours, by name.
    pub services: ServiceRows,
    /// Who announces which address, by Service; those on the LAN first.
    #[serde(serialize_with = "Sorted::list_values")]
    pub announcements: Sorted<(NamespacedName, usize), AnnouncementRow>,
    /// How much of each pool is used.
    pub pools: Vec<PoolUsage>,
    /// Sessions with routers.
    pub peers: Vec<PeerRow>,
    /// Routes, in the order they are tried.
    pub routes: RouteRows,
    /// What is wrong, or worth knowing.
    pub diagnostics: Diagnostics,
    /// What Services hold now.
    #[serde(skip)]
    pub held: Holdings,
    /// What this node does.
    #[serde(skip)]
    pub node: NodePlan,
    /// Addresses that a Service has and another machine too, and which: nobody answers for them.
    #[serde(skip)]
    pub withheld: Sorted<(IpAddr, NamespacedName), Occupant>,
    /// Per Service without an address: why no pool serves it.
    #[serde(skip)]
    pub exclusions: Sorted<NamespacedName, Vec<Exclusion>>,
}

/// Plans. `held` is what came out last time (the lock).
pub fn plan(snapshot: &Snapshot, held: &Holdings, facts: &Facts) -> Plan {
    Planner::default().plan(snapshot, held, facts)
}

impl Plan {
    /// Nothing but what this node does.
    pub fn of_node(node: NodePlan) -> Self {
        Self { node, ..Self::default() }
    }

    /// Why a Service has its addresses, or none, and who announces them; nothing of one that is not
    /// of type LoadBalancer. It is said when it is asked for: of most nobody ever asks.
    pub fn explain(&self, id: &NamespacedName) -> Vec<Explanation> {
        let Some(piece) = self.services.pieces.get(id) else { return Vec::new() };
        let first = (id.clone(), 0);
        let rows = self.announcements.starting_at(&first).take_while(|((of, _), _)| of == id);
        let rows: Vec<&AnnouncementRow> = rows.map(|(_, row)| row).collect();
        let excluded = self.exclusions.get(id).map_or(&[][..], Vec::as_slice);
        explain::explain(&piece.assignment, excluded, &rows, piece.announcing())
    }

    /// Which other machine has an address of a Service as its own.
    pub fn occupant(&self, vip: IpAddr) -> Option<&Occupant> {
        let first = (vip, NamespacedName::new("", ""));
        let (key, occupant) = self.withheld.starting_at(&first).next()?;
        (key.0 == vip).then_some(occupant)
    }
}

impl Facts {
    /// Whether a node answers.
    fn is_alive(&self, node: &str) -> bool {
        self.alive.as_ref().is_none_or(|alive| alive.contains(node))
    }
}
