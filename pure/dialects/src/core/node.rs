//! `v1` Node.

use std::net::IpAddr;

use steelyard_manifest::kinds::core as raw;
use steelyard_model::{FieldPath, Item, Node};

use crate::findings::Findings;
use crate::swapped;

const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

pub(crate) fn lower(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::Node = findings.read_lenient()?;
    let status = raw.status.unwrap_or_default();
    let labels = raw.metadata.labels.unwrap_or_default();
    let annotations = raw.metadata.annotations.unwrap_or_default();
    swapped::label_as_annotation(EXCLUDED, &annotations, findings);
    let addresses = status.addresses.unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let node = Node {
        name: findings.object().name.clone(),
        object: findings.object().clone(),
        excluded: labels.contains_key(EXCLUDED),
        labels,
        internal_ips: of_type("InternalIP", &addresses, findings),
        external_ips: of_type("ExternalIP", &addresses, findings),
        network_unavailable: conditions.iter().any(|condition| {
            condition.kind.as_deref() == Some("NetworkUnavailable")
                && condition.status.as_deref() == Some("True")
        }),
    };
    Some(Item::Node(Box::new(node)))
}

fn of_type(kind: &str, addresses: &[raw::NodeAddress], findings: &mut Findings<'_>) -> Vec<IpAddr> {
    let path = FieldPath::from("status.addresses");
    addresses
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.kind.as_deref() == Some(kind))
        .filter_map(|(index, entry)| {
            let path = path.index(index).key("address");
            findings.address(&path, entry.address.as_deref().unwrap_or_default())
        })
        .collect()
}
