//! Objects, thousands of which are to be there.

use serde_json::{Value, json};

/// A Service of type LoadBalancer, which needs no node ports.
pub(super) fn service(namespace: &str, name: &str, kind: &str) -> (String, Value) {
    let mut object = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": name },
        "spec": { "type": kind, "ports": [{ "port": 80 }] },
    });
    if kind == "LoadBalancer" {
        object["spec"]["allocateLoadBalancerNodePorts"] = json!(false);
    }
    (format!("/api/v1/namespaces/{namespace}/services"), object)
}

/// Its endpoints.
pub(super) fn slice(namespace: &str, service: &str, address: &str, port: u16) -> (String, Value) {
    let object = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "name": service, "labels": { "kubernetes.io/service-name": service } },
        "ports": [{ "port": port }],
        "endpoints": [{ "addresses": [address], "conditions": { "ready": true } }],
    });
    (format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"), object)
}
