//! What the firewalls of this host do to packets for vips: read from the text that `nft list
//! ruleset` (or `iptables-restore-translate`, for legacy tables) prints, and followed rule by rule.
//!
//! A condition about the packet itself (its address, port, mark, interface, state) is decided. One
//! about the client (its address, its rate, the hour) holds for some of them: what follows from it
//! is somebody's intention, and no finding. One that is not understood leaves a doubt, and what
//! follows from that is only said to be possible. So a finding that is certain is so for every
//! client.
//!
//! The answer is followed as well: a client whose answers are dropped is not served.
//!
//! It reads no elements of named sets, which may be many: a condition about one is not understood.

mod judge;
mod matching;
mod mend;
mod other_rule;
mod packet;
mod rule;
mod ruleset;
#[cfg(test)]
mod tests;
mod words;

pub use judge::{Deed, Hindrance, judge};
pub use other_rule::{OtherRule, RuleAction};
pub use packet::{Leg, Packet, Way};
pub use ruleset::{Origin, Place, Ruleset};
