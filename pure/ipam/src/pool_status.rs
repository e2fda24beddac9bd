//! `status` of an IPAddressPool: how much of it is used.

use serde::{Deserialize, Serialize};

/// The counters; MetalLB's schema has them as signed 64-bit numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PoolStatus {
    /// IPv4 addresses in use; one that Services share counts once.
    #[serde(rename = "assignedIPv4")]
    pub assigned_ipv4: u64,
    /// IPv6 addresses in use.
    #[serde(rename = "assignedIPv6")]
    pub assigned_ipv6: u64,
    /// IPv4 addresses left.
    #[serde(rename = "availableIPv4")]
    pub available_ipv4: u64,
    /// IPv6 addresses left, at most `i64::MAX`.
    #[serde(rename = "availableIPv6")]
    pub available_ipv6: u64,
}

impl PoolStatus {
    /// The status to write over `found`; none where it says the same already. What somebody else
    /// wrote is put back.
    pub fn over(self, found: Option<Self>) -> Option<Self> {
        (found != Some(self)).then_some(self)
    }
}
