//! Who answers for a vip on a LAN, without a socket: the codec of the frames involved ([`wire`])
//! and the machine of one interface ([`Responder`]).
//!
//! It does not choose which vips are ours, nor on which interfaces: it is told. Time and frames are
//! arguments, so the same machine runs on real interfaces and in simulations. What comes from the
//! network can neither make it panic nor make it answer for an address that it was not given.

mod counters;
pub mod fuzz;
mod pace;
mod rate;
mod reassembly;
mod responder;
mod vip;
pub mod wire;

pub use counters::{Counters, Ignored, Unused};
pub use responder::{Config, Input, Output, Responder};
pub use vip::{ConflictPolicy, Phase, Timing, VipChange};

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;
    use std::time::Instant;

    #[allow(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);

    /// Where the tests' time begins.
    pub(crate) fn start() -> Instant {
        *START
    }
}
