//! Which node answers for a vip, when nobody does yet: computed alike everywhere from data that
//! everybody has.
//!
//! The highest score of preferred node selectors wins, then the fewest vips, then the smallest
//! 64-bit FNV-1a hash of `node#address` with its bits mixed once more. Vips are gone through in
//! order of address, so the counts are the same everywhere. [`Rule::Compat`] is MetalLB's order
//! instead: score, then SHA-256 of `node#address` of the Service's first address.

use std::cmp::Reverse;
use std::net::IpAddr;

use crate::sha256::sha256;

/// A node that may answer, by its index, with its score for this vip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) node: usize,
    pub(crate) score: u32,
}

/// How to elect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Ours: vips are spread evenly.
    Balanced,
    /// MetalLB's.
    Compat,
}

/// Counts of vips per node.
#[derive(Clone, Debug)]
pub(crate) struct Election<'a> {
    names: Vec<&'a str>,
    owned: Vec<usize>,
    rule: Rule,
}

impl<'a> Election<'a> {
    /// Nobody owns anything yet.
    pub(crate) fn new(names: Vec<&'a str>, rule: Rule) -> Self {
        Self { owned: vec![0; names.len()], names, rule }
    }

    /// All candidates for `address`, best first.
    pub(crate) fn order(&self, candidates: &[Candidate], address: IpAddr) -> Vec<usize> {
        let mut order = candidates.to_vec();
        match self.rule {
            Rule::Balanced => order.sort_by_cached_key(|it| {
                (Reverse(it.score), self.owned[it.node], mixed_hash(&self.key(it.node, address)))
            }),
            Rule::Compat => order.sort_by_cached_key(|it| {
                (Reverse(it.score), sha256(self.key(it.node, address).as_bytes()))
            }),
        }
        order.into_iter().map(|it| it.node).collect()
    }

    /// Notes that `node` owns one more.
    pub(crate) fn count(&mut self, node: usize) {
        self.owned[node] += 1;
    }

    fn key(&self, node: usize, address: IpAddr) -> String {
        format!("{}#{address}", self.names[node])
    }
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
    use super::{Candidate, Election, Rule};

    fn candidates(scores: &[u32]) -> Vec<Candidate> {
        let candidate = |(node, &score)| Candidate { node, score };
        scores.iter().enumerate().map(candidate).collect()
    }

    #[test]
    fn the_order_of_metallbs_speakers() {
        let abc = ["node-a", "node-b", "node-c"];
        for (names, address, expected) in [
            (&abc[..], "10.0.0.1", &["node-b", "node-a", "node-c"][..]),
            (&abc, "10.0.0.2", &["node-b", "node-c", "node-a"]),
            (&["edge-a", "edge-b"], "10.20.30.1", &["edge-b", "edge-a"]),
        ] {
            let election = Election::new(names.to_vec(), Rule::Compat);
            let all = candidates(&vec![0; names.len()]);
            let order = election.order(&all, address.parse().unwrap());
            let order: Vec<_> = order.into_iter().map(|node| names[node]).collect();
            assert_eq!(order, expected, "{address}");
        }
    }

    #[test]
    fn preference_then_balance_then_hash() {
        let mut election = Election::new(vec!["a", "b", "c"], Rule::Balanced);
        let address = "10.0.0.1".parse().unwrap();
        assert_eq!(election.order(&candidates(&[0, 50, 10]), address), [1, 2, 0]);
        let equal = candidates(&[0, 0, 0]);
        let by_hash = election.order(&equal, address);
        election.count(by_hash[0]);
        assert_eq!(election.order(&equal, address)[2], by_hash[0]);
        election.count(by_hash[1]);
        election.count(by_hash[2]);
        assert_eq!(election.order(&equal, address), by_hash);
    }

    #[test]
    fn vips_are_spread() {
        let names: Vec<String> = (0..5).map(|n| format!("node-{n}")).collect();
        let mut election = Election::new(names.iter().map(|n| &**n).collect(), Rule::Balanced);
        let mut first = [0; 5];
        for n in 0..100 {
            let order = election.order(&candidates(&[0; 5]), [10, 0, 0, n].into());
            first[order[0]] += 1;
            election.count(order[0]);
        }
        assert_eq!(first, [20; 5]);
    }
}
