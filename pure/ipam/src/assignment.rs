//! What came out: per Service its addresses and why, per pool how much of it is used.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::pool_status::PoolStatus;
use serde::Serialize;
use steelyard_model::{Diagnostic, Holdings, NamespacedName};

use crate::exclusion::Exclusion;
use crate::refusal::Refusal;
use crate::reserved::Occupant;

/// Addresses of all Services.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assignments {
    /// Every Service of type LoadBalancer.
    pub services: BTreeMap<NamespacedName, Assignment>,
    /// Every pool, by name.
    pub pools: Vec<PoolUsage>,
    /// For each Service without an address, why no pool serves it.
    pub exclusions: BTreeMap<NamespacedName, Vec<Exclusion>>,
    /// What users should change.
    pub diagnostics: Vec<Diagnostic>,
    /// What to hand in next time: holdings of those that have an address, and of absent Services
    /// that keep theirs.
    pub held: Holdings,
}

/// What one Service gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// Its addresses in order; none, one, or one per family.
    pub addresses: Box<[IpAddr]>,
    /// The pool they are from.
    pub pool: Option<NamespacedName>,
    /// Those of them that a machine has as its own.
    pub occupied: Box<[(IpAddr, Occupant)]>,
    /// Why these, or why none.
    pub reason: Reason,
    /// What to tell about it, in MetalLB's words.
    pub events: Box<[ServiceEvent]>,
    /// Its status is not ours to change: another class, or no pools and nothing known of it.
    pub status_is_foreign: bool,
}

/// Why a Service has the addresses it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its status has them.
    Status,
    /// It held them.
    Held,
    /// It held two and now needs one.
    KeptOne,
    /// It asks for these.
    Requested,
    /// The first that are free in the pool it asks for.
    FirstOfRequestedPool,
    /// The first that are free in a pool meant for it.
    FirstOfItsPool,
    /// The first that are free in a pool for everybody.
    FirstFree,
    /// It has none.
    Pending(Box<Refusal>),
    /// It is of another load balancer class and left alone.
    ForeignClass,
}

/// Something to tell about a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceEvent {
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub kind: ServiceEventKind,
    /// MetalLB's reason, by which people filter.
    pub reason: &'static str,
    /// The text.
    pub message: String,
}

/// Types of events that Kubernetes has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ServiceEventKind {
    /// As it should be.
    Normal,
    /// Worth a look.
    Warning,
}

/// How much of a pool is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolUsage {
    /// The pool.
    #[serde(serialize_with = "name_only")]
    #[serde(rename = "name")]
    pub pool: NamespacedName,
    /// The counters, as a pool's status has them.
    #[serde(flatten)]
    pub status: PoolStatus,
}

fn name_only<S: serde::Serializer>(pool: &NamespacedName, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&pool.name)
}

impl Assignment {
    /// Those of `occupied` that are kept from whoever answers for addresses. Of those that this
    /// machine has, who answers knows better: the interface, and when it is taken off that.
    pub fn withheld(&self) -> impl Iterator<Item = &(IpAddr, Occupant)> {
        self.occupied.iter().filter(|(_, occupant)| *occupant != Occupant::ThisMachine)
    }

    /// Whether `address` is one of them.
    pub fn is_withheld(&self, address: IpAddr) -> bool {
        self.withheld().any(|(it, _)| *it == address)
    }

    /// Name of the pool, as the lock and `status` have it.
    pub fn pool_name(&self) -> Option<&Arc<str>> {
        self.pool.as_ref().map(|pool| &pool.name)
    }
}

impl ServiceEvent {
    pub(crate) fn normal(reason: &'static str, message: String) -> Self {
        Self { kind: ServiceEventKind::Normal, reason, message }
    }

    pub(crate) fn warning(reason: &'static str, message: String) -> Self {
        Self { kind: ServiceEventKind::Warning, reason, message }
    }
}
