//! A controller on the client's host, and the cluster that it is for.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use steelyard_host::netns::Namespace;
use steelyard_tests::chart::{NAMESPACE, deploy};
use steelyard_tests::cluster::{self, Blueprint, Cluster, condition};
use steelyard_tests::process::Running;
use steelyard_tests::{binary, clock};

const SERVICES: &str = "/api/v1/namespaces/default/services";
const NOTE: &str = "metallb.io/ip-allocated-from-pool";

/// A replica; it is killed when dropped.
pub(crate) struct Replica {
    pub(crate) running: Running,
    host: Namespace,
    port: u16,
}

/// What a Service's status says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) addresses: Vec<String>,
    pub(crate) pool: Option<String>,
    pub(crate) version: String,
}

/// A cluster without nodes, which knows MetalLB's kinds and has a pool.
pub(crate) fn start(name: &str, pool: &str) -> Result<Cluster> {
    let cluster = Cluster::start(&Blueprint { name, nodes: 0, images: &[] })?;
    let crds = deploy("helm/steelyard/crds");
    cluster.kubectl(&["apply", "--server-side", "-f", &crds.to_string_lossy()])?;
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    cluster::until("definitions to be in force", || {
        let found = cluster.api().get(path).unwrap_or_default();
        let found = found["items"].as_array().cloned().unwrap_or_default();
        !found.is_empty() && found.iter().all(|it| condition(it, "Established") == Some("True"))
    })?;
    cluster.kubectl(&["create", "namespace", NAMESPACE])?;
    cluster.apply(&self::pool(pool))?;
    Ok(cluster)
}

/// A pool of these addresses.
pub(crate) fn pool(addresses: &str) -> String {
    format!(
        "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\n\
         metadata: {{name: home, namespace: {NAMESPACE}}}\nspec: {{addresses: [{addresses}]}}\n"
    )
}

impl Replica {
    /// Starts one of this name.
    pub(crate) fn start(cluster: &Cluster, name: &str, port: u16, more: &[&str]) -> Result<Self> {
        let mut command = Self::command(cluster, name, port);
        command.args(more);
        Self::run(cluster, port, command)
    }

    /// The same with a clock that is wrong ([`clock::shift`]).
    pub(crate) fn start_at(cluster: &Cluster, name: &str, port: u16, clock: &str) -> Result<Self> {
        let mut command = Self::command(cluster, name, port);
        clock::shift(&mut command, clock)?;
        Self::run(cluster, port, command)
    }

    fn command(cluster: &Cluster, name: &str, port: u16) -> Command {
        let mut command = cluster.client().command("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(binary::steelyard());
        command.args(["controller", "--namespace", NAMESPACE, "--kubeconfig"]);
        command.arg(cluster.kubeconfig());
        command.args(["--admin", &format!("127.0.0.1:{port}")]);
        // Shorter than a cluster has it, and long for a busy machine.
        command.args(["--lease-duration", "6", "--lease-deadline", "4", "--lease-retry", "1"]);
        command.env("POD_NAME", name);
        command
    }

    fn run(cluster: &Cluster, port: u16, command: Command) -> Result<Self> {
        let host = Namespace::existing(cluster.client().name())?;
        let mut running = Running::start(command)?;
        running.hush();
        Ok(Self { running, host, port })
    }

    /// What its admin interface answers.
    pub(crate) fn ask(&self, path: &str) -> Result<String> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let output = self.host.output("curl", &["-sS", "-m", "5", "--noproxy", "*", &url])?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A resource of its API.
    pub(crate) fn get(&self, resource: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.ask(&format!("/api/v1/{resource}"))?)?)
    }

    /// Waits until it is ready.
    pub(crate) fn wait_ready(&self) -> Result<()> {
        cluster::until("a controller to be ready", || {
            self.ask("/readyz").is_ok_and(|it| it.lines().next() == Some("ok"))
        })
        .with_context(|| format!("{:?}\n{}", self.ask("/readyz"), self.running.printed()))
    }

    /// Whether it leads.
    pub(crate) fn leads(&self) -> bool {
        self.ask("/metrics").is_ok_and(|it| it.lines().any(|line| line == "steelyard_leader 1"))
    }

    /// Waits until it leads.
    pub(crate) fn wait_leads(&self) -> Result<()> {
        cluster::until("a controller to lead", || self.leads())
            .with_context(|| self.running.printed())
    }

    /// Codes of what it found, by object.
    pub(crate) fn found(&self) -> Vec<(String, String)> {
        let found = self.get("diagnostics").unwrap_or_default();
        let found = found.as_array().cloned().unwrap_or_default();
        let text = |it: &Value, key: &str| it[key].as_str().unwrap_or_default().to_owned();
        found.iter().map(|it| (text(it, "code"), text(it, "object"))).collect()
    }
}

/// A Service that wants an address.
pub(crate) fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": name, "namespace": "default" },
        "spec": {
            "type": "LoadBalancer",
            "allocateLoadBalancerNodePorts": false,
            "ports": [{ "port": 80 }],
        },
    })
}

/// The same with an endpoint, since else nobody answers for it: `Echo` of a cluster.
pub(crate) fn served(name: &str) -> Value {
    let mut service = service(name);
    service["spec"]["selector"] = json!({ "app": "echo" });
    service
}

/// Makes a Service.
pub(crate) fn create(cluster: &Cluster, service: &Value) -> Result<()> {
    let answer = cluster.api().send("POST", SERVICES, &service.to_string())?;
    ensure!(answer.status == 201, "{} {}", answer.status, answer.body);
    Ok(())
}

/// Where a Service is.
pub(crate) fn path(name: &str) -> String {
    format!("{SERVICES}/{name}")
}

/// Changes a part of a Service as somebody else would.
pub(crate) fn patch(cluster: &Cluster, path: &str, manager: &str, with: &Value) -> Result<()> {
    let path = format!("{path}?fieldManager={manager}");
    let answer = cluster.api().send("PATCH", &path, &with.to_string())?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
    Ok(())
}

/// What the statuses of all Services say that are of type LoadBalancer, by name.
pub(crate) fn told(cluster: &Cluster) -> BTreeMap<String, Told> {
    let list = cluster.api().get(SERVICES).unwrap_or_default();
    let all = list["items"].as_array().cloned().unwrap_or_default();
    let all = all.iter().filter(|it| it["spec"]["type"] == "LoadBalancer");
    all.map(|it| (it["metadata"]["name"].as_str().unwrap_or_default().to_owned(), of(it))).collect()
}

fn of(service: &Value) -> Told {
    let text = |it: &Value| it.as_str().map(str::to_owned);
    let ingress = service["status"]["loadBalancer"]["ingress"].as_array().cloned();
    let ingress = ingress.unwrap_or_default();
    Told {
        addresses: ingress.iter().filter_map(|it| text(&it["ip"])).collect(),
        pool: text(&service["metadata"]["annotations"][NOTE]),
        version: text(&service["metadata"]["resourceVersion"]).unwrap_or_default(),
    }
}

/// Waits until the status of a Service says just this.
pub(crate) fn until_told(
    cluster: &Cluster,
    replica: &Replica,
    name: &str,
    addresses: &[&str],
) -> Result<Told> {
    cluster::until(&format!("{name} to have {addresses:?}"), || {
        told(cluster).get(name).is_some_and(|it| it.addresses == addresses)
    })
    .with_context(|| format!("{:?}\n{}", told(cluster), replica.running.printed()))?;
    told(cluster).remove(name).context("it was there")
}
