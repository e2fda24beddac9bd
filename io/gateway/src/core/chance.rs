//! Random numbers of one core: good enough to choose by, and for nothing that is to be secret.

use std::cell::Cell;

use steelyard_balance::pick::mixed;

/// Numbers that follow each other.
pub(crate) struct Chance(Cell<u64>);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Cell::new(mixed(seed)))
    }

    /// Another one (SplitMix64).
    pub(crate) fn draw(&self) -> u64 {
        let next = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(next);
        mixed(next)
    }
}
