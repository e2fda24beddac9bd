//! What roles may do is what they do: what they read is `watched` of pure/manifest, and what they
//! write stands here, beside who writes it.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use steelyard_manifest::{Breadth, Role, watched};
use steelyard_tests::chart::NAMESPACE;
use steelyard_tests::cluster::Cluster;

/// Where, on what, what, and on which one alone: `all/services watch`, `own/leases get NAME`.
type Rights = BTreeSet<String>;

const ROLES: [(&str, Role, &[&str]); 3] = [
    ("controller", Role::Controller, &CONTROLLER),
    ("speaker", Role::Speaker, &SPEAKER),
    ("gateway", Role::Gateway, &[]),
];
/// Beside what it follows.
const CONTROLLER: [&str; 18] = [
    // io/kube/src/write.rs: statuses, and events, which are made where they are not there.
    "all/services/status patch",
    "all/ingresses.networking.k8s.io/status patch",
    "all/ipaddresspools.metallb.io/status patch",
    "all/events create",
    "all/events patch",
    // io/kube/src/neighbours.rs: who else gives addresses.
    "all/deployments.apps list",
    "all/daemonsets.apps list",
    "all/subjectaccessreviews.authorization.k8s.io create",
    // io/kube/src/lease.rs
    "own/leases.coordination.k8s.io create",
    "own/leases.coordination.k8s.io get steelyard-controller",
    "own/leases.coordination.k8s.io update steelyard-controller",
    // io/kube/src/secret.rs
    "own/secrets create",
    "own/secrets get steelyard-membership",
    // What it says of itself, which is made where it is not there.
    "own/configurationstates.metallb.io list",
    "own/configurationstates.metallb.io watch",
    "own/configurationstates.metallb.io create",
    "own/configurationstates.metallb.io patch",
    "own/configurationstates.metallb.io/status patch",
];
const SPEAKER: [&str; 7] = [
    // Asked for by name, in its own namespace: the key, and passwords of sessions.
    "own/secrets list",
    "own/secrets watch",
    // io/kube/src/announced.rs: for which Services its node answers.
    "own/servicel2statuses.metallb.io list",
    "own/servicel2statuses.metallb.io create",
    "own/servicel2statuses.metallb.io patch",
    "own/servicel2statuses.metallb.io delete",
    "own/servicel2statuses.metallb.io/status patch",
];

fn used(role: Role, more: &[&str]) -> Rights {
    let mut rights: Rights = more.iter().map(|it| (*it).to_owned()).collect();
    for kind in watched(role) {
        // A speaker's Secrets are above.
        if kind.breadth == Breadth::All || role != Role::Speaker {
            rights.extend(["list", "watch"].map(|verb| format!("all/{kind} {verb}")));
        }
    }
    rights
}

/// Those of a (Cluster)Role.
fn granted(scope: &str, object: &Value) -> Result<Rights> {
    let list = |value: &Value| -> Vec<String> {
        let all = value.as_array().into_iter().flatten();
        all.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut rights = Rights::new();
    for rule in object["rules"].as_array().context("rules")? {
        let groups = list(&rule["apiGroups"]);
        let [group] = &groups[..] else { anyhow::bail!("one group: {rule}") };
        let names = match list(&rule["resourceNames"]) {
            names if names.is_empty() => vec![String::new()],
            names => names.iter().map(|name| format!(" {name}")).collect(),
        };
        for resource in list(&rule["resources"]) {
            let (plural, part) = resource.split_once('/').unwrap_or((&resource, ""));
            let dot = if group.is_empty() { "" } else { "." };
            let slash = if part.is_empty() { "" } else { "/" };
            for verb in list(&rule["verbs"]) {
                for name in &names {
                    let right = format!("{scope}/{plural}{dot}{group}{slash}{part} {verb}{name}");
                    ensure!(rights.insert(right), "granted twice: {rule}");
                }
            }
        }
    }
    Ok(rights)
}

/// Compares what the installed roles may do with what they do.
pub(crate) fn are_those_that_are_used(cluster: &Cluster) -> Result<()> {
    ROLES.iter().try_for_each(|(name, role, more)| are_used(cluster, name, *role, more))
}

/// The same of one that is not always installed, and only reads.
pub(crate) fn of_judges_are_used(cluster: &Cluster) -> Result<()> {
    are_used(cluster, "webhook", Role::Judge, &[])
}

fn are_used(cluster: &Cluster, name: &str, role: Role, more: &[&str]) -> Result<()> {
    let group = "/apis/rbac.authorization.k8s.io/v1";
    let object = cluster.api().get(&format!("{group}/clusterroles/steelyard-{name}"))?;
    let mut rights = granted("all", &object)?;
    let own = format!("{group}/namespaces/{NAMESPACE}/roles/steelyard-{name}");
    if !more.is_empty() {
        rights.extend(granted("own", &cluster.api().get(&own)?)?);
    }
    let used = used(role, more);
    let (missing, unused): (Vec<_>, Vec<_>) =
        (used.difference(&rights).collect(), rights.difference(&used).collect());
    ensure!(missing.is_empty() && unused.is_empty(), "{name}: no {missing:?}, but {unused:?}");
    Ok(())
}
