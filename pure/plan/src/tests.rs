//! Manifests through the real loader, dialects and join, planned.

use std::sync::Arc;

use steelyard_dialects::{LowerOptions, lower};
use steelyard_manifest::{ReadLimits, Source, load};
use steelyard_model::Holdings;

use crate::{AnnouncementRow, Facts, Layer2Row, Plan, plan};
use steelyard_pipeline::{ResolveOptions, resolve};

mod announce;
mod bgp;
mod json;
mod node;

/// A pool of ten addresses that is announced everywhere.
const POOL: &str = "
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: pool, namespace: metallb-system}
spec: {addresses: [192.168.1.240-192.168.1.249]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: all, namespace: metallb-system}
";

fn facts(node: &str) -> Facts {
    Facts { node: node.into(), ..Facts::default() }
}

fn planned(yaml: &str, facts: &Facts) -> Plan {
    let loaded = load(&Source::new("test.yaml", yaml.as_bytes()), &ReadLimits::default());
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let mut items = Vec::new();
    for lowered in loaded.objects.iter().map(|it| lower(it, &LowerOptions::default())) {
        assert!(!lowered.items.is_empty(), "{:?}", lowered.diagnostics);
        items.extend(lowered.items.into_iter().map(Arc::new));
    }
    plan(&resolve(&items, &ResolveOptions::default()), &Holdings::default(), facts)
}

/// All documents as one file.
fn file(documents: &[&str]) -> String {
    documents.join("\n---\n")
}

/// A Service that leads to one endpoint; `spec` goes on after the type.
fn service(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{type: LoadBalancer, ports: [{{port: 80, targetPort: 8080}}]{spec}}}"
    )
}

fn node(name: &str, labels: &str) -> String {
    format!("apiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {{{labels}}}}}")
}

/// `conditions` is `ready: true` and the like.
fn slice(service: &str, endpoints: &[(&str, &str, &str)]) -> String {
    let endpoint = |(address, node, conditions): &(&str, &str, &str)| {
        format!("{{addresses: [{address}], nodeName: {node}, conditions: {{{conditions}}}}}")
    };
    let list: Vec<_> = endpoints.iter().map(endpoint).collect();
    format!(
        "apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {service}-1, labels: {{kubernetes.io/service-name: {service}}}}}
addressType: IPv4
ports: [{{port: 8080}}]
endpoints: [{}]",
        list.join(", ")
    )
}

fn layer2(plan: &Plan) -> Vec<&Layer2Row> {
    let of_lan = plan.announcements.values().filter_map(|row| match row {
        AnnouncementRow::Layer2(row) => Some(row),
        AnnouncementRow::Bgp(_) => None,
    });
    of_lan.collect()
}

/// `address service owner[ then standbys][ on interfaces]` of each announcement.
fn announcements(plan: &Plan) -> Vec<String> {
    let line = |row: &Layer2Row| {
        let mut line = format!("{} {} ", row.address, row.service);
        line += row.owner.as_deref().unwrap_or("nobody");
        if !row.standbys.is_empty() {
            line += &format!(" then {}", row.standbys.join(" "));
        }
        if !row.interfaces.is_empty() {
            line += &format!(" on {}", row.interfaces.join(" "));
        }
        line
    };
    layer2(plan).into_iter().map(line).collect()
}

/// Codes of what is said about `service`.
fn codes(plan: &Plan, service: &str) -> Vec<&'static str> {
    let about = |it: &&steelyard_model::Diagnostic| {
        it.object.as_ref().is_some_and(|object| object.id().to_string() == service)
    };
    plan.diagnostics.iter().filter(about).map(|it| it.code.as_str()).collect()
}
