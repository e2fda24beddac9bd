//! The roles, in the pods that the chart gives them and with the rights it gives them.

use anyhow::{Context, Result, ensure};
use steelyard_tests::chart::{self, NAMESPACE};
use steelyard_tests::cluster::Cluster;
use steelyard_tests::needs_cluster;

use super::start;

/// What a role's pods said, which are so many and well.
pub(crate) fn said(cluster: &Cluster, component: &str, count: usize) -> Result<String> {
    let labels = format!("app.kubernetes.io/component={component}");
    let logs = || {
        let selector = ["--selector", &labels, "--tail", "-1"];
        cluster.kubectl(&[&["--namespace", NAMESPACE, "logs"][..], &selector].concat())
    };
    cluster
        .wait_for_pods(NAMESPACE, &labels, count)
        .with_context(|| format!("{component}: {}", logs().unwrap_or_default()))?;
    logs()
}

#[test]
fn roles_run_as_they_are_installed() -> Result<()> {
    needs_cluster!();
    let cluster = start("roles")?;
    chart::make_namespace(&cluster)?;
    chart::install(&cluster, &[])?;
    for (component, count) in [("controller", 2), ("gateway", 1), ("speaker", 1)] {
        let said = said(&cluster, component, count)?;
        ensure!(!said.to_lowercase().contains("forbidden"), "{component}: {said}");
    }
    // What they made themselves is what docs/install.md says that is left.
    chart::uninstall(&cluster)?;
    let get = |kind: &str| cluster.kubectl(&["--namespace", NAMESPACE, "get", kind, "-o", "name"]);
    ensure!(get("secrets")?.trim() == "secret/steelyard-membership", "{}", get("secrets")?);
    let leases = get("leases")?;
    ensure!(leases.trim() == "lease.coordination.k8s.io/steelyard-controller", "{leases}");
    cluster.stop()
}
