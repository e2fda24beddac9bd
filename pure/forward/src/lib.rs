//! How packets for vips travel on a host: from what the plan wants and what the host is like to a
//! way for each port, the nftables text that makes it so, and what is told of it.
//!
//! - [`decide`]: [`Desired`] and [`HostFacts`] → [`Decision`]; [`Decider`]: the same again and
//!   again, at the cost of what differs;
//! - [`VipTable`]: a decision as our one nftables table, and the difference of two of them;
//!   [`pass_table`]: what leads packets to a former owner;
//! - [`Ledger`]: counters of the kernel, which may begin anew → [`Traffic`] by port;
//! - [`status`], [`as_before`]: decision and what the system said → [`PortStatus`];
//! - [`Vitals`], [`Mending`]: whom to ask for a sign of life, and when to repair.
//!
//! Not the doing: `io/forward` looks at the host, writes, listens and copies. Not what other
//! firewalls do to packets: that is `steelyard_firewall`'s.

mod carry;
mod decider;
mod desired;
mod facts;
mod hooks;
mod ledger;
mod mending;
mod observed;
mod obstacle;
mod outcome;
pub mod pass_table;
mod vip_table;
mod vitals;

pub use carry::{Carriage, Decision, PortDecision};
pub use decider::{Decider, decide};
pub use desired::{
    Desired, Forwarded, ForwardedPort, Listening, Lot, Served, VipPlace, VipPort, Wish,
};
pub use facts::{HostFacts, Spot, Whereabouts, source};
pub use ledger::{Amount, Ledger, Traffic};
pub use mending::Mending;
pub use observed::{AtExit, Carried, HostChange, Observed, PortStatus, Why};
pub use obstacle::Obstacle;
pub use outcome::{Listeners, answering, as_before, status};
pub use vip_table::{COUNTED, TableFrame, VipTable};
pub use vitals::Vitals;
