//! EndpointSlices as manifests, for a folder that `up` reads.

use steelyard_model::{EndpointSlice, EndpointState, Family, Host, SliceEndpoint};

/// The slices as YAML documents.
///
/// Only what [`super::slices`] makes: addresses, ready, one family per slice. Names are quoted,
/// because a namespace may well be called `on`.
pub fn print(slices: &[EndpointSlice]) -> String {
    slices.iter().map(document).collect()
}

fn document(slice: &EndpointSlice) -> String {
    let mut text = format!(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  \
         namespace: {:?}\n  name: {:?}\n  labels: {{kubernetes.io/service-name: {:?}}}\n\
         addressType: {}\nports:\n",
        slice.object.namespace,
        slice.object.name,
        slice.service.name,
        address_type(slice),
    );
    for port in &slice.ports {
        text.push_str(&format!("- {{name: {:?}, protocol: {}", port.name, port.protocol));
        if let Some(number) = port.port {
            text.push_str(&format!(", port: {number}"));
        }
        text.push_str("}\n");
    }
    text.push_str("endpoints:\n");
    for SliceEndpoint { host, state, node, .. } in &slice.endpoints {
        let ready = *state == EndpointState::Ready;
        text.push_str(&format!("- addresses: [\"{host}\"]\n  conditions: {{ready: {ready}}}\n"));
        if let Some(node) = node {
            text.push_str(&format!("  nodeName: {node:?}\n"));
        }
    }
    text
}

fn address_type(slice: &EndpointSlice) -> String {
    match slice.endpoints.first().map(|endpoint| &endpoint.host) {
        Some(Host::Ip(address)) => Family::of(*address).to_string(),
        Some(Host::Name(_)) => "FQDN".to_owned(),
        None => Family::V4.to_string(),
    }
}
