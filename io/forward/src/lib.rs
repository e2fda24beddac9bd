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
//! Pure parts: `carry` (what travels how), `facts` (what decides that), `render` (the nftables
//! text); what another firewall does is `steelyard_firewall`'s. Limits: without privileges a port
//! listens on loopback; a flow survives a planned change of owner ([`Passing`]), no other.

mod carry;
mod desired;
mod facts;
mod filter;
mod forwarder;
mod intake;
mod journal;
mod kernel;
mod observed;
mod obstacle;
mod owner;
mod passing;
mod proxy;
mod render;
mod told;
mod vigil;
mod vitals;

pub use desired::{Desired, Forwarded, ForwardedPort, Listening, Served, VipPort};
pub use forwarder::{ForwardOptions, Forwarder, StartError};
pub use intake::Intake;
pub use observed::{AtExit, Carried, HostChange, Observed, PortStatus, Why};
pub use obstacle::Obstacle;
pub use passing::{Pass, Passing};
