//! Pools beside the addresses of the nodes, as far as Node objects tell them.
//!
//! How long the prefix of a node's subnet is, nobody says in a Node; so only what is far from every
//! node is off all of their subnets for certain enough to be said.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use steelyard_model::{AddressRange, Code, Diagnostic, FieldPath, Node, Pool, Severity};

use super::row::Selections;
use crate::codes;

/// Reports pools that hold the address of a node, and pools for the LAN that are far from all.
pub(super) fn report(
    pools: &[Pool],
    [layer2, routed]: [&Selections; 2],
    nodes: &[Node],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let addresses: BTreeMap<IpAddr, &Node> = nodes
        .iter()
        .flat_map(|node| node.internal_ips.iter().map(move |address| (*address, node)))
        .collect();
    let first = |is_v6| addresses.iter().find(|(address, _)| address.is_ipv6() == is_v6);
    let firsts = [first(false), first(true)];
    let near: BTreeSet<(bool, u64)> = addresses.keys().map(|address| vicinity(*address)).collect();
    for pool in pools {
        let is_for_lan = layer2.contains_key(&pool.id) && !routed.contains_key(&pool.id);
        for (index, range) in pool.ranges.iter().enumerate() {
            let path = FieldPath::from("spec.addresses").index(index);
            let held = addresses.range(range.start()..=range.end()).next();
            if let Some(held) = held {
                diagnostics.push(remark(pool, path, codes::POOL_HAS_NODE, holds(range, held)));
                continue;
            }
            let (start, end) = (vicinity(range.start()), vicinity(range.end()));
            if let Some(first) = firsts[usize::from(start.0)]
                && is_for_lan
                && near.range(start..=end).next().is_none()
            {
                diagnostics.push(remark(pool, path, codes::POOL_OFF_SUBNETS, far(range, first)));
            }
        }
    }
}

/// The /16 of an IPv4 address and the /48 of an IPv6 one: hardly a LAN is larger.
fn vicinity(address: IpAddr) -> (bool, u64) {
    match address {
        IpAddr::V4(address) => (false, u64::from(u32::from(address) >> 16)),
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            (true, u64::from(a) << 32 | u64::from(b) << 16 | u64::from(c))
        }
    }
}

/// What is said of a range beside the address of a node.
fn remark(
    pool: &Pool,
    path: FieldPath,
    code: Code,
    (message, help): (String, &'static str),
) -> Diagnostic {
    Diagnostic::new(Severity::Warning, code, &pool.object, path, message, help)
}

fn holds(range: &AddressRange, (address, node): (&IpAddr, &&Node)) -> (String, &'static str) {
    (
        format!("{range} has {address}, the address of node {}", node.name),
        "leave out what machines of the network have: nodes, the router, what DHCP gives out",
    )
}

fn far(range: &AddressRange, (address, node): (&IpAddr, &&Node)) -> (String, &'static str) {
    (
        format!(
            "{range} is far from the address of every node ({} has {address}): most likely nobody \
             on the LAN asks who has it",
            node.name
        ),
        "use addresses of the nodes' subnet that nothing else has, or a BGPAdvertisement",
    )
}
