//! What the host is like, as far as it decides how packets travel. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use steelyard_firewall::{Packet, Ruleset, Way, judge};
use steelyard_model::{Family, Sorted};

use crate::desired::VipPort;
use crate::hooks::MARKED_AT;
use crate::observed::Why;
use crate::obstacle::Obstacle;

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Why nothing can be done in the kernel; none where it can.
    pub no_kernel: Option<Why>,
    /// Why packets of a family cannot be sent on to other hosts.
    pub no_forwarding: BTreeMap<Family, Why>,
    /// Where the endpoints are.
    pub places: Sorted<IpAddr, Spot>,
    /// By which interface packets for a vip come in.
    pub arrivals: Sorted<IpAddr, String>,
    /// Interfaces whose IPv4 packets are not forwarded, though the host forwards.
    pub closed: BTreeSet<String>,
    /// Bridges whose frames pass through the firewall, by family.
    pub bridges: BTreeMap<String, BTreeSet<Family>>,
    /// The rules of other firewalls.
    pub walls: Arc<Ruleset>,
    /// Some rules could not be read.
    pub is_unread: bool,
    /// Endpoints that do not answer.
    pub dead: BTreeSet<SocketAddr>,
    /// The mark by which packets are delivered.
    pub mark: u32,
    /// Packets are led to listeners at other ports than the one asked for.
    pub leads: bool,
}

/// An endpoint's place, and the interface to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Seen from this host.
    pub place: Whereabouts,
    /// The interface to it; none where it is here.
    pub link: Option<String>,
    /// The address of this host that it sees where it may not see the client's: one that lasts.
    /// None: whichever the kernel takes.
    pub source: Option<IpAddr>,
}

/// Where an endpoint is, seen from this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// An address of this host.
    Here,
    /// At the other end of a link of its own: its answers come back through us.
    PodLink,
    /// Anywhere else: its answers come back through us only if we are whom it answers.
    OffBox,
}

/// Of this host's `lasting` addresses, by interface, the one to reach `endpoint` from: of the
/// interface that leads there, and of those the one that shares most with it (RFC 6724 §5, rules 2
/// and 8). For IPv6 only: of IPv4 the kernel takes one that lasts.
pub fn source(endpoint: IpAddr, link: u32, lasting: &[(u32, IpNet)]) -> Option<IpAddr> {
    let IpAddr::V6(endpoint) = endpoint else { return None };
    let shared = |it: Ipv6Addr| (it.to_bits() ^ endpoint.to_bits()).leading_zeros();
    let own =
        lasting.iter().filter(|(at, _)| *at == link).filter_map(|(_, net)| match net.addr() {
            IpAddr::V6(it) => Some(it),
            IpAddr::V4(_) => None,
        });
    let same_scope =
        own.filter(|it| it.is_unicast_link_local() == endpoint.is_unicast_link_local());
    same_scope.max_by_key(|it| (shared(*it), std::cmp::Reverse(*it))).map(IpAddr::V6)
}

impl HostFacts {
    /// Where `endpoint` is; far away where nobody looked.
    pub fn place(&self, endpoint: IpAddr) -> Whereabouts {
        self.places.get(&endpoint).map_or(Whereabouts::OffBox, |spot| spot.place)
    }

    /// Whether all but what concerns single addresses is as in `other`.
    pub(crate) fn is_same_host(&self, other: &Self) -> bool {
        // Everything is named, so that nobody forgets what comes to be.
        let Self {
            no_kernel,
            no_forwarding,
            places: _,
            arrivals: _,
            closed,
            bridges,
            walls,
            is_unread,
            dead: _,
            mark,
            leads,
        } = self;
        *no_kernel == other.no_kernel
            && *no_forwarding == other.no_forwarding
            && *closed == other.closed
            && *bridges == other.bridges
            && (Arc::ptr_eq(walls, &other.walls) || *walls == other.walls)
            && *is_unread == other.is_unread
            && *mark == other.mark
            && *leads == other.leads
    }

    /// Whether packets for `vip` come by a bridge whose frames pass through the firewall. Such a
    /// packet forgets which listener it was led to, on its way from the bridge to this host.
    pub fn is_filtered(&self, vip: IpAddr) -> bool {
        self.filter_before(vip).is_some()
    }

    fn filter_before(&self, vip: IpAddr) -> Option<&str> {
        let bridge = self.arrivals.get(&vip)?;
        let filtered = self.bridges.get(bridge)?;
        filtered.contains(&Family::of(vip)).then_some(bridge)
    }

    /// What keeps packets that are translated from arriving at all of `endpoints`.
    pub(crate) fn before(&self, key: VipPort, endpoints: &[SocketAddr]) -> Option<Obstacle> {
        let each = endpoints.iter().filter_map(|endpoint| self.before_one(key, *endpoint));
        each.min_by_key(|obstacle| !obstacle.is_certain())
    }

    /// What keeps packets from whoever listens on the vip itself. `is_elsewhere`: at another port
    /// than the one that was asked for.
    pub(crate) fn at_listener(&self, key: VipPort, is_elsewhere: bool) -> Option<Obstacle> {
        let leads = self.leads && is_elsewhere;
        let way = Way::Here { mark: self.mark, marked_at: MARKED_AT, leads };
        self.judge(key, way)
    }

    fn before_one(&self, key: VipPort, endpoint: SocketAddr) -> Option<Obstacle> {
        let spot = self.places.get(&endpoint.ip());
        let oif = spot.and_then(|spot| spot.link.clone());
        let is_own = self.place(endpoint.ip()) == Whereabouts::Here;
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
        let bridge = self.filter_before(vip).filter(|bridge| oif == Some(bridge))?;
        Some(Obstacle::BridgeFilter(bridge.to_owned()))
    }

    fn judge(&self, key: VipPort, way: Way) -> Option<Obstacle> {
        let VipPort { address: vip, protocol, port } = key;
        let packet = Packet { vip, protocol, port, iif: self.arrivals.get(&vip).cloned(), way };
        let found = judge(&self.walls, &packet);
        let found = found.map(|found| Obstacle::firewall(found, &packet));
        found.or_else(|| self.is_unread.then_some(Obstacle::UnreadTables))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_sees_an_address_that_lasts() {
        let own = [
            (2, "fe80::1/64"),
            (2, "2001:db8::1/64"),
            (2, "fd02::1/64"),
            (2, "fd02::9/64"),
            (3, "fd03::1/64"),
            (2, "10.2.0.1/24"),
        ];
        let lasting = own.map(|(link, net)| (link, net.parse().unwrap()));
        let table = [
            ("fd02::2", 2, Some("fd02::1")),
            ("fd02::8", 2, Some("fd02::9")),
            ("2001:db8:9::7", 2, Some("2001:db8::1")),
            ("fe80::7", 2, Some("fe80::1")),
            ("fd03::7", 3, Some("fd03::1")),
            ("fd03::7", 4, None),
            ("10.2.0.2", 2, None),
        ];
        for (endpoint, link, want) in table {
            let want = want.map(|it| it.parse().unwrap());
            assert_eq!(source(endpoint.parse().unwrap(), link, &lasting), want, "{endpoint}");
        }
    }
}
