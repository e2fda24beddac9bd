//! The cluster that other tests run in is one: what it is asked for is done, and what is done to
//! it is felt.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use steelyard_host::netns;
use steelyard_tests::cluster::{self, Blueprint, Cluster, condition};
use steelyard_tests::manifests::{self, Echo};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::{needs_cluster, wait};

const SERVICE: &str = "http://10.96.7.7:8000/";
/// Two echo servers that leave slowly, and a Service before them.
fn echo() -> String {
    let more = "ipFamilyPolicy: RequireDualStack, clusterIP: 10.96.7.7, \
                clusterIPs: [10.96.7.7, \"fd00:96::7\"]";
    let workload = Echo::Leaving { replicas: 2, seconds: 1 }.workload();
    manifests::all(&[&workload, &Echo::service("echo", 8000, more)])
}

fn start(name: &str) -> Result<Cluster> {
    Cluster::start(&Blueprint { name, nodes: 2, images: &[] })
}

fn names(pods: &[Value]) -> BTreeSet<String> {
    pods.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Waits until a host has heard each of these pods by the Service.
fn hears(cluster: &Cluster, host: &netns::Namespace, pods: &BTreeSet<String>) -> Result<()> {
    let mut heard = BTreeSet::new();
    cluster::until(&format!("{pods:?} to answer"), || {
        if let Ok(answer) = cluster.fetch(host, SERVICE) {
            heard.insert(answer["pod"].as_str().unwrap_or_default().to_owned());
        }
        heard.is_superset(pods)
    })
}

#[test]
fn what_is_deployed_runs_and_is_reached() -> Result<()> {
    needs_cluster!();
    let cluster = start("runs")?;
    cluster.apply(&echo())?;
    let pods = cluster.wait_for_pods("default", "app=echo", 2)?;
    let before = names(&pods);
    // By kube-proxy, from a node and from a pod, whose address is seen.
    hears(&cluster, cluster.node("node-1")?.host()?, &before)?;
    let inside = cluster.host_of(&pods[0])?;
    hears(&cluster, &inside, &before)?;
    let own = |part: &str, key: &str| pods[0][part][key].as_str().unwrap_or_default();
    cluster::until("the other pod to see who asks", || {
        let Ok(answer) = cluster.fetch(&inside, SERVICE) else { return false };
        let peer = answer["peer"].as_str().unwrap_or_default();
        answer["pod"] != own("metadata", "name") && peer.starts_with(own("status", "podIP"))
    })?;

    let answer = cluster.fetch(&inside, "http://[fd00:96::7]:8000/")?;
    ensure!(before.contains(answer["pod"].as_str().unwrap_or_default()), "{answer}");
    // By the API server too, which can reach each pod.
    let path = format!("/api/v1/namespaces/default/pods/{}:80/proxy/", own("metadata", "name"));
    ensure!(cluster.api().get(&path)?["pod"] == own("metadata", "name"));

    // A rollout puts others in their place, one by one.
    cluster.kubectl(&["rollout", "restart", "deployment/echo"])?;
    cluster.kubectl(&["rollout", "status", "deployment/echo", "--timeout=120s"])?;
    let after = names(&cluster.wait_for_pods("default", "app=echo", 2)?);
    ensure!(before.is_disjoint(&after), "{before:?} became {after:?}");
    hears(&cluster, cluster.node("node-2")?.host()?, &after)?;
    cluster.stop()
}

/// A pod that says what it finds, and what it may not do.
const CURIOUS: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: secret}
stringData: {word: hidden}
---
apiVersion: v1
kind: Pod
metadata: {name: curious, labels: {app: curious}}
spec:
  volumes:
  - {name: secret, secret: {secretName: secret}}
  - {name: kept, hostPath: {path: /var/lib/kept, type: DirectoryOrCreate}}
  containers:
  - name: shell
    image: shell
    command: [/bin/sh, -c]
    args:
    - |
      account=/var/run/secrets/kubernetes.io/serviceaccount
      echo "$GREETING $(cat /secret/word) $(id -u) $(hostname) as pid $$$$"
      grep -E 'CapBnd|NoNewPrivs' /proc/self/status
      touch /file; echo 1 > /proc/sys/net/ipv4/ip_forward
      touch /kept/$NODE
      curl -sS -m 5 --cacert $account/ca.crt -H "Authorization: Bearer $(cat $account/token)" \
        https://$KUBERNETES_SERVICE_HOST/api/v1/namespaces/default/pods
      trap 'echo told; exit 0' TERM
      echo; echo ready; touch /tmp/ready
      sleep 1000 & wait
    env:
    - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
    - {name: GREETING, value: "on $(NODE):"}
    volumeMounts:
    - {name: secret, mountPath: /secret, readOnly: true}
    - {name: kept, mountPath: /kept}
    readinessProbe: {exec: {command: [test, -e, /tmp/ready]}, periodSeconds: 1}
    lifecycle: {preStop: {exec: {command: [/bin/sh, -c, "echo stopping > /proc/1/fd/1"]}}}
    securityContext: {capabilities: {drop: [ALL], add: [NET_RAW]}, allowPrivilegeEscalation: false}
"#;

#[test]
fn a_container_has_what_its_pod_says() -> Result<()> {
    needs_cluster!();
    let shell = Path::new("/bin/sh");
    let cluster =
        Cluster::start(&Blueprint { name: "has", nodes: 1, images: &[("shell", shell)] })?;
    cluster.apply(CURIOUS)?;
    cluster.wait_for_pods("default", "app=curious", 1)?;
    let said = cluster.kubectl(&["logs", "curious"])?;
    let expected = [
        "on node-1: hidden 0 curious as pid 1",
        "CapBnd:\t0000000000002000",
        "NoNewPrivs:\t1",
        "cannot create /proc/sys/net/ipv4/ip_forward: Read-only file system",
        // It is known, and may do nothing.
        r#"User \"system:serviceaccount:default:default\" cannot list resource \"pods\""#,
    ];
    for part in expected {
        ensure!(said.contains(part), "no {part:?} in:\n{said}");
    }
    cluster.kubectl(&["delete", "pod", "curious"])?;
    let said = cluster.log("node-1", "default", "curious", "shell")?;
    ensure!(said.ends_with("stopping\ntold\n"), "{said}");
    cluster.stop()
}

#[test]
fn helm_installs() -> Result<()> {
    needs_cluster!();
    let cluster = Cluster::start(&Blueprint { name: "helm", nodes: 1, images: &[] })?;
    let chart = Scratch::new()?;
    let about = "apiVersion: v2\nname: chart\nversion: 1.0.0\nkubeVersion: '>=1.36.0'\n";
    chart.write("Chart.yaml", about)?;
    std::fs::create_dir(chart.file("templates"))?;
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n";
    std::fs::write(chart.file("templates").join("map.yaml"), template)?;
    cluster.helm(&["install", "release", &chart.path().to_string_lossy()])?;
    cluster.api().get("/api/v1/namespaces/default/configmaps/release")?;
    cluster.helm(&["uninstall", "release"])?;
    ensure!(cluster.api().get("/api/v1/namespaces/default/configmaps/release").is_err());
    cluster.stop()
}

#[test]
fn what_a_killed_one_left_goes_with_the_next() -> Result<()> {
    needs_cluster!();
    let blueprint = Blueprint { name: "left", nodes: 1, images: &[] };
    let killed = Cluster::start(&blueprint)?;
    killed.apply(&echo())?;
    killed.wait_for_pods("default", "app=echo", 2)?;
    std::mem::forget(killed);
    let there = || netns::list().iter().filter(|it| it.starts_with("cluster-left-")).count();
    ensure!(there() == 6, "client, switch, control, node and two pods: {:?}", netns::list());
    let cluster = Cluster::start(&blueprint)?;
    ensure!(there() == 4 && cluster.pods("default", "app=echo")?.is_empty());
    drop(cluster);
    ensure!(there() == 0, "{:?}", netns::list());
    Ok(())
}

#[test]
fn a_pod_leaves_gracefully() -> Result<()> {
    needs_cluster!();
    let cluster = start("leaves")?;
    cluster.apply(&echo())?;
    let pods = cluster.wait_for_pods("default", "app=echo", 2)?;
    let name = pods[0]["metadata"]["name"].as_str().context("a name")?;
    let address = pods[0]["status"]["podIP"].as_str().context("an address")?;
    let host = cluster.node("node-1")?.host()?;
    let direct = format!("http://{address}/");
    // The pod answers a request that it had when it was deleted, and those after it for a while.
    let mut slow = host.command("curl");
    slow.args(["-sS", "--fail", "--noproxy", "*", &format!("{direct}?wait=800ms")]);
    let mut slow = slow.spawn()?;
    let path = format!("/api/v1/namespaces/default/pods/{name}");
    let answer = cluster.api().send("DELETE", &path, "")?;
    ensure!(answer.status == 200, "{answer:?}");
    ensure!(!cluster.api().get(&path)?["metadata"]["deletionTimestamp"].is_null());
    cluster.fetch(host, &direct)?;
    ensure!(slow.wait()?.success());
    cluster::until("the pod to be gone", || {
        cluster.api().send("GET", &path, "").is_ok_and(|answer| answer.status == 404)
    })?;
    ensure!(cluster.host_of(&pods[0]).is_err(), "its namespace is there");
    cluster.wait_for_pods("default", "app=echo", 2)?;
    cluster.stop()
}

#[test]
fn a_node_without_power_is_missed() -> Result<()> {
    needs_cluster!();
    let mut cluster = start("power")?;
    cluster.apply(&echo())?;
    let pods = cluster.wait_for_pods("default", "app=echo", 2)?;
    let nodes: BTreeSet<&str> =
        pods.iter().filter_map(|it| it["spec"]["nodeName"].as_str()).collect();
    ensure!(nodes.len() == 2, "the scheduler spreads pods: {nodes:?}");
    cluster.power_off("node-2")?;
    cluster::until("the node to be missed", || !cluster.is_ready("node-2"))?;
    // Nobody is sent there, and another pod takes the place of the one that was.
    let is_well = |pod: &Value| {
        pod["spec"]["nodeName"] == "node-1" && condition(pod, "Ready") == Some("True")
    };
    cluster::until("two pods on the node that is left", || {
        let pods = cluster.pods("default", "app=echo").unwrap_or_default();
        pods.iter().filter(|pod| is_well(pod)).count() == 2
    })?;
    cluster.power_on("node-2")?;
    cluster::until("the node to be back", || cluster.is_ready("node-2"))?;
    // The pod that was to be deleted while nobody could say that it had ended is gone now.
    cluster.wait_for_pods("default", "app=echo", 2)?;
    cluster.stop()
}

#[test]
fn the_api_server_pauses_and_forgets() -> Result<()> {
    needs_cluster!();
    let mut cluster = start("pauses")?;
    cluster.apply(&echo())?;
    let pods = names(&cluster.wait_for_pods("default", "app=echo", 2)?);
    hears(&cluster, cluster.node("node-1")?.host()?, &pods)?;
    cluster.freeze_api()?;
    ensure!(cluster.api().get_text("/readyz").is_err(), "it is frozen");
    // What is there serves without it.
    hears(&cluster, cluster.node("node-1")?.host()?, &pods)?;
    cluster.thaw_api()?;
    cluster::until("the API server", || cluster.api().get_text("/readyz").is_ok())?;
    let version = |object: Value| object["metadata"]["resourceVersion"].as_str().map(str::to_owned);
    let first = version(cluster.api().get("/api/v1/nodes?limit=1")?).context("a version")?;
    cluster.kubectl(&["annotate", "service", "echo", "a=b"])?;
    cluster.compact()?;
    cluster.kill_api()?;
    cluster.start_api()?;
    // History before that is gone: who asks for it is told to list again.
    let old = format!("/api/v1/services?watch=1&timeoutSeconds=1&resourceVersion={first}");
    wait::until("the past to be forgotten", || {
        cluster.api().send("GET", &old, "").is_ok_and(|answer| answer.body.contains("410"))
    })?;
    cluster.wait_for_pods("default", "app=echo", 2)?;
    hears(&cluster, cluster.node("node-2")?.host()?, &pods)?;
    cluster.stop()
}
