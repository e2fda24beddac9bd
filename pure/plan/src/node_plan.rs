//! What one node does: announce, serve, forward.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::routing::entry_point::{BUILT_IN, EntryPoint};
use steelyard_model::{
    Endpoint, NamespacedName, Protocol, ResolvedService, ServicePort, Snapshot, Sorted,
    TrafficPolicy,
};

use crate::election::Candidate;
use crate::endpoints::usable;
use crate::layer2::{Layer2, Moved};
use crate::scene::Scene;

/// What this node does. What is per Service has the position of the address as second key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodePlan {
    /// Addresses it answers for on the LAN, where no nodes settle that among themselves.
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
    /// Nodes that may, best first, with their scores. Most addresses have the same, which lie in
    /// memory once.
    pub candidates: Scored,
}

/// Nodes with their scores.
pub(crate) type Scored = Arc<[(Arc<str>, u32)]>;

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
        if !scene.facts.settles {
            self.announce.change(addresses().map(|it| (it, announce(scene, layer2, it))));
        }
        let mut known = BTreeSet::new();
        self.share.change(addresses().map(|it| (it, share(scene, layer2, it, &mut known))));
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

/// `known` are the candidates of other addresses.
fn share(
    scene: &Scene<'_>,
    layer2: &Layer2,
    address: IpAddr,
    known: &mut BTreeSet<Scored>,
) -> Option<Share> {
    let mut share: Option<Share> = None;
    for sharer in &layer2.vip(address)?.sharers {
        let own = sharer.order.iter().find(|it| scene.is_this_node(it.node));
        let Some(own) = own else { continue };
        let interfaces = scene.nodes.interfaces(&sharer.advertisements, Some(own.node));
        if let Some(first) = &mut share {
            widen(&mut first.interfaces, interfaces);
            continue;
        }
        let named = |it: &Candidate| (scene.nodes.name(it.node).clone(), it.score);
        let candidates: Scored = sharer.order.iter().map(named).collect();
        let candidates = known.get(&candidates).cloned().unwrap_or(candidates);
        known.insert(candidates.clone());
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
        let found = entry_point(snapshot, port)?;
        Some((port.protocol, port.port, found.id.to_string()))
    });
    Serve { address, service: resolved.service.id.clone(), ports: ports.collect() }
}

/// The entry point that a port of the gateway's Service means: by name, then by number.
fn entry_point(snapshot: &Snapshot, port: &ServicePort) -> Option<Arc<EntryPoint>> {
    let mut known: Vec<Arc<EntryPoint>> = snapshot.routing.entry_points.values().cloned().collect();
    if known.is_empty() {
        known.extend(BUILT_IN.iter().map(|it| Arc::new(it.entry_point())));
    }
    known.retain(|it| it.protocol == port.protocol);
    let find = |wanted: &dyn Fn(&EntryPoint) -> bool| known.iter().find(|it| wanted(it)).cloned();
    let name = port.name.as_deref().unwrap_or_default();
    let meant = BUILT_IN.iter().find(|it| it.alias == name).map_or(name, |it| it.name);
    let default = BUILT_IN.iter().find(|it| it.port == port.port);
    find(&|known| known.id.as_str() == name)
        .or_else(|| find(&|known| known.id.as_str() == meant))
        .or_else(|| find(&|known| known.port == port.port))
        .or_else(|| find(&|known| default.is_some_and(|it| known.id.as_str() == it.name)))
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
