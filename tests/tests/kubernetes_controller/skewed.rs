//! Replicas and nodes whose clocks are wrong by hours, this way and that: who leads, who has which
//! address, and who answers for it are not asked of a clock.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use steelyard_tests::chart::NAMESPACE;
use steelyard_tests::cluster::{self, Blueprint, Cluster};
use steelyard_tests::manifests::Echo;
use steelyard_tests::needs_cluster;
use steelyard_tests::roles::{self, Speakers, configure, owner};

use super::replica::{Replica, create, served, told, until_told};

/// A quarter of what certificates of these clusters are good for, both ways.
const AHEAD: &str = "+9h";
const BEHIND: &str = "-9h";
const NODES: [&str; 2] = ["node-1", "node-2"];
const FIRST: &str = "10.2.0.200";
const SECOND: &str = "10.2.0.201";

/// When the lease was renewed, by the clock of who did it.
fn renewed(cluster: &Cluster) -> Result<String> {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases");
    let lease = cluster.api().get(&format!("{path}/steelyard-controller"))?;
    lease["spec"]["renewTime"].as_str().map(str::to_owned).context("a lease that is held")
}

/// The time as it is, so much later, to the second.
fn right(later: &str) -> Result<String> {
    let asked = ["-u", "-d", later, "+%Y-%m-%dT%H:%M:%S"];
    let output = std::process::Command::new("date").args(asked).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// For longer than a lease stands, one leads and the other one does not.
fn leads_on(leads: &Replica, other: &Replica) -> Result<()> {
    for _ in 0..20 {
        ensure!(!other.leads(), "{}", other.running.printed());
        std::thread::sleep(Duration::from_millis(500));
    }
    ensure!(leads.leads(), "{}", leads.running.printed());
    Ok(())
}

/// Waits until one node answers for the address, and all say so; which.
fn settled(cluster: &Cluster, nodes: &[&str], vip: IpAddr) -> Result<String> {
    let mut seen = Vec::new();
    let mut at = None;
    cluster::until(&format!("{nodes:?} to agree on {vip}"), || {
        let _ = cluster.fetch(cluster.client(), &format!("http://{vip}/"));
        at = owner(cluster, vip);
        let state = |node: &&str| roles::state(cluster, node, &vip.to_string());
        seen = nodes.iter().map(state).collect();
        let says = |(node, state): (&&str, &Option<String>)| {
            let is_owner = at.as_deref() == Some(*node);
            state.as_deref() == Some(if is_owner { "announced" } else { "standby" })
        };
        nodes.iter().zip(&seen).all(says) && at.as_ref().is_some_and(|at| nodes.contains(&&**at))
    })
    .with_context(|| format!("{seen:?}"))?;
    at.context("somebody has it")
}

#[test]
fn clocks_that_are_wrong_by_hours_change_nothing() -> Result<()> {
    needs_cluster!();
    let cluster = Cluster::start(&Blueprint { name: "skewed", nodes: 2, images: &[] })?;
    configure(&cluster)?;
    cluster.apply(&Echo::EachNode.workload())?;
    cluster.wait_for_pods("default", "app=echo", 2)?;

    // Who is ahead leads. By the clock of the other its lease is good for nine hours more; that one
    // leads all the same, once it sees no more of it.
    let mut ahead = Replica::start_at(&cluster, "ahead", 9181, AHEAD)?;
    ahead.wait_leads()?;
    ensure!(renewed(&cluster)? > right("8 hours")?, "its clock is right: {}", renewed(&cluster)?);
    let mut right_one = Replica::start(&cluster, "right", 9182, &[])?;
    right_one.wait_ready()?;
    create(&cluster, &served("first"))?;
    until_told(&cluster, &ahead, "first", &[FIRST])?;
    leads_on(&ahead, &right_one)?;
    ahead.running.kill()?;
    right_one.wait_leads()?;

    // Who is behind leads by a lease that was over, by the other's clock, before it was written.
    let behind = Replica::start_at(&cluster, "behind", 9183, BEHIND)?;
    behind.wait_ready()?;
    right_one.running.kill()?;
    behind.wait_leads()?;
    ensure!(renewed(&cluster)? < right("-8 hours")?, "its clock is right: {}", renewed(&cluster)?);
    let other = Replica::start(&cluster, "other", 9184, &[])?;
    leads_on(&behind, &other)?;
    create(&cluster, &served("second"))?;
    until_told(&cluster, &behind, "second", &[SECOND])?;
    ensure!(told(&cluster)["first"].addresses == [FIRST], "{:?}", told(&cluster));

    speakers(&cluster)?;
    cluster.stop()
}

/// Two nodes, eighteen hours apart.
fn speakers(cluster: &Cluster) -> Result<()> {
    let mut speakers = Speakers::default();
    let clocks = [AHEAD, BEHIND];
    for (node, clock) in NODES.into_iter().zip(clocks) {
        speakers.start_at(cluster, node, Some(clock), &[])?;
    }
    NODES.iter().try_for_each(|node| roles::wait_until_ready(cluster, node))?;
    let vips: [IpAddr; 2] = [FIRST.parse()?, SECOND.parse()?];
    let owners = vips.map(|vip| settled(cluster, &NODES, vip));
    let owners = owners.into_iter().collect::<Result<BTreeSet<String>>>()?;
    for (node, clock) in NODES.into_iter().zip(clocks) {
        // Whoever is left has all of them; whoever is back is heard, and takes nothing by itself.
        speakers.on(node)?.kill()?;
        let left = NODES.into_iter().find(|it| *it != node).context("another")?;
        vips.into_iter().try_for_each(|vip| settled(cluster, &[left], vip).map(drop))?;
        speakers.start_at(cluster, node, Some(clock), &[])?;
        roles::wait_until_ready(cluster, node)?;
        vips.into_iter().try_for_each(|vip| settled(cluster, &NODES, vip).map(drop))?;
    }
    ensure!(!owners.is_empty());
    speakers.stop()
}
