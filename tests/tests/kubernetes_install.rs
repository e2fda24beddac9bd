//! What deploy/ gives a cluster: definitions that are taken and enforced, a chart and plain
//! manifests that come and go, and rights that are those which are used.

#[path = "kubernetes_install/chart.rs"]
mod chart;
#[path = "kubernetes_install/definitions.rs"]
mod definitions;
#[path = "kubernetes_install/followed.rs"]
mod followed;
#[path = "kubernetes_install/monitoring.rs"]
mod monitoring;
#[path = "kubernetes_install/rights.rs"]
mod rights;
#[path = "kubernetes_install/roles.rs"]
mod roles;
#[path = "kubernetes_install/shadow.rs"]
mod shadow;
#[path = "kubernetes_install/webhook.rs"]
mod webhook;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use definitions::{COLUMNS, KINDS};
use serde_json::{Value, json};
use steelyard_tests::chart::deploy;
use steelyard_tests::cluster::{self, Blueprint, Cluster, condition};
use steelyard_tests::needs_cluster;

pub(crate) fn start(name: &str) -> Result<Cluster> {
    let images = [("steelyard", steelyard_tests::binary::steelyard())];
    Cluster::start(&Blueprint { name, nodes: 1, images: &images })
}

/// Gives the cluster the definitions, as docs/install.md says.
pub(crate) fn define(cluster: &Cluster, folder: &Path) -> Result<()> {
    let folder = folder.to_string_lossy();
    cluster.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &folder])?;
    cluster::until("definitions to be in force", || {
        let found = definitions_of(cluster).unwrap_or_default();
        !found.is_empty() && found.iter().all(|it| condition(it, "Established") == Some("True"))
    })
}

pub(crate) fn definitions_of(cluster: &Cluster) -> Result<Vec<Value>> {
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    cluster.api().get(path)?["items"].as_array().cloned().context("a list")
}

/// An object by the name `one` in the default namespace.
fn object(path: &str, kind: &str, fields: &str) -> Result<Value> {
    let mut object: Value =
        serde_json::from_str(&format!("{{{fields}}}")).context(fields.to_owned())?;
    let version = path.rsplit_once('/').context("group/version/plural")?.0;
    object["apiVersion"] = json!(version);
    object["kind"] = json!(kind);
    object["metadata"] = json!({"name": "one", "namespace": "default"});
    Ok(object)
}

#[test]
fn definitions_are_enforced() -> Result<()> {
    needs_cluster!();
    let cluster = start("enforced")?;
    define(&cluster, &deploy("helm/steelyard/crds"))?;
    for kind in &KINDS {
        let (group, plural) = kind.path.rsplit_once('/').context("group/version/plural")?;
        let path = format!("/apis/{group}/namespaces/default/{plural}");
        let good = object(kind.path, kind.kind, kind.good)?;
        let answer = cluster.api().send("POST", &path, &good.to_string())?;
        ensure!(answer.status == 201, "{}: {answer:?}", kind.path);
        for (fields, said) in kind.bad {
            let bad = object(kind.path, kind.kind, fields)?;
            let answer = cluster.api().send("POST", &path, &bad.to_string())?;
            let is_refused = answer.status == 422 && answer.body.contains(said);
            ensure!(is_refused, "{}: {fields}: {answer:?}", kind.path);
        }
        // One of two versions is the other one too.
        let answer = cluster.api().send("DELETE", &format!("{path}/one"), "")?;
        ensure!(answer.status == 200, "{answer:?}");
    }
    columns(&cluster)?;
    statuses(&cluster)?;
    cluster.stop()
}

fn columns(cluster: &Cluster) -> Result<()> {
    for (plural, columns) in COLUMNS {
        let kind = KINDS.iter().find(|it| it.path.ends_with(plural)).context(plural)?;
        let good = object(kind.path, kind.kind, kind.good)?;
        cluster.apply(&good.to_string())?;
        let shown = cluster.kubectl(&["get", plural])?;
        let head: Vec<&str> = shown.lines().next().unwrap_or_default().split_whitespace().collect();
        ensure!(head.join(" ") == format!("NAME {columns}"), "{shown}");
    }
    Ok(())
}

/// What is said of an object is written apart from it, and whom it is about stays.
fn statuses(cluster: &Cluster) -> Result<()> {
    let path = "metallb.io/v1beta1/servicel2statuses";
    let made = object(path, "ServiceL2Status", r#""spec": {}, "status": {"node": "a"}"#)?;
    let collection = "/apis/metallb.io/v1beta1/namespaces/default/servicel2statuses";
    let answer = cluster.api().send("POST", collection, &made.to_string())?;
    let made: Value = serde_json::from_str(&answer.body)?;
    ensure!(answer.status == 201 && made["status"].is_null(), "{answer:?}");
    let status = format!("{collection}/one/status");
    let told = cluster.api().send("PATCH", &status, r#"{"status": {"node": "a"}}"#)?;
    ensure!(told.status == 200 && told.body.contains(r#""node":"a""#), "{told:?}");
    let moved = cluster.api().send("PATCH", &status, r#"{"status": {"node": "b"}}"#)?;
    ensure!(moved.status == 422 && moved.body.contains("cannot be changed"), "{moved:?}");
    Ok(())
}

/// What MetalLB and Traefik define, read in place from beside the repository, an API server shows
/// as it does what we define, but for words that people read.
#[test]
fn definitions_are_those_of_others() -> Result<()> {
    needs_cluster!();
    let theirs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/compat/crds");
    if !theirs.is_dir() {
        println!("skipped: {} is not there", theirs.display());
        return Ok(());
    }
    let cluster = start("theirs")?;
    for group in ["metallb", "traefik"] {
        define(&cluster, &theirs.join(group))?;
    }
    let before = definitions_of(&cluster)?;
    define(&cluster, &deploy("helm/steelyard/crds"))?;
    let after = definitions_of(&cluster)?;
    ensure!(before.len() == 19 && after.len() == 19, "{} and {}", before.len(), after.len());
    for (theirs, ours) in before.iter().zip(&after) {
        let name = &theirs["metadata"]["name"];
        let (theirs, ours) = (structure(&theirs["spec"]), structure(&ours["spec"]));
        ensure!(theirs == ours, "{name}:\n{theirs:#}\n{ours:#}");
    }
    cluster.stop()
}

/// A definition without the words for people. A field may be called `description` too, and is an
/// object then.
fn structure(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let words = ["description", "message", "deprecationWarning"];
            let kept = map
                .iter()
                .filter(|(key, value)| !(value.is_string() && words.contains(&key.as_str())));
            kept.map(|(key, value)| (key.clone(), ordered(key, structure(value)))).collect()
        }
        Value::Array(list) => list.iter().map(structure).collect(),
        other => other.clone(),
    }
}

/// In which order fields are required is nothing that anybody could notice.
fn ordered(key: &str, mut value: Value) -> Value {
    if let (true, Value::Array(list)) = (key == "required", &mut value) {
        list.sort_by_key(Value::to_string);
    }
    value
}
