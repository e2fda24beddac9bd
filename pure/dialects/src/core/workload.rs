//! `apps/v1` Deployment, StatefulSet, DaemonSet: what would run pods.

use std::sync::Arc;

use steelyard_manifest::kinds::apps as raw;
use steelyard_model::{FieldPath, Item, Workload};

use crate::codes;
use crate::core::pod;
use crate::findings::Findings;

pub(crate) fn lower(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::Workload = findings.read_lenient()?;
    let spec = raw.spec.unwrap_or_default();
    let template = spec.template.unwrap_or_default();
    let daemon = &*findings.object().kind == "DaemonSet";
    let replicas = spec.replicas.filter(|_| !daemon).unwrap_or(1);
    if u32::try_from(replicas).is_err() {
        findings.invalid(
            codes::INVALID_VALUE,
            &FieldPath::from("spec.replicas"),
            format!("{replicas} is not a number of pods"),
            "use 0 or more",
        );
    }
    let workload = Workload {
        id: findings.id(),
        object: findings.object().clone(),
        labels: template.metadata.labels.unwrap_or_default(),
        replicas: u32::try_from(replicas).unwrap_or_default(),
        ports: pod::ports(&template.spec.unwrap_or_default(), findings),
    };
    Some(Item::Workload(Arc::new(workload)))
}
