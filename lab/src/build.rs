//! Builds a [`Topology`] out of network namespaces, and takes it down.
//!
//! The LAN is a bridge in a namespace of its own; client, router and nodes are plugged into it by
//! `eth0`. Behind the router (`outside` on its side) is the visitor; it is everybody's default way.
//! The pod network is a router namespace with a cable to every node (`pods` on the node's side)
//! and one to every pod, all point-to-point, so that a pod is reached from each node and nothing
//! is set in the namespace the program was started in. All names begin with `steelyard-LAB-`.

use std::net::IpAddr;

use anyhow::Context;
use ipnet::IpNet;
use steelyard_host::netns::{self, Namespace, NetnsError, Segment, cable};

use super::topology::{Machine, Pod, Topology};

/// Name of everybody's interface on the LAN.
const LAN_SIDE: &str = "eth0";
/// Name of the router's interface towards the visitor.
const OUTSIDE: &str = "outside";
/// Name of a node's interface towards the pods.
const POD_SIDE: &str = "pods";

/// The namespaces of a laboratory; dropping it deletes them.
#[derive(Debug)]
pub(super) struct Built {
    /// The client.
    pub(super) client: Namespace,
    /// The router.
    pub(super) router: Namespace,
    /// The visitor behind it.
    pub(super) visitor: Namespace,
    /// The nodes, in the order of the topology.
    pub(super) nodes: Vec<Namespace>,
    /// The bridge's port of each node.
    pub(super) ports: Vec<String>,
    /// The pods, in the order of the topology.
    pub(super) pods: Vec<Namespace>,
    /// Connects pods and nodes.
    pod_router: Namespace,
    segment: Segment,
}

/// What all namespaces of the laboratory `lab` begin with.
pub(super) fn prefix(lab: &str) -> String {
    format!("steelyard-{lab}-")
}

/// Deletes what an earlier laboratory of this name left, with every process in it; returns how
/// many namespaces that were.
pub(super) fn sweep(lab: &str) -> anyhow::Result<usize> {
    let prefix = prefix(lab);
    let left: Vec<String> =
        netns::list().into_iter().filter(|name| name.starts_with(&prefix)).collect();
    for name in &left {
        for pid in netns::ip(&["netns", "pids", name])?.split_whitespace() {
            let pid = pid.parse().ok().and_then(rustix::process::Pid::from_raw);
            if let Some(pid) = pid {
                // It may have ended by itself meanwhile.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        netns::ip(&["netns", "del", name])?;
    }
    Ok(left.len())
}

impl Built {
    /// Builds everything; what was built is deleted again when a step fails.
    pub(super) fn new(lab: &str, topology: &Topology) -> anyhow::Result<Self> {
        let name = format!("steelyard-{lab}");
        let segment = Segment::create(&name).context("cannot make the LAN")?;
        let (client, _) = plug(&segment, &format!("{name}-client"), &topology.client)?;
        default_way(&client, &topology.router.addresses)?;
        let (router, visitor) = router(&name, &segment, topology).context("the router")?;
        let pod_router =
            pod_router(lab, topology).context("cannot make the pod network's router")?;
        let mut built = Self {
            client,
            router,
            visitor,
            nodes: Vec::new(),
            ports: Vec::new(),
            pods: Vec::new(),
            pod_router,
            segment,
        };
        for (index, node) in topology.nodes.iter().enumerate() {
            built.add_node(&name, topology, node, index).context(node.name.clone())?;
        }
        for (index, pod) in topology.pods.iter().enumerate() {
            built.add_pod(lab, topology, pod, index).context(pod.name.clone())?;
        }
        built.pods_way(topology).context("cannot route from the pods to the LAN")?;
        Ok(built)
    }

    /// The namespace of the LAN's bridge.
    pub(super) fn switch(&self) -> &Namespace {
        self.segment.switch()
    }

    fn add_node(
        &mut self,
        name: &str,
        topology: &Topology,
        node: &Machine,
        index: usize,
    ) -> anyhow::Result<()> {
        let namespace = format!("{name}-node-{}", node.name);
        let (namespace, plugged) = plug(&self.segment, &namespace, node)?;
        default_way(&namespace, &topology.router.addresses)?;
        let port = format!("node{}", index + 1);
        cable((&namespace, POD_SIDE), (&self.pod_router, &port))?;
        let gateways = gateways(topology);
        for (address, (network, gateway)) in
            node.pod_side.iter().zip(topology.pod_networks.iter().zip(gateways))
        {
            point_to_point(&self.pod_router, (&gateway, &port), address)?;
            point_to_point(&namespace, (address, POD_SIDE), &gateway)?;
            route(&namespace, &network.to_string(), &gateway, Some(address))?;
        }
        self.nodes.push(namespace);
        self.ports.push(plugged);
        Ok(())
    }

    fn add_pod(
        &mut self,
        lab: &str,
        topology: &Topology,
        pod: &Pod,
        index: usize,
    ) -> anyhow::Result<()> {
        let namespace = Namespace::create(&format!("{}pod-{}", prefix(lab), pod.name))?;
        let port = format!("pod{}", index + 1);
        cable((&namespace, "eth0"), (&self.pod_router, &port))?;
        for (address, gateway) in pod.addresses.iter().zip(gateways(topology)) {
            point_to_point(&self.pod_router, (&gateway, &port), address)?;
            point_to_point(&namespace, (address, "eth0"), &gateway)?;
            route(&namespace, "default", &gateway, None)?;
        }
        self.pods.push(namespace);
        Ok(())
    }

    /// Packets from pods to the LAN leave by the first node.
    fn pods_way(&self, topology: &Topology) -> Result<(), NetnsError> {
        let Some(first) = topology.nodes.first() else { return Ok(()) };
        for address in &first.pod_side {
            route(&self.pod_router, "default", address, None)?;
        }
        Ok(())
    }
}

/// Makes a host, plugs it into the LAN, and tells the bridge's port.
fn plug(
    segment: &Segment,
    name: &str,
    machine: &Machine,
) -> Result<(Namespace, String), NetnsError> {
    let host = Namespace::create(name)?;
    let port = segment.plug(&host, LAN_SIDE)?;
    host.ip(&["link", "set", LAN_SIDE, "address", &machine.mac])?;
    add_addresses(&host, LAN_SIDE, &machine.addresses)?;
    Ok((host, port))
}

fn add_addresses(host: &Namespace, interface: &str, addresses: &[IpNet]) -> Result<(), NetnsError> {
    for address in addresses {
        let text = address.to_string();
        let mut add = vec!["addr", "add", &text, "dev", interface];
        if address.addr().is_ipv6() {
            add.push("nodad");
        }
        host.ip(&add)?;
    }
    Ok(())
}

/// By the first router of each family.
fn default_way(host: &Namespace, routers: &[IpNet]) -> Result<(), NetnsError> {
    for v6 in [false, true] {
        if let Some(router) = routers.iter().find(|net| net.addr().is_ipv6() == v6) {
            route(host, "default", &router.addr(), None)?;
        }
    }
    Ok(())
}

/// The router of the LAN, and the visitor behind it.
fn router(
    name: &str,
    segment: &Segment,
    topology: &Topology,
) -> Result<(Namespace, Namespace), NetnsError> {
    let (router, _) = plug(segment, &format!("{name}-router"), &topology.router)?;
    forwards(&router, topology)?;
    let visitor = Namespace::create(&format!("{name}-visitor"))?;
    cable((&visitor, LAN_SIDE), (&router, OUTSIDE))?;
    visitor.ip(&["link", "set", LAN_SIDE, "address", &topology.visitor.mac])?;
    add_addresses(&router, OUTSIDE, &topology.outside)?;
    add_addresses(&visitor, LAN_SIDE, &topology.visitor.addresses)?;
    default_way(&visitor, &topology.outside)?;
    Ok((router, visitor))
}

fn pod_router(lab: &str, topology: &Topology) -> Result<Namespace, NetnsError> {
    let router = Namespace::create(&format!("{}pods", prefix(lab)))?;
    forwards(&router, topology)?;
    Ok(router)
}

fn forwards(router: &Namespace, topology: &Topology) -> Result<(), NetnsError> {
    router.set("net.ipv4.ip_forward", "1")?;
    if topology.is_dual_stack() {
        router.set("net.ipv6.conf.all.forwarding", "1")?;
    }
    Ok(())
}

/// The router's address in each pod network, the same on all of its cables.
fn gateways(topology: &Topology) -> Vec<IpAddr> {
    let first = |network: &IpNet| match network.network() {
        IpAddr::V4(v4) => IpAddr::from((u32::from(v4) + 1).to_be_bytes()),
        IpAddr::V6(v6) => IpAddr::from((u128::from(v6) + 1).to_be_bytes()),
    };
    topology.pod_networks.iter().map(first).collect()
}

/// Gives the interface `own.1` the address `own.0`, with nothing but `other` behind it.
fn point_to_point(
    namespace: &Namespace,
    own: (&IpAddr, &str),
    other: &IpAddr,
) -> Result<(), NetnsError> {
    let (address, interface) = own;
    let address = IpNet::from(*address).to_string();
    let mut add = vec!["addr", "add", &address, "dev", interface];
    if other.is_ipv6() {
        add.push("nodad");
    }
    namespace.ip(&add)?;
    namespace.ip(&["route", "add", &IpNet::from(*other).to_string(), "dev", interface])?;
    Ok(())
}

fn route(
    namespace: &Namespace,
    to: &str,
    via: &IpAddr,
    from: Option<&IpAddr>,
) -> Result<(), NetnsError> {
    let family = if via.is_ipv6() { "-6" } else { "-4" };
    let via = via.to_string();
    let mut add = vec![family, "route", "add", to, "via", &via];
    let from = from.map(IpAddr::to_string);
    if let Some(from) = &from {
        add.extend(["src", from]);
    }
    namespace.ip(&add).map(drop)
}
