//! The object, as far as an election reads and writes it.

use std::time::Duration;

/// `spec` of a `coordination.k8s.io/v1` Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRecord {
    /// `holderIdentity`; empty where nobody holds it.
    pub holder: String,
    /// `leaseDurationSeconds`.
    pub duration: Duration,
    /// `leaseTransitions`: counts the leaders there were.
    pub transitions: u32,
    /// `acquireTime` and `renewTime` as they are written: compared, never understood.
    pub times: (String, String),
}

/// The object, as it was read or written at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenLease {
    /// What is in it.
    pub record: LeaseRecord,
    /// `metadata.resourceVersion`.
    pub version: String,
}
