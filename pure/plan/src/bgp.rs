//! Which routes each router is told by each node.
//!
//! A node announces an address if a BGPAdvertisement of its pool selects both the Service and the
//! node, the node answers itself, is not excluded and has a network, and somebody serves: any
//! endpoint under externalTrafficPolicy Cluster, one on that node under Local, our own listener
//! for a vip of the gateway. Where advertisements that select the Service on a node contradict
//! each other in LOCAL_PREF, that node announces none of them.
//!
//! Routes to one prefix become one: communities of all, the highest LOCAL_PREF, all Services.

mod announcing;
mod sessions;

use std::collections::BTreeMap;
use std::rc::Rc;

use steelyard_ipam::Assignments;
use steelyard_model::service::Family;
use steelyard_model::{
    NamespacedName, ResolvedService, Selector, ServedBy, Snapshot, TrafficPolicy,
};

use crate::endpoints::{serving, serving_places};
use crate::nodes::Nodes;
use crate::obstacle::Obstacle;
use crate::rows::{BgpRow, PeerRow};
use announcing::{Announcing, announcing};
use sessions::Sessions;

/// What becomes of a Service's addresses by BGP.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// Advertisements that select it, by index.
    pub(crate) advertisements: Vec<usize>,
    /// Nodes that could announce it, did somebody serve there.
    pub(crate) could: Vec<usize>,
    /// Why no node does.
    pub(crate) obstacle: Option<Obstacle>,
    /// Two advertisements that contradict each other somewhere.
    pub(crate) contradiction: Option<(usize, usize)>,
}

/// All of it.
#[derive(Default)]
pub(crate) struct Bgp {
    pub(crate) reaches: BTreeMap<NamespacedName, Reach>,
    pub(crate) rows: Vec<BgpRow>,
    pub(crate) peers: Vec<PeerRow>,
}

struct Planning<'a> {
    snapshot: &'a Snapshot,
    nodes: &'a Nodes<'a>,
    /// Nodes that may announce, by advertisement.
    selected: Vec<Rc<[usize]>>,
    sessions: Sessions<'a>,
    rows: Vec<BgpRow>,
}

/// Decides for all Services with an address.
pub(crate) fn plan(snapshot: &Snapshot, nodes: &Nodes<'_>, assignments: &Assignments) -> Bgp {
    let may = |selectors: &[Selector]| -> Rc<[usize]> {
        nodes.matching(selectors).filter(|node| nodes.bar(*node).is_none()).collect()
    };
    let ads = &snapshot.bgp.advertisements;
    let mut planning = Planning {
        snapshot,
        nodes,
        selected: ads.iter().map(|ad| may(&ad.advertisement.node_selectors)).collect(),
        sessions: Sessions::new(snapshot, nodes),
        rows: Vec::new(),
    };
    let mut reaches = BTreeMap::new();
    for (id, assignment) in &assignments.services {
        let resolved = snapshot.services.get(id).filter(|_| !assignment.addresses.is_empty());
        let (Some(resolved), Some(pool)) = (resolved, &assignment.pool) else { continue };
        let of_pool = snapshot.bgp.pool_advertisements.get(pool).map_or(&[][..], Vec::as_slice);
        let (reach, announcing) = planning.reach(resolved, of_pool, &assignment.addresses);
        for &address in &assignment.addresses {
            planning.announce(id, address, &announcing);
        }
        reaches.insert(id.clone(), reach);
    }
    Bgp { reaches, rows: planning.rows, peers: planning.sessions.rows() }
}

impl Planning<'_> {
    fn reach(
        &self,
        resolved: &ResolvedService,
        of_pool: &[usize],
        addresses: &[std::net::IpAddr],
    ) -> (Reach, Vec<Announcing>) {
        let selects = |index: &usize| {
            let selectors =
                &self.snapshot.bgp.advertisements[*index].advertisement.service_selectors;
            selectors.is_empty() || Selector::any(selectors, &resolved.service.labels)
        };
        let advertisements: Vec<usize> = of_pool.iter().copied().filter(selects).collect();
        let mut reach = Reach { advertisements, ..Reach::default() };
        if reach.advertisements.is_empty() {
            let none = of_pool.is_empty();
            reach.obstacle =
                Some(if none { Obstacle::PoolNotAdvertised } else { Obstacle::NotAdvertised });
            return (reach, Vec::new());
        }
        let may = reach.advertisements.iter().flat_map(|index| self.selected[*index].iter());
        reach.could = may.copied().collect();
        reach.could.sort_unstable();
        reach.could.dedup();
        let serving_nodes = self.with_endpoints(resolved, &reach.could);
        reach.obstacle = if reach.could.is_empty() {
            Some(Obstacle::NoNode)
        } else if !serving_nodes.is_empty() {
            None
        } else if serving(resolved).next().is_none() {
            Some(Obstacle::NoEndpoint)
        } else {
            Some(Obstacle::NoLocalEndpoint)
        };
        let families: Vec<Family> = addresses.iter().map(|address| Family::of(*address)).collect();
        let found = announcing(self, &reach.advertisements, &serving_nodes, &families);
        reach.contradiction = found.contradiction;
        let nowhere = found.announcing.iter().all(|it| it.nodes.is_empty());
        if reach.obstacle.is_none() && nowhere {
            reach.obstacle = Some(Obstacle::Contradiction);
        }
        (reach, found.announcing)
    }

    /// Those of `nodes` where somebody serves.
    fn with_endpoints(&self, resolved: &ResolvedService, nodes: &[usize]) -> Vec<usize> {
        if resolved.served_by == ServedBy::Gateway {
            return nodes.to_vec();
        }
        let places = serving_places(resolved);
        if resolved.service.external_traffic_policy == TrafficPolicy::Cluster {
            return if places.is_empty() { Vec::new() } else { nodes.to_vec() };
        }
        let here = |node: &&usize| self.nodes.is_among(**node, &places);
        nodes.iter().filter(here).copied().collect()
    }

    /// Tells the routers of one address.
    fn announce(&mut self, id: &NamespacedName, address: std::net::IpAddr, found: &[Announcing]) {
        for Announcing { advertisement, nodes } in found {
            let joined = &self.snapshot.bgp.advertisements[*advertisement];
            let prefix = sessions::Prefix::new(address, &joined.advertisement);
            let peers = self.sessions.tell(joined, nodes, prefix, id);
            let row = BgpRow {
                address: prefix.to_string(),
                service: id.clone(),
                protocol: crate::rows::Protocol::Bgp,
                nodes: nodes.iter().map(|node| self.nodes.name(*node).to_owned()).collect(),
                peers,
                local_pref: joined.advertisement.local_pref,
                communities: joined.communities.iter().map(ToString::to_string).collect(),
            };
            self.add(row);
        }
    }

    /// Rows that differ in nothing but their peers are one.
    fn add(&mut self, row: BgpRow) {
        let same = |other: &&mut BgpRow| {
            (&other.address, &other.nodes, other.local_pref, &other.communities)
                == (&row.address, &row.nodes, row.local_pref, &row.communities)
        };
        let of_service = self.rows.iter_mut().rev().take_while(|it| it.service == row.service);
        match of_service.into_iter().find(same) {
            Some(known) => {
                known.peers.extend(row.peers);
                known.peers.sort();
                known.peers.dedup();
            }
            None => self.rows.push(row),
        }
    }
}
