//! Objects as an API server has them, as far as they report.

use serde::Deserialize;
use steelyard_model::Labels;

use super::author::{self, ManagedFields};
use super::{ReportedBalance, ReportedPool, ReportedState, Revision, StatusAddress};
use crate::kind::POOL_NOTE;
use crate::{ConfigurationState, PoolStatus};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SeenMeta {
    labels: Labels,
    annotations: Labels,
    managed_fields: Vec<ManagedFields>,
    owner_references: Vec<SeenOwner>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct SeenOwner {
    uid: String,
}

/// A Service or an Ingress.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SeenBalanced {
    metadata: SeenMeta,
    status: BalancedStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BalancedStatus {
    load_balancer: Balancer,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Balancer {
    ingress: Vec<StatusAddress>,
}

/// An IPAddressPool.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SeenPool {
    metadata: SeenMeta,
    status: Option<PoolStatus>,
}

/// A ConfigurationState.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SeenState {
    metadata: SeenMeta,
    status: Option<ConfigurationState>,
}

impl SeenBalanced {
    pub(super) fn reported(self, revision: Revision) -> ReportedBalance {
        let addresses = self.status.load_balancer.ingress;
        let pool = self.metadata.annotations.get(POOL_NOTE).cloned();
        let managers = &self.metadata.managed_fields;
        let reporter = author::of_addresses(managers, addresses.is_empty(), pool.is_some());
        ReportedBalance { revision, addresses, pool, reporter }
    }
}

impl SeenPool {
    pub(super) fn reported(self, revision: Revision) -> ReportedPool {
        // An API server has no empty status: counters that nobody wrote are not there.
        let reporter = author::of_counts(&self.metadata.managed_fields, self.status.is_none());
        ReportedPool { revision, status: self.status, reporter }
    }
}

impl SeenState {
    pub(super) fn reported(self, revision: Revision) -> ReportedState {
        let SeenMeta { labels, owner_references, .. } = self.metadata;
        let owners = owner_references.into_iter().map(|it| it.uid).collect();
        ReportedState { revision, labels, owners, status: self.status }
    }
}
