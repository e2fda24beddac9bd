//! Who is where in the laboratory: computed whole before anything is built.
//!
//! One LAN with a client and the nodes, and behind every node the same pod network, on which each
//! replica has an address of its own. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::bail;
use ipnet::IpNet;
use steelyard_model::{AddressRange, Family, Pool, Snapshot};

use super::subnet;
use crate::play::Replica;

/// Nodes when the manifests name none.
const NODES: usize = 3;
/// More nodes than this are left out: the pod network counts them in one byte.
const MOST_NODES: usize = 200;
/// More pods than this on one node are refused: the pod network counts them in one byte too.
const MOST_PODS: usize = 250;
/// Where the LAN is when there is no pool.
const LAN: &str = "10.1.1.0/24";
/// Pod networks, the first that does not overlap the LAN is used.
const POD_NETWORKS_V4: [[u8; 2]; 3] = [[10, 244], [10, 245], [172, 30]];

/// Everything in the laboratory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topology {
    /// Subnets of the LAN.
    pub(super) lan: Vec<IpNet>,
    /// Where requests come from.
    pub(super) client: Machine,
    /// The nodes; the first serves.
    pub(super) nodes: Vec<Machine>,
    /// Networks of the pods: IPv4, and IPv6 when the LAN has it.
    pub(super) pod_networks: Vec<IpNet>,
    /// What stands in for pods.
    pub(super) pods: Vec<Pod>,
}

/// A host on the LAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    /// Its name.
    pub(super) name: String,
    /// Its addresses on the LAN, with the subnet's prefix length.
    pub(super) addresses: Vec<IpNet>,
    /// Its address on the wire.
    pub(super) mac: String,
    /// Its addresses on the pod network; the client has none.
    pub(super) pod_side: Vec<IpAddr>,
}

/// A replica with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pod {
    /// `test-app-1`.
    pub(super) name: String,
    /// Which node it counts as being on (index).
    pub(super) node: usize,
    /// Its addresses, one per family.
    pub(super) addresses: Vec<IpAddr>,
    /// What it plays.
    pub(super) replica: Replica,
}

/// How many nodes there will be.
pub(super) fn node_count(snapshot: &Snapshot) -> usize {
    if snapshot.nodes.is_empty() { NODES } else { snapshot.nodes.len().min(MOST_NODES) }
}

impl Topology {
    /// Places nodes, client and pods. `wanted` are the LAN's subnets when they are given, else
    /// they follow from the pools that are announced on the LAN.
    pub(super) fn new(
        snapshot: &Snapshot,
        replicas: Vec<Replica>,
        wanted: &[IpNet],
    ) -> anyhow::Result<Self> {
        let ranges = pool_ranges(snapshot);
        let lan = if wanted.is_empty() { lan_subnets(snapshot, &ranges) } else { wanted.to_vec() };
        let pod_networks = pod_networks(&lan);
        let mut taken = ranges;
        let own = snapshot.nodes.iter().flat_map(|node| &node.internal_ips);
        taken.extend(own.map(|&address| subnet::single(address)));
        let mut nodes = machines(snapshot, &lan, &mut taken)?;
        for (index, node) in nodes.iter_mut().enumerate() {
            node.pod_side = pod_addresses(&pod_networks, index, 1);
        }
        let addresses = pick(&lan, &[], &mut taken)?;
        let mac = "02:00:00:00:01:00".to_owned();
        let client = Machine { name: "client".to_owned(), addresses, mac, pod_side: Vec::new() };
        let pods = pods(replicas, nodes.len(), &pod_networks)?;
        Ok(Self { lan, client, nodes, pod_networks, pods })
    }

    /// Whether IPv6 is spoken.
    pub(super) fn is_dual_stack(&self) -> bool {
        self.pod_networks.len() > 1
    }
}

/// Ranges of the pools that are announced on the LAN; of all pools when none is.
fn pool_ranges(snapshot: &Snapshot) -> Vec<AddressRange> {
    let advertised = &snapshot.pool_advertisements;
    let counts = |pool: &&Pool| advertised.is_empty() || advertised.contains_key(&pool.id);
    snapshot.pools.iter().filter(counts).flat_map(|pool| pool.ranges.iter().copied()).collect()
}

/// A subnet for each range and each node's address that is in none yet.
fn lan_subnets(snapshot: &Snapshot, ranges: &[AddressRange]) -> Vec<IpNet> {
    let mut lan: Vec<IpNet> = Vec::new();
    let own = snapshot.nodes.iter().flat_map(|node| &node.internal_ips);
    let singles = own.map(|&address| subnet::single(address));
    for range in ranges.iter().copied().chain(singles) {
        if !lan.iter().any(|net| net.contains(&range.start()) && net.contains(&range.end())) {
            let found = subnet::around(range, ranges);
            lan.retain(|net| !found.contains(net));
            lan.push(found);
        }
    }
    if lan.is_empty() {
        lan.push(LAN.parse().expect("a subnet"));
    }
    lan.sort_by_key(|net| (Family::of(net.network()), *net));
    lan
}

/// The nodes of the manifests, else three of our own.
fn machines(
    snapshot: &Snapshot,
    lan: &[IpNet],
    taken: &mut Vec<AddressRange>,
) -> anyhow::Result<Vec<Machine>> {
    let named = snapshot.nodes.iter().map(|node| (node.name.to_string(), &*node.internal_ips));
    let mut wanted: Vec<(String, &[IpAddr])> = named.take(MOST_NODES).collect();
    if wanted.is_empty() {
        wanted = (1..=NODES).map(|number| (format!("node-{number}"), &[][..])).collect();
    }
    let machine = |(index, (name, own)): (usize, (String, &[IpAddr]))| {
        let addresses = pick(lan, own, taken)?;
        let mac = format!("02:00:00:00:00:{:02x}", index + 1);
        Ok(Machine { name, addresses, mac, pod_side: Vec::new() })
    };
    wanted.into_iter().enumerate().map(machine).collect()
}

/// One address in each subnet: an own one where there is one, else the first that is free.
fn pick(
    lan: &[IpNet],
    own: &[IpAddr],
    taken: &mut Vec<AddressRange>,
) -> anyhow::Result<Vec<IpNet>> {
    let mut picked = Vec::new();
    for net in lan {
        let address = match own.iter().find(|address| net.contains(*address)) {
            Some(address) => *address,
            None => match subnet::free(*net, taken).next() {
                Some(address) => address,
                None => bail!(
                    "the pools leave no address of {net} for the nodes and the client; \
                               give a wider subnet with --subnet"
                ),
            },
        };
        taken.push(subnet::single(address));
        picked.push(IpNet::new(address, net.prefix_len()).expect("a prefix of the same family"));
    }
    Ok(picked)
}

fn pod_networks(lan: &[IpNet]) -> Vec<IpNet> {
    let v4 = POD_NETWORKS_V4
        .map(|[a, b]| subnet::of(IpAddr::from([a, b, 0, 0]), 16))
        .into_iter()
        .find(|pods| !lan.iter().any(|net| net.contains(pods) || pods.contains(net)));
    let v6 = lan.iter().any(|net| net.network().is_ipv6());
    let v6 = v6.then(|| subnet::of(IpAddr::from([0xfd00, 0x10, 0x244, 0, 0, 0, 0, 0]), 48));
    v4.into_iter().chain(v6).collect()
}

/// The `host`th address of each network's part for a node: `10.244.NODE.HOST`, nodes from 1.
fn pod_addresses(networks: &[IpNet], node: usize, host: usize) -> Vec<IpAddr> {
    let (node, host) = (byte(node + 1), byte(host));
    let address = |network: &IpNet| match network.network() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            IpAddr::from([a, b, node, host])
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            IpAddr::from([a, b, c, u16::from(node), 0, 0, 0, u16::from(host)])
        }
    };
    networks.iter().map(address).collect()
}

fn byte(number: usize) -> u8 {
    u8::try_from(number).expect("nodes and pods per node are limited to fit")
}

/// Replicas of a workload go to the nodes in turn.
fn pods(replicas: Vec<Replica>, nodes: usize, networks: &[IpNet]) -> anyhow::Result<Vec<Pod>> {
    let mut pods = Vec::new();
    let mut on_node = vec![0; nodes];
    let mut names = BTreeSet::new();
    for (turn, replica) in replicas.into_iter().enumerate() {
        let node = turn % nodes;
        on_node[node] += 1;
        if on_node[node] > MOST_PODS {
            bail!(
                "the workloads want more than {MOST_PODS} replicas per node; \
                   lower --replicas or take fewer manifests"
            );
        }
        let addresses = pod_addresses(networks, node, on_node[node] + 1);
        let name = pod_name(&replica, &mut names);
        pods.push(Pod { name, node, addresses, replica });
    }
    Ok(pods)
}

/// The shortest name that is still free: `web-1`, `shop.web-1`, `shop.web.statefulset-1`.
fn pod_name(replica: &Replica, names: &mut BTreeSet<String>) -> String {
    let (id, index) = (&replica.workload, replica.index);
    let kind = replica.kind.to_lowercase();
    let full = format!("{}.{}.{kind}-{index}", id.namespace, id.name);
    let shorter = [format!("{}-{index}", id.name), format!("{}.{}-{index}", id.namespace, id.name)];
    let name = shorter.into_iter().find(|name| !names.contains(name)).unwrap_or(full);
    names.insert(name.clone());
    name
}
