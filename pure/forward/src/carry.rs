//! Decides how each port is carried. Pure: what the host is like comes in as [`HostFacts`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use steelyard_model::{Family, NamespacedName, Protocol, Sorted};

use crate::desired::{Desired, Forwarded, Listening, Lot, Served, VipPort, Wish};
use crate::facts::{HostFacts, Whereabouts};
use crate::observed::Why;
use crate::obstacle::Obstacle;

/// How every desired port is carried. Clones share what did not change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// In the order they were named.
    pub ports: Sorted<Wish, Arc<[PortDecision]>>,
    /// Every vip, so that the guard knows it; empty where nothing is done in the kernel.
    pub vips: Sorted<IpAddr, ()>,
    /// The gateway's among them.
    pub served: Sorted<IpAddr, ()>,
    /// Endpoints that see the client's own address.
    pub direct: Sorted<IpAddr, ()>,
    /// The address of ours that other endpoints see, where the kernel's choice may not last.
    pub sources: Sorted<IpAddr, IpAddr>,
}

impl Decision {
    /// All ports, in the order they were named.
    pub fn ports(&self) -> impl Iterator<Item = &PortDecision> {
        self.ports.values().flat_map(|ports| ports.iter())
    }
}

/// One port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortDecision {
    /// Which.
    pub key: VipPort,
    /// Whose it is; none for the gateway's own vips.
    pub service: Option<NamespacedName>,
    /// How it is to be carried.
    pub way: Carriage,
    /// What clients meet on that way.
    pub obstacle: Option<Obstacle>,
}

impl PortDecision {
    /// The addresses of endpoints that the kernel translates to.
    pub(crate) fn translated_to(&self) -> impl Iterator<Item = IpAddr> {
        let endpoints = match &self.way {
            Carriage::Translate(endpoints) => &endpoints[..],
            _ => &[],
        };
        endpoints.iter().map(SocketAddr::ip)
    }
}

/// The way a port's packets take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carriage {
    /// To the gateway's listener, which is at this port.
    Deliver(u16),
    /// Translated by nftables.
    Translate(Vec<SocketAddr>),
    /// Through this process.
    InProcess(Vec<SocketAddr>, Why),
    /// Nowhere.
    Not(Why),
}

/// The ports of one address that is asked for by `wishes`. The first who names one has it.
pub(crate) fn carriages(
    wishes: Option<&BTreeSet<Wish>>,
    desired: &Desired,
    facts: &HostFacts,
    is_circle: bool,
) -> BTreeMap<Wish, Arc<[PortDecision]>> {
    let mut taken = BTreeSet::new();
    let mut decided = BTreeMap::new();
    for wish in wishes.into_iter().flatten() {
        let ports = match wish.lot {
            Lot::Served => desired.served.get(&wish.place).map(|it| deliver(it, facts, &mut taken)),
            Lot::Forwarded => {
                let vip = desired.forwarded.get(&wish.place);
                vip.map(|it| lead_on(it, facts, is_circle, &mut taken))
            }
        };
        decided.extend(ports.map(|ports| (wish.clone(), ports)));
    }
    decided
}

fn deliver(
    served: &Served,
    facts: &HostFacts,
    taken: &mut BTreeSet<VipPort>,
) -> Arc<[PortDecision]> {
    let ports = served.listening.iter().map(|&Listening { protocol, port, at }| {
        let key = VipPort { address: served.address, protocol, port };
        let way = match &facts.no_kernel {
            _ if !taken.insert(key) => Carriage::Not(Why::Taken),
            Some(why) => Carriage::Not(why.clone()),
            None => Carriage::Deliver(at),
        };
        let obstacle = obstacle(key, &way, facts);
        PortDecision { key, service: None, way, obstacle }
    });
    ports.collect()
}

fn lead_on(
    forwarded: &Forwarded,
    facts: &HostFacts,
    is_circle: bool,
    taken: &mut BTreeSet<VipPort>,
) -> Arc<[PortDecision]> {
    let ports = forwarded.ports.iter().map(|port| {
        let key = VipPort { address: forwarded.address, protocol: port.protocol, port: port.port };
        let way = if !taken.insert(key) {
            Carriage::Not(Why::Taken)
        } else if forwarded.is_closed {
            Carriage::Not(Why::Closed)
        } else if is_circle {
            Carriage::Not(Why::Circle)
        } else {
            way(key, &port.endpoints, facts)
        };
        let service = Some(forwarded.service.clone());
        let obstacle = obstacle(key, &way, facts);
        PortDecision { key, service, way, obstacle }
    });
    ports.collect()
}

fn way(key: VipPort, endpoints: &[SocketAddr], facts: &HostFacts) -> Carriage {
    if key.protocol == Protocol::Sctp {
        return Carriage::Not(Why::UnsupportedProtocol);
    }
    if endpoints.is_empty() {
        return Carriage::Not(Why::NoEndpoints);
    }
    let everything: Vec<SocketAddr> = in_order(endpoints.iter().copied());
    if let Some(why) = &facts.no_kernel {
        return Carriage::InProcess(everything, why.clone());
    }
    let family = Family::of(key.address);
    let same = in_order(endpoints.iter().copied().filter(|at| Family::of(at.ip()) == family));
    if same.is_empty() {
        return Carriage::InProcess(everything, Why::OtherFamily);
    }
    if let Some(loopback) = same.iter().find(|endpoint| endpoint.ip().is_loopback()) {
        return Carriage::InProcess(everything, Why::LoopbackEndpoint(*loopback));
    }
    let here = same.iter().all(|at| facts.place(at.ip()) == Whereabouts::Here);
    if let Some(why) = facts.no_forwarding.get(&family).filter(|_| !here) {
        return Carriage::InProcess(same, why.clone());
    }
    let alive: Vec<SocketAddr> =
        same.iter().copied().filter(|at| !facts.dead.contains(at)).collect();
    // Where nobody answers, whoever begins to is found at once.
    let same = if key.protocol != Protocol::Tcp || alive.is_empty() { same } else { alive };
    match facts.before(key, &same).filter(Obstacle::is_certain) {
        Some(obstacle) => Carriage::InProcess(same, Why::Obstacle(Box::new(obstacle))),
        None => Carriage::Translate(same),
    }
}

fn obstacle(key: VipPort, way: &Carriage, facts: &HostFacts) -> Option<Obstacle> {
    match way {
        _ if facts.no_kernel.is_some() => None,
        // Where the listener has the very port, packets are not led there.
        Carriage::Deliver(at) => facts.at_listener(key, *at != key.port),
        Carriage::InProcess(..) => facts.at_listener(key, true),
        Carriage::Translate(endpoints) => facts.before(key, endpoints),
        Carriage::Not(_) => None,
    }
}

fn in_order(endpoints: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    endpoints.collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests;
