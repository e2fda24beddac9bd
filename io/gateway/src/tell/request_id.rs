//! What a request is called that was not answered with success.

use std::cell::Cell;
use std::fmt;

/// Unlike that of any other request of this process, and not to be told from theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

/// Names of one core.
pub(crate) struct RequestIds {
    /// Numbers of all cores are mixed with this.
    seed: u64,
    last: Cell<u64>,
}

/// A core's numbers begin at its index, so high.
const CORE_SHIFT: u32 = 48;

impl RequestIds {
    /// Of the core `index`; `seed` is the process's.
    pub(crate) fn new(index: usize, seed: u64) -> Self {
        Self { seed, last: Cell::new((index as u64) << CORE_SHIFT) }
    }

    /// One more.
    pub(crate) fn next(&self) -> RequestId {
        let number = self.last.get() + 1;
        self.last.set(number);
        RequestId(mixed(number.wrapping_add(self.seed)))
    }
}

/// SplitMix64's last step: each number has one image, and looks like none before.
fn mixed(mut number: u64) -> u64 {
    number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
