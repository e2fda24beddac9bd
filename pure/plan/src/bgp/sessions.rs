//! Every session of every node, and the routes that go over it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use steelyard_model::service::Family;
use steelyard_model::{BgpAdvertisement, NamespacedName, Snapshot};

use crate::rows::{AdvertisedRow, PeerRow};
use crate::scene::Scene;

/// A network and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Prefix {
    network: IpAddr,
    length: u8,
}

/// What a node may tell a peer, because of an advertisement; all by index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub(super) node: usize,
    pub(super) peer: usize,
    advertisement: usize,
    prefix: Prefix,
}

/// Sessions by node and peer; both by index.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// Each with its place among the rows.
    opened: BTreeMap<(usize, usize), usize>,
    routes: Vec<BTreeMap<Prefix, Told>>,
    /// What changed since it was last reported: session, prefix.
    changed: BTreeSet<(usize, Prefix)>,
}

/// Who lets a router be told of a prefix: Service and advertisement.
type Told = Vec<(NamespacedName, usize)>;

impl Sessions {
    /// Every session that is open, with nothing told.
    pub(super) fn new(scene: &Scene<'_>) -> Self {
        let mut opened = BTreeMap::new();
        for (peer, joined) in scene.snapshot.bgp.peers.iter().enumerate() {
            let nodes = scene.nodes.matching(&joined.peer.node_selectors);
            opened.extend(nodes.map(|node| ((node, peer), 0)));
        }
        opened.values_mut().enumerate().for_each(|(place, session)| *session = place);
        let routes = vec![BTreeMap::new(); opened.len()];
        Self { opened, routes, changed: BTreeSet::new() }
    }

    /// What `nodes` may tell the peers of an advertisement of a prefix.
    pub(super) fn words(
        &self,
        scene: &Scene<'_>,
        advertisement: usize,
        nodes: &[usize],
        prefix: Prefix,
    ) -> Vec<Word> {
        let bgp = &scene.snapshot.bgp;
        let mut words = Vec::new();
        for &peer in &bgp.advertisements[advertisement].peers {
            if !bgp.peers[peer].peer.carries(Family::of(prefix.network)) {
                continue;
            }
            let open = nodes.iter().filter(|node| self.opened.contains_key(&(**node, peer)));
            words.extend(open.map(|&node| Word { node, peer, advertisement, prefix }));
        }
        words
    }

    /// Lets a node tell a peer something for `service`.
    pub(super) fn tell(&mut self, word: &Word, service: &NamespacedName) {
        let session = self.opened[&(word.node, word.peer)];
        let told = self.routes[session].entry(word.prefix).or_default();
        told.push((service.clone(), word.advertisement));
        self.changed.insert((session, word.prefix));
    }

    /// Takes back what a node told a peer for `service`.
    pub(super) fn take_back(&mut self, word: &Word, service: &NamespacedName) {
        let session = self.opened[&(word.node, word.peer)];
        let routes = &mut self.routes[session];
        let told = routes.get_mut(&word.prefix).expect("it was told");
        let one = told.iter().position(|(by, ad)| (by, *ad) == (service, word.advertisement));
        told.swap_remove(one.expect("it was told"));
        if told.is_empty() {
            routes.remove(&word.prefix);
        }
        self.changed.insert((session, word.prefix));
    }

    /// Brings the rows, one per session by node and peer, up to date.
    pub(super) fn report(&mut self, scene: &Scene<'_>, rows: &mut Vec<PeerRow>) {
        if rows.len() != self.opened.len() {
            *rows = self.opened.keys().map(|&(node, peer)| row(scene, node, peer)).collect();
        }
        let mut changes = vec![Vec::new(); rows.len()];
        for (session, prefix) in std::mem::take(&mut self.changed) {
            let told = self.routes[session].get(&prefix);
            let route = told.map(|told| advertised(scene.snapshot, prefix, told));
            changes[session].push(((prefix.network, prefix.length), route));
        }
        for (row, changes) in rows.iter_mut().zip(changes) {
            row.routes.change(changes);
        }
    }
}

fn row(scene: &Scene<'_>, node: usize, peer: usize) -> PeerRow {
    let peer = &scene.snapshot.bgp.peers[peer].peer;
    PeerRow {
        node: scene.nodes.name(node).to_string(),
        peer: peer.id.name.to_string(),
        address: peer.neighbor.to_string(),
        routes: Default::default(),
    }
}

/// The route to a prefix, as all that let it be told make it.
fn advertised(snapshot: &Snapshot, prefix: Prefix, told: &Told) -> AdvertisedRow {
    let ads: BTreeSet<usize> = told.iter().map(|(_, ad)| *ad).collect();
    let ads = || ads.iter().map(|ad| &snapshot.bgp.advertisements[*ad]);
    let communities: BTreeSet<_> = ads().flat_map(|ad| &ad.communities).collect();
    let mut communities: Vec<String> = communities.iter().map(ToString::to_string).collect();
    communities.sort();
    let mut services: Vec<NamespacedName> = told.iter().map(|(by, _)| by.clone()).collect();
    services.sort();
    services.dedup();
    let local_pref = ads().map(|ad| ad.advertisement.local_pref).max().unwrap_or_default();
    AdvertisedRow { prefix: prefix.to_string(), local_pref, communities, services }
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
