//! Which route a request or a connection takes, and why the others lost.
//!
//! A dialect writes a rule (what must hold) and a rank (who goes first) for each route; this
//! crate compiles them to a [`RuleTable`] whose answer costs the same for one host and for 100,000,
//! and equals the plain definition: scan all, ask both ladders, take the higher bid ([`Choice`]).
//! It knows no backend, no filter and no socket: what stands behind a route is the caller's.
//!
//! Invariants: a rank is data, never computed from the rule; a rule is asked only what a
//! [`Subject`](steelyard_model::routing::subject::Subject) tells; input of any content ends in a
//! value.

mod asking;
pub mod candidate;
pub mod choice;
pub mod compile;
mod covering;
pub mod entry_table;
mod host_map;
mod met;
mod named;
mod names;
pub mod nearest;
mod necessary;
mod policies;
pub mod ruling;
mod shards;
pub mod table;
pub mod why_not;

#[cfg(test)]
mod tests;

pub use asking::{asked_terms, hosts_named};
pub use candidate::{Candidate, Indexed};
pub use choice::{Bid, Choice, choose_by_scan};
pub use compile::RoutingTable;
pub use covering::covers;
pub use entry_table::{EntryTable, Misdirection, NotHeld, Opening, PlainPath, TlsPath};
pub use met::Met;
pub use nearest::NearMiss;
pub use necessary::exact_hosts;
pub use ruling::{Defeat, Loser, Ruling, Winner, WonBy};
pub use table::RuleTable;
pub use why_not::WhyNot;
