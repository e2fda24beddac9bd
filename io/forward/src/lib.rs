//! Leads packets for vips to where they are served: to our own listeners, or on to endpoints.
//!
//! A vip is never an address of this host. What is *served* here gets a mark in nftables, is
//! delivered by a private routing table, and is led to a listener at a port of its own (tproxy),
//! so that the vip's port stays free for the host's own servers; what is *forwarded* is translated
//! by nftables; a guard chain takes the rest. All of that is only for vips that are ours at the
//! moment ([`Intake`]). Where the kernel cannot be used (no privileges, no `nft`, forwarding off,
//! another firewall, endpoints on loopback) a forwarder in this process carries the port, and
//! [`Observed`] says why. It does not announce vips, and does not choose endpoints.
//!
//! Who sees which client address: endpoints that are addresses of this host, or at the end of a
//! link of their own (a route for that address alone through a veth), see the client's. Everyone
//! else sees ours, because their answers must come back through us. So does an endpoint of the
//! second kind when the client is one too: it may be the same one.
//!
//! It decides nothing: `steelyard_forwarding` does, from what is wanted and what the host is like.
//! Limits: without privileges a port listens on loopback; a flow survives a planned change of owner
//! ([`Passing`]), no other.

mod ask;
mod filter;
mod forwarder;
mod intake;
mod journal;
mod kernel;
mod leftovers;
mod legacy;
mod lookout;
mod meter;
mod options;
mod owner;
mod passer;
mod passing;
mod proxy;
mod rounds;
mod told;
mod vigil;

pub use forwarder::Forwarder;
pub use intake::Intake;
pub use leftovers::{Leftovers, undo_leftovers};
pub use legacy::{ForwardHandedOn, ForwardLegacy};
pub use meter::Meter;
pub use options::{ForwardOptions, NoForwarder};
pub use passer::{NoPasser, Passer};
pub use passing::{Pass, Passing};
pub use steelyard_forwarding::{
    AtExit, Carried, Desired, Forwarded, ForwardedPort, HostChange, Listening, Observed, Obstacle,
    PortStatus, Served, VipPlace, VipPort, Why,
};
