//! The webhook, as the chart runs it and as an API server asks it.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use steelyard_tests::chart::{self, NAMESPACE};
use steelyard_tests::cluster::{self, Cluster};
use steelyard_tests::needs_cluster;

use super::followed::follow;
use super::{rights, start};

const GROUP: &str = "/apis/metallb.io";
const NETWORKING: &str = "/apis/networking.k8s.io/v1";

fn pool(addresses: &str) -> String {
    json!({
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": {"name": "lan", "namespace": "default"},
        "spec": {"addresses": [addresses]},
    })
    .to_string()
}

fn certificate(cluster: &Cluster) -> Result<Value> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/secrets/steelyard-webhook");
    Ok(cluster.api().get(&path)?["data"]["tls.crt"].take())
}

#[test]
fn objects_are_judged_before_they_are_taken() -> Result<()> {
    needs_cluster!();
    let cluster = start("webhook")?;
    chart::make_namespace(&cluster)?;
    // What it does is not theirs, whatever they do.
    let alone = ["--set", "controller.replicas=1", "--set", "gateway.enabled=false"];
    chart::install(&cluster, &alone)?;
    follow(&cluster, "install.md", "### Judge objects before they are taken")?;
    let made = certificate(&cluster)?;
    cluster.wait_for_pods(NAMESPACE, "app.kubernetes.io/component=webhook", 1).with_context(
        || {
            format!(
                "{:?}",
                cluster.kubectl(&["-n", NAMESPACE, "logs", "deployment/steelyard-webhook"])
            )
        },
    )?;

    policy_lets_it_be_asked(&cluster)?;

    let pools = format!("{GROUP}/v1beta1/namespaces/default/ipaddresspools");
    let dry = format!("{pools}?dryRun=All");
    // Where nobody is there yet to be asked, it is taken.
    let mut last = None;
    let refused = cluster::until("an address that is none to be refused", || {
        let answer = cluster.api().send("POST", &dry, &pool("10.0.0.0/33"));
        let is_refused = answer
            .as_ref()
            .is_ok_and(|it| it.status == 422 && it.body.contains("spec.addresses[0]"));
        last = Some(answer);
        is_refused
    });
    refused.with_context(|| format!("{last:?}"))?;
    let taken = cluster.api().send("POST", &pools, &pool("10.0.0.0/24"))?;
    ensure!(taken.status == 201, "{taken:?}");
    versions(&cluster)?;

    chart::upgrade(&cluster, &["--reset-then-reuse-values"])?;
    ensure!(certificate(&cluster)? == made, "its certificate is made once");
    ingresses(&cluster)?;
    cluster.stop()
}

fn ingress(name: &str) -> String {
    let service = json!({"name": "web", "port": {"number": 80}});
    let path = json!({"path": "/", "pathType": "Prefix", "backend": {"service": service}});
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "ingressClassName": "nginx",
            "rules": [{"host": "web.test", "http": {"paths": [path]}}],
        },
    })
    .to_string()
}

/// As ingress-nginx's webhook judges them: beside each other. A Service that is not there refuses
/// none.
fn ingresses(cluster: &Cluster) -> Result<()> {
    chart::upgrade(cluster, &["--reset-then-reuse-values", "--set", "webhook.ingresses=true"])?;
    let class = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
        "metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"},
    });
    let made =
        cluster.api().send("POST", &format!("{NETWORKING}/ingressclasses"), &class.to_string())?;
    ensure!(made.status == 201, "{made:?}");
    let at = format!("{NETWORKING}/namespaces/default/ingresses");
    let taken = cluster.api().send("POST", &at, &ingress("first"))?;
    ensure!(taken.status == 201, "{taken:?}");
    // Until the pod of before is gone, it may be the one that is asked.
    cluster::until("an Ingress to be refused for another one's sake", || {
        let answer = cluster.api().send("POST", &format!("{at}?dryRun=All"), &ingress("second"));
        answer.is_ok_and(|it| it.status == 422 && it.body.contains("Ingress/default/first"))
    })?;
    let same = cluster.api().send("PUT", &format!("{at}/first"), &ingress("first"))?;
    ensure!(same.status == 200, "{same:?}");
    rights::of_judges_are_used(cluster)
}

/// What may reach it is what it listens to, wherever an API server asks from.
fn policy_lets_it_be_asked(cluster: &Cluster) -> Result<()> {
    let policy = format!("{NETWORKING}/namespaces/{NAMESPACE}/networkpolicies/steelyard-webhook");
    let policy = cluster.api().get(&policy)?["spec"].take();
    let deployment = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/steelyard-webhook");
    let deployment = cluster.api().get(&deployment)?["spec"].take();
    let port = &deployment["template"]["spec"]["containers"][0]["ports"][0];
    let (name, protocol) = (&port["name"], &port["protocol"]);
    let ingress = json!([{ "ports": [{ "port": name, "protocol": protocol }] }]);
    ensure!(
        policy["ingress"] == ingress && policy["policyTypes"] == json!(["Ingress"]),
        "{policy}"
    );
    ensure!(policy["podSelector"] == deployment["selector"], "{policy} {deployment}");
    Ok(())
}

/// A BGPPeer of one version is one of the other.
fn versions(cluster: &Cluster) -> Result<()> {
    let peer = json!({
        "apiVersion": "metallb.io/v1beta1",
        "kind": "BGPPeer",
        "metadata": {"name": "router", "namespace": "default"},
        "spec": {
            "myASN": 64500, "peerASN": 64501, "peerAddress": "10.0.0.1",
            "nodeSelectors": [{"matchExpressions": [
                {"key": "rack", "operator": "In", "values": ["a"]},
            ]}],
        },
    });
    let peers = |version: &str| format!("{GROUP}/{version}/namespaces/default/bgppeers");
    let one = |version: &str| cluster.api().get(&format!("{}/router", peers(version)));
    let answer = cluster.api().send("POST", &peers("v1beta1"), &peer.to_string())?;
    ensure!(answer.status == 201, "{answer:?}");
    cluster::until("it in the other version", || one("v1beta2").is_ok())?;
    let (old, new) = (one("v1beta1")?, one("v1beta2")?);
    ensure!(old["spec"]["nodeSelectors"] == peer["spec"]["nodeSelectors"], "{old}");
    ensure!(new["apiVersion"] == "metallb.io/v1beta2", "{new}");
    ensure!(new["spec"]["peerAddress"] == "10.0.0.1", "{new}");
    let answer = cluster.api().send(
        "PATCH",
        &format!("{}/router", peers("v1beta2")),
        r#"{"spec": {"vrf": "red"}}"#,
    )?;
    ensure!(answer.status == 200, "{answer:?}");
    // What the old version has no field for comes back.
    let kept = &one("v1beta1")?["metadata"]["annotations"]["steelyard.dev/bgppeer-v1beta2"];
    ensure!(kept.as_str().is_some_and(|kept| kept.contains("red")), "{kept}");
    Ok(())
}
