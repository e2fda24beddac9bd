//! Claims: who says that it owns a vip, and whom of two to believe.
//!
//! The highest epoch wins; of equal epochs the lower node id; of one owner's claims the latest
//! revision. So all who know the same claims believe the same, in whatever order they came.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::id::{NodeId, halves, mix};

/// Standbys named in a claim.
pub const STANDBYS: usize = 3;
/// Beyond so many, only claims of vips that are configured here are taken in: what comes from the
/// network is bounded.
const MAX_VIPS: usize = 4096;
/// Epochs beyond this are nobody's honest count.
pub(crate) const MAX_EPOCH: u64 = 1 << 62;

/// That a node owns a vip, and who comes after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Grows with every change of owner.
    pub epoch: u64,
    /// Who owns it.
    pub owner: NodeId,
    /// Grows with every change that the owner makes to its claim.
    pub revision: u32,
    /// The owner gave it up, and nobody has taken it.
    pub released: bool,
    /// Who takes over, first one first.
    pub standbys: Vec<NodeId>,
}

/// All claims that are believed, and the highest epoch of each vip ever known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    claims: BTreeMap<IpAddr, Claim>,
    floors: BTreeMap<IpAddr, u64>,
    digest: u64,
}

impl Claim {
    /// Whether this one is to be believed rather than `other`.
    pub fn beats(&self, other: &Self) -> bool {
        self.rank() > other.rank()
    }

    fn rank(&self) -> (u64, Reverse<NodeId>, u32) {
        (self.epoch, Reverse(self.owner), self.revision)
    }

    fn digest(&self, vip: IpAddr) -> u64 {
        let [high, low] = halves(vip);
        let parts = [high, low, self.epoch, self.owner.bits(), u64::from(self.revision)];
        parts.into_iter().fold(0, |hash, part| mix(hash ^ part).rotate_left(17))
    }
}

impl Table {
    /// A table that remembers these epochs.
    pub(crate) fn new(floors: BTreeMap<IpAddr, u64>) -> Self {
        Self { floors, ..Self::default() }
    }

    /// Gives back what maps that grow one by one keep free.
    pub(crate) fn pack(&mut self) {
        pack(&mut self.claims);
        pack(&mut self.floors);
    }

    pub(crate) fn get(&self, vip: IpAddr) -> Option<&Claim> {
        self.claims.get(&vip)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (IpAddr, &Claim)> {
        self.claims.iter().map(|(vip, claim)| (*vip, claim))
    }

    /// Equal tables have equal digests.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// Takes over a claim if it beats what is known; whether it did. There is always room for a vip
    /// that is `configured` here.
    pub(crate) fn merge(&mut self, vip: IpAddr, claim: Claim, configured: bool) -> bool {
        let known = self.claims.get(&vip);
        let room = configured || known.is_some() || self.claims.len() < MAX_VIPS;
        if !room || claim.epoch > MAX_EPOCH || known.is_some_and(|known| !claim.beats(known)) {
            return false;
        }
        self.digest ^= claim.digest(vip);
        if let Some(old) = self.claims.insert(vip, claim) {
            self.digest ^= old.digest(vip);
        }
        true
    }

    /// The epoch that a new owner claims.
    pub(crate) fn next_epoch(&self, vip: IpAddr) -> u64 {
        let known = self.claims.get(&vip).map_or(0, |claim| claim.epoch);
        known.max(self.floor(vip)) + 1
    }

    /// Raises what is remembered to `epoch`; whether that was news.
    pub(crate) fn remember(&mut self, vip: IpAddr, epoch: u64) -> bool {
        let news = self.floor(vip) < epoch;
        if news {
            self.floors.insert(vip, epoch);
        }
        news
    }

    fn floor(&self, vip: IpAddr) -> u64 {
        // What was kept on disk may have been damaged there.
        self.floors.get(&vip).copied().unwrap_or(0).min(MAX_EPOCH)
    }
}

/// Makes a map anew, all at once: one that grew in order, one by one, is hardly more than half
/// full.
pub(crate) fn pack<K: Ord, V>(map: &mut BTreeMap<K, V>) {
    *map = std::mem::take(map).into_iter().collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(epoch: u64, owner: u64, revision: u32) -> Claim {
        let owner = NodeId::from_bits(owner);
        Claim { epoch, owner, revision, released: false, standbys: Vec::new() }
    }

    #[test]
    fn epoch_then_lower_id_then_revision() {
        for (winner, loser) in [
            (claim(2, 9, 0), claim(1, 1, 9)),
            (claim(2, 1, 0), claim(2, 9, 9)),
            (claim(2, 1, 4), claim(2, 1, 3)),
        ] {
            assert!(winner.beats(&loser) && !loser.beats(&winner), "{winner:?} {loser:?}");
            assert!(!winner.beats(&winner));
        }
    }

    #[test]
    fn whatever_the_order_all_believe_the_same() {
        let vips: [IpAddr; 2] = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
        let claims = [claim(1, 5, 0), claim(3, 7, 0), claim(3, 7, 1), claim(2, 1, 0)];
        let (mut there, mut back) = (Table::default(), Table::default());
        for vip in vips {
            for n in 0..claims.len() {
                there.merge(vip, claims[n].clone(), true);
                back.merge(vip, claims[claims.len() - 1 - n].clone(), true);
            }
            assert_eq!(there.get(vip), Some(&claims[2]));
        }
        assert_eq!(there.digest(), back.digest());
        assert_ne!(there.digest(), 0);
    }

    #[test]
    fn what_is_configured_has_room_always() {
        let vip = |n: u16| IpAddr::from([10, 0, n.to_be_bytes()[0], n.to_be_bytes()[1]]);
        let mut table = Table::default();
        for n in 0..5000 {
            table.merge(vip(n), claim(1, 1, 0), false);
        }
        assert_eq!(table.iter().count(), MAX_VIPS);
        assert!(table.merge(vip(5000), claim(1, 1, 0), true));
        assert!(table.merge(vip(0), claim(2, 1, 0), false), "known already");
        assert!(!table.merge(vip(5001), claim(1, 1, 0), false));
    }

    #[test]
    fn new_epochs_are_above_everything_known() {
        let vip: IpAddr = [10, 0, 0, 1].into();
        let mut table = Table::new(BTreeMap::from([(vip, 7)]));
        assert_eq!(table.next_epoch(vip), 8);
        assert!(!table.merge(vip, claim(u64::MAX, 1, 0), true), "a count that never was");
        assert!(table.merge(vip, claim(9, 1, 0), true));
        assert_eq!(table.next_epoch(vip), 10);
        assert!(table.remember(vip, 9) && !table.remember(vip, 9));
    }
}
