//! The chart with its own values, as plain manifests.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::shell;

/// Where it is installed.
const NAMESPACE: &str = "steelyard-system";
/// A namespace that may have speakers; with Helm it is there before the chart is.
const HEAD: &str = "\
# Made from deploy/helm/steelyard by `cargo xtask manifests`. The definitions come first:
#   kubectl apply --server-side -f deploy/helm/steelyard/crds
---
apiVersion: v1
kind: Namespace
metadata:
  name: steelyard-system
  labels:
    pod-security.kubernetes.io/enforce: privileged
    pod-security.kubernetes.io/warn: privileged
    pod-security.kubernetes.io/audit: privileged
";

/// The file it is in.
pub(super) fn target() -> PathBuf {
    crate::root().join("deploy/manifests/steelyard.yaml")
}

/// What the file is to have, as Helm makes it of the chart.
pub(super) fn made() -> Result<String> {
    let chart = crate::root().join(super::CHART);
    let mut helm = Command::new(parts()?);
    helm.args(["helm", "template", "steelyard"]).arg(chart).args(["--namespace", NAMESPACE]);
    let output = helm.output().with_context(|| format!("{helm:?}"))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut text = HEAD.to_owned();
    for line in String::from_utf8(output.stdout)?.lines() {
        // Templates leave blank lines where a value is empty.
        if !line.trim().is_empty() && !line.starts_with("# Source:") {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    Ok(text)
}

/// The program that has Helm in it: the parts of the cluster that tests run.
fn parts() -> Result<PathBuf> {
    match std::env::var_os("STEELYARD_CLUSTER") {
        Some(path) => Ok(path.into()),
        None => Ok(shell::output("tests/kubernetes/build", &[])?.into()),
    }
}
