//! What `steelyard up` sets on a host, and that it is gone afterwards.

use std::process::Command;

use anyhow::{Result, ensure};
use steelyard_host::netns::{Namespace, Segment};
use steelyard_tests::machine::Machine;
use steelyard_tests::process::Running;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::{binary, manifests, needs_lab, wait};

/// What could be changed, as the usual tools show it.
const LOOKS: &[&[&str]] = &[
    &["nft", "list", "ruleset"],
    &["ip", "rule"],
    &["ip", "-6", "rule"],
    &["ip", "route", "show", "table", "all"],
    &["ip", "-6", "route", "show", "table", "all"],
    &["ip", "-o", "addr"],
    &["sh", "-c", "grep -r . /proc/sys/net/ipv4/conf/*/rp_filter /proc/sys/net/ipv4/ip_forward"],
    &["sh", "-c", "grep -r . /proc/sys/net/ipv4/conf/*/src_valid_mark"],
    &["sh", "-c", "grep -r . /proc/sys/net/ipv6/conf/*/forwarding"],
];

fn state(node: &Namespace) -> Result<String> {
    let mut state = String::new();
    for look in LOOKS {
        let output = node.output(look[0], &look[1..])?;
        state += &format!("--- {look:?}\n{}", String::from_utf8_lossy(&output.stdout));
    }
    Ok(state)
}

fn up(node: &Namespace, folder: &Scratch) -> Result<Running> {
    let mut command: Command = node.command(&binary::steelyard().to_string_lossy());
    command.arg("up").arg(binary::example("homelab")).args(["--node", "worker-1"]);
    command.arg("--lock").arg(folder.file("steelyard.lock"));
    command.arg("--state-dir").arg(folder.file("state"));
    let up = Running::start(command)?;
    wait::until("what it sets", || {
        state(node).is_ok_and(|state| state.contains("steelyard") && state.contains("10.1.1.100"))
    })
    .map_err(|error| error.context(up.printed()))?;
    Ok(up)
}

#[test]
fn a_host_is_left_as_it_was_found() -> Result<()> {
    needs_lab!();
    let segment = Segment::create(&format!("steelyard-host{}", std::process::id()))?;
    let node = segment.host("node", &["10.1.1.11/24"])?;
    let folder = Scratch::new()?;
    let before = state(&node)?;

    let mut first = up(&node, &folder)?;
    ensure!(first.stop()?.success(), "{}", first.printed());
    let after = state(&node)?;
    ensure!(after == before, "left behind: {after}\ninstead of: {before}");

    let mut killed = up(&node, &folder)?;
    killed.kill()?;
    ensure!(state(&node)? != before, "a kill leaves something, else this tests nothing");
    let mut next = up(&node, &folder)?;
    ensure!(next.stop()?.success(), "{}", next.printed());
    let after = state(&node)?;
    ensure!(after == before, "left behind after a kill: {after}\ninstead of: {before}");

    // The next one may leave packets to others.
    let mut killed = up(&node, &folder)?;
    killed.kill()?;
    let mut next = speaker(&node, &folder)?;
    wait::until("it to be undone", || {
        let state = state(&node).unwrap_or_default();
        !state.contains("table inet steelyard") && !state.contains("lookup 8192")
    })
    .map_err(|error| error.context(next.printed()))?;
    let undone = "undone on this host, as an earlier process left it: nftables: table inet";
    wait::until("it to be told", || next.printed().contains(undone))?;
    ensure!(next.stop()?.success(), "{}", next.printed());
    let after = state(&node)?;
    ensure!(after == before, "left behind by who carries nothing: {after}\ninstead of: {before}");
    Ok(())
}

/// A speaker beside kube-proxy, which goes on with what it kept: there is no API server.
fn speaker(node: &Namespace, folder: &Scratch) -> Result<Running> {
    let kept = folder.file("speaker");
    std::fs::create_dir(&kept)?;
    let key = format!("{{\"key\": \"{}\"}}", "0f".repeat(32));
    std::fs::write(kept.join("cluster.json"), key)?;
    let config = folder.file("kubeconfig");
    std::fs::write(&config, KUBECONFIG)?;
    let mut command: Command = node.command(&binary::steelyard().to_string_lossy());
    command.args(["speaker", "--namespace", "steelyard-system", "--node-name", "worker-1"]);
    command.arg("--kubeconfig").arg(config).arg("--state-dir").arg(kept);
    Running::start(command)
}

/// Of an API server that is not there.
const KUBECONFIG: &str = "\
{apiVersion: v1, kind: Config, current-context: x,
 clusters: [{name: x, cluster: {server: 'http://127.0.0.1:1'}}],
 contexts: [{name: x, context: {cluster: x, user: x}}], users: [{name: x, user: {}}]}
";

/// What reaches an address of the machine is the machine's: nothing of ours stands before it.
#[test]
fn a_vip_that_becomes_the_machines_own_is_let_go_and_taken_again() -> Result<()> {
    needs_lab!();
    let segment = Segment::create(&format!("steelyard-own{}", std::process::id()))?;
    let node = segment.host("node", &["10.1.1.11/24"])?;
    let folder = Scratch::new()?;
    let mut up = up(&node, &folder)?;
    let is_ours = || {
        let rules = node.output("nft", &["list", "table", "inet", "steelyard"]);
        rules.is_ok_and(|it| String::from_utf8_lossy(&it.stdout).contains("10.1.1.100"))
    };
    ensure!(is_ours(), "else this tests nothing");
    node.ip(&["addr", "add", "10.1.1.100/32", "dev", "lo"])?;
    wait::until("it is the machine's", || !is_ours())?;
    node.ip(&["addr", "del", "10.1.1.100/32", "dev", "lo"])?;
    wait::until("it is served again", is_ours)?;
    ensure!(up.stop()?.success(), "{}", up.printed());
    Ok(())
}

/// `ip rule flush` and `ip route flush table 8192` are undone at once, and told in one line.
#[test]
fn rules_and_routes_that_others_flush_are_set_again_and_told_once() -> Result<()> {
    needs_lab!();
    let segment = Segment::create(&format!("steelyard-flush{}", std::process::id()))?;
    let node = segment.host("node", &["10.1.1.11/24"])?;
    let folder = Scratch::new()?;
    let mut up = up(&node, &folder)?;
    let ours = || -> Result<Vec<String>> {
        let looks = [&["rule"][..], &["-6", "rule"], &["route", "show", "table", "8192"]];
        let shown = looks.iter().map(|look| Ok(node.ip(look)?)).collect::<Result<Vec<_>>>()?;
        let lines = shown.iter().flat_map(|it| it.lines());
        let is_ours = |it: &&str| it.contains("lookup 8192") || it.starts_with("local");
        Ok(lines.filter(is_ours).map(str::to_owned).collect())
    };
    let good = ours()?;
    ensure!(good.len() == 3, "two rules and a route, else this tests nothing: {good:?}");
    node.ip(&["rule", "flush"])?;
    node.ip(&["-6", "rule", "flush"])?;
    node.ip(&["route", "flush", "table", "8192"])?;
    wait::until("they are set again", || ours().is_ok_and(|now| now == good))?;
    let told = "another program changed our ip rules";
    up.wait_for(told)?;
    ensure!(up.stop()?.success(), "{}", up.printed());
    ensure!(up.printed().matches(told).count() == 1, "{}", up.printed());
    Ok(())
}

/// The machine's LAN is a bridge, and somebody has its frames pass through the firewall: what led
/// packets to a listener is lost on the way then, so that it has to have the port itself.
#[test]
fn a_gateway_on_a_filtered_bridge_is_reached() -> Result<()> {
    needs_lab!();
    let machine = Machine::new("filtered")?;
    let setting = "net.bridge.bridge-nf-call-iptables";
    if !machine.node.output("sysctl", &[setting])?.status.success() {
        println!("skipped: this kernel has no br_netfilter");
        return Ok(());
    }
    for line in [
        "link add br0 type bridge",
        "addr flush dev eth0",
        "link set eth0 master br0",
        "addr add 10.1.1.11/24 dev br0",
        "link set br0 up",
    ] {
        machine.node.ip(&line.split(' ').collect::<Vec<_>>())?;
    }
    machine.node.set(setting, "0")?;
    let pool = manifests::pool("10.1.1.100-10.1.1.100");
    machine.folder.write("all.yaml", &manifests::all(&[&pool, &manifests::gateway("web")]))?;
    let up = machine.up(&[])?;
    machine.ready(&up)?;
    let answers = || {
        let url = manifests::url("10.1.1.100", 80);
        let asked = ["-s", "-o", "/dev/null", "-m", "1", "--noproxy", "*", "-w", "%{http_code}"];
        let asked = machine.router.output("curl", &[&asked[..], &[&url]].concat());
        asked.is_ok_and(|it| it.stdout == *b"404")
    };
    for filtered in ["0", "1", "0"] {
        machine.node.set(setting, filtered)?;
        wait::until(&format!("an answer, filtered {filtered}"), answers)
            .map_err(|error| error.context(up.printed()))?;
    }
    Ok(())
}
