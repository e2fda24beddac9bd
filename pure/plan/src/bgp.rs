//! Which routes each router is told by each node.
//!
//! A node announces an address if a BGPAdvertisement of its pool selects both the Service and the
//! node, the node answers itself, is not excluded and has a network, and somebody serves: any
//! endpoint under externalTrafficPolicy Cluster, one on that node under Local, our own listener
//! for a vip of the gateway. Where advertisements that select the Service on a node contradict
//! each other in LOCAL_PREF, that node announces none of them. As with MetalLB that is judged by
//! the families of the pool, whichever the Service has an address of.
//!
//! Routes to one prefix become one: communities of all, the highest LOCAL_PREF, all Services.
//!
//! As on the LAN, what is decided is kept, and after a change only what it concerns is looked at.

mod announcing;
mod sessions;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use steelyard_ipam::Assignment;
use steelyard_model::service::Family;
use steelyard_model::{NamespacedName, ResolvedService, Selector, ServedBy, TrafficPolicy};

use crate::endpoints::places;
use crate::impediment::Impediment;
use crate::rows::{AnnouncedBy, BgpRow, PeerRow};
use crate::scene::Scene;
use announcing::{Announcing, announcing};
use sessions::{Prefix, Sessions, Word};

/// What becomes of a Service's addresses by BGP.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// Nodes that could announce it, did somebody serve there.
    could: Vec<usize>,
    /// Why no node does.
    pub(crate) obstacle: Option<Impediment>,
    /// Two advertisements that contradict each other somewhere.
    pub(crate) contradiction: Option<(usize, usize)>,
    pub(crate) rows: Vec<BgpRow>,
    /// What it lets nodes tell their peers.
    words: Vec<Word>,
}

/// That nobody is told of a Service, as of most, lies in memory once.
static UNADVERTISED: LazyLock<Arc<Reach>> =
    LazyLock::new(|| Reach::hindered(Impediment::PoolNotAdvertised));
static UNSELECTED: LazyLock<Arc<Reach>> =
    LazyLock::new(|| Reach::hindered(Impediment::NotAdvertised));

impl Reach {
    fn hindered(obstacle: Impediment) -> Arc<Self> {
        Arc::new(Self { obstacle: Some(obstacle), ..Self::default() })
    }
}

/// Every session, and what goes over it.
#[derive(Debug)]
pub(crate) struct Bgp {
    /// Nodes that may announce, by advertisement.
    selected: Vec<Arc<[usize]>>,
    sessions: Sessions,
}

impl Bgp {
    /// Nobody announces anything yet.
    pub(crate) fn new(scene: &Scene<'_>) -> Self {
        let may = |selectors: &[Selector]| -> Arc<[usize]> {
            let matching = scene.nodes.matching(selectors);
            matching.filter(|node| scene.nodes.bar(*node).is_none()).collect()
        };
        let ads = scene.snapshot.bgp.advertisements.iter();
        Self {
            selected: ads.map(|ad| may(&ad.advertisement.node_selectors)).collect(),
            sessions: Sessions::new(scene),
        }
    }

    /// What becomes of a Service that has addresses.
    pub(crate) fn reach(
        &self,
        scene: &Scene<'_>,
        resolved: &ResolvedService,
        assignment: &Assignment,
    ) -> Arc<Reach> {
        let bgp = &scene.snapshot.bgp;
        let of_pool = assignment.pool.as_ref().and_then(|pool| bgp.pool_advertisements.get(pool));
        let of_pool = of_pool.map_or(&[][..], Vec::as_slice);
        let selects = |index: &usize| {
            let selectors = &bgp.advertisements[*index].advertisement.service_selectors;
            selectors.is_empty() || Selector::any(selectors, &resolved.service.labels)
        };
        let advertisements: Vec<usize> = of_pool.iter().copied().filter(selects).collect();
        if advertisements.is_empty() {
            let none = of_pool.is_empty();
            return if none { UNADVERTISED.clone() } else { UNSELECTED.clone() };
        }
        Arc::new(self.reach_by(scene, resolved, assignment, &advertisements))
    }

    /// The same where advertisements select it.
    fn reach_by(
        &self,
        scene: &Scene<'_>,
        resolved: &ResolvedService,
        assignment: &Assignment,
        advertisements: &[usize],
    ) -> Reach {
        let mut reach = Reach::default();
        let may = advertisements.iter().flat_map(|index| self.selected[*index].iter());
        reach.could = may.copied().collect();
        reach.could.sort_unstable();
        reach.could.dedup();
        let serving_nodes = with_endpoints(scene, resolved, &reach.could);
        reach.obstacle = if resolved.closed {
            Some(Impediment::Closed)
        } else if reach.could.is_empty() {
            Some(Impediment::NoNode)
        } else if !serving_nodes.is_empty() {
            None
        } else if resolved.places.is_empty() {
            Some(Impediment::NoEndpoint)
        } else {
            Some(Impediment::NoLocalEndpoint)
        };
        let pool = assignment.pool.as_ref().and_then(|id| scene.snapshot.pool(id));
        let ranges = pool.map_or(&[][..], |pool| &pool.ranges);
        let families: BTreeSet<Family> = ranges.iter().map(|range| range.family()).collect();
        let ads = (scene.snapshot, &self.selected[..]);
        let found = announcing(ads, advertisements, &serving_nodes, &families);
        reach.contradiction = found.contradiction;
        let nowhere = found.announcing.iter().all(|it| it.nodes.is_empty());
        if reach.obstacle.is_none() && nowhere {
            reach.obstacle = Some(Impediment::Contradiction);
        }
        let free = assignment.addresses.iter().filter(|it| !assignment.is_withheld(**it));
        for &address in free {
            self.announce(scene, &resolved.service.id, address, &found.announcing, &mut reach);
        }
        reach
    }

    /// What routers hear of one address.
    fn announce(
        &self,
        scene: &Scene<'_>,
        id: &NamespacedName,
        address: std::net::IpAddr,
        found: &[Announcing],
        reach: &mut Reach,
    ) {
        for Announcing { advertisement, nodes } in found {
            let joined = &scene.snapshot.bgp.advertisements[*advertisement];
            let prefix = Prefix::new(address, &joined.advertisement);
            let words = self.sessions.words(scene, *advertisement, nodes, prefix);
            let peer = |word: &Word| scene.snapshot.bgp.peers[word.peer].peer.id.name.to_string();
            let mut peers: Vec<String> = words.iter().map(peer).collect();
            peers.sort();
            peers.dedup();
            reach.words.extend(words);
            reach.add(BgpRow {
                address: prefix.to_string(),
                service: id.clone(),
                protocol: AnnouncedBy::Bgp,
                nodes: nodes.iter().map(|node| scene.nodes.name(*node).to_string()).collect(),
                peers,
                local_pref: joined.advertisement.local_pref,
                communities: joined.communities.iter().map(ToString::to_string).collect(),
            });
        }
    }

    /// Puts what a Service lets nodes tell in the place of what it did before.
    pub(crate) fn replace(
        &mut self,
        id: &NamespacedName,
        before: Option<&Reach>,
        now: Option<&Reach>,
    ) {
        for word in before.iter().flat_map(|reach| &reach.words) {
            self.sessions.take_back(word, id);
        }
        for word in now.iter().flat_map(|reach| &reach.words) {
            self.sessions.tell(word, id);
        }
    }

    /// Brings `rows`, one per session, up to date.
    pub(crate) fn report(&mut self, scene: &Scene<'_>, rows: &mut Vec<PeerRow>) {
        self.sessions.report(scene, rows);
    }
}

/// Those of `nodes` where somebody serves.
fn with_endpoints(scene: &Scene<'_>, resolved: &ResolvedService, nodes: &[usize]) -> Vec<usize> {
    if resolved.closed {
        return Vec::new();
    }
    if resolved.served_by == ServedBy::Gateway {
        return nodes.to_vec();
    }
    let places = places(resolved);
    if resolved.service.external_traffic_policy == TrafficPolicy::Cluster {
        return if places.is_empty() { Vec::new() } else { nodes.to_vec() };
    }
    let here = |node: &&usize| scene.nodes.is_among(**node, &places);
    nodes.iter().filter(here).copied().collect()
}

impl Reach {
    /// Whether this node could announce the Service, did somebody serve.
    pub(crate) fn concerns_this_node(&self, scene: &Scene<'_>) -> bool {
        self.could.iter().any(|node| scene.is_this_node(*node))
    }

    /// Rows that differ in nothing but their peers are one.
    fn add(&mut self, row: BgpRow) {
        let same = |other: &&mut BgpRow| {
            (&other.address, &other.nodes, other.local_pref, &other.communities)
                == (&row.address, &row.nodes, row.local_pref, &row.communities)
        };
        match self.rows.iter_mut().rev().find(same) {
            Some(known) => {
                known.peers.extend(row.peers);
                known.peers.sort();
                known.peers.dedup();
            }
            None => self.rows.push(row),
        }
    }
}
