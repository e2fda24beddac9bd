//! Which node answers for a vip, when nobody does yet: computed alike everywhere from data that
//! everybody has.
//!
//! The highest score of preferred node selectors wins, then the fewest vips, then the smallest
//! 64-bit FNV-1a hash of `node#address` with its bits mixed once more. Vips are gone through in
//! order of address, so the counts are the same everywhere. MetalLB's order is another one: score,
//! then SHA-256 of `node#address` of the Service's first address.

use std::cmp::Reverse;
use std::net::IpAddr;

use crate::sha256::sha256;

/// A node that may answer, by its index, with its score for this vip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate {
    pub(crate) node: usize,
    pub(crate) score: u32,
}

/// Counts of vips per node.
#[derive(Clone, Debug)]
pub(crate) struct Election {
    owned: Vec<usize>,
}

impl Election {
    /// Nobody of so many nodes owns anything yet.
    pub(crate) fn new(nodes: usize) -> Self {
        Self { owned: vec![0; nodes] }
    }

    /// What decides between nodes that are equally good for `address`: the smallest wins.
    pub(crate) fn lot(node: &str, address: IpAddr) -> u64 {
        mixed_hash(&key(node, address))
    }

    /// All candidates for an address, best first; `lots` are those of all nodes.
    pub(crate) fn order(&self, candidates: &[Candidate], lots: &[u64]) -> Vec<Candidate> {
        let mut order = candidates.to_vec();
        order.sort_by_key(|it| (Reverse(it.score), self.owned[it.node], lots[it.node]));
        order
    }

    /// The same in MetalLB's order; `name` names nodes.
    pub(crate) fn compatible_order<'n>(
        candidates: &[Candidate],
        name: impl Fn(usize) -> &'n str,
        address: IpAddr,
    ) -> Vec<Candidate> {
        let mut order = candidates.to_vec();
        order.sort_by_cached_key(|it| {
            (Reverse(it.score), sha256(key(name(it.node), address).as_bytes()))
        });
        order
    }

    /// Notes that `node` owns one more.
    pub(crate) fn count(&mut self, node: usize) {
        self.owned[node] += 1;
    }
}

fn key(node: &str, address: IpAddr) -> String {
    format!("{node}#{address}")
}

/// FNV-1a, then the finaliser of MurmurHash3: FNV's last byte alone hardly reaches the high bits.
fn mixed_hash(text: &str) -> u64 {
    let mut hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Candidate, Election};

    fn candidates(scores: &[u32]) -> Vec<Candidate> {
        let candidate = |(node, &score)| Candidate { node, score };
        scores.iter().enumerate().map(candidate).collect()
    }

    fn order(election: &Election, names: &[&str], scores: &[u32], address: IpAddr) -> Vec<usize> {
        let lots: Vec<u64> = names.iter().map(|name| Election::lot(name, address)).collect();
        election.order(&candidates(scores), &lots).into_iter().map(|it| it.node).collect()
    }

    #[test]
    fn the_order_of_metallbs_speakers() {
        let abc = ["node-a", "node-b", "node-c"];
        for (names, address, expected) in [
            (&abc[..], "10.0.0.1", &["node-b", "node-a", "node-c"][..]),
            (&abc, "10.0.0.2", &["node-b", "node-c", "node-a"]),
            (&["edge-a", "edge-b"], "10.20.30.1", &["edge-b", "edge-a"]),
        ] {
            let all = candidates(&vec![0; names.len()]);
            let name = |node: usize| names[node];
            let order = Election::compatible_order(&all, name, address.parse().unwrap());
            let order: Vec<_> = order.into_iter().map(|it| names[it.node]).collect();
            assert_eq!(order, expected, "{address}");
        }
    }

    #[test]
    fn preference_then_balance_then_hash() {
        let names = ["a", "b", "c"];
        let mut election = Election::new(3);
        let address = "10.0.0.1".parse().unwrap();
        assert_eq!(order(&election, &names, &[0, 50, 10], address), [1, 2, 0]);
        let by_hash = order(&election, &names, &[0; 3], address);
        election.count(by_hash[0]);
        assert_eq!(order(&election, &names, &[0; 3], address)[2], by_hash[0]);
        election.count(by_hash[1]);
        election.count(by_hash[2]);
        assert_eq!(order(&election, &names, &[0; 3], address), by_hash);
    }

    #[test]
    fn vips_are_spread() {
        let names = ["node-0", "node-1", "node-2", "node-3", "node-4"];
        let mut election = Election::new(5);
        let mut first = [0; 5];
        for n in 0..100 {
            let order = order(&election, &names, &[0; 5], [10, 0, 0, n].into());
            first[order[0]] += 1;
            election.count(order[0]);
        }
        assert_eq!(first, [20; 5]);
    }
}
