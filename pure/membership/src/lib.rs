//! Who is alive on a network segment, and which node owns which vip there, without a socket.
//!
//! One [`Segment`] is one node's part on one segment. Told of datagrams, answers to probes and the
//! time, it says what to send, for which vips to answer, and when to fall silent. It finds its
//! peers by multicast hellos, hears by sealed heartbeats who is there, and keeps [`Claim`]s: each
//! vip has one owner, known standbys, and an epoch that grows with every change.
//!
//! It owns no socket, clock, file or randomness: time, an epoch, a salt and a seed are arguments,
//! so the same machine runs on real segments and in simulations (`sim`). It neither chooses who
//! may own a vip nor answers ARP.
//!
//! Promises, and the rule that keeps each:
//! - *Connected nodes agree on one owner.* Claims are ordered, and everybody passes on the best
//!   one it knows; who knows a better one than its own falls silent at once.
//! - *No vip without owner* while a node may own it: each candidate acts after its turn.
//! - *Nothing moves without a cause.* An owner stays owner; who comes back takes nothing.
//! - *One answers.* Owners say on the LAN itself by which claim they answer; who hears a better one
//!   there falls silent, whether or not heartbeats come.
//! - *Not known, not answered.* Who starts, was asleep, sees too few or hears nothing
//!   at all listens and is silent.

mod claim;
mod config;
mod event;
pub mod fuzz;
mod hearing;
mod id;
mod mark;
mod ownership;
mod roster;
mod seal;
mod segment;
#[cfg(test)]
mod sim;
mod swim;
mod wire;

pub use claim::{Claim, STANDBYS};
pub use config::{Config, HeartbeatTiming, OwnerCandidate, Policy};
pub use event::{Cause, Event, Input, Loss, MacBytes, Output};
pub use id::NodeId;
pub use mark::{ClaimMark, MARK};
pub use seal::{Key, Keyring, MAX_DATAGRAM, Refused};
pub use segment::{ClaimStatus, MemberStatus, NAME_TAKEN, Segment, SegmentLegacy};
