//! What an owner says of its claim on the LAN itself: the epoch and who it is, beside each answer
//! and announcement of the vip. Heartbeats may be cut where the LAN is not; then who hears these
//! knows better, and two that answer for one vip settle it by the same rule as ever.
//!
//! ```text
//!  0            6                14               22
//!  ┌────────────┬────────────────┬────────────────┐
//!  │   epoch    │     owner      │      tag       │
//!  └────────────┴────────────────┴────────────────┘
//! ```
//!
//! The tag is the beginning of an HMAC-SHA-256 over all that and the vip, by a key made from the
//! cluster's: nobody else makes a claim. A recording says what was true once; whoever plays it
//! wins against nobody who knows more. Where two keys are good, the older one is used, which all
//! have.

use std::net::IpAddr;

use aws_lc_rs::hmac;

use crate::id::{NodeId, halves};
use crate::seal::Keyring;

/// Bytes of a [`ClaimMark`].
pub const MARK: usize = 22;
/// See the module.
pub type ClaimMark = [u8; MARK];

const EPOCH: usize = 6;
const SAID: usize = 14;
/// What has room.
const MOST: u64 = (1 << (EPOCH * 8)) - 1;

/// Makes and reads marks.
pub(crate) struct Marker {
    makes: hmac::Key,
    reads: Vec<hmac::Key>,
}

impl Marker {
    pub(crate) fn new(keys: &Keyring) -> Self {
        let reads: Vec<hmac::Key> =
            keys.older.iter().chain([&keys.newest]).map(crate::Key::of_marks).collect();
        Self { makes: reads[0].clone(), reads }
    }

    /// The mark of a claim; none where the epoch is nobody's honest count.
    pub(crate) fn make(&self, vip: IpAddr, epoch: u64, owner: NodeId) -> Option<ClaimMark> {
        if epoch > MOST {
            return None;
        }
        let mut mark = [0; MARK];
        mark[..EPOCH].copy_from_slice(&epoch.to_be_bytes()[8 - EPOCH..]);
        mark[EPOCH..SAID].copy_from_slice(&owner.bits().to_be_bytes());
        let tag = tag(&self.makes, vip, &mark[..SAID]);
        mark[SAID..].copy_from_slice(&tag);
        Some(mark)
    }

    /// The epoch and the owner of a mark, if somebody of us made it for this vip.
    pub(crate) fn read(&self, vip: IpAddr, mark: &ClaimMark) -> Option<(u64, NodeId)> {
        let (said, given) = mark.split_at(SAID);
        // Whoever guesses has to be heard for each guess: how long comparing takes tells little.
        if !self.reads.iter().any(|key| tag(key, vip, said) == given) {
            return None;
        }
        let mut epoch = [0; 8];
        epoch[8 - EPOCH..].copy_from_slice(&said[..EPOCH]);
        let owner = said[EPOCH..].try_into().expect("the rest has eight bytes");
        Some((u64::from_be_bytes(epoch), NodeId::from_bits(u64::from_be_bytes(owner))))
    }
}

fn tag(key: &hmac::Key, vip: IpAddr, said: &[u8]) -> [u8; MARK - SAID] {
    let mut context = hmac::Context::with_key(key);
    halves(vip).iter().for_each(|half| context.update(&half.to_be_bytes()));
    context.update(said);
    let whole = context.sign();
    whole.as_ref()[..MARK - SAID].try_into().expect("a hash has 32 bytes")
}

impl std::fmt::Debug for Marker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Marker").field("keys", &self.reads.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;

    #[test]
    fn a_mark_is_of_one_vip_one_claim_and_one_cluster() {
        let (vip, other): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), "fd00::1".parse().unwrap());
        let owner = NodeId::of("node-1");
        let ours = Marker::new(&Keyring::new(Key::new([1; 32])));
        let mark = ours.make(vip, 7, owner).unwrap();
        assert_eq!(ours.read(vip, &mark), Some((7, owner)));
        assert_eq!(ours.read(other, &mark), None);
        for n in 0..MARK {
            let mut forged = mark;
            forged[n] ^= 1;
            assert_eq!(ours.read(vip, &forged), None, "byte {n}");
        }
        let theirs = Marker::new(&Keyring::new(Key::new([2; 32])));
        assert_eq!(theirs.read(vip, &mark), None);
        assert_eq!(ours.make(vip, 1 << 48, owner), None);
        assert!(ours.make(vip, MOST, owner).is_some());
    }

    #[test]
    fn while_a_key_is_replaced_all_read_each_other() {
        let vip: IpAddr = [10, 0, 0, 1].into();
        let (old, new) = (Key::new([1; 32]), Key::new([2; 32]));
        let before = Marker::new(&Keyring::new(old.clone()));
        let after = Marker::new(&Keyring { newest: new, older: Some(old) });
        let owner = NodeId::of("node-1");
        for (maker, reader) in [(&before, &after), (&after, &before)] {
            let mark = maker.make(vip, 3, owner).unwrap();
            assert_eq!(reader.read(vip, &mark), Some((3, owner)));
        }
    }
}
