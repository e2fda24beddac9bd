//! A new process of this program takes the place of the one that runs, and nobody notices.
//!
//! ```text
//!  old                                    new
//!   │ starts it ─────────────────────────► │
//!   │ sockets, lock, kernel's table ─────► │ reads manifests, decides, opens what is new, sets its
//!   │ (sets nothing on the host any more)  │ rules in the place of the old ones; takes nothing in
//!   │ ◄──────────────────────── prepared   │
//!   │ who owns what, sessions of UDP ────► │ announces, answers, accepts
//!   │ (answers ARP, accepts still)         │
//!   │ ◄────────────────────── in charge    │
//!   │ finishes what is under way, ends     ▼
//! ```
//!
//! Until the last of these words the old one can go on as before, and does where the new one fails
//! or takes too long. Between `prepared` and `in charge` both answer hosts of the LAN, and say the
//! same.

mod command;
mod predecessor;
mod successor;

use serde::{Deserialize, Serialize};

pub use command::{UpgradeArgs, run};
pub(crate) use predecessor::{Ending, Origin, Upgrades};
pub(crate) use successor::Heir;

/// What the new process says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// All that it can do without being in charge is done.
    Prepared,
    /// The old one is needed no more.
    InCharge,
}

/// Says that a role has no other process take its place.
pub(crate) fn refuse() {
    tracing::warn!("no new process takes over here: what runs in a cluster is replaced by its pod");
}
