//! What the host is like, as far as it decides how packets travel. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use steelyard_firewall::{Packet, Ruleset, Way, judge};
use steelyard_model::Family;

use crate::desired::VipPort;
use crate::observed::Why;
use crate::obstacle::Obstacle;
use crate::render::MARKED_AT;

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Why nothing can be done in the kernel; none where it can.
    pub(crate) no_kernel: Option<Why>,
    /// Why packets of a family cannot be sent on to other hosts.
    pub(crate) no_forwarding: BTreeMap<Family, Why>,
    /// Where the endpoints are.
    pub(crate) places: BTreeMap<IpAddr, Spot>,
    /// By which interface packets for a vip come in.
    pub(crate) arrivals: BTreeMap<IpAddr, String>,
    /// Interfaces whose IPv4 packets are not forwarded, though the host forwards.
    pub(crate) closed: BTreeSet<String>,
    /// Bridges whose frames pass through the firewall, by family.
    pub(crate) bridges: BTreeMap<String, BTreeSet<Family>>,
    /// The rules of other firewalls.
    pub(crate) walls: Arc<Ruleset>,
    /// Some rules could not be read.
    pub(crate) is_unread: bool,
    /// The mark by which packets are delivered.
    pub(crate) mark: u32,
}

/// An endpoint's place, and the interface to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) place: Place,
    pub(crate) link: Option<String>,
}

/// Where an endpoint is, seen from this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// An address of this host.
    Here,
    /// At the other end of a link of its own: its answers come back through us.
    PodLink,
    /// Anywhere else: its answers come back through us only if we are whom it answers.
    OffBox,
}

impl Facts {
    pub(crate) fn place(&self, endpoint: IpAddr) -> Place {
        self.places.get(&endpoint).map_or(Place::OffBox, |spot| spot.place)
    }

    /// What keeps packets that are translated from arriving at all of `endpoints`.
    pub(crate) fn before(&self, key: VipPort, endpoints: &[SocketAddr]) -> Option<Obstacle> {
        let each = endpoints.iter().filter_map(|endpoint| self.before_one(key, *endpoint));
        each.min_by_key(|obstacle| !obstacle.is_certain())
    }

    /// What keeps packets from whoever listens on the vip itself.
    pub(crate) fn at_listener(&self, key: VipPort) -> Option<Obstacle> {
        let way = Way::Here { mark: self.mark, marked_at: MARKED_AT };
        self.judge(key, way)
    }

    fn before_one(&self, key: VipPort, endpoint: SocketAddr) -> Option<Obstacle> {
        let spot = self.places.get(&endpoint.ip());
        let oif = spot.and_then(|spot| spot.link.clone());
        let is_own = self.place(endpoint.ip()) == Place::Here;
        if !is_own && let Some(obstacle) = self.on_the_way(key.address, oif.as_deref()) {
            return Some(obstacle);
        }
        self.judge(key, Way::On { to: endpoint, oif, is_own })
    }

    fn on_the_way(&self, vip: IpAddr, oif: Option<&str>) -> Option<Obstacle> {
        let iif = self.arrivals.get(&vip).map(String::as_str);
        let mut links = iif.into_iter().chain(oif);
        if let Some(link) = links.find(|link| vip.is_ipv4() && self.closed.contains(*link)) {
            return Some(Obstacle::LinkForwardsNot(link.to_owned()));
        }
        let bridge = iif.filter(|iif| oif == Some(iif))?;
        let filtered = self.bridges.get(bridge)?;
        filtered.contains(&Family::of(vip)).then(|| Obstacle::BridgeFilter(bridge.to_owned()))
    }

    fn judge(&self, key: VipPort, way: Way) -> Option<Obstacle> {
        let VipPort { address: vip, protocol, port } = key;
        let packet = Packet { vip, protocol, port, iif: self.arrivals.get(&vip).cloned(), way };
        let found = judge(&self.walls, &packet);
        let found = found.map(|found| Obstacle::firewall(found, &packet));
        found.or_else(|| self.is_unread.then_some(Obstacle::UnreadTables))
    }
}
