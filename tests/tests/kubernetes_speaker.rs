//! Speakers in a cluster, beside kube-proxy: what Services have by their status is answered for on
//! the LAN, whatever becomes of nodes and of the API server.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use steelyard_tests::cluster::{self, Blueprint, Cluster};
use steelyard_tests::manifests::{self, Echo};
use steelyard_tests::roles::{
    self, KEY, Speakers, configure, give, give_direct, is_answered, owner, state, told,
};
use steelyard_tests::{needs_cluster, wait};

/// A pod for reports to go with, as they go with a speaker's.
const ANCHOR: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: anchor, namespace: steelyard-system, labels: {app: anchor}}
spec:
  containers:
  - {name: echo, image: "echo:1", args: ["--http", ":80"]}
"#;
/// A pool that holds the address of a node.
const NODES_POOL: &str = "
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: nodes, namespace: steelyard-system}
spec: {addresses: [ADDRESS/32]}
";
const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];
const LOCAL: &str = "10.2.0.200";
const CLUSTER: &str = "10.2.0.201";

/// An echo server on each node, and Services before them: one that keeps to the node it comes to,
/// and one that does not.
fn echo() -> String {
    let local = "type: LoadBalancer, externalTrafficPolicy: Local, \
                 ipFamilyPolicy: RequireDualStack";
    manifests::all(&[
        &Echo::EachNode.workload(),
        &Echo::service("local", 8000, local),
        &Echo::service("cluster", 8000, "type: LoadBalancer"),
    ])
}

fn start(name: &str) -> Result<Cluster> {
    let cluster = Cluster::start(&Blueprint { name, nodes: 3, images: &[] })?;
    configure(&cluster)?;
    cluster.apply(&echo())?;
    cluster.wait_for_pods("default", "app=echo", 3)?;
    Ok(cluster)
}

fn speakers(cluster: &Cluster, options: &[&str]) -> Result<Speakers> {
    let mut speakers = Speakers::default();
    NODES.iter().try_for_each(|node| speakers.start(cluster, node, options))?;
    NODES.iter().try_for_each(|node| roles::wait_until_ready(cluster, node))?;
    Ok(speakers)
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("a literal address")
}

/// The nodes that are reported to answer for a Service of the default namespace.
fn reported(cluster: &Cluster, service: &str) -> Result<Vec<String>> {
    let path = "/apis/metallb.io/v1beta1/namespaces/steelyard-system/servicel2statuses";
    let list = cluster.api().get(path)?;
    let items = list["items"].as_array().context("a list")?.iter();
    let about = items.filter(|it| it["status"]["serviceName"] == service);
    Ok(about.filter_map(|it| it["status"]["node"].as_str().map(str::to_owned)).collect())
}

/// What the client is answered at a vip.
fn fetch(cluster: &Cluster, vip: &str) -> Result<Value> {
    let host = if vip.contains(':') { format!("[{vip}]") } else { vip.to_owned() };
    cluster.fetch(cluster.client(), &format!("http://{host}:8000/"))
}

/// Waits until the client is answered at a vip; by whom.
fn answered(cluster: &Cluster, vip: &str) -> Result<Value> {
    let mut last = None;
    wait::until_some_within(cluster::PATIENCE, std::time::Duration::from_millis(50), vip, || {
        let answer = fetch(cluster, vip);
        last = answer.as_ref().err().map(|error| format!("{error:#}"));
        answer.ok()
    })
    .with_context(|| format!("{last:?}"))
}

/// Waits until these nodes agree who of them has a vip, and the client knows no other; which.
/// (What the client alone thinks may be of a moment before: kube-proxy answers at a node that was.)
fn settled(cluster: &Cluster, nodes: &[&str], vip: &str) -> Result<String> {
    let mut seen = Vec::new();
    let pause = std::time::Duration::from_millis(100);
    wait::until_some_within(cluster::PATIENCE, pause, vip, || {
        let _ = fetch(cluster, vip);
        let at = owner(cluster, ip(vip));
        seen = nodes.iter().map(|node| (*node, state(cluster, node, vip))).collect();
        let agreed = seen.iter().all(|(node, state)| {
            let expected = if at.as_deref() == Some(node) { "announced" } else { "standby" };
            state.as_deref() == Some(expected)
        });
        at.filter(|at| agreed && nodes.contains(&at.as_str()))
    })
    .with_context(|| format!("{seen:?}"))
}

#[test]
fn what_a_status_says_is_answered_for() -> Result<()> {
    needs_cluster!();
    let cluster = start("speaks")?;
    give(&cluster, "local", &[LOCAL, "fd00:2::200"])?;
    cluster.apply(ANCHOR)?;
    let pod = cluster.wait_for_pods("steelyard-system", "app=anchor", 1)?.remove(0);
    let uid = pod["metadata"]["uid"].as_str().context("a uid")?;
    let options = ["--pod-name", "anchor", "--pod-uid", uid, "--require-quorum"];
    let mut speakers = speakers(&cluster, &options)?;
    give(&cluster, "cluster", &[CLUSTER])?;
    for vip in [LOCAL, "fd00:2::200", CLUSTER] {
        answered(&cluster, vip)?;
    }
    // Whoever keeps to its node sees the client.
    let answer = fetch(&cluster, LOCAL)?;
    ensure!(answer["peer"].as_str().unwrap_or_default().starts_with("10.2.0.1:"), "{answer}");
    let at = settled(&cluster, &NODES, LOCAL)?;
    let answer = fetch(&cluster, LOCAL)?;
    ensure!(answer["node"].is_null() || answer["node"] == *at, "{answer} by {at}");
    cluster::until("the cluster to be told", || {
        reported(&cluster, "cluster").is_ok_and(|nodes| nodes.len() == 1)
    })?;

    // What no pool has is not ours, whoever wrote it; nor what a Service only asks for.
    give(&cluster, "cluster", &["10.2.0.99"])?;
    cluster::until("the address to be let go", || {
        is_answered(&cluster, ip(CLUSTER)).is_ok_and(|it| !it)
    })?;
    ensure!(!is_answered(&cluster, ip("10.2.0.99"))?);
    give(&cluster, "cluster", &[CLUSTER])?;
    answered(&cluster, CLUSTER)?;

    // A node that is not to take part gives up what it has.
    let label = "node.kubernetes.io/exclude-from-external-load-balancers=";
    cluster.kubectl(&["label", "node", &at, label])?;
    cluster::until("another node to have it", || {
        let _ = fetch(&cluster, LOCAL);
        owner(&cluster, ip(LOCAL)).is_some_and(|now| now != at)
    })?;
    answered(&cluster, LOCAL)?;
    let others: Vec<&str> = NODES.into_iter().filter(|node| *node != at).collect();
    // One with an address of each family may have two owners, of whom one reports.
    cluster::until("the cluster to be told of others", || {
        let nodes = reported(&cluster, "local").unwrap_or_default();
        !nodes.is_empty() && !nodes.contains(&at)
    })?;
    let now = settled(&cluster, &others, CLUSTER)?;
    cluster::until("the cluster to be told who has the other", || {
        reported(&cluster, "cluster").is_ok_and(|nodes| nodes == [now.clone()])
    })?;

    // Another key is taken while the one before is still good.
    let keys = serde_json::json!({"stringData": {"key": format!("{}\n{}\n", "a1".repeat(32), KEY.repeat(32))}});
    let secret = "/api/v1/namespaces/steelyard-system/secrets/steelyard-membership";
    let written = cluster.api().send("PATCH", secret, &keys.to_string())?;
    ensure!(written.status == 200, "{written:?}");
    for node in NODES {
        speakers.on(node)?.wait_for("the Secret has a new key")?;
    }
    answered(&cluster, LOCAL)?;

    // One of three Nodes is no quorum.
    for node in &NODES[1..] {
        speakers.on(node)?.kill()?;
    }
    cluster::until("a minority to be silent", || {
        is_answered(&cluster, ip(LOCAL)).is_ok_and(|it| !it)
    })?;

    // A shadow of it says the same, and nobody hears of it.
    speakers.on(NODES[0])?.stop()?;
    cluster::until("silence", || is_answered(&cluster, ip(LOCAL)).is_ok_and(|it| !it))?;
    for node in NODES {
        speakers.start(&cluster, node, &["--shadow"])?;
    }
    for node in NODES {
        roles::wait_until_ready(&cluster, node)?;
    }
    let shown =
        |node: &&str| state(&cluster, node, LOCAL).is_some_and(|it| it.starts_with("shadow"));
    cluster::until("a shadow to know of it", || NODES.iter().any(&shown))?;
    ensure!(!is_answered(&cluster, ip(LOCAL))? && !is_answered(&cluster, ip(CLUSTER))?);
    speakers.stop()?;
    cluster.stop()
}

/// Whether this node says that a Service has a machine's own address.
fn occupied(cluster: &Cluster, node: &str) -> bool {
    let found = told(cluster, node, "/api/v1/diagnostics").unwrap_or_default();
    found.as_array().is_some_and(|all| all.iter().any(|it| it["code"] == "address-of-machine"))
}

#[test]
fn addresses_stay_when_nodes_and_the_api_server_go() -> Result<()> {
    needs_cluster!();
    let mut cluster = start("stays")?;
    give(&cluster, "local", &[LOCAL])?;
    let mut speakers = speakers(&cluster, &[])?;
    answered(&cluster, LOCAL)?;
    let first = settled(&cluster, &NODES, LOCAL)?;

    // Whoever wrote that a Service has the address of a node: nobody takes it, nor tells the LAN
    // that it is elsewhere, not even when that node is silent.
    let [own, _] = cluster.node(&first)?.addresses();
    cluster.apply(&NODES_POOL.replace("ADDRESS", &own))?;
    give(&cluster, "cluster", &[&own])?;
    for node in NODES {
        cluster::until("it to say whose address that is", || occupied(&cluster, node))?;
        let stands = state(&cluster, node, &own).context("it says how it stands with it")?;
        ensure!(stands.starts_with("withheld"), "{stands}");
    }

    cluster.power_off(&first)?;
    let left: Vec<&str> = NODES.into_iter().filter(|node| *node != first).collect();
    let second = settled(&cluster, &left, LOCAL)?;
    ensure!(left.iter().all(|node| occupied(&cluster, node)));
    ensure!(!is_answered(&cluster, ip(&own))?, "the address of a node is answered for");
    answered(&cluster, LOCAL)?;

    // Nobody needs the API server for what was so: not to go on, not to start again.
    cluster.kill_api()?;
    answered(&cluster, LOCAL)?;
    let third = left.iter().find(|it| **it != second).context("a third")?;
    for node in [*third, second.as_str()] {
        speakers.on(node)?.kill()?;
        speakers.start(&cluster, node, &[])?;
        cluster::until("it to remember", || {
            roles::said(&cluster, node, "/readyz").is_ok_and(|it| it.contains("remembers"))
        })?;
        answered(&cluster, LOCAL)?;
    }
    let before = settled(&cluster, &left, LOCAL)?;

    // Back, it is as it was.
    cluster.start_api()?;
    for node in &left {
        roles::wait_until_ready(&cluster, node)?;
    }
    answered(&cluster, LOCAL)?;
    ensure!(settled(&cluster, &left, LOCAL)? == before, "the address moved");
    give(&cluster, "cluster", &[CLUSTER])?;
    answered(&cluster, CLUSTER)?;
    drop(speakers);
    cluster.stop()
}

/// What is taken from a speaker while it runs costs what hangs on it, and nothing else.
#[test]
fn what_vanishes_takes_only_its_own_with_it() -> Result<()> {
    needs_cluster!();
    let cluster = start("vanish")?;
    give(&cluster, "local", &[LOCAL])?;
    let mut speakers = speakers(&cluster, &[])?;
    answered(&cluster, LOCAL)?;
    let first = settled(&cluster, &NODES, LOCAL)?;

    // The key: a Secret that has none, then none, then the same again.
    let secret = "/api/v1/namespaces/steelyard-system/secrets/steelyard-membership";
    for nonsense in ["", "short", &"zz".repeat(32), "\u{0}\u{1}"] {
        let content = json!({"stringData": {"key": nonsense}}).to_string();
        let written = cluster.api().send("PATCH", secret, &content)?;
        ensure!(written.status == 200, "{written:?}");
        speakers.on(&first)?.wait_for("the key of before stays good")?;
    }
    ensure!(cluster.api().send("DELETE", secret, "")?.status == 200);
    answered(&cluster, LOCAL)?;
    for node in NODES {
        ensure!(speakers.kept(node)?["key"].as_str().is_some_and(|it| it.contains(KEY)), "{node}");
    }
    // A start that finds none has what it kept.
    speakers.on(&first)?.kill()?;
    speakers.start(&cluster, &first, &[])?;
    roles::wait_until_ready(&cluster, &first)?;
    let before = settled(&cluster, &NODES, LOCAL)?;

    // Its Node: whoever is of no cluster answers for nothing.
    let node = format!("/api/v1/nodes/{before}");
    let kept = cluster.api().get(&node)?;
    ensure!(cluster.api().send("DELETE", &node, "")?.status == 200);
    let left: Vec<&str> = NODES.into_iter().filter(|it| *it != before).collect();
    cluster::until("another node to have it", || {
        let _ = fetch(&cluster, LOCAL);
        owner(&cluster, ip(LOCAL)).is_some_and(|at| left.contains(&at.as_str()))
    })?;
    answered(&cluster, LOCAL)?;
    let again = json!({"apiVersion": "v1", "kind": "Node", "spec": kept["spec"],
        "metadata": {"name": before, "labels": kept["metadata"]["labels"]}});
    cluster.api().send("POST", "/api/v1/nodes", &again.to_string())?;
    let now = settled(&cluster, &NODES, LOCAL)?;

    // Another one by the name of one that there is: one of the two answers, and both say why.
    let twin = NODES.into_iter().find(|it| *it != now).context("another")?;
    speakers.on(twin)?.kill()?;
    speakers.start_as(&cluster, twin, &now)?;
    speakers.on(&now)?.wait_for("has this node's name, and started later")?;
    for _ in 0..20 {
        let replies =
            cluster.client().output("arping", &["-c", "1", "-w", "1", "-I", "eth0", LOCAL])?;
        let replies = String::from_utf8_lossy(&replies.stdout).into_owned();
        ensure!(replies.matches("bytes from").count() <= 1, "{replies}");
    }
    answered(&cluster, LOCAL)?;
    speakers.stop()?;
    cluster.stop()
}

#[test]
fn kernels_that_answer_too_are_told_of() -> Result<()> {
    needs_cluster!();
    let cluster = Cluster::start(&Blueprint { name: "ipvs", nodes: 1, images: &[] })?;
    configure(&cluster)?;
    let node = NODES[0];
    let mut speakers = Speakers::default();
    speakers.start(&cluster, node, &[])?;
    let is_told = || {
        let found = told(&cluster, node, "/api/v1/diagnostics").unwrap_or_default();
        found.as_array().is_some_and(|all| all.iter().any(|it| it["code"] == "ipvs-answers-arp"))
    };
    // As kube-proxy does in IPVS mode.
    let host = cluster.node(node)?.host()?;
    host.ip(&["link", "add", "kube-ipvs0", "type", "bridge"])?;
    cluster::until("it to be told", is_told)?;
    host.set("net.ipv4.conf.all.arp_ignore", "1")?;
    cluster::until("it to be mended", || !is_told())?;
    speakers.stop()?;
    cluster.stop()
}

#[test]
fn a_speaker_carries_packets_itself_where_it_is_told_to() -> Result<()> {
    needs_cluster!();
    let mut cluster = start("direct")?;
    let mut speakers = speakers(&cluster, &["--carrier", "direct"])?;
    give_direct(&cluster, "local", &[LOCAL])?;
    give_direct(&cluster, "cluster", &[CLUSTER])?;
    answered(&cluster, CLUSTER)?;
    let answer = answered(&cluster, LOCAL)?;
    let at = owner(&cluster, ip(LOCAL)).context("somebody has it")?;
    ensure!(answer["peer"].as_str().unwrap_or_default().starts_with("10.2.0.1:"), "{answer}");
    // Nobody but us has a rule for it.
    ensure!(!rules(&cluster, &at, &["ip", "kube-proxy"])?.contains(LOCAL));
    ensure!(rules(&cluster, &at, &["inet", "steelyard"])?.contains(LOCAL));

    // A start needs no API server: what may be answered for, and where packets go, is kept.
    for node in NODES {
        cluster::until("it to be kept", || {
            let kept = speakers.kept(node).unwrap_or_default();
            let all = kept["forward"].as_array().cloned().unwrap_or_default();
            let has = |vip| all.iter().any(|it| it["address"] == vip && it["ports"] != json!([]));
            has(LOCAL) && has(CLUSTER)
        })?;
    }
    cluster.kill_api()?;
    for node in NODES {
        speakers.on(node)?.kill()?;
        speakers.start(&cluster, node, &["--carrier", "direct"])?;
    }
    for node in NODES {
        cluster::until("it to remember", || {
            roles::said(&cluster, node, "/readyz").is_ok_and(|it| it.contains("remembers"))
        })?;
    }
    for vip in [LOCAL, CLUSTER] {
        answered(&cluster, vip)?;
    }
    cluster.start_api()?;
    for node in NODES {
        roles::wait_until_ready(&cluster, node)?;
    }
    for vip in [LOCAL, CLUSTER] {
        answered(&cluster, vip)?;
    }
    let at = owner(&cluster, ip(LOCAL)).context("somebody has it")?;
    // It takes pings then, since the kernel has no rules of its own for them.
    ensure!(cluster.client().output("ping", &["-c", "1", "-W", "2", LOCAL])?.status.success());
    speakers.stop()?;
    ensure!(!rules(&cluster, &at, &["inet", "steelyard"])?.contains(LOCAL), "rules are left");
    cluster.stop()
}

fn rules(cluster: &Cluster, node: &str, table: &[&str]) -> Result<String> {
    let listed =
        cluster.node(node)?.host()?.output("nft", &[&["list", "table"], table].concat())?;
    Ok(String::from_utf8_lossy(&listed.stdout).into_owned())
}
