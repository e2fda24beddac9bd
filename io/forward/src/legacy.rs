//! What another process goes on with: rules stay in force while it comes, and are replaced by its
//! own at once. What is held against others (the lock, the name) both hold, for a while.

use std::net::IpAddr;
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};
use steelyard_forwarding::VipPort;

/// Under which name the lock of the state folder is passed.
pub(crate) const LOCK: &str = "forward.lock";
/// The same of the name in the network namespace.
pub(crate) const CLAIM: &str = "forward.claim";

/// What is set on this host, as far as it cannot be decided anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ForwardLegacy {
    /// There is a table, a rule and routes in the kernel: with those the other two.
    pub(crate) kernel: Option<KernelLegacy>,
    /// Vips that packets are taken in for.
    pub live: Vec<IpAddr>,
    /// Flows that are passed to former owners: vip, where to, by which interface, and for how many
    /// seconds yet.
    pub(crate) passes: Vec<(IpAddr, IpAddr, u32, u64)>,
}

/// What the kernel turned out to be able to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KernelLegacy {
    pub(crate) leads: bool,
    pub(crate) counts: bool,
}

/// What a process gives away that goes on without touching anything of the host.
#[derive(Debug)]
pub struct ForwardHandedOn {
    /// What is set.
    pub legacy: ForwardLegacy,
    /// What is open, by name.
    pub descriptors: Vec<(String, OwnedFd)>,
}

/// Under which name the listening socket of a port is passed that is carried in the process.
pub(crate) fn port(key: VipPort, at: impl std::fmt::Debug) -> String {
    format!("forward {:?} {} {at:?}", key.protocol, key.socket())
}
