//! Which addresses of pools are machines' own, so that no Service is given them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use steelyard_ipam::{Occupant, Reserved};
use steelyard_model::Snapshot;

use crate::Facts;

/// What Node objects say, and `facts` beside it.
pub(crate) fn reserved(snapshot: &Snapshot, facts: &Facts) -> Reserved {
    let own = facts.occupants.iter().map(|(address, occupant)| (*address, occupant.clone()));
    let mut known: BTreeMap<IpAddr, Occupant> = own.collect();
    // Of several the first by name is told, and a name says more than that it is this machine.
    for node in snapshot.nodes.iter().rev() {
        known.extend(node.addresses().map(|it| (it, Occupant::Node(node.name.clone()))));
    }
    Reserved::of_pools(&snapshot.pools, &known)
}
