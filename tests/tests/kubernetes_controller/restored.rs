//! An API server whose store is put back to what it was before, while controller and speaker run:
//! what it has then is what there is.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use steelyard_tests::cluster::{self, Blueprint, Cluster};
use steelyard_tests::manifests::Echo;
use steelyard_tests::needs_cluster;
use steelyard_tests::roles::{self, Speakers, configure, is_answered};

use super::replica::{Replica, create, patch, path, served, told, until_told};

/// Objects that are made after the backup: versions are to be far from those that it has.
const SINCE: usize = 300;
const NODE: &str = "node-1";

/// The address of pool `lan` with this number.
fn nth(number: u8) -> String {
    format!("10.2.0.{}", 200 + number)
}

fn until_answered(cluster: &Cluster, number: u8, expected: bool) -> Result<()> {
    let vip: IpAddr = nth(number).parse()?;
    let what = format!("{vip} to be {}", if expected { "answered" } else { "withdrawn" });
    cluster::until(&what, || is_answered(cluster, vip).is_ok_and(|it| it == expected))
}

#[test]
fn a_store_put_back_from_a_backup_is_believed_and_moves_nothing() -> Result<()> {
    needs_cluster!();
    let mut cluster = Cluster::start(&Blueprint { name: "restored", nodes: 1, images: &[] })?;
    configure(&cluster)?;
    cluster.apply(&Echo::EachNode.workload())?;
    cluster.wait_for_pods("default", "app=echo", 1)?;
    let mut replica = Replica::start(&cluster, "c-1", 9181, &[])?;
    let mut speakers = Speakers::default();
    speakers.start(&cluster, NODE, &[])?;
    roles::wait_until_ready(&cluster, NODE)?;
    for (number, name) in (0..).zip(["stays", "returns", "stays-too"]) {
        create(&cluster, &served(name))?;
        until_told(&cluster, &replica, name, &[&nth(number)])?;
    }
    cluster.back_up()?;
    let then = told(&cluster);

    // What happens then never was.
    for (number, name) in (3..).zip(["vanishes", "vanishes-too"]) {
        create(&cluster, &served(name))?;
        until_told(&cluster, &replica, name, &[&nth(number)])?;
    }
    let gone = cluster.api().send("DELETE", &path("returns"), "")?;
    ensure!(gone.status == 200, "{gone:?}");
    create(&cluster, &served("heir"))?;
    until_told(&cluster, &replica, "heir", &[&nth(1)])?;
    let label = json!({ "metadata": { "labels": { "a": "b" } } });
    patch(&cluster, &path("stays"), "kubectl", &label)?;
    cluster.api().create_many(SINCE, |at| {
        let name = format!("since-{at}");
        let object = json!({ "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": name }, "data": {} });
        ("/api/v1/namespaces/default/configmaps".to_owned(), object)
    })?;
    until_answered(&cluster, 3, true)?;

    cluster.restore()?;
    // What vanished gives its address back, and is answered for no more.
    until_answered(&cluster, 3, false)?;
    until_answered(&cluster, 4, false)?;
    for number in 0..3 {
        until_answered(&cluster, number, true)?;
    }
    cluster::until("a controller to lead again", || replica.leads())
        .with_context(|| replica.running.printed())?;
    create(&cluster, &served("new"))?;
    until_told(&cluster, &replica, "new", &[&nth(3)])?;
    until_answered(&cluster, 3, true)?;
    let mut now = told(&cluster);
    now.remove("new");
    ensure!(now == then, "moved or written again:\n{then:#?}\n{now:#?}");

    // It goes on from there as it always does.
    let gone = cluster.api().send("DELETE", &path("stays"), "")?;
    ensure!(gone.status == 200, "{gone:?}");
    until_answered(&cluster, 0, false)?;
    ensure!(replica.running.stop()?.success(), "{}", replica.running.printed());
    speakers.stop()?;
    cluster.stop()
}
