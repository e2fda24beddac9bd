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
    let on_lan = by_address(nodes, |node| node.internal_ips.clone());
    let all = by_address(nodes, |node| node.addresses().collect());
    let first = |is_v6| on_lan.iter().find(|(address, _)| address.is_ipv6() == is_v6);
    let firsts = [first(false), first(true)];
    let near: BTreeSet<(bool, u64)> = on_lan.keys().map(|address| vicinity(*address)).collect();
    for pool in pools {
        let is_for_lan = layer2.contains_key(&pool.id) && !routed.contains_key(&pool.id);
        for (index, range) in pool.ranges.iter().enumerate() {
            let path = FieldPath::from("spec.addresses").index(index);
            let mut held = all.range(range.start()..=range.end());
            if let Some(first) = held.next() {
                let holds = holds(range, first, held.count());
                diagnostics.push(remark(pool, path, codes::POOL_HAS_NODE, holds));
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

/// Whose each address is; of several nodes it is the first's.
fn by_address(nodes: &[Node], of: impl Fn(&Node) -> Vec<IpAddr>) -> BTreeMap<IpAddr, &Node> {
    nodes.iter().rev().flat_map(|node| of(node).into_iter().map(move |it| (it, node))).collect()
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

fn holds(
    range: &AddressRange,
    (address, node): (&IpAddr, &&Node),
    more: usize,
) -> (String, &'static str) {
    let (so, which) = match more {
        0 => (String::new(), "it"),
        more => (format!(", and {more} more of nodes"), "them"),
    };
    (
        format!(
            "{range} has {address}, an address of node {}{so}: no Service is given {which}",
            node.name
        ),
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
