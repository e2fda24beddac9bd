//! `v1`, `discovery.k8s.io/v1` and `apps/v1`: what Kubernetes itself has.

pub(crate) mod node;
pub(crate) mod pod;
pub(crate) mod secret;
pub(crate) mod service;
pub(crate) mod slice;
pub(crate) mod workload;

use std::collections::BTreeSet;

use steelyard_manifest::kinds::core as raw;
use steelyard_model::{Item, Secret, SecretValue};

use crate::findings::Findings;
use crate::metallb;

/// Where a ConfigMap says whom to believe, as Traefik looks for it.
const BELIEVED: [&str; 2] = ["ca.crt", "tls.ca"];

pub(crate) fn config_map(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::ConfigMap = findings.read_lenient()?;
    let data = raw.data.unwrap_or_default();
    metallb::config_map(&data, findings);
    let believed = data.into_iter().filter(|(key, _)| BELIEVED.contains(&key.as_str()));
    let data = believed.map(|(key, value)| (key, SecretValue::from(value.as_str()))).collect();
    let (object, kind) = (findings.object().clone(), String::new());
    Some(Item::ConfigMap(Box::new(Secret { object, kind, data, unreadable: BTreeSet::new() })))
}

pub(crate) fn namespace(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::Namespace = findings.read_lenient()?;
    let labels = raw.metadata.labels.unwrap_or_default();
    Some(Item::Namespace { object: findings.object().clone(), labels })
}
