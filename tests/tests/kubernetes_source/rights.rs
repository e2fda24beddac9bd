//! Rights that are taken away while somebody listens, and given back.

use anyhow::{Result, ensure};
use steelyard_kube::Standing;
use steelyard_manifest::{Role, Selection, Verb, watched};
use steelyard_tests::needs_cluster;
use steelyard_tests::scratch::Scratch;

use super::commands::account;
use super::ear::Ear;
use super::relay::Relay;
use super::{start, until};

const READER: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
- {apiGroups: [''], resources: [services, namespaces], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: default}]
";

#[test]
fn a_right_that_is_taken_away_is_named_and_what_was_known_stands() -> Result<()> {
    needs_cluster!();
    let cluster = start("rights")?;
    cluster.apply(READER)?;
    let scratch = Scratch::new()?;
    let reader = account(&cluster, &scratch, "default", "reader")?;
    let relay = Relay::start(&cluster, &reader)?;
    let kinds = ["Namespace", "Service"];
    let kinds = kinds.map(|kind| watched(Role::Everything).iter().find(|it| it.kind == kind));
    let all: Vec<Selection> = kinds.into_iter().flatten().map(Selection::all).collect();
    let ear = Ear::start(&cluster, relay.kubeconfig(), all)?;
    ear.until("all of it", |heard| heard.is_complete)?;
    let (changes, before) = (ear.heard().changes, ear.heard().objects);
    ensure!(before.contains_key("Service/default/kubernetes"));

    // Who is connected stays so; the next connection is refused.
    cluster.kubectl(&["delete", "clusterrolebinding", "reader"])?;
    relay.close();
    relay.open();
    let is_refused = |it: &Standing| matches!(it, Standing::Refused { verb: Verb::Watch, .. });
    ear.until("all to be refused", |heard| heard.standing.values().all(is_refused))?;
    cluster.kubectl(&["create", "service", "clusterip", "late", "--tcp=80"])?;
    ensure!(ear.heard().objects == before && ear.heard().changes == changes);

    cluster.apply(READER)?;
    until(&ear, &["Service/default/late"], &[])?;
    ear.until("it to be followed", |heard| {
        heard.standing.values().all(|it| *it == Standing::Followed)
    })?;
    let service = |it: &&String| it.starts_with("Service/");
    let services = ear.heard().objects.keys().filter(service).count();
    ensure!(services == 2 && ear.heard().changes == changes + 1);
    Ok(())
}
