//! What is shipped for a cluster (`deploy/`), and the chart, installed as docs/install.md says.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cluster::Cluster;

/// The namespace that it is installed in.
pub const NAMESPACE: &str = "steelyard-system";

/// A file or folder of `deploy/`.
pub fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(path)
}

/// The chart.
pub fn chart() -> String {
    deploy("helm/steelyard").to_string_lossy().into_owned()
}

/// The namespace that docs/install.md begins with.
pub fn make_namespace(cluster: &Cluster) -> Result<()> {
    cluster.kubectl(&["create", "namespace", NAMESPACE])?;
    let label = "pod-security.kubernetes.io/enforce=privileged";
    cluster.kubectl(&["label", "namespace", NAMESPACE, label]).map(drop)
}

/// Installs it with these options of Helm, such as `--set`; what Helm prints.
pub fn install(cluster: &Cluster, options: &[&str]) -> Result<String> {
    act(cluster, "install", options)
}

/// The same for one that is installed.
pub fn upgrade(cluster: &Cluster, options: &[&str]) -> Result<String> {
    act(cluster, "upgrade", options)
}

fn act(cluster: &Cluster, what: &str, options: &[&str]) -> Result<String> {
    let chart = chart();
    let words = [what, "steelyard", &chart, "--namespace", NAMESPACE];
    cluster.helm(&[&words[..], options].concat())
}

/// Takes it away again.
pub fn uninstall(cluster: &Cluster) -> Result<()> {
    cluster.helm(&["uninstall", "steelyard", "--namespace", NAMESPACE, "--wait"]).map(drop)
}
