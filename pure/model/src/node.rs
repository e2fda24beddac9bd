//! Nodes.

use std::net::IpAddr;
use std::sync::Arc;

use crate::labels::Labels;
use crate::object::ObjectRef;

/// A machine that may answer for addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: Arc<str>,
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// `metadata.labels`.
    pub labels: Labels,
    /// Addresses of type InternalIP.
    pub internal_ips: Vec<IpAddr>,
    /// Addresses of type ExternalIP.
    pub external_ips: Vec<IpAddr>,
    /// Condition `NetworkUnavailable` is True.
    pub network_unavailable: bool,
    /// Labelled `node.kubernetes.io/exclude-from-external-load-balancers`.
    pub excluded: bool,
}

impl Node {
    /// All addresses that it has as its own.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.internal_ips.iter().chain(&self.external_ips).copied()
    }

    /// Whether it matters to anyone here that the node changed from `self` to `new`. Much of a
    /// Node changes all the time (heartbeats, images); of `new` only what is kept of it counts.
    /// Cordoning alone does not: a node that takes no new pods still answers.
    pub fn matters(&self, new: &Self) -> bool {
        self != new
    }
}
