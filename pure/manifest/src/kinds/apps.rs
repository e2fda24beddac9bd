//! `apps/v1`: Deployment, StatefulSet, DaemonSet; as far as they are read.

use serde::Deserialize;

use super::core::PodSpec;
use super::meta::{LabelSelector, ObjectMeta};

/// A Deployment, StatefulSet or DaemonSet: the parts they share.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Workload {
    /// Name and labels.
    pub metadata: ObjectMeta,
    /// What it runs.
    pub spec: Option<WorkloadSpec>,
}

/// `spec` of a [`Workload`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadSpec {
    /// How many pods; a DaemonSet has none.
    pub replicas: Option<i64>,
    /// Which pods are its own.
    pub selector: Option<LabelSelector>,
    /// The pods it makes.
    pub template: Option<PodTemplate>,
}

/// `spec.template` of a [`Workload`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodTemplate {
    /// Labels of the pods.
    pub metadata: ObjectMeta,
    /// Their containers.
    pub spec: Option<PodSpec>,
}
