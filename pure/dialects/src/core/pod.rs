//! `v1` Pod.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use steelyard_manifest::kinds::core as raw;
use steelyard_model::{EndpointState, FieldPath, Item, Pod, Protocol};

use crate::findings::Findings;

pub(crate) fn lower(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::Pod = findings.read_lenient()?;
    let spec = raw.spec.unwrap_or_default();
    let status = raw.status.unwrap_or_default();
    let finished = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    let ready = is_ready(&status);
    let state = match (ready, raw.metadata.deletion_timestamp.is_some()) {
        (true, false) => EndpointState::Ready,
        (true, true) => EndpointState::Terminating,
        (false, _) => EndpointState::NotReady,
    };
    let ports = ports(&spec, findings);
    let pod = Pod {
        id: findings.id(),
        object: findings.object().clone(),
        labels: raw.metadata.labels.unwrap_or_default(),
        // What has run to its end has given its address back.
        addresses: if finished { Vec::new() } else { addresses(&status, findings) },
        state,
        node: spec.node_name.map(Arc::from),
        named_ports: named_ports(ports),
    };
    Some(Item::Pod(Arc::new(pod)))
}

/// Container ports of a pod, with their names; sidecars (init containers that stay) included.
pub(crate) fn ports(
    spec: &raw::PodSpec,
    findings: &mut Findings<'_>,
) -> Vec<(Option<String>, Protocol, u16)> {
    let sidecars = spec.init_containers.iter().flatten();
    let sidecars =
        sidecars.filter(|container| container.restart_policy.as_deref() == Some("Always"));
    let containers = spec.containers.iter().flatten().chain(sidecars);
    // The place of a port inside a container is of no interest to anybody: the object is.
    let path = FieldPath::root();
    let mut ports = Vec::new();
    for written in containers.flat_map(|container| container.ports.iter().flatten()) {
        let protocol = findings.protocol(&path, written.protocol.as_deref());
        let Some(number) = written.container_port else { continue };
        if let Some(port) = findings.port(&path, number) {
            ports.push((written.name.clone(), protocol, port));
        }
    }
    ports
}

fn named_ports(ports: Vec<(Option<String>, Protocol, u16)>) -> BTreeMap<String, u16> {
    let mut named = BTreeMap::new();
    for (name, _, port) in ports {
        if let Some(name) = name {
            named.entry(name).or_insert(port);
        }
    }
    named
}

/// The condition `Ready`; a pod written by hand, without conditions, counts as ready.
fn is_ready(status: &raw::PodStatus) -> bool {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    match conditions.iter().find(|condition| condition.kind.as_deref() == Some("Ready")) {
        Some(condition) => condition.status.as_deref() == Some("True"),
        None => conditions.is_empty() && matches!(status.phase.as_deref(), None | Some("Running")),
    }
}

fn addresses(status: &raw::PodStatus, findings: &mut Findings<'_>) -> Vec<IpAddr> {
    let path = FieldPath::from("status");
    let several = status.pod_ips.as_deref().unwrap_or_default();
    if several.is_empty() {
        let single = status.pod_ip.as_deref().filter(|text| !text.is_empty());
        return single
            .and_then(|text| findings.address(&path.key("podIP"), text))
            .into_iter()
            .collect();
    }
    several
        .iter()
        .enumerate()
        .filter_map(|(index, entry)| {
            let path = path.key("podIPs").index(index).key("ip");
            findings.address(&path, entry.ip.as_deref().unwrap_or_default())
        })
        .collect()
}
