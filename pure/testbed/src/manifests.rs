//! Objects as users write them, through the real loader and dialects.

use std::sync::Arc;

use steelyard_dialects::{LowerOptions, lower};
use steelyard_manifest::{ReadLimits, Source, load};
use steelyard_model::Item;

/// The items that `yaml` lowers to. The text must be in order.
pub fn items(yaml: &str) -> Vec<Arc<Item>> {
    items_read(yaml, &LowerOptions::default())
}

/// The same of objects that are read so.
pub fn items_read(yaml: &str, how: &LowerOptions) -> Vec<Arc<Item>> {
    let loaded = load(&Source::new("test.yaml", yaml.as_bytes()), &ReadLimits::default());
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let mut items = Vec::new();
    for lowered in loaded.objects.iter().map(|it| lower(it, how)) {
        items.extend(lowered.items.into_iter().map(Arc::new));
    }
    items
}

/// All documents as one file.
pub fn file(documents: &[&str]) -> String {
    documents.join("\n---\n")
}

/// A Service that leads to one endpoint; `spec` goes on after the type.
pub fn service(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{type: LoadBalancer, ports: [{{port: 80, targetPort: 8080}}]{spec}}}"
    )
}

/// A Node; `labels` is `a: b, c: d`.
pub fn node(name: &str, labels: &str) -> String {
    format!("apiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {{{labels}}}}}")
}

/// A Service's endpoints: address, node, and conditions as `ready: true` and the like.
pub fn slice(service: &str, endpoints: &[(&str, &str, &str)]) -> String {
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

/// A Secret of type `kubernetes.io/tls` for `other.homelab.local` and `*.apps.homelab.local`.
pub fn tls_secret(name: &str) -> String {
    let chain = include_str!("material/other.crt");
    let key = include_str!("material/other.key");
    format!(
        "---\n{{apiVersion: v1, kind: Secret, metadata: {{name: {name}}}, type: kubernetes.io/tls, \
         stringData: {{tls.crt: {chain:?}, tls.key: {key:?}}}}}\n"
    )
}
