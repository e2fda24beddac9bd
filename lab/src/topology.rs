//! Who is where in the laboratory: computed whole before anything is built.
//!
//! One LAN with a client, a router and the nodes; behind the router another subnet with a visitor;
//! behind every node the same pod network, on which each replica has an address of its own. Pure.

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
/// Networks behind the router, for documentation (RFC 5737); the first off the LAN is used.
const OUTSIDE_V4: [[u8; 3]; 3] = [[198, 51, 100], [203, 0, 113], [192, 0, 2]];
/// The same for IPv6 (RFC 3849).
const OUTSIDE_V6: [u16; 8] = [0x2001, 0xdb8, 0x51, 0, 0, 0, 0, 0];
/// Pod networks, the first that does not overlap the LAN is used.
const POD_NETWORKS_V4: [[u8; 2]; 3] = [[10, 244], [10, 245], [172, 30]];

/// Everything in the laboratory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topology {
    /// Subnets of the LAN.
    pub(super) lan: Vec<IpNet>,
    /// Where requests come from.
    pub(super) client: Machine,
    /// What the visitor, and its requests, come through.
    pub(super) router: Machine,
    /// Addresses of the router on the other side.
    pub(super) outside: Vec<IpNet>,
    /// Where requests from another subnet come from.
    pub(super) visitor: Machine,
    /// The nodes; the first writes the lock.
    pub(super) nodes: Vec<Machine>,
    /// Networks of the pods: IPv4, and IPv6 when the LAN has it.
    pub(super) pod_networks: Vec<IpNet>,
    /// What stands in for pods.
    pub(super) pods: Vec<Pod>,
}

/// A host on the LAN, or behind its router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    /// Its name.
    pub(super) name: String,
    /// Its addresses, with the subnet's prefix length.
    pub(super) addresses: Vec<IpNet>,
    /// Its address on the wire.
    pub(super) mac: String,
    /// Its addresses on the pod network; only nodes have some.
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

/// How many nodes there will be, when so many are `wanted`.
pub(super) fn node_count(snapshot: &Snapshot, wanted: Option<usize>) -> anyhow::Result<usize> {
    let named = snapshot.nodes.len();
    match wanted {
        Some(0) => bail!("a laboratory has at least one node: give --nodes 1 or more"),
        Some(more) if more > MOST_NODES => bail!("a laboratory has at most {MOST_NODES} nodes"),
        Some(more) if named > 0 && more > named => bail!(
            "the manifests name {named} nodes, and only those may answer for addresses; \
             add Node objects, or give --nodes {named} or fewer"
        ),
        Some(count) => Ok(count),
        None if named == 0 => Ok(NODES),
        None => Ok(named.min(MOST_NODES)),
    }
}

impl Topology {
    /// Places `nodes` nodes, the hosts around them and the pods. `wanted` are the LAN's subnets
    /// when they are given, else they follow from the pools that are announced on the LAN.
    pub(super) fn new(
        snapshot: &Snapshot,
        nodes: usize,
        replicas: Vec<Replica>,
        wanted: &[IpNet],
    ) -> anyhow::Result<Self> {
        let ranges = pool_ranges(snapshot);
        let lan = if wanted.is_empty() { lan_subnets(snapshot, &ranges) } else { wanted.to_vec() };
        let pod_networks = pod_networks(&lan);
        let mut taken = ranges;
        let own = snapshot.nodes.iter().flat_map(|node| &node.internal_ips);
        taken.extend(own.map(|&address| subnet::single(address)));
        let router = gateway(&lan, &mut taken)?;
        let mut nodes = machines(snapshot, nodes, &lan, &mut taken)?;
        for (index, node) in nodes.iter_mut().enumerate() {
            node.pod_side = pod_addresses(&pod_networks, index, 1);
        }
        let client = Machine::beside("client", 0, pick(&lan, &[], &mut taken)?);
        let behind = outside(&lan);
        let visitor = behind.iter().map(|net| host_of(net, 2)).collect();
        let visitor = Machine::beside("visitor", 2, visitor);
        let outside = behind.iter().map(|net| host_of(net, 1)).collect();
        let pods = pods(replicas, nodes.len(), &pod_networks)?;
        Ok(Self { lan, client, router, outside, visitor, nodes, pod_networks, pods })
    }

    /// Whether IPv6 is spoken.
    pub(super) fn is_dual_stack(&self) -> bool {
        self.pod_networks.len() > 1
    }
}

impl Machine {
    /// A host that is no node.
    fn beside(name: &str, number: u8, addresses: Vec<IpNet>) -> Self {
        let mac = format!("02:00:00:00:01:{number:02x}");
        Self { name: name.to_owned(), addresses, mac, pod_side: Vec::new() }
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

/// The router: the first address of each subnet, as is usual, unless a pool or a node has it.
fn gateway(lan: &[IpNet], taken: &mut Vec<AddressRange>) -> anyhow::Result<Machine> {
    let usual: Vec<IpAddr> = lan.iter().map(|net| host_of(net, 1).addr()).collect();
    let free = |address: &IpAddr| !taken.iter().any(|range| range.contains(*address));
    let usual: Vec<IpAddr> = usual.into_iter().filter(free).collect();
    Ok(Machine::beside("router", 1, pick(lan, &usual, taken)?))
}

/// The networks behind the router, one per family of the LAN.
fn outside(lan: &[IpNet]) -> Vec<IpNet> {
    let apart = |other: &IpNet| !lan.iter().any(|net| net.contains(other) || other.contains(net));
    let v4 = OUTSIDE_V4.map(|[a, b, c]| subnet::of(IpAddr::from([a, b, c, 0]), 24));
    let v4 = lan.iter().any(|net| net.network().is_ipv4()).then_some(v4).into_iter().flatten();
    let v6 = lan.iter().any(|net| net.network().is_ipv6());
    let v6 = v6.then(|| subnet::of(IpAddr::from(OUTSIDE_V6), 64));
    v4.filter(apart).take(1).chain(v6.filter(apart)).collect()
}

/// The `number`th address of a network, with its prefix length.
fn host_of(network: &IpNet, number: u8) -> IpNet {
    let address = match network.network() {
        IpAddr::V4(v4) => IpAddr::from((u32::from(v4) + u32::from(number)).to_be_bytes()),
        IpAddr::V6(v6) => IpAddr::from((u128::from(v6) + u128::from(number)).to_be_bytes()),
    };
    IpNet::new(address, network.prefix_len()).expect("a prefix of the same family")
}

/// The first `count` nodes of the manifests, else as many of our own.
fn machines(
    snapshot: &Snapshot,
    count: usize,
    lan: &[IpNet],
    taken: &mut Vec<AddressRange>,
) -> anyhow::Result<Vec<Machine>> {
    let named = snapshot.nodes.iter().map(|node| (node.name.to_string(), &*node.internal_ips));
    let mut wanted: Vec<(String, &[IpAddr])> = named.take(count).collect();
    if wanted.is_empty() {
        wanted = (1..=count).map(|number| (format!("node-{number}"), &[][..])).collect();
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
                    "the pools leave no address of {net} for the nodes and the hosts beside \
                               them; give a wider subnet with --subnet"
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
