//! Faults of a segment that heartbeats do not tell of: they are cut and the LAN is not, a node is
//! heard and deaf, all wires are dark at once, two nodes leave together, a node is somewhere else
//! on the segment than a moment ago. Whatever happens, two that speak for one address settle it
//! within the dead time.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use steelyard_host::netns::{self, Namespace};
use steelyard_tests::process::Running;
use steelyard_tests::run::{Owners, Run, VIPS};
use steelyard_tests::{manifests, needs_lab, wait};

const NODES: [&str; 4] = ["node-1", "node-2", "node-3", "node-4"];
/// Heartbeats each 100 ms, 5 of which may be missing; and how late a busy machine may be.
const DEAD: Duration = Duration::from_millis(500 + 200);

fn start() -> Result<Run> {
    let mut run = Run::start(&["--nodes", "4"])?;
    run.forgive(DEAD);
    Ok(run)
}

fn first(owners: &Owners) -> String {
    owners[VIPS[0]].clone()
}

/// Cuts heartbeats, kills an owner, and waits for one other; then all is well again.
fn kill_behind(cut: &[&str], hurt: &[&str]) -> Result<()> {
    let run = start()?;
    for node in hurt {
        let order: Vec<&str> = ["cut", node, "--heartbeats"].iter().chain(cut).copied().collect();
        run.lab.run(&order)?;
    }
    let owner = first(&run.settle(&[])?);
    run.lab.run(&["kill", &owner])?;
    let after = run.settle(&[&owner])?;
    run.lab.run(&["heal"])?;
    run.wait_for_calm(&NODES)?;
    let healed = run.settle(&[])?;
    ensure!(first(&healed) == first(&after) || !cut.is_empty(), "{after:?} became {healed:?}");
    run.end()
}

#[test]
fn with_no_heartbeats_at_all_a_kill_leaves_one_owner() -> Result<()> {
    needs_lab!();
    kill_behind(&[], &NODES)
}

#[test]
fn with_heartbeats_cut_one_way_a_kill_leaves_one_owner() -> Result<()> {
    needs_lab!();
    for way in ["in", "out"] {
        kill_behind(&["--one-way", way], &["node-2", "node-3"]).context(way)?;
    }
    Ok(())
}

#[test]
fn a_deaf_node_says_nothing_for_what_others_have() -> Result<()> {
    needs_lab!();
    let mut run = start()?;
    let owners = run.settle(&[])?;
    let deaf = NODES.into_iter().find(|node| owners.values().all(|it| it != node));
    let deaf = deaf.context("each node owns something")?;
    run.forgive(Duration::ZERO);
    run.lab.run(&["cut", deaf, "--one-way", "in"])?;
    run.lab.process.wait_for(&format!("{deaf} | "))?;
    run.lab.process.wait_for("nothing at all is heard on eth0")?;
    ensure!(run.settle(&[])? == owners);
    run.rejoin(deaf, &owners)?;
    ensure!(!run.epochs().values().any(|epoch| *epoch > 1), "it claimed: {:?}", run.epochs());
    run.end()
}

/// Nothing gets in to any node, from one moment on, and all show a carrier: as behind a switch that
/// forwards nothing. Then all hear each other again.
#[test]
fn after_a_dark_switch_each_answers_for_what_it_had() -> Result<()> {
    needs_lab!();
    let run = start()?;
    let owners = run.settle(&[])?;
    let epochs = run.epochs();
    let order = [&["cut"], &NODES[..], &["--one-way", "in"]].concat();
    run.lab.run(&order)?;
    let silent = || VIPS.iter().all(|vip| run.answer(vip).is_ok_and(|who| who.is_empty()));
    wait::until("silence", silent)?;
    wait::until("all to be deaf", || {
        run.lab.process.printed().matches("nothing at all is heard on eth0").count() >= NODES.len()
    })?;
    run.lab.run(&["heal"])?;
    run.wait_for_calm(&NODES)?;
    let after = run.settle(&[])?;
    ensure!(after == owners, "{owners:?} became {after:?}");
    for (vip, epoch) in run.epochs() {
        ensure!(epoch <= epochs[&vip] + 1, "{vip} was fought over: {epoch} after {epochs:?}");
    }
    run.end()
}

/// Requests to an address from now on; what came of them, once stopped.
struct Watch(Running);

impl Watch {
    fn start(run: &Run, vip: &str) -> Result<Self> {
        let url = manifests::url(vip, 80);
        let mut watch =
            Running::start(run.lab.command(&["watch", &url, "--every", "2", "-o", "json"]))?;
        watch.wait_for("watching")?;
        Ok(Self(watch))
    }

    fn loses_nothing(mut self) -> Result<()> {
        self.0.stop()?;
        let printed = self.0.printed();
        let summary = printed.lines().rfind(|line| line.contains("\"summary\""));
        let summary: Value = serde_json::from_str(summary.context("no summary")?)?;
        ensure!(summary["answered"].as_u64() > Some(100), "{summary}");
        ensure!(summary["failed"] == 0 && summary["broken"] == 0, "{printed}");
        Ok(())
    }
}

/// To both families' addresses of a translated Service, until long after the leavers have ended.
#[test]
fn two_that_leave_at_once_lose_nothing() -> Result<()> {
    needs_lab!();
    let run = start()?;
    let owners = run.settle(&[])?;
    let one = first(&owners);
    let other = NODES.into_iter().find(|node| *node != one).context("another node")?;
    let watches = [Watch::start(&run, VIPS[0])?, Watch::start(&run, VIPS[1])?];
    std::thread::scope(|scope| {
        let leaves = [&*one, other].map(|node| scope.spawn(|| run.lab.run(&["leave", node])));
        leaves.into_iter().try_for_each(|leave| leave.join().expect("no panic").map(drop))
    })?;
    run.settle(&[&one, other])?;
    for node in [&*one, other] {
        wait::until(&format!("{node} to have left"), || {
            let view = run.lab.show().unwrap_or_default();
            let nodes = view["nodes"].as_array().cloned().unwrap_or_default();
            nodes.iter().any(|it| it["name"] == node && it["life"] == "left")
        })?;
    }
    watches.into_iter().try_for_each(Watch::loses_nothing)?;
    run.end()
}

fn node(run: &Run, name: &str) -> Result<Namespace> {
    Ok(Namespace::existing(&run.lab.namespace(&format!("node-{name}")))?)
}

/// Routes that go when an address does are put back by whoever changes it.
fn routes(node: &Namespace) -> Result<Vec<Vec<String>>> {
    let mut routes = Vec::new();
    for family in ["-4", "-6"] {
        let shown = node.output("ip", &[family, "route", "show"])?.stdout;
        for line in String::from_utf8_lossy(&shown).lines().filter(|line| line.contains(" via ")) {
            let words = line.split_whitespace().take_while(|it| *it != "proto" && *it != "metric");
            let words = ["-4", "route", "replace"].into_iter().chain(words);
            let mut words: Vec<String> = words.map(str::to_owned).collect();
            words[0] = family.to_owned();
            routes.push(words);
        }
    }
    Ok(routes)
}

fn put_back(node: &Namespace, routes: &[Vec<String>]) -> Result<()> {
    for route in routes {
        let words: Vec<&str> = route.iter().map(String::as_str).collect();
        node.ip(&words)?;
    }
    Ok(())
}

/// The owner goes on under another address of its own, and every node hears it there.
#[test]
fn a_node_whose_own_address_changes_keeps_what_it_has() -> Result<()> {
    needs_lab!();
    let run = start()?;
    let owners = run.settle(&[])?;
    let owner = first(&owners);
    let host = node(&run, &owner)?;
    let kept = routes(&host)?;
    let shown = host.output("ip", &["-4", "-o", "addr", "show", "dev", "eth0"])?.stdout;
    let shown = String::from_utf8_lossy(&shown).into_owned();
    let old = shown.split_whitespace().nth(3).context("no address")?;
    host.ip(&["addr", "del", old, "dev", "eth0"])?;
    host.ip(&["addr", "add", "10.1.1.77/24", "dev", "eth0"])?;
    put_back(&host, &kept)?;
    wait::until("others to hear it there", || {
        let steelyard = steelyard_tests::binary::steelyard().to_string_lossy();
        NODES.into_iter().filter(|it| *it != owner).all(|it| {
            let shown = run.lab.on(it, &[&steelyard, "get", "members"]);
            shown.is_ok_and(|shown| String::from_utf8_lossy(&shown.stdout).contains("10.1.1.77:"))
        })
    })?;
    let after = run.settle(&[])?;
    ensure!(after == owners, "{owners:?} became {after:?}");
    for vip in VIPS {
        let (status, _) = run.lab.curl(&[&manifests::url(vip, 80)])?;
        ensure!(status == 200, "{vip}: {status}");
    }
    run.end()
}

/// The owner's interface is deleted, and one of that name is plugged in again, with another
/// hardware address.
#[test]
fn an_interface_that_is_deleted_and_added_again_is_taken_up() -> Result<()> {
    needs_lab!();
    let mut run = start()?;
    let owner = first(&run.settle(&[])?);
    let host = node(&run, &owner)?;
    let kept = routes(&host)?;
    let shown = host.output("ip", &["-o", "addr", "show", "dev", "eth0", "scope", "global"])?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let addresses: Vec<&str> =
        shown.lines().filter_map(|line| line.split_whitespace().nth(3)).collect();
    host.ip(&["link", "del", "eth0"])?;
    let after = run.settle(&[&owner])?;
    let (inside, switch) = (host.name(), run.lab.namespace("switch"));
    let plug = ["-n", &switch, "link", "add", "again", "type", "veth", "peer", "name", "eth0"];
    netns::ip(&[&plug[..], &["netns", inside]].concat())?;
    netns::ip(&["-n", &switch, "link", "set", "again", "master", "br0", "up"])?;
    host.ip(&["link", "set", "eth0", "up"])?;
    for address in addresses {
        host.ip(&["addr", "add", address, "dev", "eth0"])?;
    }
    put_back(&host, &kept)?;
    wait::until("it to be a member again", || {
        let steelyard = steelyard_tests::binary::steelyard().to_string_lossy();
        let shown = run.lab.on(&owner, &[&steelyard, "get", "members"]);
        shown.is_ok_and(|shown| {
            let up = String::from_utf8_lossy(&shown.stdout).matches(" up ").count();
            up == NODES.len()
        })
    })?;
    ensure!(run.settle(&[])? == after, "who comes back took something");
    run.learn(&owner)?;
    // It can take over as before.
    run.lab.run(&["kill", &first(&after)])?;
    run.settle(&[&first(&after)])?;
    run.end()
}
