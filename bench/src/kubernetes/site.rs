//! A cluster with our kinds in it, and our roles as processes on a host of its LAN. There are no
//! nodes: kube-proxy would take the time of those who are measured.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use steelyard_tests::binary;
use steelyard_tests::cluster::{Blueprint, Cluster, until};
use steelyard_tests::process::Running;

use crate::memory;

/// Where Steelyard is installed.
const NAMESPACE: &str = "steelyard-system";
/// Where a role tells what it does.
const ADMIN: &str = "127.0.0.1:9180";
const MEMORY_CALM: Duration = Duration::from_secs(20);
/// Nobody writes any more who has written nothing for so long.
pub(super) const WRITES_CALM: Duration = Duration::from_secs(3);
/// Metrics of a controller.
const LEADS: &str = "steelyard_leader";
const WRITES: &str = "metallb_k8s_client_updates_total";
/// Our kinds.
const KINDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/helm/steelyard/crds");

/// A cluster to measure in.
pub(super) struct Site {
    cluster: Cluster,
}

impl Site {
    /// Starts one.
    pub(super) fn start(name: &str) -> Result<Self> {
        let cluster = Cluster::start(&Blueprint { name, nodes: 0, images: &[] })?;
        cluster.kubectl(&["create", "namespace", NAMESPACE])?;
        cluster.kubectl(&["apply", "--server-side", "-f", KINDS])?;
        let establish = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"];
        cluster.kubectl(&establish)?;
        let site = Self { cluster };
        site.create("l2advertisements", "L2Advertisement", json!({}))?;
        Ok(site)
    }

    pub(super) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Where every Service finds an address from now on.
    pub(super) fn add_pool(&self) -> Result<()> {
        self.create("ipaddresspools", "IPAddressPool", json!({"addresses": ["198.18.0.0/16"]}))
    }

    /// Creates an object of metallb.io named `all`: by one request, since it is in what is timed.
    fn create(&self, plural: &str, kind: &str, spec: Value) -> Result<()> {
        let object = json!({
            "apiVersion": "metallb.io/v1beta1",
            "kind": kind,
            "metadata": {"name": "all", "namespace": NAMESPACE},
            "spec": spec,
        });
        let path = format!("/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/{plural}");
        let answer = self.cluster.api().send("POST", &path, &object.to_string())?;
        ensure!(answer.status == 201, "{answer:?}");
        Ok(())
    }

    /// The controller, once it leads and has decided.
    pub(super) fn controller(&self) -> Result<Running> {
        let running =
            self.role("controller", &["--pod-name", "controller-a", "--pod-uid", "controller-a"])?;
        until("the controller to lead", || self.told(LEADS) == Some(1.0))
            .with_context(|| running.printed())?;
        self.wait_until_ready(&running)?;
        Ok(running)
    }

    /// A role on the host that is measured on; one at a time.
    pub(super) fn role(&self, role: &str, options: &[&str]) -> Result<Running> {
        let mut command = self.cluster.client().command(&binary::steelyard().to_string_lossy());
        command.arg(role).args(["--namespace", NAMESPACE, "--admin", ADMIN]);
        command.arg("--kubeconfig").arg(self.kubeconfig()).args(options);
        let mut running = Running::start(command)?;
        running.hush();
        Ok(running)
    }

    /// Waits until the role is ready.
    pub(super) fn wait_until_ready(&self, running: &Running) -> Result<()> {
        let mut last = String::new();
        until("a role to be ready", || {
            last = self.ask("/readyz").unwrap_or_default();
            last.starts_with("ok")
        })
        .with_context(|| format!("{last}\n{}", running.printed()))
    }

    /// How many status writes the API server has taken of the controller, as that tells: who waits
    /// for it takes no time of the API server's.
    pub(super) fn writes_told(&self) -> f64 {
        self.told(WRITES).unwrap_or_default()
    }

    fn told(&self, name: &str) -> Option<f64> {
        let metrics = self.ask("/metrics").ok()?;
        metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    fn ask(&self, path: &str) -> Result<String> {
        let admin: SocketAddr = ADMIN.parse()?;
        let get = || steelyard_tests::http::get(admin, "localhost", path);
        Ok(self.cluster.client().run(get)??.body)
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

/// Resident memory of a process, in MB (a million bytes), once it has stayed the same for longer
/// than it keeps what it needs no more.
pub(super) fn settled_memory(running: &Running) -> Result<f64> {
    let pid = u32::try_from(running.pid()?.as_raw_nonzero().get())?;
    let resident = super::figures::settled(MEMORY_CALM, || memory::resident(pid))?;
    Ok(resident * 1.048_576)
}
