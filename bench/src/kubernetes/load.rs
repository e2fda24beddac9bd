//! Thousands of objects into an API server, by several hands.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use steelyard_tests::cluster::Api;

/// Requests at a time.
const HANDS: usize = 8;

/// Creates `object(0)` … `object(count - 1)`, each at the path that goes with it.
pub(super) fn create(
    api: &Api,
    count: usize,
    object: impl Fn(usize) -> (String, Value) + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return Ok(());
            }
            let (path, object) = object(at);
            let answer = api.send("POST", &path, &object.to_string())?;
            ensure!(answer.status == 201, "{path}: {} {}", answer.status, answer.body);
        }
    };
    std::thread::scope(|scope| {
        let hands: Vec<_> = (0..HANDS).map(|_| scope.spawn(work)).collect();
        hands.into_iter().try_for_each(|hand| hand.join().expect("it does not panic"))
    })
}

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
