//! What is asked for on the command line works in the mode that it is asked for in, or is refused:
//! alone or with others, with privileges or without, allowed to announce or not.

use anyhow::{Result, ensure};
use steelyard_host::netns::Segment;
use steelyard_tests::lab::{Lab, who_has};
use steelyard_tests::process::Running;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::{binary, capture, manifests, needs_lab, wait};

/// Options of `up` that nothing would come of, and what is missing.
const IDLE: &[(&[&str], &str)] = &[
    (&["--heartbeat", "50"], "--heartbeat is for several machines"),
    (&["--missed-heartbeats", "3"], "--missed-heartbeats is for several machines"),
    (&["--compat-election"], "--compat-election is for several machines"),
    (&["--require-quorum"], "--require-quorum is for several machines"),
    (&["--lock-writer"], "--lock-writer is for several machines"),
    (&["--peer", "10.1.1.12"], "--peer is for several machines"),
    (&["--unprivileged", "--interface", "eth0"], "--interface has an effect only where"),
    (&["--unprivileged", "--ip-forward"], "--ip-forward has an effect only where"),
    (&["--unprivileged", "--fwmark", "0x4000"], "--fwmark has an effect only where"),
    (&["--unprivileged", "--vip-conflict", "withdraw"], "--vip-conflict has an effect only where"),
];

#[test]
fn options_that_nothing_would_come_of_are_refused() -> Result<()> {
    let folder = Scratch::new()?;
    for (options, expected) in IDLE {
        let mut up = binary::command(["up"]);
        let output = up.arg(folder.path()).args(*options).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(2), "{options:?}: {output:?}");
        ensure!(said.contains(expected) && said.lines().count() == 1, "{options:?}: {said}");
    }
    Ok(())
}

/// Three machines, two of which may announce nothing: they count for the majority all the same.
#[test]
fn nodes_that_may_announce_nothing_count_for_a_quorum() -> Result<()> {
    needs_lab!();
    let excluded = "labels: {node.kubernetes.io/exclude-from-external-load-balancers: \"\"}";
    let nodes = [("worker", ""), ("cp-1", excluded), ("cp-2", excluded)].map(|(name, labels)| {
        let metadata = [&format!("name: {name}"), labels].map(|it| it.to_owned());
        let metadata = metadata.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>();
        format!("apiVersion: v1\nkind: Node\nmetadata: {{{}}}\n", metadata.join(", "))
    });
    let folder = Scratch::new()?;
    let pool = manifests::pool(manifests::BOTH_FAMILIES);
    let all = [&nodes[0], &nodes[1], &nodes[2], &pool, &manifests::gateway("web")];
    folder.write("all.yaml", &manifests::all(&all.map(String::as_str)))?;
    let lab = Lab::start_with(Some(folder.path()), &["--", "--require-quorum"])?;
    let vip = "10.1.1.100".parse()?;
    let owned = || lab.who_has(vip).is_ok_and(|who| who == [lab.mac("worker").unwrap()].into());
    wait::until("the one that may to answer", owned)?;
    // One of three is no majority; two are.
    lab.run(&["kill", "cp-1"])?;
    lab.run(&["kill", "cp-2"])?;
    wait::until("silence", || lab.who_has(vip).is_ok_and(|who| who.is_empty()))?;
    lab.run(&["heal", "cp-2"])?;
    wait::until("it to answer again", owned)?;
    lab.stop()
}

/// One machine by itself, and another that claims its address after it was announced.
#[test]
fn a_single_machine_gives_up_what_another_claims_when_told_to() -> Result<()> {
    needs_lab!();
    let segment = Segment::create(&format!("steelyard-alone{}", std::process::id()))?;
    let node = segment.host("node", &["10.1.1.11/24"])?;
    let rival = segment.host("rival", &["10.1.1.12/24"])?;
    let client = segment.host("client", &["10.1.1.13/24"])?;
    let folder = Scratch::new()?;
    let pool = manifests::pool("10.1.1.100/32");
    folder.write("all.yaml", &manifests::all(&[&pool, &manifests::gateway("web")]))?;
    let mut up = node.command(&binary::steelyard().to_string_lossy());
    up.arg("up").arg(folder.path()).arg("--state-dir").arg(folder.file("state"));
    up.args(["--vip-conflict", "withdraw"]);
    let mut up = Running::start(up)?;
    up.wait_for("10.1.1.100 is announced on eth0")?;
    let (vip, own) = ("10.1.1.100".parse()?, node.output("cat", &["/sys/class/net/eth0/address"])?);
    let own = String::from_utf8_lossy(&own.stdout).trim().to_owned();
    // A claim in the first two seconds is a late answer to the probes, and believed anyway.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(3);
    wait::until("it to be sure of its address", || std::time::Instant::now() > until)?;
    ensure!(who_has(&client, vip)?.contains(&own));
    rival.ip(&["addr", "add", "10.1.1.100/32", "dev", "eth0"])?;
    capture::claim_by_arp(rival.name(), "10.1.1.100".parse()?)?;
    wait::until("it to be given up", || {
        who_has(&client, vip).is_ok_and(|who| !who.contains(&own))
    })?;
    up.wait_for("10.1.1.100 is no longer announced on eth0: ")?;
    ensure!(up.stop()?.success(), "{}", up.printed());
    Ok(())
}
