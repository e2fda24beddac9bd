//! How things are in a laboratory: every node's state and every address's owners.
//!
//! Joined of what the laboratory did to the nodes and what those that run say. It is what is
//! drawn, what `lab show` prints, and what tests read. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::eyes::Told;
use super::nodes::{Life, Node};
use super::wire::Faults;

/// How things are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct View {
    /// The nodes, in the order of the topology.
    pub(super) nodes: Vec<NodeView>,
    /// The addresses, ascending.
    pub(super) vips: Vec<VipView>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NodeView {
    /// Its name.
    pub(super) name: String,
    /// What became of its process.
    pub(super) life: Life,
    /// It is configured, listening, and announcing what it should.
    pub(super) ready: bool,
    /// What is wrong with its wire.
    pub(super) faults: Faults,
}

/// An address of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct VipView {
    /// The address.
    pub(super) address: IpAddr,
    /// Its Service.
    pub(super) service: String,
    /// The nodes that say they answer for it; more than one only where they cannot hear each
    /// other.
    pub(super) owners: Vec<Owner>,
}

/// A node that answers for an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    /// Its name.
    pub(super) node: String,
    /// How many owners there were; none where nodes do not share.
    pub(super) epoch: Option<u64>,
    /// Since when, in seconds since 1970.
    pub(super) since: Option<u64>,
    /// Why it has it.
    pub(super) reason: Option<String>,
    /// Who takes over, first one first.
    pub(super) standbys: Vec<String>,
}

impl View {
    /// Joins both; as many of `told` as of `nodes`.
    pub(super) fn new<'a>(nodes: impl Iterator<Item = &'a Node>, told: &[Option<Told>]) -> Self {
        let mut view = Self::default();
        let mut vips: BTreeMap<IpAddr, VipView> = BTreeMap::new();
        for (node, told) in nodes.zip(told) {
            // What was said before a stop is no longer so, and after it neither.
            let speaks = matches!(node.life, Life::Running | Life::Leaving | Life::Returning);
            let told = told.as_ref().filter(|told| speaks && told.asked > node.awake);
            view.nodes.push(NodeView {
                name: node.name.clone(),
                life: node.life,
                ready: told.is_some_and(|told| told.ready),
                faults: node.faults.clone(),
            });
            for (&address, claimed) in told.into_iter().flat_map(|told| &told.vips) {
                let service = claimed.service.clone();
                let vip = VipView { address, service, owners: Vec::new() };
                let vip = vips.entry(address).or_insert(vip);
                if claimed.is_held {
                    let claimed = claimed.clone();
                    let others = |standby: &String| *standby != node.name;
                    vip.owners.push(Owner {
                        node: node.name.clone(),
                        epoch: claimed.epoch,
                        since: claimed.since,
                        reason: claimed.reason,
                        standbys: claimed.standbys.into_iter().filter(others).collect(),
                    });
                }
            }
        }
        view.vips = vips.into_values().collect();
        view.forget_handed_over();
        view
    }

    /// A node that leaves goes on telling, while it serves stragglers, what it had before.
    fn forget_handed_over(&mut self) {
        let leaves = |node: &NodeView| matches!(node.life, Life::Leaving | Life::Returning);
        let leaving: BTreeSet<&str> =
            self.nodes.iter().filter(|node| leaves(node)).map(|node| node.name.as_str()).collect();
        for vip in &mut self.vips {
            let highest = vip.owners.iter().map(|owner| owner.epoch).max();
            vip.owners
                .retain(|it| Some(it.epoch) == highest || !leaving.contains(it.node.as_str()));
        }
    }

    /// Whether every node is ready, and every address of `wanted` has one owner.
    pub(super) fn is_settled(&self, wanted: &[IpAddr]) -> bool {
        let owned = |address: &IpAddr| {
            self.vips.iter().any(|vip| vip.address == *address && vip.owners.len() == 1)
        };
        self.nodes.iter().all(|node| node.ready) && wanted.iter().all(owned)
    }

    /// The addresses that a node answers for.
    pub(super) fn held(&self, node: &str) -> Vec<IpAddr> {
        let holds = |vip: &&VipView| vip.owners.iter().any(|owner| owner.node == node);
        self.vips.iter().filter(holds).map(|vip| vip.address).collect()
    }

    /// All addresses, ascending.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        self.vips.iter().map(|vip| vip.address).collect()
    }

    /// What is different from `before`, a sentence each.
    pub(super) fn changes(&self, before: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        let addresses: BTreeSet<IpAddr> =
            self.vips.iter().chain(&before.vips).map(|vip| vip.address).collect();
        for address in addresses {
            let (was, is) = (before.who(address), self.who(address));
            if was != is {
                lines.push(format!("{address} {is} (before: {was})"));
            }
        }
        lines
    }

    /// Who answers for an address, as words.
    fn who(&self, address: IpAddr) -> String {
        let vip = self.vips.iter().find(|vip| vip.address == address);
        match vip.map(|vip| &vip.owners[..]) {
            None => "is nobody's".to_owned(),
            Some([]) => "is answered for by nobody".to_owned(),
            Some(owners) => {
                let names: Vec<&str> = owners.iter().map(|owner| owner.node.as_str()).collect();
                format!("is answered for by {}", names.join(" and "))
            }
        }
    }
}
