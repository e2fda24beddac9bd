//! Nodes' own addresses, in a pool that holds them.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use steelyard_tests::cluster::{self, Cluster};
use steelyard_tests::needs_cluster;

use super::counts;
use super::replica::{Replica, create, patch, service, start, told, until_told};

const NODES: &str = "/api/v1/nodes";

/// Adds a node that has `address`.
fn node(cluster: &Cluster, name: &str, address: &str) -> Result<()> {
    let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name } });
    let answer = cluster.api().send("POST", NODES, &node.to_string())?;
    ensure!(answer.status == 201, "{} {}", answer.status, answer.body);
    let addresses = json!([{ "type": "InternalIP", "address": address }]);
    let status = json!({ "status": { "addresses": addresses } });
    patch(cluster, &format!("{NODES}/{name}/status"), "kubelet", &status)
}

/// Waits until an event says so.
fn until_event(cluster: &Cluster, replica: &Replica, reason: &str, message: &str) -> Result<()> {
    let events = || cluster.api().get("/api/v1/namespaces/default/events").unwrap_or_default();
    cluster::until(reason, || {
        let events = events()["items"].as_array().cloned().unwrap_or_default();
        events.iter().any(|it| {
            it["reason"] == reason && it["message"].as_str().is_some_and(|it| it.contains(message))
        })
    })
    .with_context(|| format!("{}\n{}", events(), replica.running.printed()))
}

#[test]
fn a_nodes_own_address_is_given_to_no_service() -> Result<()> {
    needs_cluster!();
    let cluster = start("occupied", "192.0.2.1-192.0.2.4")?;
    node(&cluster, "a", "192.0.2.1")?;
    create(&cluster, &service("any"))?;
    let mut asks = service("asks");
    asks["spec"]["loadBalancerIP"] = json!("192.0.2.1");
    create(&cluster, &asks)?;
    let replica = Replica::start(&cluster, "c-1", 9181, &[])?;
    until_told(&cluster, &replica, "any", &["192.0.2.2"])?;
    let refused = "\"192.0.2.1\" is an address of node a";
    until_event(&cluster, &replica, "AllocationFailed", refused)?;
    ensure!(told(&cluster)["asks"].addresses.is_empty(), "{:?}", told(&cluster));
    cluster::until("the pool's counts", || {
        let counts = counts(&cluster);
        counts["assignedIPv4"] == 1 && counts["availableIPv4"] == 2
    })
    .with_context(|| counts(&cluster).to_string())?;

    // A node gets what a Service has: nothing moves, and it is told.
    node(&cluster, "b", "192.0.2.2")?;
    let occupied = "\"192.0.2.2\" is an address of node b";
    until_event(&cluster, &replica, "AddressOccupied", occupied)?;
    ensure!(replica.found().iter().any(|(code, _)| code == "address-of-machine"));
    ensure!(told(&cluster)["any"].addresses == ["192.0.2.2"], "{:?}", told(&cluster));

    // Who waits gets what no node has any more.
    cluster.kubectl(&["delete", "node", "a"])?;
    until_told(&cluster, &replica, "asks", &["192.0.2.1"])?;
    cluster.stop()
}
