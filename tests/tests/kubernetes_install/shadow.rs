//! The shadow: all roles run and explain beside a controller that writes, and nobody hears of them.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use steelyard_tests::chart::{NAMESPACE, chart, deploy, make_namespace};
use steelyard_tests::cluster::{self, Cluster};
use steelyard_tests::needs_cluster;
use steelyard_tests::process::run;
use steelyard_tests::roles::{give, is_answered};

use super::roles::said;
use super::start;

const ROLES: [(&str, usize); 3] = [("controller", 2), ("gateway", 1), ("speaker", 1)];
/// What another controller gave.
const GIVEN: &str = "10.2.0.200";
/// What another Service would be given.
const FREE: &str = "10.2.0.201";
const APPLIED: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: steelyard-admin, namespace: steelyard-system}
stringData: {token: a-token-that-nobody-guesses-0123456789}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: lan, namespace: steelyard-system}
spec: {addresses: [10.2.0.200-10.2.0.201]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: lan, namespace: steelyard-system}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo}
spec:
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec: {containers: [{name: echo, image: "echo:1", args: ["--http", ":80"]}]}
---
apiVersion: v1
kind: Service
metadata: {name: given}
spec: {type: LoadBalancer, selector: {app: echo}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: pending}
spec: {type: LoadBalancer, selector: {app: echo}, ports: [{port: 80}]}
"#;

/// Options of the chart in the shadow, and those that would have speakers do more.
const SHADOWS: [&str; 2] = [
    "shadow=true,ingressClass.create=false,gateway.service.type=ClusterIP",
    "shadow=true,ingressClass.create=false,speaker.carrier=direct",
];

#[test]
fn nobody_hears_of_a_shadow() -> Result<()> {
    needs_cluster!();
    let cluster = start("shadow")?;
    make_namespace(&cluster)?;
    super::define(&cluster, &deploy("helm/steelyard/crds"))?;
    cluster.apply(APPLIED)?;
    cluster.wait_for_pods("default", "app=echo", 1)?;
    give(&cluster, "given", &[GIVEN])?;
    let chart = chart();
    for options in SHADOWS {
        let install = ["upgrade", "--install", "steelyard", &chart, "--namespace", NAMESPACE];
        let token = ["--set", "admin.tokenSecret=steelyard-admin", "--set", options];
        cluster.helm(&[&install[..], &token].concat())?;
        cluster.kubectl(&["--namespace", NAMESPACE, "rollout", "status", "daemonset"])?;
        for (component, count) in ROLES {
            // It is well without what nobody makes for it.
            let said = said(&cluster, component, count)?;
            ensure!(!said.to_lowercase().contains("forbidden"), "{component}: {said}");
        }
        explained(&cluster)?;
        nothing_is_written(&cluster)?;
        for vip in [GIVEN, FREE] {
            ensure!(!is_answered(&cluster, vip.parse()?)?, "{vip} is announced with {options}");
        }
        let host = cluster.node("node-1")?.host()?;
        let rules = host.output("nft", &["list", "tables"])?.stdout;
        let rules = String::from_utf8_lossy(&rules).into_owned();
        ensure!(!rules.contains("steelyard"), "with {options}: {rules}");
    }
    cluster.stop()
}

/// It tells what it would do.
fn explained(cluster: &Cluster) -> Result<()> {
    let ask = |words: &[&str]| -> Result<Value> {
        let program = steelyard_tests::binary::steelyard().to_string_lossy();
        let mut command = cluster.client().command(&program);
        let kubeconfig = cluster.kubeconfig();
        command.args(words).args(["-o", "json", "--cluster", "--kubeconfig"]).arg(kubeconfig);
        Ok(serde_json::from_str(&run(command)?)?)
    };
    let mut last = String::new();
    cluster::until("a controller to tell what it would give", || {
        last = ask(&["get", "services"]).map_or_else(|it| format!("{it:#}"), |it| it.to_string());
        last.contains(FREE)
    })
    .with_context(|| last.clone())?;
    cluster::until("a speaker to tell what it would answer for", || {
        last =
            ask(&["get", "announcements"]).map_or_else(|it| format!("{it:#}"), |it| it.to_string());
        last.contains(GIVEN) && last.contains("shadow")
    })
    .with_context(|| last.clone())
}

/// No object of the cluster has a field of ours, and none is there that the chart has not brought.
fn nothing_is_written(cluster: &Cluster) -> Result<()> {
    let kinds = cluster.kubectl(&["api-resources", "--verbs=list", "-o", "name"])?;
    let kinds = kinds.lines().collect::<Vec<_>>().join(",");
    let all = cluster.kubectl(&["get", &kinds, "-A", "-o", "json", "--show-managed-fields"])?;
    let all: Value = serde_json::from_str(&all)?;
    let all = all["items"].as_array().context("a list")?;
    ensure!(all.len() > 50, "{} objects", all.len());
    for object in all {
        let fields = object["metadata"]["managedFields"].as_array().into_iter().flatten();
        let mut managers = fields.filter_map(|it| it["manager"].as_str());
        let ours = managers.find(|it| it.starts_with("steelyard"));
        ensure!(ours.is_none(), "{ours:?} has written {object:#}");
        let (kind, name) = (&object["kind"], &object["metadata"]["name"]);
        ensure!(*name != "steelyard-membership" && *kind != "ServiceL2Status", "{object:#}");
        ensure!(*kind != "Lease" || *name != "steelyard-controller", "{object:#}");
    }
    Ok(())
}
