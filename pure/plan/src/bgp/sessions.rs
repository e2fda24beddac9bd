//! Every session of every node, and the routes that go over it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use steelyard_model::bgp::JoinedAdvertisement;
use steelyard_model::service::Family;
use steelyard_model::{BgpAdvertisement, Community, NamespacedName, Snapshot};

use crate::nodes::Nodes;
use crate::rows::{AdvertisedRow, PeerRow};

/// A network and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Prefix {
    network: IpAddr,
    length: u8,
}

/// Sessions by node and peer; both by index.
pub(super) struct Sessions<'a> {
    snapshot: &'a Snapshot,
    nodes: &'a Nodes<'a>,
    /// By peer, whether each node talks to it.
    opened: Vec<Vec<bool>>,
    /// Nodes with equal routes to a peer would share this; most have their own.
    routes: BTreeMap<(usize, usize), BTreeMap<Prefix, Told>>,
}

/// What a router is told of a prefix.
#[derive(Default)]
struct Told {
    local_pref: u32,
    communities: BTreeSet<Community>,
    services: BTreeSet<Rc<NamespacedName>>,
}

impl<'a> Sessions<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, nodes: &'a Nodes<'a>) -> Self {
        let mut opened = Vec::new();
        let mut routes = BTreeMap::new();
        for (peer, joined) in snapshot.bgp.peers.iter().enumerate() {
            let mut by_node = vec![false; nodes.count()];
            for node in nodes.matching(&joined.peer.node_selectors) {
                by_node[node] = true;
                routes.insert((node, peer), BTreeMap::new());
            }
            opened.push(by_node);
        }
        Self { snapshot, nodes, opened, routes }
    }

    /// Lets `nodes` tell the peers of an advertisement of a prefix. Names of the peers that hear
    /// of it from any of them.
    pub(super) fn tell(
        &mut self,
        joined: &JoinedAdvertisement,
        nodes: &[usize],
        prefix: Prefix,
        service: &NamespacedName,
    ) -> Vec<String> {
        let service = Rc::new(service.clone());
        let mut names = BTreeSet::new();
        for &index in &joined.peers {
            let peer = &self.snapshot.bgp.peers[index].peer;
            if !peer.carries(Family::of(prefix.network)) {
                continue;
            }
            for &node in nodes.iter().filter(|node| self.opened[index][**node]) {
                names.insert(peer.id.name.to_string());
                let routes = self.routes.get_mut(&(node, index)).expect("opened sessions");
                let told = routes.entry(prefix).or_default();
                told.local_pref = told.local_pref.max(joined.advertisement.local_pref);
                told.communities.extend(&joined.communities);
                told.services.insert(service.clone());
            }
        }
        names.into_iter().collect()
    }

    /// One row per session, by node and peer.
    pub(super) fn rows(self) -> Vec<PeerRow> {
        let row = |((node, peer), routes): ((usize, usize), BTreeMap<Prefix, Told>)| {
            let peer = &self.snapshot.bgp.peers[peer].peer;
            PeerRow {
                node: self.nodes.name(node).to_owned(),
                peer: peer.id.name.to_string(),
                address: peer.neighbor.to_string(),
                routes: routes.into_iter().map(|(prefix, told)| told.row(prefix)).collect(),
            }
        };
        self.routes.into_iter().map(row).collect()
    }
}

impl Told {
    fn row(self, prefix: Prefix) -> AdvertisedRow {
        let mut communities: Vec<String> =
            self.communities.iter().map(ToString::to_string).collect();
        communities.sort();
        AdvertisedRow {
            prefix: prefix.to_string(),
            local_pref: self.local_pref,
            communities,
            services: self.services.iter().map(|id| NamespacedName::clone(id)).collect(),
        }
    }
}

impl Prefix {
    /// The prefix that an advertisement makes of an address.
    pub(super) fn new(address: IpAddr, advertisement: &BgpAdvertisement) -> Self {
        let length = advertisement.length(Family::of(address));
        let network = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        };
        Self { network, length }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.length)
    }
}
