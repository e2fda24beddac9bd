//! What a mind is told of the machine it is on, and makes of it who this node is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::{Node, Snapshot};
use steelyard_plan::{Author, Facts, Occupant};

/// What is known of this machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnFacts {
    /// Its name: as given, else the host's.
    pub(crate) named: String,
    /// Its addresses, as last seen.
    pub(crate) addresses: Arc<BTreeSet<IpAddr>>,
    /// Who decides who has which address.
    pub(crate) author: Author,
    /// Whether it decides for a cluster, whose Nodes are all there are.
    pub(crate) is_for_cluster: bool,
    /// Whether others carry packets for vips to endpoints.
    pub(crate) leaves_forwarding: bool,
    /// Those it shares addresses with; none serves all of them itself.
    pub(crate) company: Option<Company>,
}

/// Machines that share addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Company {
    /// All others that were ever heard. It never shrinks: who is away may come back, and
    /// candidates are the same for everybody.
    pub(crate) others: BTreeSet<String>,
    /// Where others are heard, as far as that was said.
    pub(crate) peers: Vec<IpAddr>,
    /// First owners are chosen in MetalLB's order.
    pub(crate) compat_election: bool,
    /// Nodes that are labelled as excluded from load balancers take part all the same.
    pub(crate) ignore_exclude_lb: bool,
}

impl OwnFacts {
    /// Whether another machine writes down who has which address.
    pub(crate) fn follows(&self) -> bool {
        self.author == Author::Holdings
    }

    /// Who this node is, which nodes answer, and which machines are no Node objects.
    pub(crate) fn facts(&self, snapshot: &Snapshot) -> Facts {
        let (named, author) = (self.named.clone(), self.author);
        if self.is_for_cluster || matches!(author, Author::Statuses | Author::Nobody) {
            return self.in_cluster();
        }
        let leaves_forwarding = self.leaves_forwarding;
        let Some(company) = &self.company else {
            let node = self.known_as(snapshot).unwrap_or(named);
            let is_beside = !snapshot.nodes.is_empty();
            return Facts {
                alive: Some([node.clone()].into()),
                beside: is_beside.then(|| node.clone()).into_iter().collect(),
                node,
                author,
                occupants: self.occupants(),
                leaves_forwarding,
                ..Facts::default()
            };
        };
        Facts {
            beside: company.others.iter().chain([&named]).cloned().collect(),
            node: named,
            author,
            compat_election: company.compat_election,
            occupants: self.occupants(),
            leaves_forwarding,
            settles: true,
            ..Facts::default()
        }
    }

    /// Which addresses are machines' own, as far as this one knows.
    fn occupants(&self) -> BTreeMap<IpAddr, Occupant> {
        let peers = self.company.iter().flat_map(|it| &it.peers);
        let peers = peers.map(|it| (*it, Occupant::Peer));
        peers.chain(self.addresses.iter().map(|it| (*it, Occupant::ThisMachine))).collect()
    }

    /// In a cluster its Nodes are all there are; which of them answer, they settle themselves.
    fn in_cluster(&self) -> Facts {
        let company = self.company.as_ref();
        Facts {
            node: self.named.clone(),
            author: self.author,
            compat_election: company.is_some_and(|it| it.compat_election),
            ignore_exclude_lb: company.is_some_and(|it| it.ignore_exclude_lb),
            leaves_forwarding: self.leaves_forwarding,
            settles: company.is_some(),
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
