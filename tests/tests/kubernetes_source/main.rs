//! What is read of a cluster is what is there, whatever becomes of the API server and the way to
//! it: nothing is lost, nothing is taken for gone that is not, and what is told again wakes nobody.

mod commands;
mod ear;
mod expiry;
mod mint;
mod relay;
mod rights;
mod secrets;

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use steelyard_kube::Standing;
use steelyard_manifest::{Breadth, Role, Selection, Watched, watched};
use steelyard_tests::cluster::{Blueprint, Cluster};
use steelyard_tests::needs_cluster;

use self::ear::Ear;
use self::relay::Relay;

/// The kinds of MetalLB and of Traefik, without a schema.
fn definitions() -> String {
    let is_defined = |kind: &&Watched| ["metallb.io", "traefik.io"].contains(&kind.group);
    let ours = watched(Role::Everything).iter().filter(is_defined);
    ours.map(definition).collect::<Vec<_>>().join("---\n")
}

fn definition(kind: &Watched) -> String {
    let Watched { group, kind, version, plural, .. } = kind;
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
         metadata: {{name: {plural}.{group}}}\nspec:\n  group: {group}\n  scope: Namespaced\n  \
         names: {{kind: {kind}, plural: {plural}}}\n  versions:\n  - name: {version}\n    \
         served: true\n    storage: true\n    subresources: {{status: {{}}}}\n    schema: \
         {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}\n"
    )
}

const OBJECTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: home, namespace: shop}
spec: {addresses: [192.0.2.10-192.0.2.20]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: LoadBalancer, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec: {rules: [{host: web.example, http: {paths: [{path: /, pathType: Prefix, backend: {service:
  {name: web, port: {number: 80}}}}]}}]}
---
apiVersion: v1
kind: Secret
metadata: {name: cert, namespace: shop}
stringData: {a: b}
---
apiVersion: v1
kind: Secret
metadata: {name: other, namespace: shop}
stringData: {a: b}
";
const WEB: &str = "Service/shop/web";
const POOL: &str = "IPAddressPool/shop/home";
const SERVICE: &str = "/api/v1/namespaces/shop/services/web";

fn start(name: &str) -> Result<Cluster> {
    Cluster::start(&Blueprint { name, nodes: 0, images: &[] })
}

/// All that is looked at as a whole.
fn everything() -> impl Iterator<Item = Selection> {
    let kinds = watched(Role::Everything).iter();
    kinds.filter(|kind| kind.breadth == Breadth::All).map(Selection::all)
}

/// Waits until these are known to be there, or not.
fn until(ear: &Ear, there: &[&str], gone: &[&str]) -> Result<()> {
    steelyard_tests::cluster::until(&format!("{there:?} without {gone:?}"), || {
        let heard = ear.heard();
        there.iter().all(|it| heard.objects.contains_key(*it))
            && gone.iter().all(|it| !heard.objects.contains_key(*it))
    })
}

#[test]
fn what_a_cluster_has_is_heard() -> Result<()> {
    needs_cluster!();
    let cluster = start("heard")?;
    let ear = Ear::start(&cluster, &cluster.kubeconfig(), everything().collect())?;
    // Kinds that are not there are no reason to wait, and may come later.
    ear.until("all of it", |heard| heard.is_complete)?;
    let pools = watched(Role::Everything).iter().find(|it| it.kind == "IPAddressPool");
    let pools = pools.map(Selection::all).expect("it is read");
    ensure!(ear.heard().standing[&pools] == Standing::Absent);
    cluster.apply(&definitions())?;
    let defined = "crd/ipaddresspools.metallb.io";
    cluster.kubectl(&["wait", "--for=condition=Established", defined, "--timeout=60s"])?;
    cluster.apply(OBJECTS)?;
    until(&ear, &["Namespace/shop", WEB, POOL, "Ingress/shop/web"], &["Secret/shop/cert"])?;

    // A Secret is looked at when something refers to it, and as long as that is so.
    let secrets = watched(Role::Gateway).iter().find(|it| it.kind == "Secret").expect("read");
    ear.need(&[Selection::one(secrets, "shop", "cert")]);
    until(&ear, &["Secret/shop/cert"], &["Secret/shop/other"])?;
    cluster.kubectl(&["delete", "secret", "-n", "shop", "cert"])?;
    until(&ear, &[], &["Secret/shop/cert"])?;
    ear.need(&[Selection::one(secrets, "shop", "other")]);
    until(&ear, &["Secret/shop/other"], &[])?;
    ear.need(&[]);
    until(&ear, &[], &["Secret/shop/other"])?;

    // What is written into a status that nobody reads is no news; what comes after it is.
    let changes = ear.heard().changes;
    let api = cluster.api();
    let told = json!({"status": {"conditions": [{"type": "Told", "status": "True", "reason": "A",
        "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
    let answer = api.send("PATCH", &format!("{SERVICE}/status"), &told.to_string())?;
    ensure!(answer.status == 200, "{answer:?}");
    let last = json!({"metadata": {"labels": {"last": "yes"}}}).to_string();
    ensure!(api.send("PATCH", SERVICE, &last)?.status == 200);
    ear.until("the label", |heard| heard.objects[WEB]["metadata"]["labels"]["last"] == "yes")?;
    ensure!(ear.heard().changes == changes + 1, "{} after {changes}", ear.heard().changes);

    // A large object is one among others, and a namespace goes with all that is in it.
    let long = json!({"metadata": {"annotations": {"long": "x".repeat(200 << 10)}}}).to_string();
    ensure!(api.send("PATCH", SERVICE, &long)?.status == 200);
    let is_long = |object: &Value| object["metadata"]["annotations"]["long"].is_string();
    ear.until("the annotation", |heard| is_long(&heard.objects[WEB]))?;
    cluster.kubectl(&["delete", "namespace", "shop", "--wait=false"])?;
    until(&ear, &["Namespace/default"], &["Namespace/shop", WEB, POOL, "Ingress/shop/web"])
}

/// The way to the API server breaks, and all that follows from it.
#[test]
fn what_happened_meanwhile_is_all_that_is_heard() -> Result<()> {
    needs_cluster!();
    let mut cluster = start("meanwhile")?;
    cluster.apply(&definitions())?;
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"])?;
    cluster.apply(OBJECTS)?;
    let relay = Relay::start(&cluster, &cluster.kubeconfig())?;
    let ear = Ear::start(&cluster, relay.kubeconfig(), everything().collect())?;
    ear.until("all of it", |heard| heard.is_complete)?;
    until(&ear, &[WEB, POOL], &[])?;
    let calm = |ear: &Ear| ear.heard().standing.values().all(|it| *it == Standing::Followed);
    let is_cut = |ear: &Ear| {
        let heard = ear.heard();
        heard.standing.values().all(|it| matches!(it, Standing::CutOff { .. }))
    };
    let services = |ear: &Ear| {
        let heard = ear.heard();
        heard.objects.keys().filter(|it| it.starts_with("Service/")).cloned().collect::<Vec<_>>()
    };

    // A way that breaks and comes back: nothing is heard.
    let changes = ear.heard().changes;
    relay.close();
    ear.until("the cut to be noticed", |_| is_cut(&ear))?;
    relay.open();
    ear.until("it to be followed again", |_| calm(&ear))?;
    ensure!(ear.heard().changes == changes, "a way that comes back is no change");

    // Versions are forgotten meanwhile, and the API server is another process.
    relay.close();
    ear.until("the cut to be noticed", |_| is_cut(&ear))?;
    cluster.kubectl(&["delete", "-n", "shop", "ipaddresspool", "home"])?;
    cluster.kubectl(&["create", "service", "clusterip", "-n", "shop", "new", "--tcp=80"])?;
    cluster.kubectl(&["delete", "service", "-n", "shop", "web"])?;
    cluster.compact()?;
    cluster.kill_api()?;
    cluster.start_api()?;
    ensure!(ear.heard().changes == changes && ear.heard().objects.contains_key(WEB));
    relay.open();
    until(&ear, &["Service/shop/new"], &[WEB, POOL])?;
    ear.until("it to be followed again", |_| calm(&ear))?;
    ensure!(services(&ear) == ["Service/default/kubernetes", "Service/shop/new"]);

    // Frozen: nothing is known to be otherwise, and nothing is.
    let changes = ear.heard().changes;
    cluster.freeze_api()?;
    std::thread::sleep(Duration::from_millis(500));
    ensure!(services(&ear).len() == 2);
    cluster.thaw_api()?;
    // Of a Service it would be one of its slices too.
    cluster.kubectl(&["label", "namespace", "shop", "a=b"])?;
    ear.until("what came after", |heard| heard.changes > changes)?;
    // Killed and started again: the same.
    let changes = ear.heard().changes;
    cluster.kill_api()?;
    ear.until("the cut to be noticed", |_| is_cut(&ear))?;
    cluster.start_api()?;
    ear.until("it to be followed again", |_| calm(&ear))?;
    ensure!(ear.heard().changes == changes, "another process is no change");
    Ok(())
}
