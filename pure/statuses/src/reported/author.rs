//! Who wrote what stands in a status, by `metadata.managedFields`.

use std::sync::Arc;

use serde::Deserialize;
use steelyard_manifest::kinds::Ignored;

/// The field manager of the controller.
pub const CONTROLLER: &str = "steelyard-controller";
/// That of MetalLB's controller: the name of its program, as of many others.
const METALLB: &str = "controller";

/// Who wrote a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reporter {
    /// Nobody: there is nothing.
    Nobody,
    /// Steelyard's controller.
    Steelyard,
    /// MetalLB's.
    MetalLb,
    /// Somebody else, by the name of its field manager; empty where the API server does not say.
    Other(Arc<str>),
}

/// One of `metadata.managedFields`, as far as it is of a status.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ManagedFields {
    manager: String,
    fields_v1: Fields,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Fields {
    #[serde(rename = "f:status")]
    status: Option<StatusFields>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct StatusFields {
    #[serde(rename = "f:loadBalancer")]
    balancer: Option<BalancerFields>,
    #[serde(rename = "f:assignedIPv4")]
    assigned: Option<Ignored>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct BalancerFields {
    #[serde(rename = "f:ingress")]
    ingress: Option<Ignored>,
}

impl ManagedFields {
    fn has_addresses(&self) -> bool {
        let balancer = self.fields_v1.status.as_ref().and_then(|it| it.balancer.as_ref());
        balancer.is_some_and(|it| it.ingress.is_some())
    }

    fn has_counts(&self) -> bool {
        self.fields_v1.status.as_ref().is_some_and(|it| it.assigned.is_some())
    }
}

/// Who wrote the addresses in a status. `noted` is whether a pool is noted beside them, which
/// MetalLB and Steelyard do.
pub(super) fn of_addresses(managers: &[ManagedFields], is_empty: bool, noted: bool) -> Reporter {
    let writers = managers.iter().filter(|it| it.has_addresses()).map(|it| &*it.manager);
    reporter(writers.collect(), is_empty && !noted, noted)
}

/// Who wrote how much of a pool is used: only MetalLB does that.
pub(super) fn of_counts(managers: &[ManagedFields], is_empty: bool) -> Reporter {
    let writers = managers.iter().filter(|it| it.has_counts()).map(|it| &*it.manager);
    reporter(writers.collect(), is_empty, true)
}

fn reporter(writers: Vec<&str>, is_empty: bool, is_metallb_like: bool) -> Reporter {
    let other = writers.iter().find(|name| **name != CONTROLLER && **name != METALLB);
    let named = |name: &str| Reporter::Other(name.into());
    match other {
        _ if is_empty => Reporter::Nobody,
        Some(other) => named(other),
        // It was MetalLB's, and was taken over as it stood.
        None if writers.contains(&CONTROLLER) => Reporter::Steelyard,
        None if is_metallb_like => Reporter::MetalLb,
        None => named(writers.first().copied().unwrap_or_default()),
    }
}
