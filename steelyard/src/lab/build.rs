//! Builds a [`Topology`] out of network namespaces, and takes it down.
//!
//! The LAN is a bridge in a namespace of its own; client and nodes are plugged into it by `eth0`.
//! The pod network is a router namespace with a cable to every node (`pods` on the node's side)
//! and one to every pod, all point-to-point, so that a pod is reached from each node and nothing
//! is set in the namespace the program was started in. All names begin with `steelyard-LAB-`.

use std::net::IpAddr;

use anyhow::Context;
use ipnet::IpNet;
use steelyard_host::netns::{self, Namespace, NetnsError, Segment, cable};

use super::topology::{Machine, Pod, Topology};

/// Name of a node's interface towards the pods.
const POD_SIDE: &str = "pods";

/// The namespaces of a laboratory; dropping it deletes them.
#[derive(Debug)]
pub(super) struct Built {
    /// The client.
    pub(super) client: Namespace,
    /// The nodes, in the order of the topology.
    pub(super) nodes: Vec<Namespace>,
    /// The pods, in the order of the topology.
    pub(super) pods: Vec<Namespace>,
    /// Connects pods and nodes.
    router: Namespace,
    _segment: Segment,
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
        let segment =
            Segment::create(&format!("steelyard-{lab}")).context("cannot make the LAN")?;
        let client = machine(&segment, "client", &topology.client)?;
        let router = router(lab, topology).context("cannot make the pod network's router")?;
        let mut built =
            Self { client, nodes: Vec::new(), pods: Vec::new(), router, _segment: segment };
        for (index, node) in topology.nodes.iter().enumerate() {
            built.add_node(topology, node, index).context(node.name.clone())?;
        }
        for (index, pod) in topology.pods.iter().enumerate() {
            built.add_pod(lab, topology, pod, index).context(pod.name.clone())?;
        }
        built.default_routes(topology).context("cannot route from the pods to the LAN")?;
        Ok(built)
    }

    fn add_node(
        &mut self,
        topology: &Topology,
        node: &Machine,
        index: usize,
    ) -> anyhow::Result<()> {
        let namespace = machine(&self._segment, &format!("node-{}", node.name), node)?;
        let port = format!("node{}", index + 1);
        cable((&namespace, POD_SIDE), (&self.router, &port))?;
        let gateways = gateways(topology);
        for (address, (network, gateway)) in
            node.pod_side.iter().zip(topology.pod_networks.iter().zip(gateways))
        {
            point_to_point(&self.router, (&gateway, &port), address)?;
            point_to_point(&namespace, (address, POD_SIDE), &gateway)?;
            route(&namespace, &network.to_string(), &gateway, Some(address))?;
        }
        self.nodes.push(namespace);
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
        cable((&namespace, "eth0"), (&self.router, &port))?;
        for (address, gateway) in pod.addresses.iter().zip(gateways(topology)) {
            point_to_point(&self.router, (&gateway, &port), address)?;
            point_to_point(&namespace, (address, "eth0"), &gateway)?;
            route(&namespace, "default", &gateway, None)?;
        }
        self.pods.push(namespace);
        Ok(())
    }

    /// Packets from pods to the LAN leave by the node that serves.
    fn default_routes(&self, topology: &Topology) -> Result<(), NetnsError> {
        let Some(serving) = topology.nodes.first() else { return Ok(()) };
        for address in &serving.pod_side {
            route(&self.router, "default", address, None)?;
        }
        Ok(())
    }
}

/// A host on the LAN.
fn machine(segment: &Segment, name: &str, machine: &Machine) -> Result<Namespace, NetnsError> {
    let addresses: Vec<String> = machine.addresses.iter().map(IpNet::to_string).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let host = segment.host(name, &addresses)?;
    host.ip(&["link", "set", "eth0", "address", &machine.mac])?;
    Ok(host)
}

fn router(lab: &str, topology: &Topology) -> Result<Namespace, NetnsError> {
    let router = Namespace::create(&format!("{}pods", prefix(lab)))?;
    router.set("net.ipv4.ip_forward", "1")?;
    if topology.is_dual_stack() {
        router.set("net.ipv6.conf.all.forwarding", "1")?;
    }
    Ok(router)
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
