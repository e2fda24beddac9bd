//! What a speaker is told to answer for.

use std::net::IpAddr;
use std::sync::Arc;

/// An address to answer for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vip {
    /// The address.
    pub address: IpAddr,
    /// Interfaces to answer on, by name; empty means automatic.
    pub interfaces: Vec<String>,
    /// Nodes that may own it, with how much each is preferred; the same on every node, in the same
    /// order. Without a membership this node owns it, whatever stands here.
    pub candidates: Arc<[(Arc<str>, u32)]>,
}
