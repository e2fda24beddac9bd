//! What a cluster's objects report, and what has to be written so that it is true: addresses in the
//! statuses of Services and Ingresses, the objects of `metallb.io` that tell what is done, and
//! events.
//!
//! Where it comes from: a plan ([`wanted`], [`on_the_lan`], [`to_routers`]), findings
//! ([`ConfigurationState`]), the allocator ([`PoolStatus`]). What is there already, and who wrote
//! it, is in [`Reported`]; when a write is tried, and tried again, in [`Retries`].
//!
//! Field names, labels, reasons and lifecycle are MetalLB's (`v1beta1`). Nothing here talks to an
//! API server: whoever does says what is there, asks [`wanted`] or [`reconcile`], and writes. Times
//! in objects are text (RFC 3339, UTC) and handed in.
//!
//! Promises: where all is as it should be, nothing is written; what somebody else wrote is neither
//! changed nor taken away.

pub mod codes;
mod configuration;
mod differing;
mod events;
mod kind;
mod of_plan;
mod published;
mod reported;
mod retries;
mod rivals;
mod scope;
mod service;
#[cfg(test)]
mod tests;
mod timetable;
mod wanted;

use std::collections::BTreeSet;

use steelyard_model::Labels;

pub use configuration::{
    Component, Condition, ConditionStatus, ConfigurationState, Validity, condition,
};
pub use differing::differing;
pub use events::{EventWrite, Events, Happened};
pub use kind::{POOL_NOTE, StatusKind};
pub use of_plan::{on_the_lan, to_routers};
pub use published::{Publication, PublishedIngresses, PublishedReading};
pub use reported::{CONTROLLER, IpMode, PortReport, Reported, Reporter, Revision, StatusAddress};
pub use retries::{Retries, WriteOutcome};
pub use rivals::{LeftAlone, Rivals, Whose};
pub use scope::Scope;
pub use service::{
    InterfaceName, NODE_LABEL, SERVICE_NAME_LABEL, SERVICE_NAMESPACE_LABEL, ServiceBgpStatus,
    ServiceL2Status, ServiceStatus, reconcile,
};
pub use steelyard_ipam::PoolStatus;
pub use wanted::{
    Reportable, StatusChange, StatusOptions, StatusWrite, Wanted, left_alone, taken_up, wanted,
};

/// An object that reports, as far as it is ours to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<S> {
    /// Its name; none before an API server made one of the prefix.
    pub name: Option<String>,
    /// Namespace: the one that the configuration is in, not the Service's.
    pub namespace: String,
    /// `metadata.labels`.
    pub labels: Labels,
    /// Pods in `metadata.ownerReferences`: with the last of them goes the object.
    pub owners: BTreeSet<Owner>,
    /// `status`; none on an object whose status nobody has written yet.
    pub status: Option<S>,
}

/// A pod that owns an object, as `ownerReferences` has it (`apiVersion: v1`, `kind: Pod`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// Name of the pod.
    pub name: String,
    /// `metadata.uid` of the pod.
    pub uid: String,
}

/// Something to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write<S> {
    /// A new object. API servers drop a `status` at creation: it is written after it.
    Create(Report<S>),
    /// An object that is there: its labels, its owners and its `status`.
    Update(Report<S>),
    /// An object that has to go; one that is gone already is no fault.
    Delete {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl<S> Report<S> {
    /// The label `key`, empty where it has none.
    fn label(&self, key: &str) -> &str {
        self.labels.get(key).map_or("", String::as_str)
    }
}
