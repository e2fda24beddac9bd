//! A cluster with our kinds in it, and our roles as processes on its hosts.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;
use steelyard_host::netns::Namespace;
use steelyard_tests::binary;
use steelyard_tests::cluster::{Blueprint, Cluster, until};
use steelyard_tests::process::Running;

use crate::memory;

/// Where Steelyard is installed.
const NAMESPACE: &str = "steelyard-system";
/// Our kinds.
const KINDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/helm/steelyard/crds");

/// Addresses for everybody, and who answers for them.
const POOL: &str = "
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: all, namespace: steelyard-system}
spec: {addresses: [198.18.0.0/16]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: all, namespace: steelyard-system}
";

/// A cluster to measure in.
pub(super) struct Site {
    cluster: Cluster,
}

impl Site {
    /// Starts one with a node.
    pub(super) fn start(name: &str) -> Result<Self> {
        let cluster = Cluster::start(&Blueprint { name, nodes: 1, images: &[] })?;
        cluster.kubectl(&["create", "namespace", NAMESPACE])?;
        cluster.kubectl(&["apply", "--server-side", "-f", KINDS])?;
        let establish = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"];
        cluster.kubectl(&establish)?;
        Ok(Self { cluster })
    }

    pub(super) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Where every Service finds an address from now on.
    pub(super) fn add_pool(&self) -> Result<()> {
        self.cluster.apply(POOL)
    }

    /// The controller, once it leads.
    pub(super) fn controller(&self) -> Result<Running> {
        let mut command = self.command("controller", self.cluster.client());
        command.args(["--pod-name", "controller-a", "--pod-uid", "controller-a"]);
        let running = Running::start(command)?;
        let lease =
            "/apis/coordination.k8s.io/v1/namespaces/steelyard-system/leases/steelyard-controller";
        let leads = || {
            let lease = self.cluster.api().get(lease).unwrap_or_default();
            let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
            holder.contains("controller-a")
        };
        until("the controller to lead", leads).with_context(|| running.printed())?;
        Ok(running)
    }

    /// A role on a node.
    pub(super) fn on_node(&self, role: &str, options: &[&str]) -> Result<Running> {
        let node = self.cluster.node("node-1")?;
        let mut command = self.command(role, node.host()?);
        command.args(["--node-name", node.name()]).args(options);
        Running::start(command)
    }

    fn command(&self, role: &str, host: &Namespace) -> Command {
        let mut command = host.command(&binary::steelyard().to_string_lossy());
        command.arg(role).args(["--namespace", NAMESPACE, "--admin", "127.0.0.1:9180"]);
        command.arg("--kubeconfig").arg(self.kubeconfig());
        command
    }

    /// The administrator's: rights are no part of what is measured.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.cluster.kubeconfig()
    }

    /// Services of a namespace, by name.
    pub(super) fn services(&self, namespace: &str) -> Result<Vec<Value>> {
        let list = self.cluster.api().get(&format!("/api/v1/namespaces/{namespace}/services"))?;
        list["items"].as_array().cloned().context("a list of Services")
    }

    /// How often anybody has written a Service's status so far, as the API server counts it.
    pub(super) fn status_writes(&self) -> Result<f64> {
        let text = self.cluster.api().get_text("/metrics")?;
        let writes = text.lines().filter(|line| {
            line.starts_with("apiserver_request_total{")
                && line.contains("resource=\"services\"")
                && line.contains("subresource=\"status\"")
        });
        writes.map(|line| Ok(line.rsplit(' ').next().unwrap_or_default().parse::<f64>()?)).sum()
    }
}

/// The first address that a Service has.
pub(super) fn address(service: &Value) -> Option<&str> {
    service["status"]["loadBalancer"]["ingress"][0]["ip"].as_str()
}

/// Resident memory of a process, in MiB, once it has stayed the same for a while.
pub(super) fn settled_memory(running: &Running) -> Result<f64> {
    let pid = u32::try_from(running.pid()?.as_raw_nonzero().get())?;
    super::figures::settled(|| memory::resident(pid))
}
