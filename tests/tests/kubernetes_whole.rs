//! A whole cluster, as docs/install.md leads to it: the chart, with all its roles in pods, beside
//! kube-proxy; a client on the LAN.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use steelyard_tests::chart::{self, NAMESPACE};
use steelyard_tests::cluster::{self, Blueprint, Cluster};
use steelyard_tests::manifests::{self, Echo};
use steelyard_tests::roles::{owner, said};
use steelyard_tests::senders::no_request_fails;
use steelyard_tests::{binary, http, needs_cluster};

const ROLES: [(&str, usize); 3] = [("controller", 2), ("speaker", 3), ("gateway", 3)];
const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];
const HOST: &str = "echo.example";

/// What people apply besides an application: a pool of the LAN, and a route.
const APPLIED: &str = r#"
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: lan, namespace: steelyard-system}
spec: {addresses: [10.2.0.200-10.2.0.219]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: lan, namespace: steelyard-system}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: echo}
spec:
  ingressClassName: steelyard
  rules:
  - host: echo.example
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: cluster, port: {number: 80}}}}]
"#;

/// What lets people ask pods for more than metrics.
const TOKEN: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: steelyard-admin, namespace: steelyard-system}
stringData: {token: a-token-that-nobody-guesses-0123456789}
"#;

/// All that people apply, with Services of both kinds.
fn applied() -> String {
    manifests::all(&[
        &Echo::Leaving { replicas: 3, seconds: 3 }.workload(),
        &Echo::service("local", 80, "type: LoadBalancer, externalTrafficPolicy: Local"),
        &Echo::service("cluster", 80, "type: LoadBalancer"),
        APPLIED,
    ])
}

/// Three nodes with all roles, and what people apply.
fn start(name: &str, options: &[&str]) -> Result<Cluster> {
    let images = [("steelyard", binary::steelyard())];
    let cluster = Cluster::start(&Blueprint { name, nodes: 3, images: &images })?;
    chart::make_namespace(&cluster)?;
    cluster.apply(TOKEN)?;
    chart::install(&cluster, options)?;
    for (role, count) in ROLES {
        let labels = format!("app.kubernetes.io/component={role}");
        cluster.wait_for_pods(NAMESPACE, &labels, count).with_context(|| {
            let logs = ["logs", "-n", NAMESPACE, "--selector", &labels, "--tail", "5"];
            // Speakers are on the network of their node.
            let stands = NODES.map(|node| said(&cluster, node, "/readyz"));
            format!("{stands:?}\n{}", cluster.kubectl(&logs).unwrap_or_default())
        })?;
    }
    cluster.apply(&applied())?;
    cluster.wait_for_pods("default", "app=echo", 3)?;
    Ok(cluster)
}

fn service(cluster: &Cluster, namespace: &str, name: &str) -> Result<Value> {
    cluster.api().get(&format!("/api/v1/namespaces/{namespace}/services/{name}"))
}

/// The address that a Service has, once it has one.
fn address(cluster: &Cluster, namespace: &str, name: &str) -> Result<IpAddr> {
    let mut found = None;
    cluster::until(&format!("{name} to have an address"), || {
        let service = service(cluster, namespace, name).unwrap_or_default();
        let ip = service["status"]["loadBalancer"]["ingress"][0]["ip"].as_str();
        found = ip.and_then(|ip| ip.parse().ok());
        found.is_some()
    })
    .with_context(|| format!("{:?}", cluster.kubectl(&["get", "events", "-A"])))?;
    found.context("it has one")
}

/// Waits until the client is answered at an address.
fn answered(cluster: &Cluster, vip: IpAddr) -> Result<()> {
    let at = SocketAddr::new(vip, 80);
    cluster::until(&format!("{vip} to answer"), || {
        let answer = cluster.client().run(|| http::get(at, HOST, "/"));
        matches!(answer, Ok(Ok(answer)) if answer.status == 200)
    })
    .with_context(|| {
        format!("{:?}", cluster.kubectl(&["get", "pods,services", "-A", "-o", "wide"]))
    })
}

#[test]
fn a_cluster_is_served() -> Result<()> {
    needs_cluster!();
    let mut cluster = start("whole", &["--set", "admin.tokenSecret=steelyard-admin"])?;
    let local = address(&cluster, "default", "local")?;
    let spread = address(&cluster, "default", "cluster")?;
    let gateway = address(&cluster, NAMESPACE, "steelyard-gateway")?;
    for vip in [local, spread, gateway] {
        answered(&cluster, vip)?;
    }
    let object = service(&cluster, "default", "local")?;
    let from = &object["metadata"]["annotations"]["metallb.io/ip-allocated-from-pool"];
    ensure!(from == "lan", "{object}");
    reports_are_true(&cluster, gateway)?;

    // The node that has it is switched off, and the LAN asks for nobody else's leave.
    let lost = owner(&cluster, gateway).context("somebody has it")?;
    cluster.power_off(&lost)?;
    cluster::until("another node to have it", || {
        owner(&cluster, gateway).is_some_and(|now| now != lost)
    })?;
    answered(&cluster, gateway)?;
    answered(&cluster, spread)?;
    let kept = address(&cluster, "default", "local")?;
    ensure!(kept == local, "{kept} instead of {local}");
    cluster.power_on(&lost)?;
    cluster::until("the node to be back", || cluster.is_ready(&lost))?;
    shares_anew(&cluster, &lost, &[gateway, local, spread])?;
    cluster.stop()
}

/// A node that is back takes nothing by itself, and its part once somebody says so from elsewhere.
fn shares_anew(cluster: &Cluster, back: &str, vips: &[IpAddr]) -> Result<()> {
    for role in ["speaker", "gateway"] {
        cluster.wait_for_pods(NAMESPACE, &format!("app.kubernetes.io/component={role}"), 3)?;
    }
    let has_some = || vips.iter().any(|vip| owner(cluster, *vip).as_deref() == Some(back));
    vips.iter().try_for_each(|vip| answered(cluster, *vip))?;
    ensure!(!has_some(), "it took something by itself");
    // Who was away is heard by the one that is asked a moment before or after.
    cluster::until("its part to be its again", || {
        let begun = rebalance(cluster).and_then(|()| {
            // The client asks again who has them.
            vips.iter().try_for_each(|vip| answered(cluster, *vip))
        });
        begun.is_ok() && has_some()
    })?;
    vips.iter().try_for_each(|vip| answered(cluster, *vip))
}

/// As people do from where they have a kubeconfig.
fn rebalance(cluster: &Cluster) -> Result<()> {
    let mut command = cluster.client().command(&binary::steelyard().to_string_lossy());
    command.args(["rebalance", "--cluster", "--kubeconfig"]).arg(cluster.kubeconfig());
    let output = command.output()?;
    ensure!(output.status.success(), "{output:?}");
    Ok(())
}

/// What tools read of it.
fn reports_are_true(cluster: &Cluster, gateway: IpAddr) -> Result<()> {
    let api = cluster.api();
    cluster::until("the Ingress to say where it is reached", || {
        let path = "/apis/networking.k8s.io/v1/namespaces/default/ingresses/echo";
        let object = api.get(path).unwrap_or_default();
        object["status"]["loadBalancer"]["ingress"][0]["ip"] == gateway.to_string()
    })?;
    cluster::until("the pool to say how much of it is taken", || {
        let path = "/apis/metallb.io/v1beta1/namespaces/steelyard-system/ipaddresspools/lan";
        let object = api.get(path).unwrap_or_default();
        object["status"]["assignedIPv4"] == 3 && object["status"]["availableIPv4"] == 17
    })?;
    cluster::until("the node that answers to be named", || {
        let path = "/apis/metallb.io/v1beta1/namespaces/steelyard-system/servicel2statuses";
        let list = api.get(path).unwrap_or_default();
        let all: &[Value] = list["items"].as_array().map_or(&[], Vec::as_slice);
        let of_gateway = all.iter().find(|it| it["status"]["serviceName"] == "steelyard-gateway");
        of_gateway
            .is_some_and(|it| it["status"]["node"].as_str() == owner(cluster, gateway).as_deref())
    })
    .with_context(|| {
        format!("{:?}", cluster.kubectl(&["get", "servicel2statuses", "-A", "-o", "yaml"]))
    })
}

const ROLLED: [&str; 3] = [
    "deployment/steelyard-controller",
    "daemonset/steelyard-speaker",
    "daemonset/steelyard-gateway",
];

/// Whether a node has nftables tables of ours.
fn has_tables(cluster: &Cluster, node: &str) -> Result<bool> {
    let listed = cluster.node(node)?.host()?.output("nft", &["list", "tables"])?;
    ensure!(listed.status.success(), "{listed:?}");
    Ok(String::from_utf8_lossy(&listed.stdout).contains(" steelyard"))
}

/// Replaces the pods of something, one after the other, by `restart`, or back by `undo`.
fn replace(cluster: &Cluster, namespace: &str, what: &str, how: &str) -> Result<()> {
    let rollout = |act: &[&str]| cluster.kubectl(&[&["-n", namespace, "rollout"], act].concat());
    rollout(&[how, what])?;
    rollout(&["status", what, "--timeout=240s"]).map(drop)
}

#[test]
fn roles_are_replaced_and_no_request_fails() -> Result<()> {
    needs_cluster!();
    // Nobody is to be taken for dead who is merely late: here all nodes are one busy machine.
    let patient = ["--set", "speaker.extraArgs={--missed-heartbeats=10}"];
    let cluster = start("replaced", &patient)?;
    // One keeps to the node it comes to, the other goes to any.
    let gateway = address(&cluster, NAMESPACE, "steelyard-gateway")?;
    let spread = address(&cluster, "default", "cluster")?;
    let asked = [gateway, spread].map(|vip| SocketAddr::new(vip, 80));
    [gateway, spread].into_iter().try_for_each(|vip| answered(&cluster, vip))?;
    for how in ["restart", "undo"] {
        no_request_fails(cluster.client(), &asked, HOST, || {
            let mut roles = ROLLED.into_iter();
            roles.try_for_each(|what| replace(&cluster, NAMESPACE, what, how))
        })
        .with_context(|| how)?;
        // Its clients have to be the gateway's: a server that ends hangs up on its own.
        no_request_fails(cluster.client(), &asked[..1], HOST, || {
            replace(&cluster, "default", "deployment/echo", how)
        })
        .with_context(|| format!("{how} of endpoints"))?;
        cluster.wait_for_pods("default", "app=echo", 3)?;
    }
    ensure!(address(&cluster, NAMESPACE, "steelyard-gateway")? == gateway);

    // What was set on nodes for that goes with the speakers.
    ensure!(NODES.iter().all(|node| has_tables(&cluster, node).unwrap_or_default()));
    chart::uninstall(&cluster)?;
    for node in NODES {
        cluster::until(&format!("{node} to be as it was"), || {
            has_tables(&cluster, node).is_ok_and(|it| !it)
        })?;
    }
    cluster.stop()
}

/// What is in the tables of a node that are not ours.
fn rules_of_others(cluster: &Cluster, node: &str) -> Result<String> {
    let host = cluster.node(node)?.host()?;
    let all = ["ip kube-proxy", "ip6 kube-proxy"].map(|table| -> Result<String> {
        let words: Vec<&str> = ["list", "table"].into_iter().chain(table.split(' ')).collect();
        let listed = host.output("nft", &words)?;
        ensure!(listed.status.success(), "{listed:?}");
        Ok(String::from_utf8_lossy(&listed.stdout).into_owned())
    });
    all.into_iter().collect()
}

#[test]
fn speakers_carry_packets_themselves_where_the_chart_says_so() -> Result<()> {
    needs_cluster!();
    let mut cluster = start("carried", &["--set", "speaker.carrier=direct"])?;
    let local = address(&cluster, "default", "local")?;
    let spread = address(&cluster, "default", "cluster")?;
    let gateway = address(&cluster, NAMESPACE, "steelyard-gateway")?;
    let vips = [local, spread, gateway];
    vips.into_iter().try_for_each(|vip| answered(&cluster, vip))?;
    // kube-proxy has no part in it.
    for node in NODES {
        let others = rules_of_others(&cluster, node)?;
        ensure!(others.contains("10.96.0.1"), "it has rules: {others}");
        ensure!(vips.iter().all(|vip| !others.contains(&vip.to_string())), "{others}");
        ensure!(has_tables(&cluster, node)?, "{node} has none of ours");
    }
    let lost = owner(&cluster, local).context("somebody has it")?;
    cluster.power_off(&lost)?;
    cluster::until("another node to have it", || {
        owner(&cluster, local).is_some_and(|now| now != lost)
    })?;
    vips.into_iter().try_for_each(|vip| answered(&cluster, vip))?;
    cluster.stop()
}
