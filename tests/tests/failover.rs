//! Several nodes, one address: whatever happens to the owner, exactly the right node answers, and
//! nobody ever speaks out of turn ([`Run`]).

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use steelyard_tests::capture;
use steelyard_tests::lab::Lab;
use steelyard_tests::process::Running;
use steelyard_tests::run::{Owners, Run, VIPS, service};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::{binary, manifests, needs_lab, wait};

const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];

/// The owner of the first address.
fn first(owners: &Owners) -> String {
    owners[VIPS[0]].clone()
}

#[test]
fn a_dead_or_cut_owner_is_replaced_and_takes_nothing_back() -> Result<()> {
    needs_lab!();
    let run = Run::start(&[])?;
    // Each of these takes the owner away as the client sees it.
    let mut owner = first(&run.settle(&[])?);
    for fault in [&["kill"][..], &["stop"], &["cut"], &["cut", "--one-way", "out"]] {
        let order: Vec<&str> = fault.iter().copied().chain([owner.as_str()]).collect();
        run.lab.run(&order)?;
        let after = run.settle(&[&owner]).with_context(|| format!("{order:?}"))?;
        run.rejoin(&owner, &after).with_context(|| format!("after {order:?}"))?;
        owner = first(&after);
    }
    run.end()
}

/// A node that hears nothing, and is heard, is replaced, and says nothing any more: neither for
/// what it had nor for what others have.
#[test]
fn a_deaf_owner_is_replaced() -> Result<()> {
    needs_lab!();
    let run = Run::start(&[])?;
    let owner = first(&run.settle(&[])?);
    run.lab.run(&["cut", &owner, "--one-way", "in"])?;
    let apart = run.settle(&[&owner])?;
    run.lab.run(&["heal"])?;
    run.wait_for_calm(&NODES)?;
    let after = run.settle(&[])?;
    ensure!(after == apart, "{apart:?} became {after:?}");
    run.end()
}

#[test]
fn apart_each_side_has_an_owner_and_together_the_later_claim_wins() -> Result<()> {
    needs_lab!();
    let run = Run::start(&[])?;
    let owner = first(&run.settle(&[])?);
    let other = NODES.into_iter().find(|node| *node != owner).context("another node")?;
    run.lab.run(&["partition", &owner, other])?;
    let apart = run.settle(&[&owner, other])?;
    // Those on the far side hear each other, so they go on, and claim what the near side has.
    run.lab.run(&["heal"])?;
    run.wait_for_calm(&NODES)?;
    let healed = run.settle(&[])?;
    ensure!(first(&healed) == first(&apart), "the earlier claim won: {apart:?}, {healed:?}");
    run.end()
}

#[test]
fn who_was_stopped_does_not_answer_as_if_nothing_had_been() -> Result<()> {
    needs_lab!();
    let run = Run::start(&[])?;
    let owner = first(&run.settle(&[])?);
    run.lab.run(&["stop", &owner])?;
    let after = run.settle(&[&owner])?;
    // Questions wait in its queue while it does not run.
    for vip in VIPS {
        run.answer(vip)?;
    }
    run.lab.run(&["cont", &owner])?;
    run.wait_for_calm(&[&owner])?;
    ensure!(run.settle(&[])? == after, "{owner} went on, and took something back");
    run.end()
}

/// The check at the end of each run is worth something only if it can fail.
#[test]
fn a_frame_out_of_turn_is_noticed() -> Result<()> {
    needs_lab!();
    let run = Run::start(&[])?;
    let owner = first(&run.settle(&[])?);
    run.lab.run(&["kill", &owner])?;
    run.settle(&[&owner])?;
    let before = run.out_of_turn()?;
    ensure!(before.is_empty(), "{before:?}");
    capture::claim_by_arp(&run.lab.namespace(&format!("node-{owner}")), VIPS[0].parse()?)?;
    wait::until("the forged frame to be noticed", || {
        let wrong = run.out_of_turn().unwrap_or_default();
        wrong.iter().any(|it| it.contains(&format!("{owner} speaks for {}", VIPS[0])))
    })?;
    run.lab.stop()
}

#[test]
fn cut_heartbeats_make_no_second_owner() -> Result<()> {
    needs_lab!();
    let mut run = Run::start(&[])?;
    let before = run.settle(&[])?;
    let owner = first(&before);
    run.lab.run(&["cut", &owner, "--heartbeats"])?;
    // A standby has asked the LAN, and says why it does not take over.
    for vip in VIPS.into_iter().filter(|vip| before[vip] == owner) {
        run.lab.process.wait_for(&format!("{vip} has no owner, but "))?;
    }
    let after = run.settle(&[])?;
    ensure!(after == before, "{before:?} became {after:?}, though the LAN is intact");
    run.rejoin(&owner, &before)?;
    run.end()
}

/// One heartbeat in ten is lost on its way: far from five in a row.
#[test]
fn loss_moves_nothing() -> Result<()> {
    needs_lab!();
    const LOOKS: usize = 8;
    let run = Run::start(&[])?;
    let before = run.settle(&[])?;
    let epochs = run.epochs();
    run.lab.run(&["loss", &first(&before), "10"])?;
    for _ in 0..LOOKS {
        let after = run.settle(&[])?;
        ensure!(after == before, "{before:?} became {after:?}");
    }
    ensure!(run.epochs() == epochs, "{epochs:?} became {:?}", run.epochs());
    run.lab.run(&["heal"])?;
    run.end()
}

/// So much is lost that an owner may be missed for a while: it is replaced then, not fought over.
#[test]
fn heavy_loss_is_no_flapping_and_one_owner_is_left() -> Result<()> {
    needs_lab!();
    const LOOKS: usize = 8;
    let run = Run::start(&[])?;
    let epochs = run.epochs();
    run.lab.run(&["loss", &first(&run.settle(&[])?), "30"])?;
    for _ in 0..LOOKS {
        for vip in VIPS {
            run.answer(vip)?;
        }
    }
    run.lab.run(&["heal"])?;
    run.wait_for_calm(&NODES)?;
    run.settle(&[])?;
    for (vip, epoch) in run.epochs() {
        let changes = epoch - epochs.get(&vip).copied().unwrap_or_default();
        ensure!(changes <= 3, "{vip} changed its owner {changes} times");
    }
    run.lab.stop()
}

#[test]
fn all_that_start_at_once_agree() -> Result<()> {
    needs_lab!();
    let run = Run::start(&[])?;
    run.settle(&[])?;
    let epochs = run.epochs();
    for node in NODES {
        run.lab.run(&["kill", node])?;
    }
    for vip in VIPS {
        ensure!(run.answer(vip)?.is_empty(), "somebody answers for {vip}, though none runs");
    }
    run.lab.run(&["heal"])?;
    run.wait_for_calm(&NODES)?;
    let after = run.settle(&[])?;
    ensure!(run.settle(&[])? == after, "it goes on moving");
    // Each knows from its disk how far epochs had come.
    for (vip, epoch) in run.epochs() {
        ensure!(epoch > epochs[&vip], "{vip}: {epochs:?}, then {epoch}");
    }
    run.end()
}

/// From another subnet everything goes through the router, whose neighbour table is not asked to
/// forget anything.
#[test]
fn a_visitor_behind_the_router_follows() -> Result<()> {
    needs_lab!();
    let run = Run::start(&[])?;
    let urls = VIPS.map(|vip| manifests::url(vip, 80));
    for url in &urls {
        visit(&run.lab, url)?;
    }
    let owner = first(&run.settle(&[])?);
    run.lab.run(&["cut", &owner])?;
    let after = run.settle(&[&owner])?;
    for vip in VIPS {
        let mac = run.lab.mac(&after[vip])?;
        wait::until(&format!("the router to know where {vip} is"), || {
            let shown = run.lab.on("router", &["ip", "neigh", "show", "to", vip]);
            shown.is_ok_and(|shown| String::from_utf8_lossy(&shown.stdout).contains(&mac))
        })?;
    }
    for url in &urls {
        visit(&run.lab, url)?;
    }
    run.rejoin(&owner, &after)?;
    for url in &urls {
        visit(&run.lab, url)?;
    }
    run.end()
}

fn visit(lab: &Lab, url: &str) -> Result<()> {
    let output = lab.on("visitor", &["curl", "-sS", "-g", "-m", "5", "--noproxy", "*", url])?;
    let content = String::from_utf8_lossy(&output.stdout);
    ensure!(content.contains("name:    test-app\n"), "{url}: {output:?}");
    Ok(())
}

#[test]
fn a_planned_leave_hands_over() -> Result<()> {
    needs_lab!();
    let run = Run::start(&[])?;
    let owner = first(&run.settle(&[])?);
    run.lab.run(&["leave", &owner])?;
    let after = run.settle(&[&owner])?;
    wait_for_life(&run.lab, &owner, "left")?;
    run.rejoin(&owner, &after)?;
    run.end()
}

fn wait_for_life(lab: &Lab, node: &str, life: &str) -> Result<()> {
    wait::until(&format!("{node} to be {life}"), || {
        let view = lab.show().unwrap_or_default();
        let nodes = view["nodes"].as_array().cloned().unwrap_or_default();
        nodes.iter().any(|it| it["name"] == node && it["life"] == life)
    })
}

/// A new connection each two milliseconds, through one leave after the other: to a forwarded
/// Service over either family, and to the gateway.
#[test]
fn planned_leaves_fail_and_break_no_connection() -> Result<()> {
    needs_lab!();
    for vip in [VIPS[0], VIPS[1], GATEWAY] {
        leave_by_turns(vip).with_context(|| vip.to_owned())?;
    }
    Ok(())
}

/// What the gateway gets when it comes second.
const GATEWAY: &str = "10.1.1.101";

fn leave_by_turns(vip: &str) -> Result<()> {
    const ROUNDS: usize = 3;
    let run = Run::start(&[])?;
    run.folder.write("gateway.yaml", &manifests::gateway("web"))?;
    let mut owner = run.owner(vip, &[])?;
    let url = manifests::url(vip, 80);
    let mut watch =
        Running::start(run.lab.command(&["watch", &url, "--every", "2", "-o", "json"]))?;
    watch.wait_for("watching")?;
    for _ in 0..ROUNDS {
        run.lab.run(&["leave", &owner])?;
        let next = run.owner(vip, &[&owner])?;
        wait_for_life(&run.lab, &owner, "left")?;
        run.lab.run(&["heal", &owner])?;
        run.wait_for_calm(&NODES)?;
        owner = next;
    }
    watch.stop()?;
    let printed = watch.printed();
    let summary = printed.lines().rfind(|line| line.contains("\"summary\""));
    let summary: Value = serde_json::from_str(summary.context("no summary")?)?;
    ensure!(summary["answered"].as_u64() > Some(100), "{summary}");
    ensure!(summary["failed"] == 0 && summary["broken"] == 0, "{printed}");
    run.end()
}

/// With more than 16 nodes they do not all hear each other's heartbeats any more (SWIM).
#[test]
fn twenty_nodes_agree_and_replace_their_owner() -> Result<()> {
    needs_lab!();
    let run = Run::start(&["--nodes", "20"])?;
    ensure!(run.nodes().len() == 20);
    let owner = first(&run.settle(&[])?);
    run.lab.run(&["kill", &owner])?;
    let next = run.settle(&[&owner])?;
    run.rejoin(&owner, &next)?;
    let owner = first(&next);
    run.lab.run(&["leave", &owner])?;
    let last = run.settle(&[&owner])?;
    wait_for_life(&run.lab, &owner, "left")?;
    run.rejoin(&owner, &last)?;
    run.end()
}

/// What keepalived does today: two boxes, one folder.
#[test]
fn two_boxes_follow_one_folder_and_one_survives() -> Result<()> {
    needs_lab!();
    let folder = Scratch::new()?;
    folder.write("all.yaml", &service())?;
    let lab = Lab::start_with(Some(folder.path()), &["--nodes", "2"])?;
    // The gateway's, because replicas are played only for Services that are there at the start.
    folder.write("second.yaml", &manifests::gateway("second"))?;
    let second = ["10.1.1.101", "fd00:1:1::101"];
    for vip in second {
        wait::until(&format!("an owner of {vip}"), || {
            lab.who_has(vip.parse().expect("an address")).is_ok_and(|who| who.len() == 1)
        })?;
    }
    lab.run(&["kill", "node-1"])?;
    let survivor = BTreeSet::from([lab.mac("node-2")?]);
    for vip in VIPS.into_iter().chain(second) {
        wait::until(&format!("node-2 to answer for {vip}"), || {
            lab.who_has(vip.parse().expect("an address")).is_ok_and(|who| who == survivor)
        })?;
    }
    for vip in second {
        let (status, _) = lab.curl(&[&manifests::url(vip, 80)])?;
        ensure!(status == 404, "the gateway answers, and has no route: {status}");
    }
    lab.stop()
}

#[test]
fn bad_orders_are_one_line_with_the_fix() -> Result<()> {
    needs_lab!();
    let lab = Lab::start_with(Some(&binary::example("first-service")), &["--nodes", "2"])?;
    lab.run(&["kill", "node-1"])?;
    for (order, expected) in [
        (&["kill", "node-9"][..], "there are node-1, node-2"),
        (&["kill", "node-1"], "node-1 is killed; `lab heal node-1` starts it again"),
        (&["cont", "node-2"], "node-2 is not stopped"),
        (&["partition", "node-3"], "there are node-1, node-2"),
    ] {
        let output = lab.command(order).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(!output.status.success(), "{order:?} succeeds");
        ensure!(said.contains(expected) && said.lines().count() == 1, "{order:?}: {said}");
    }
    lab.stop()
}
