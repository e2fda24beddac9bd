//! What a mind is told of the machine it is on, and makes of it who this node is.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::{Node, Snapshot};
use steelyard_plan::{Author, Facts};

/// What is known of this machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnFacts {
    /// Its name: as given, else the host's.
    pub(crate) named: String,
    /// Its addresses, as last seen.
    pub(crate) addresses: Arc<BTreeSet<IpAddr>>,
    /// Those it shares addresses with; none serves all of them itself.
    pub(crate) company: Option<Company>,
}

/// Machines that share addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Company {
    /// All others that were ever heard. It never shrinks: who is away may come back, and
    /// candidates are the same for everybody.
    pub(crate) others: BTreeSet<String>,
    /// Who decides who has which address.
    pub(crate) author: Author,
    /// First owners are chosen in MetalLB's order.
    pub(crate) compat_election: bool,
}

impl OwnFacts {
    /// Whether another machine says who has which address.
    pub(crate) fn follows(&self) -> bool {
        self.company.as_ref().is_some_and(|company| company.author == Author::Holdings)
    }

    /// Who this node is, which nodes answer, and which machines are no Node objects.
    pub(crate) fn facts(&self, snapshot: &Snapshot) -> Facts {
        let named = self.named.clone();
        let Some(company) = &self.company else {
            let node = self.known_as(snapshot).unwrap_or(named);
            let is_beside = !snapshot.nodes.is_empty();
            return Facts {
                alive: Some([node.clone()].into()),
                beside: is_beside.then(|| node.clone()).into_iter().collect(),
                node,
                ..Facts::default()
            };
        };
        Facts {
            beside: company.others.iter().chain([&named]).cloned().collect(),
            node: named,
            author: company.author,
            compat_election: company.compat_election,
            ..Facts::default()
        }
    }

    /// What the Node object is called that is this machine.
    fn known_as(&self, snapshot: &Snapshot) -> Option<String> {
        let by_name = snapshot.nodes.iter().find(|node| *node.name == *self.named);
        let by_address = || {
            let holds = |it: &&Node| it.internal_ips.iter().any(|ip| self.addresses.contains(ip));
            snapshot.nodes.iter().find(holds)
        };
        by_name.or_else(by_address).map(|node| node.name.to_string())
    }
}
