//! The chart and the plain manifests, installed and removed.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use steelyard_tests::chart::{
    NAMESPACE, chart, deploy, install, make_namespace, uninstall, upgrade,
};
use steelyard_tests::cluster::{self, Cluster};
use steelyard_tests::needs_cluster;
use steelyard_tests::process::run;

use super::{define, definitions_of, rights, start};

const COMPONENTS: [(&str, usize); 3] = [("controller", 2), ("speaker", 1), ("gateway", 1)];

/// What the chart makes of these options; nobody is asked for that.
fn template(options: &[&str]) -> Result<String> {
    let mut helm = Command::new(cluster::program());
    helm.args(["helm", "template", "steelyard", &chart(), "--namespace", NAMESPACE]).args(options);
    run(helm)
}

/// Who applies what the chart makes changes nothing, whatever the API server filled in.
fn nothing_differs(cluster: &Cluster, options: &[&str]) -> Result<()> {
    let file = cluster.kubeconfig().with_file_name("template.yaml");
    fs::write(&file, template(options)?)?;
    cluster.kubectl(&["diff", "-f", &file.to_string_lossy()]).map(drop)
}

/// Waits until the pods of all roles are there.
fn pods(cluster: &Cluster) -> Result<()> {
    for (component, count) in COMPONENTS {
        let labels = format!("app.kubernetes.io/component={component}");
        cluster::until(&format!("{count} pods of {component}"), || {
            cluster.pods(NAMESPACE, &labels).is_ok_and(|pods| pods.len() == count)
        })?;
    }
    Ok(())
}

/// What is there and says that it is ours, as `kind/name`.
fn ours(cluster: &Cluster) -> Result<Vec<String>> {
    let kinds = cluster.kubectl(&["api-resources", "--verbs=list", "-o", "name"])?;
    let kinds = kinds.lines().collect::<Vec<_>>().join(",");
    let labels = "app.kubernetes.io/name=steelyard";
    let found = cluster.kubectl(&["get", &kinds, "-A", "-l", labels, "-o", "name"])?;
    Ok(found.lines().map(str::to_owned).collect())
}

#[test]
fn the_chart_comes_and_goes() -> Result<()> {
    needs_cluster!();
    let cluster = start("chart")?;
    make_namespace(&cluster)?;
    let told = install(&cluster, &[])?;
    for part in
        ["Run next", "rollout status", "kind: IPAddressPool", "get service steelyard-gateway"]
    {
        ensure!(told.contains(part), "no {part:?} in:\n{told}");
    }
    ensure!(definitions_of(&cluster)?.len() == 19, "with its definitions");
    pods(&cluster)?;
    nothing_differs(&cluster, &[])?;
    rights::are_those_that_are_used(&cluster)?;
    they_ask_for_no_more_than_they_need(&cluster)?;
    let other = ["--set", "ingressClass.default=true", "--set", "controller.replicas=1"];
    upgrade(&cluster, &other)?;
    nothing_differs(&cluster, &other)?;
    // The values of each distribution that docs/install.md speaks of.
    for file in fs::read_dir(deploy("helm/values"))? {
        let file = file?.path().to_string_lossy().into_owned();
        upgrade(&cluster, &["--dry-run=server", "--values", &file])?;
    }

    uninstall(&cluster)?;
    cluster::until("pods to be gone", || ours(&cluster).is_ok_and(|left| left.is_empty()))
        .with_context(|| format!("{:?}", ours(&cluster)))?;
    // What users wrote outlives it.
    ensure!(definitions_of(&cluster)?.len() == 19, "definitions stay");
    cluster.stop()
}

#[test]
fn plain_manifests_are_the_chart() -> Result<()> {
    needs_cluster!();
    let cluster = start("plain")?;
    let file = deploy("manifests/steelyard.yaml");
    let made = template(&[])?;
    let lines = |text: &str| -> Vec<String> {
        let kept = text.lines().filter(|it| !it.trim().is_empty() && !it.starts_with('#'));
        kept.map(|line| line.trim_end().to_owned()).collect()
    };
    let (there, made) = (lines(&fs::read_to_string(&file)?), lines(&made));
    ensure!(there.ends_with(&made), "`cargo xtask manifests` was not run");
    ensure!(there.iter().filter(|it| **it == "---").count() == kinds(&made) + 1, "and a Namespace");

    define(&cluster, &deploy("helm/steelyard/crds"))?;
    let file = file.to_string_lossy().into_owned();
    cluster.kubectl(&["apply", "-f", &file])?;
    pods(&cluster)?;
    cluster.kubectl(&["diff", "-f", &file])?;
    let definitions = deploy("helm/steelyard/crds").to_string_lossy().into_owned();
    cluster.kubectl(&["diff", "--server-side", "-f", &definitions])?;
    cluster.kubectl(&["delete", "-f", &file])?;
    cluster::until("pods to be gone", || ours(&cluster).is_ok_and(|left| left.is_empty()))?;
    cluster.stop()
}

fn kinds(lines: &[String]) -> usize {
    lines.iter().filter(|line| line.starts_with("kind: ")).count()
}

/// Controllers and gateways are what Pod Security calls restricted; speakers are not.
fn they_ask_for_no_more_than_they_need(cluster: &Cluster) -> Result<()> {
    let strict = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": "strict", "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
    }});
    cluster.apply(&strict.to_string())?;
    for (kind, component) in
        [("deployments", "controller"), ("daemonsets", "speaker"), ("daemonsets", "gateway")]
    {
        let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/{kind}/steelyard-{component}");
        let mut pod = cluster.api().get(&path)?["spec"]["template"].take();
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["metadata"] = json!({"name": component, "namespace": "strict"});
        pod["spec"]["serviceAccountName"] = json!("default");
        let answer = cluster.api().send(
            "POST",
            "/api/v1/namespaces/strict/pods?dryRun=All",
            &pod.to_string(),
        )?;
        let is_taken = answer.status == 201;
        ensure!(is_taken == (component != "speaker"), "{component}: {answer:?}");
        let container = &pod["spec"]["containers"][0]["securityContext"];
        let added = match component {
            "speaker" => json!(["NET_ADMIN", "NET_RAW"]),
            _ => Value::Null,
        };
        ensure!(container["capabilities"]["add"] == added, "{component}: {container}");
        ensure!(container["readOnlyRootFilesystem"] == true, "{component}: {container}");
        ensure!(container["allowPrivilegeEscalation"] == false, "{component}: {container}");
    }
    Ok(())
}

#[test]
fn values_are_checked() -> Result<()> {
    needs_cluster!();
    let wrong = [
        "controller.replicas=0",
        "gateway.service.httpPort=80000",
        "gateway.kind=Deployment",
        "image.digest=sha256:1",
        "speaker.stateDir=here",
        "speaker.carrier=cilium",
        "ingressClass.controller=example.com/another",
        "shadow=perhaps",
        "networkPolicy.webhookFrom=10.0.0.1",
        "image.repository=a b",
        "image.tag=a: b",
        "loadBalancerClass=not valid",
        "logLevel=info: x",
        "admin.tokenSecret=Upper",
        "speaker.stateDir=/var/lib/../../etc",
        "gateway.secretNamespaces={}",
        "gateway.secretNamespaces={a,a}",
        "ingressClass.name=Upper",
        "webhook.secretName=mine",
        "webhook.caBundle=eA==",
    ];
    for value in wrong {
        let refused = template(&["--set", value]);
        let told = format!("{:?}", refused.err().with_context(|| format!("{value} is taken"))?);
        let field = value.split(['=', '.']).next().unwrap_or_default();
        ensure!(told.contains("schema") && told.contains(field), "{value}: {told}");
    }
    for (value, why) in [
        ("gateway.service.httpPort=443", "the same port"),
        ("gateway.service.httpsPort=80", "the same port"),
    ] {
        let told = format!("{:?}", template(&["--set", value]).err().context("it is taken")?);
        ensure!(told.contains(why), "{value}: {told}");
    }
    let own = "gateway.service.annotations.steelyard\\.dev/gateway=false";
    let told = format!("{:?}", template(&["--set-string", own]).err().context("it is taken")?);
    ensure!(told.contains("the chart's own"), "{told}");
    template(&["--set=webhook.enabled=true,webhook.secretName=mine,webhook.caBundle=eA=="])?;
    let everything = [
        "--set=shadow=true,loadBalancerClass=steelyard,gateway.service.type=ClusterIP",
        "--set=admin.tokenSecret=steelyard-admin,speaker.passFlows=false",
        "--set=metrics.dashboard.enabled=true,ingressClass.default=true",
        "--set-json=gateway.secretNamespaces=[\"default\"]",
        "--set=webhook.enabled=true",
        "--set-json=networkPolicy.webhookFrom=[{\"ipBlock\":{\"cidr\":\"192.0.2.4/32\"}}]",
        "--set=image.digest=sha256:0123456789012345678901234567890123456789012345678901234567890123",
    ];
    let text = template(&everything)?;
    for part in [
        "--shadow",
        "--lb-class=steelyard",
        "steelyard@sha256:",
        "namespace: default",
        "--forget-flows",
        "add: [NET_RAW]",
        "port: webhook, protocol: TCP}\n      from:\n        - ipBlock:\n            cidr: 192.0.2.4/32",
    ] {
        ensure!(text.contains(part), "no {part:?} in:\n{text}");
    }
    for (part, times) in [("--admin-token-file=", 3), ("secretName: steelyard-admin", 3)] {
        ensure!(text.matches(part).count() == times, "{part:?} in:\n{text}");
    }
    let carried = template(&["--set=speaker.carrier=direct"])?;
    let lends = ["--lend-listeners=/run/steelyard/listeners", "supplementalGroups: [65532]"];
    let borrows = "--borrow-listeners=/run/steelyard/listeners";
    let capable = "[NET_ADMIN, NET_BIND_SERVICE, NET_RAW]";
    for part in ["--carrier=direct", "--ip-mode=proxy", capable, borrows].iter().chain(&lends) {
        ensure!(carried.contains(part), "no {part:?} in:\n{carried}");
    }
    ensure!(carried.matches("path: /run/steelyard, type: DirectoryOrCreate").count() == 2);
    // Where the gateway has no address of its own, there is nothing to lend.
    let within = ["--set=speaker.carrier=direct", "--set=gateway.service.type=ClusterIP"];
    ensure!(!template(&within)?.contains("/run/steelyard"));
    // A question is created, and kept by nobody.
    let asks = "resources: [subjectaccessreviews]\n    verbs: [create]";
    ensure!(text.contains(asks), "no {asks:?} in:\n{text}");
    let text = text.replace(asks, "");
    for verb in ["create", "patch", "update"] {
        let rule = text.lines().find(|it| it.contains("verbs:") && it.contains(verb));
        ensure!(rule.is_none(), "who is in the shadow may write nothing: {rule:?}");
    }
    Ok(())
}
