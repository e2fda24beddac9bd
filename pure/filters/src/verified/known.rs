//! What is known of passwords, for all cores: digests that nobody can make who does not know what
//! this process is seeded with, and never a password.
//!
//! Those that are true and those that are not have places of their own, so that who tries many
//! makes nobody forgotten who was let in.

use crate::found_out::{Digest, FoundOut};
use crate::limit::counts::Counts;

/// Places of each kind.
const PLACES: usize = 1 << 10;

/// What is known of passwords: of what a client says, by whose hash, and what this process is
/// seeded with.
#[derive(Debug, Default)]
pub(crate) struct PasswordMemory {
    good: FoundOut<(), PLACES>,
    bad: FoundOut<(), PLACES>,
    /// How many are verified, of all and by client.
    pub(super) under_way: Counts,
}

impl PasswordMemory {
    /// Whether it is true, if that was found out.
    pub(crate) fn known(&self, digest: &Digest) -> Option<bool> {
        let is_among = |all: &FoundOut<(), PLACES>| all.look(digest, |()| ()).is_some();
        match is_among(&self.good) {
            true => Some(true),
            false => is_among(&self.bad).then_some(false),
        }
    }

    /// It was found out.
    pub(crate) fn learn(&self, digest: Digest, is_true: bool) {
        if is_true { &self.good } else { &self.bad }.learn(digest, (), |()| false);
    }
}
