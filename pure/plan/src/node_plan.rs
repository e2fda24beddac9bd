//! What one node does: announce, serve, forward.

use std::collections::BTreeSet;
use std::net::IpAddr;

use steelyard_model::{
    Endpoint, NamespacedName, Protocol, ResolvedService, ServicePort, Snapshot, Sorted,
    TrafficPolicy,
};

use crate::election::Candidate;
use crate::endpoints::usable;
use crate::layer2::{Layer2, Moved};
use crate::scene::Scene;

/// The entry point that ends TLS: not served before there are certificates.
const SECURE: &str = "websecure";
/// Entry points where nobody says otherwise.
const DEFAULT_ENTRY_POINTS: [(&str, u16); 2] = [("web", 80), (SECURE, 443)];
/// Names that ports have for an entry point, besides its own.
const ALIASES: [(&str, &str); 2] = [("http", "web"), ("https", SECURE)];

/// What this node does. What is per Service has the position of the address as second key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodePlan {
    /// Addresses it answers for on the LAN.
    pub announce: Sorted<IpAddr, Announce>,
    /// Addresses that it may answer for, where nodes settle among themselves which one does.
    pub share: Sorted<IpAddr, Share>,
    /// Addresses of the gateway.
    pub serve: Sorted<(NamespacedName, usize), Serve>,
    /// Addresses forwarded to endpoints.
    pub forward: Sorted<(NamespacedName, usize), Forward>,
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
    /// It restricts who may connect, which is not honoured: nobody is let in.
    pub is_closed: bool,
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
    /// Brings the part of addresses that `moved` up to date.
    pub(crate) fn update(&mut self, scene: &Scene<'_>, layer2: &Layer2, moved: &Moved) {
        let addresses = || moved.addresses.iter().copied();
        self.announce.change(addresses().map(|it| (it, announce(scene, layer2, it))));
        self.share.change(addresses().map(|it| (it, share(scene, layer2, it))));
    }
}

fn announce(scene: &Scene<'_>, layer2: &Layer2, address: IpAddr) -> Option<Announce> {
    let mut announce: Option<Announce> = None;
    for sharer in &layer2.vip(address)?.sharers {
        let owner = sharer.order.first().filter(|it| scene.is_this_node(it.node));
        let Some(owner) = owner.filter(|_| !sharer.advertisements.is_empty()) else { continue };
        let interfaces = scene.nodes.interfaces(&sharer.advertisements, Some(owner.node));
        match &mut announce {
            Some(known) => widen(&mut known.interfaces, interfaces),
            None => {
                announce = Some(Announce { address, service: sharer.id.clone(), interfaces });
            }
        }
    }
    announce
}

fn share(scene: &Scene<'_>, layer2: &Layer2, address: IpAddr) -> Option<Share> {
    let mut share: Option<Share> = None;
    for sharer in &layer2.vip(address)?.sharers {
        let own = sharer.order.iter().find(|it| scene.is_this_node(it.node));
        let Some(own) = own else { continue };
        let interfaces = scene.nodes.interfaces(&sharer.advertisements, Some(own.node));
        if let Some(known) = &mut share {
            widen(&mut known.interfaces, interfaces);
            continue;
        }
        let named = |it: &Candidate| (scene.nodes.name(it.node).to_owned(), it.score);
        let candidates = sharer.order.iter().map(named).collect();
        share = Some(Share { address, interfaces, candidates });
    }
    share
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

/// What the gateway does at an address of a Service.
pub(crate) fn serve(snapshot: &Snapshot, resolved: &ResolvedService, address: IpAddr) -> Serve {
    let open = resolved.service.ports.iter().filter(|_| !resolved.closed);
    let ports = open.filter_map(|port| {
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

/// What is forwarded from an address of a Service.
pub(crate) fn forward(scene: &Scene<'_>, resolved: &ResolvedService, address: IpAddr) -> Forward {
    let local_only = resolved.service.external_traffic_policy == TrafficPolicy::Local;
    let here = |endpoint: &Endpoint| match endpoint.node.as_deref() {
        _ if !local_only => true,
        Some(node) => node == scene.facts.node,
        None => scene.nodes.assumed,
    };
    let port = |port: &steelyard_model::ResolvedPort| ForwardPort {
        protocol: port.port.protocol,
        port: port.port.port,
        endpoints: usable(port, here),
    };
    let ports = resolved.ports.iter().map(port).collect();
    let (service, is_closed) = (resolved.service.id.clone(), resolved.closed);
    Forward { address, service, is_closed, ports }
}
