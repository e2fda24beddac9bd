//! Decides how each port is carried. Pure: what the host is like comes in as [`HostFacts`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use steelyard_model::{Family, NamespacedName, Protocol};

use crate::desired::{Desired, Listening, VipPort};
use crate::facts::{HostFacts, Whereabouts};
use crate::observed::Why;
use crate::obstacle::Obstacle;

/// How every desired port is carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// In the order they were named.
    pub ports: Vec<PortDecision>,
    /// Every vip, so that the guard knows it; empty where nothing is done in the kernel.
    pub vips: BTreeSet<IpAddr>,
    /// The gateway's among them.
    pub served: BTreeSet<IpAddr>,
    /// Endpoints that see the client's own address.
    pub direct: BTreeSet<IpAddr>,
    /// The address of ours that other endpoints see, where the kernel's choice may not last.
    pub sources: BTreeMap<IpAddr, IpAddr>,
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

/// Decides. The first who names a port of a vip has it.
pub fn decide(desired: &Desired, facts: &HostFacts) -> Decision {
    let mut decision = Decision::default();
    let mut taken = BTreeSet::new();
    for served in &desired.served {
        for &Listening { protocol, port, at } in &served.listening {
            let key = VipPort { address: served.address, protocol, port };
            let way = match &facts.no_kernel {
                _ if !taken.insert(key) => Carriage::Not(Why::Taken),
                Some(why) => Carriage::Not(why.clone()),
                None => Carriage::Deliver(at),
            };
            let obstacle = obstacle(key, &way, facts);
            decision.ports.push(PortDecision { key, service: None, way, obstacle });
        }
    }
    let circles = circles(desired);
    for forwarded in &desired.forwarded {
        for port in &forwarded.ports {
            let key =
                VipPort { address: forwarded.address, protocol: port.protocol, port: port.port };
            let way = if !taken.insert(key) {
                Carriage::Not(Why::Taken)
            } else if forwarded.is_closed {
                Carriage::Not(Why::Closed)
            } else if circles.contains(&key.address) {
                Carriage::Not(Why::Circle)
            } else {
                way(key, &port.endpoints, facts)
            };
            let service = Some(forwarded.service.clone());
            let obstacle = obstacle(key, &way, facts);
            decision.ports.push(PortDecision { key, service, way, obstacle });
        }
    }
    if facts.no_kernel.is_none() {
        decision.served.extend(desired.served.iter().map(|served| served.address));
        decision.vips.extend(&decision.served);
        decision.vips.extend(desired.forwarded.iter().map(|forwarded| forwarded.address));
        decision.direct = direct(&decision, facts);
        decision.sources = sources(&decision, facts);
    }
    decision
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

/// Vips from which one comes back to them by going from vip to endpoint, again and again.
fn circles(desired: &Desired) -> BTreeSet<IpAddr> {
    let mut leads: BTreeMap<IpAddr, BTreeSet<IpAddr>> = BTreeMap::new();
    let vips: BTreeSet<IpAddr> = desired.forwarded.iter().map(|it| it.address).collect();
    for forwarded in &desired.forwarded {
        let endpoints = forwarded.ports.iter().flat_map(|port| &port.endpoints);
        for to in endpoints.map(SocketAddr::ip).filter(|to| vips.contains(to)) {
            leads.entry(forwarded.address).or_default().insert(to);
        }
    }
    let comes_back = |vip: &&IpAddr| {
        let mut reached = BTreeSet::new();
        let mut next: Vec<IpAddr> = vec![**vip];
        while let Some(at) = next.pop() {
            let to = leads.get(&at).into_iter().flatten().copied();
            next.extend(to.filter(|to| reached.insert(*to)));
        }
        reached.contains(*vip)
    };
    leads.keys().filter(comes_back).copied().collect()
}

fn in_order(endpoints: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    endpoints.collect::<BTreeSet<_>>().into_iter().collect()
}

fn direct(decision: &Decision, facts: &HostFacts) -> BTreeSet<IpAddr> {
    let is_direct = |address: &IpAddr| facts.place(*address) == Whereabouts::PodLink;
    translated(decision).filter(is_direct).collect()
}

fn sources(decision: &Decision, facts: &HostFacts) -> BTreeMap<IpAddr, IpAddr> {
    let source = |endpoint| Some((endpoint, facts.places.get(&endpoint)?.source?));
    translated(decision).filter_map(source).collect()
}

fn translated(decision: &Decision) -> impl Iterator<Item = IpAddr> {
    let translated = decision.ports.iter().filter_map(|port| match &port.way {
        Carriage::Translate(endpoints) => Some(endpoints),
        _ => None,
    });
    translated.flatten().map(SocketAddr::ip)
}

#[cfg(test)]
mod tests;
