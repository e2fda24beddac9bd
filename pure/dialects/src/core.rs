//! `v1`, `discovery.k8s.io/v1` and `apps/v1`: what Kubernetes itself has.

pub(crate) mod node;
pub(crate) mod pod;
pub(crate) mod secret;
pub(crate) mod service;
pub(crate) mod slice;
pub(crate) mod workload;

use steelyard_manifest::kinds::core as raw;
use steelyard_model::Item;

use crate::findings::Findings;
use crate::metallb;

pub(crate) fn config_map(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::ConfigMap = findings.read_lenient()?;
    let data = raw.data.unwrap_or_default();
    metallb::config_map(&data, findings);
    Some(Item::ConfigMap { object: findings.object().clone(), data: data.into() })
}

pub(crate) fn namespace(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::Namespace = findings.read_lenient()?;
    let labels = raw.metadata.labels.unwrap_or_default();
    Some(Item::Namespace { object: findings.object().clone(), labels })
}
