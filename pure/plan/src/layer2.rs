//! Who answers for which address on the LAN.
//!
//! A node is eligible for a Service if an L2Advertisement of the address's pool selects both, the
//! node answers itself, is not excluded and has a network, and somebody serves: any endpoint
//! under externalTrafficPolicy Cluster, one on that node under Local, our own listener for a vip
//! of the gateway. The rest is the election's.
//!
//! What is decided is kept: after a change only the Services it concerns are looked at again, and
//! only where what they bring to the election differs is it held again ([`contest`]).

mod contest;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use steelyard_ipam::Assignment;
use steelyard_model::{NamespacedName, ResolvedService, Selector, ServedBy, TrafficPolicy};

use crate::election::Candidate;
use crate::endpoints::places;
use crate::impediment::Impediment;
use crate::rows::{AnnouncedBy, Layer2Row};
use crate::scene::Scene;

pub(crate) use contest::{Contender, Vip};

/// What becomes of a Service's addresses on the LAN, whichever they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Outlook {
    /// Advertisements that select it, by index.
    advertisements: Arc<[usize]>,
    /// Nodes that could answer for it, did somebody serve there.
    could: Arc<[Candidate]>,
    /// Nodes that may.
    eligible: Arc<[Candidate]>,
    /// Why no node may.
    pub(crate) obstacle: Option<Impediment>,
}

/// A Service's addresses, and what becomes of them.
#[derive(Clone, Copy)]
pub(crate) struct Stake<'a> {
    pub(crate) assignment: &'a Assignment,
    pub(crate) outlook: &'a Outlook,
}

/// Every vip, and who contends for it.
#[derive(Debug, Default)]
pub(crate) struct Layer2 {
    vips: BTreeMap<IpAddr, Vip>,
    /// Those that more than one node may own: only there it counts who owns how many.
    contested: BTreeSet<IpAddr>,
}

/// What an update changed.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    /// Addresses for which other nodes may answer now, or in another order, or that came or went.
    pub(crate) addresses: BTreeSet<IpAddr>,
}

/// What is alike of most Services, while many are looked at: it lies in memory once.
#[derive(Debug, Default)]
pub(crate) struct Alike {
    outlooks: BTreeSet<Arc<Outlook>>,
    nodes: BTreeSet<Arc<[Arc<str>]>>,
    interfaces: BTreeSet<Arc<[String]>>,
}

impl Alike {
    pub(crate) fn outlook(&mut self, outlook: Outlook) -> Arc<Outlook> {
        known(&mut self.outlooks, outlook)
    }
}

/// The same, as others have it.
fn known<T: Ord + ?Sized>(all: &mut BTreeSet<Arc<T>>, one: impl Into<Arc<T>>) -> Arc<T> {
    let one = one.into();
    let known = all.get(&one).cloned().unwrap_or(one);
    all.insert(known.clone());
    known
}

impl Layer2 {
    /// Puts a Service's stake in the place of the one before.
    pub(crate) fn replace(
        &mut self,
        id: &NamespacedName,
        before: Option<Stake<'_>>,
        now: Option<Stake<'_>>,
        moved: &mut Moved,
    ) {
        if before == now {
            return;
        }
        for &address in before.iter().flat_map(|before| &before.assignment.addresses) {
            let vip = self.vips.get_mut(&address).expect("what is at stake are vips");
            vip.leave(id);
            if vip.sharers.is_empty() {
                self.vips.remove(&address);
            }
            moved.addresses.insert(address);
            self.note_contest(address);
        }
        let Some(now) = now else { return };
        for &address in &now.assignment.addresses {
            let vip = self.vips.entry(address).or_default();
            vip.join(Contender {
                id: id.clone(),
                key: now.assignment.addresses[0],
                advertisements: now.outlook.advertisements.clone(),
                eligible: now.eligible_for(address),
                order: Arc::default(),
            });
            moved.addresses.insert(address);
            self.note_contest(address);
        }
    }

    pub(crate) fn pack(&mut self) {
        self.vips = std::mem::take(&mut self.vips).into_iter().collect();
    }

    fn note_contest(&mut self, address: IpAddr) {
        if self.vips.get(&address).is_some_and(Vip::is_contested) {
            self.contested.insert(address);
        } else {
            self.contested.remove(&address);
        }
    }

    /// Who contends for an address.
    pub(crate) fn vip(&self, address: IpAddr) -> Option<&Vip> {
        self.vips.get(&address)
    }

    /// Services on addresses that moved.
    pub(crate) fn services_on<'a>(
        &'a self,
        moved: &'a Moved,
    ) -> impl Iterator<Item = &'a NamespacedName> {
        let vips = moved.addresses.iter().filter_map(|address| self.vips.get(address));
        vips.flat_map(|vip| &vip.sharers).map(|sharer| &sharer.id)
    }

    /// The rows of a Service, by address.
    pub(crate) fn rows(
        &self,
        scene: &Scene<'_>,
        id: &NamespacedName,
        Stake { assignment, outlook }: Stake<'_>,
        alike: &mut Alike,
    ) -> Vec<Layer2Row> {
        if outlook.advertisements.is_empty() {
            return Vec::new();
        }
        let mut addresses = assignment.addresses.to_vec();
        addresses.sort();
        let mut row = |address| {
            let order = self.vips[&address].order_of(id);
            let mut names = order.iter().map(|it| scene.nodes.name(it.node).clone());
            let owner = order.first().map(|it| it.node);
            let interfaces = scene.nodes.interfaces(&outlook.advertisements, owner);
            Layer2Row {
                address,
                service: id.clone(),
                protocol: AnnouncedBy::Layer2,
                owner: names.next(),
                standbys: known(&mut alike.nodes, names.collect::<Vec<_>>()),
                interfaces: known(&mut alike.interfaces, interfaces),
                peers: [],
            }
        };
        addresses.into_iter().map(&mut row).collect()
    }
}

/// What becomes of a Service that has addresses.
pub(crate) fn outlook(
    scene: &mut Scene<'_>,
    resolved: &ResolvedService,
    assignment: &Assignment,
) -> Outlook {
    let (advertisements, obstacle) = advertisements(scene, resolved, assignment);
    let advertisements = scene.nodes.known(advertisements);
    let obstacle = obstacle.or_else(|| resolved.closed.then_some(Impediment::Closed));
    let could = scene.nodes.candidates(&advertisements);
    let mut outlook = Outlook { advertisements, could, eligible: Arc::default(), obstacle };
    if outlook.obstacle.is_some() {
        return outlook;
    }
    outlook.eligible = with_endpoints(scene, resolved, &outlook.could);
    if outlook.eligible.is_empty() {
        outlook.obstacle = Some(if outlook.could.is_empty() {
            Impediment::NoNode
        } else if resolved.places.is_empty() {
            Impediment::NoEndpoint
        } else {
            Impediment::NoLocalEndpoint
        });
    }
    outlook
}

/// The advertisements that select a Service, or why it is not announced whatever they say.
fn advertisements(
    scene: &Scene<'_>,
    resolved: &ResolvedService,
    assignment: &Assignment,
) -> (Arc<[usize]>, Option<Impediment>) {
    let snapshot = scene.snapshot;
    let pool = assignment.pool.as_ref();
    let of_pool = pool.and_then(|pool| snapshot.pool_advertisements.get(pool));
    let Some(of_pool) = of_pool.filter(|list| !list.is_empty()) else {
        return (Arc::default(), Some(Impediment::PoolNotAdvertised));
    };
    let selectors = |index: &usize| &snapshot.l2_advertisements[*index].service_selectors;
    let service = &resolved.service;
    let selects = |index: &usize| {
        selectors(index).is_empty() || Selector::any(selectors(index), &service.labels)
    };
    let matching: Arc<[usize]> = of_pool.iter().copied().filter(selects).collect();
    let shares = service.wish.sharing_key.is_some();
    let obstacle = if matching.is_empty() {
        Some(Impediment::NotAdvertised)
    } else if shares && matching.iter().any(|index| !selectors(index).is_empty()) {
        Some(Impediment::SharedAndSelected)
    } else {
        None
    };
    (matching, obstacle)
}

fn with_endpoints(
    scene: &Scene<'_>,
    resolved: &ResolvedService,
    candidates: &Arc<[Candidate]>,
) -> Arc<[Candidate]> {
    if resolved.served_by == ServedBy::Gateway {
        return candidates.clone();
    }
    if resolved.service.external_traffic_policy == TrafficPolicy::Cluster {
        let any = !resolved.places.is_empty();
        return if any { candidates.clone() } else { Arc::default() };
    }
    let places = places(resolved);
    let here = |it: &&Candidate| scene.nodes.is_among(it.node, &places);
    candidates.iter().filter(here).copied().collect()
}

impl Stake<'_> {
    /// Nodes that may answer for one of its addresses.
    fn eligible_for(&self, address: IpAddr) -> Arc<[Candidate]> {
        match self.assignment.is_withheld(address) {
            true => Arc::default(),
            false => self.outlook.eligible.clone(),
        }
    }
}

/// Equal where nothing is to be looked at again.
impl PartialEq for Stake<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.outlook == other.outlook
            && self.assignment.addresses == other.assignment.addresses
            && self.assignment.withheld().eq(other.assignment.withheld())
    }
}

impl Outlook {
    /// Advertisements that select the Service, by index.
    pub(crate) fn advertisements(&self) -> &[usize] {
        &self.advertisements
    }

    /// Whether this node could answer for the Service, did somebody serve; also where nobody
    /// announces the pool, since packets may come another way.
    pub(crate) fn concerns_this_node(&self, scene: &Scene<'_>) -> bool {
        matches!(self.obstacle, Some(Impediment::PoolNotAdvertised | Impediment::NotAdvertised))
            || self.could.iter().any(|could| scene.is_this_node(could.node))
    }
}
