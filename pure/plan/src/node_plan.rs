//! What one node does: announce, serve, forward.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use steelyard_ipam::Assignments;
use steelyard_model::{
    Endpoint, NamespacedName, Protocol, ResolvedService, ServedBy, ServicePort, Snapshot,
    TrafficPolicy,
};

use crate::Facts;
use crate::bgp::Bgp;
use crate::endpoints::usable;
use crate::layer2::Layer2;

/// The entry point that ends TLS: not served before there are certificates.
const SECURE: &str = "websecure";
/// Entry points where nobody says otherwise.
const DEFAULT_ENTRY_POINTS: [(&str, u16); 2] = [("web", 80), (SECURE, 443)];
/// Names that ports have for an entry point, besides its own.
const ALIASES: [(&str, &str); 2] = [("http", "web"), ("https", SECURE)];

/// What this node does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodePlan {
    /// Addresses it answers for on the LAN.
    pub announce: Vec<Announce>,
    /// Addresses that it may answer for, where nodes settle among themselves which one does.
    pub share: Vec<Share>,
    /// Addresses of the gateway.
    pub serve: Vec<Serve>,
    /// Addresses forwarded to endpoints.
    pub forward: Vec<Forward>,
}

/// An address this node answers for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The address; each is there once.
    pub address: IpAddr,
    /// A Service it is for; the first by name where several share it.
    pub service: NamespacedName,
    /// The only interfaces; empty means every suitable one.
    pub interfaces: Vec<String>,
}

/// An address that this node may answer for, as others may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The address; each is there once.
    pub address: IpAddr,
    /// The only interfaces; empty means every suitable one.
    pub interfaces: Vec<String>,
    /// Nodes that may, best first, with their scores.
    pub candidates: Vec<(String, u32)>,
}

/// An address at which our entry points are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serve {
    /// The address.
    pub address: IpAddr,
    /// The Service it belongs to.
    pub service: NamespacedName,
    /// Its ports that are entry points, with the entry point's name.
    pub ports: Vec<(Protocol, u16, String)>,
}

/// An address forwarded to endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The address.
    pub address: IpAddr,
    /// The Service it belongs to.
    pub service: NamespacedName,
    /// Its ports.
    pub ports: Vec<ForwardPort>,
}

/// A port that is forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardPort {
    /// Transport.
    pub protocol: Protocol,
    /// Port at the address.
    pub port: u16,
    /// Where to: the endpoints to use now, all alike.
    pub endpoints: Vec<Endpoint>,
}

impl NodePlan {
    /// The part of the node that `facts` names.
    pub(crate) fn new(
        snapshot: &Snapshot,
        facts: &Facts,
        assignments: &Assignments,
        layer2: &Layer2<'_>,
        bgp: &Bgp,
    ) -> Self {
        let mut plan = Self {
            announce: announce(layer2, &facts.node),
            share: share(layer2, &facts.node),
            ..Self::default()
        };
        for (id, assignment) in &assignments.services {
            let Some(resolved) = snapshot.services.get(id) else { continue };
            let by_bgp = bgp.reaches.get(id).is_some_and(|reach| {
                reach.could.iter().any(|node| layer2.nodes.name(*node) == facts.node)
            });
            if !by_bgp && !layer2.concerns(id, &facts.node) {
                continue;
            }
            for &address in &assignment.addresses {
                match resolved.served_by {
                    ServedBy::Gateway => plan.serve.push(serve(snapshot, resolved, address)),
                    ServedBy::Forward => {
                        let ports = forwarded(resolved, facts, layer2.nodes.assumed);
                        plan.forward.push(Forward { address, service: id.clone(), ports });
                    }
                }
            }
        }
        plan
    }
}

fn announce(layer2: &Layer2<'_>, node: &str) -> Vec<Announce> {
    let mut vips: BTreeMap<IpAddr, Announce> = BTreeMap::new();
    for row in layer2.rows.iter().filter(|row| row.owner.as_deref() == Some(node)) {
        let (address, service) = (row.address, row.service.clone());
        let interfaces = row.interfaces.clone();
        if let Some(known) = vips.get_mut(&address) {
            widen(&mut known.interfaces, interfaces);
        } else {
            vips.insert(address, Announce { address, service, interfaces });
        }
    }
    vips.into_values().collect()
}

/// Any interface for one of those that share an address is any interface for the address.
fn widen(known: &mut Vec<String>, more: Vec<String>) {
    if known.is_empty() || more.is_empty() {
        known.clear();
    } else {
        let both: BTreeSet<_> = known.drain(..).chain(more).collect();
        known.extend(both);
    }
}

fn share(layer2: &Layer2<'_>, node: &str) -> Vec<Share> {
    let mut vips: BTreeMap<IpAddr, Share> = BTreeMap::new();
    for ((address, id), contest) in &layer2.contests {
        let name = |index: usize| layer2.nodes.name(index);
        let Some(own) = contest.iter().find(|it| name(it.node) == node) else { continue };
        let interfaces = layer2.interfaces(id, own.node);
        if let Some(known) = vips.get_mut(address) {
            widen(&mut known.interfaces, interfaces);
            continue;
        }
        let candidates = contest.iter().map(|it| (name(it.node).to_owned(), it.score)).collect();
        vips.insert(*address, Share { address: *address, interfaces, candidates });
    }
    vips.into_values().collect()
}

fn serve(snapshot: &Snapshot, resolved: &ResolvedService, address: IpAddr) -> Serve {
    let ports = resolved.service.ports.iter().filter_map(|port| {
        let name = entry_point(snapshot, port)?;
        (name != SECURE).then(|| (port.protocol, port.port, name.to_owned()))
    });
    Serve { address, service: resolved.service.id.clone(), ports: ports.collect() }
}

/// The entry point that a port of the gateway's Service means: by name, then by number.
fn entry_point<'a>(snapshot: &'a Snapshot, port: &ServicePort) -> Option<&'a str> {
    if port.protocol != Protocol::Tcp {
        return None;
    }
    let given = snapshot.entry_points.iter().map(|(name, number)| (&**name, *number));
    let known: Vec<(&str, u16)> = if snapshot.entry_points.is_empty() {
        DEFAULT_ENTRY_POINTS.to_vec()
    } else {
        given.collect()
    };
    let find = |wanted: &dyn Fn(&(&'a str, u16)) -> bool| known.iter().copied().find(wanted);
    let name = port.name.as_deref().unwrap_or_default();
    let meant = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, meant)| meant);
    let default = DEFAULT_ENTRY_POINTS.iter().find(|(_, number)| *number == port.port);
    find(&|(known, _)| *known == name)
        .or_else(|| find(&|(known, _)| *known == meant))
        .or_else(|| find(&|(_, number)| *number == port.port))
        .or_else(|| find(&|(known, _)| default.is_some_and(|(name, _)| known == name)))
        .map(|(name, _)| name)
}

fn forwarded(resolved: &ResolvedService, facts: &Facts, assumed: bool) -> Vec<ForwardPort> {
    let local_only = resolved.service.external_traffic_policy == TrafficPolicy::Local;
    let here = |endpoint: &Endpoint| match endpoint.node.as_deref() {
        _ if !local_only => true,
        Some(node) => node == facts.node,
        None => assumed,
    };
    let port = |port: &steelyard_model::ResolvedPort| ForwardPort {
        protocol: port.port.protocol,
        port: port.port.port,
        endpoints: usable(port, here),
    };
    resolved.ports.iter().map(port).collect()
}
