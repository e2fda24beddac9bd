//! Nodes.

use std::net::IpAddr;
use std::sync::Arc;

use crate::object::ObjectRef;
use crate::selector::Labels;

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
    /// Condition `NetworkUnavailable` is True.
    pub network_unavailable: bool,
    /// Labelled `node.kubernetes.io/exclude-from-external-load-balancers`.
    pub excluded: bool,
}
