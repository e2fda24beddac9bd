//! `discovery.k8s.io/v1` EndpointSlice, and `v1` Endpoints as one slice per subset.

use std::sync::Arc;

use steelyard_manifest::kinds::core::{EndpointAddress, EndpointSubset, Endpoints};
use steelyard_manifest::kinds::discovery as raw;
use steelyard_model::{
    EndpointSlice, EndpointState, FieldPath, Host, Item, NamespacedName, Severity, SliceEndpoint,
    SlicePort, Zones,
};

use crate::codes;
use crate::findings::Findings;
use crate::swapped;

const SERVICE_LABEL: &str = "kubernetes.io/service-name";

pub(crate) fn lower(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::EndpointSlice = findings.read_lenient()?;
    let labels = raw.metadata.labels.unwrap_or_default();
    let Some(service) = labels.get(SERVICE_LABEL).filter(|name| !name.is_empty()) else {
        let annotations = raw.metadata.annotations.unwrap_or_default();
        swapped::label_as_annotation(SERVICE_LABEL, &annotations, findings);
        findings.say(
            Severity::Warning,
            codes::SLICE_WITHOUT_SERVICE,
            &FieldPath::from("metadata.labels"),
            format!("the label {SERVICE_LABEL} is missing, so these endpoints are nobody's"),
            format!("add the label `{SERVICE_LABEL}: NAME` with the name of the Service"),
        );
        return None;
    };
    let names = raw.address_type.as_deref() == Some("FQDN");
    let path = FieldPath::from("endpoints");
    let mut endpoints: Vec<SliceEndpoint> = Vec::new();
    for (index, endpoint) in raw.endpoints.iter().flatten().enumerate() {
        // All addresses of one endpoint are the same pod; the first one stands for it.
        let Some(text) = endpoint.addresses.iter().flatten().next() else { continue };
        let path = path.index(index).key("addresses").index(0);
        let host = if names {
            Some(Host::Name(Arc::from(text.to_ascii_lowercase())))
        } else {
            findings.address(&path, text).map(Host::Ip)
        };
        let node = endpoint.node_name.as_deref().map(Arc::from);
        let state = state(endpoint.conditions.as_ref());
        let zones = endpoint.hints.as_ref().and_then(zones);
        endpoints.extend(host.map(|host| SliceEndpoint { host, state, node, zones }));
    }
    Some(Item::EndpointSlice(Arc::new(EndpointSlice {
        object: findings.object().clone(),
        service: NamespacedName::new(findings.object().namespace.clone(), service.as_str()),
        ports: ports(raw.ports.as_deref(), &FieldPath::from("ports"), findings),
        endpoints,
    })))
}

pub(crate) fn endpoints(findings: &mut Findings<'_>) -> Vec<Item> {
    let Some(raw) = findings.read_lenient::<Endpoints>() else { return Vec::new() };
    let path = FieldPath::from("subsets");
    let subsets = raw.subsets.unwrap_or_default();
    let mut items = Vec::new();
    for (index, written) in subsets.iter().enumerate() {
        let subset = subset(written, &path.index(index), findings);
        items.push(Item::EndpointSlice(Arc::new(subset)));
    }
    items
}

fn subset(
    written: &EndpointSubset,
    path: &FieldPath,
    findings: &mut Findings<'_>,
) -> EndpointSlice {
    let mut endpoints: Vec<SliceEndpoint> = Vec::new();
    let mut add = |list: Option<&[EndpointAddress]>, name, state| {
        for (index, entry) in list.unwrap_or_default().iter().enumerate() {
            let path = path.key(name).index(index).key("ip");
            let address = findings.address(&path, entry.ip.as_deref().unwrap_or_default());
            let node = entry.node_name.as_deref().map(Arc::from);
            endpoints.extend(address.map(|address| SliceEndpoint {
                host: Host::Ip(address),
                state,
                node,
                zones: None,
            }));
        }
    };
    add(written.addresses.as_deref(), "addresses", EndpointState::Ready);
    add(written.not_ready_addresses.as_deref(), "notReadyAddresses", EndpointState::NotReady);
    EndpointSlice {
        object: findings.object().clone(),
        service: findings.id(),
        ports: ports(written.ports.as_deref(), &path.key("ports"), findings),
        endpoints,
    }
}

fn ports(
    written: Option<&[raw::EndpointPort]>,
    path: &FieldPath,
    findings: &mut Findings<'_>,
) -> Vec<SlicePort> {
    let mut ports = Vec::new();
    for (index, port) in written.unwrap_or_default().iter().enumerate() {
        let path = path.index(index);
        ports.push(SlicePort {
            name: port.name.clone().unwrap_or_default(),
            protocol: findings.protocol(&path.key("protocol"), port.protocol.as_deref()),
            port: port.port.and_then(|number| findings.port(&path.key("port"), number)),
        });
    }
    ports
}

/// The zones that hints name; none where they name none.
fn zones(hints: &raw::EndpointHints) -> Option<Zones> {
    let named = hints.for_zones.iter().flatten().filter_map(|zone| zone.name.as_deref());
    let named: Vec<Arc<str>> = named.map(Arc::from).collect();
    (!named.is_empty()).then(|| named.into())
}

/// An absent `ready` is yes, an absent `serving` is what `ready` is. One of the two is enough to
/// answer.
fn state(conditions: Option<&raw::EndpointConditions>) -> EndpointState {
    let ready = conditions.and_then(|conditions| conditions.ready).unwrap_or(true);
    let serving = conditions.and_then(|conditions| conditions.serving).unwrap_or(ready);
    let terminating = conditions.and_then(|conditions| conditions.terminating).unwrap_or(false);
    match (ready, serving) {
        (_, true) if terminating => EndpointState::Terminating,
        (true, _) => EndpointState::Ready,
        (false, true) => EndpointState::Serving,
        (false, false) => EndpointState::NotReady,
    }
}
