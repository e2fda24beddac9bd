//! A Kubernetes cluster in network namespaces: the real etcd, API server, controllers, scheduler,
//! kube-proxy and kubectl, and a stand-in for the kubelet whose pods are namespaces too
//! (`tests/kubernetes`).
//!
//! On one LAN are the control plane, the nodes (`node-1`, …) and a client. Containers are programs
//! of this machine: [`Blueprint::images`] says which one stands for which image; `echo` is always
//! there, a server that tells who answered what to whom. All of it goes when a [`Cluster`] is
//! dropped, or with the thread that started it; and what a killed one left goes with the next one
//! of its name.

mod api;
mod lan;
mod leftovers;
mod node;
mod part;
mod plane;
mod program;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use steelyard_host::netns::{Namespace, Segment};

pub use self::api::Api;
pub use self::node::Node;
pub use self::part::Program;
pub use self::program::{program, unavailable};

use self::node::Rack;
use self::part::Parts;
use self::plane::ControlPlane;
use crate::process::run;
use crate::wait;

/// How long anything may take in a cluster on a busy machine: its parts wait for each other.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks, each of which is a request.
const PAUSE: Duration = Duration::from_millis(100);

/// What a cluster is to be like.
#[derive(Debug)]
pub struct Blueprint<'a> {
    /// A short word that no other cluster has for its name which runs at the same time.
    pub name: &'a str,
    /// How many nodes it has.
    pub nodes: u8,
    /// Names that images begin with, and the programs that stand for them.
    pub images: &'a [(&'a str, &'a Path)],
}

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Node>,
    plane: ControlPlane,
    client: Namespace,
    rack: Rack,
    folder: PathBuf,
}

/// Waits until `holds`, for as long as things may take in a cluster.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
    wait::until_some_within(PATIENCE, PAUSE, what, || holds().then_some(()))
}

impl Cluster {
    /// Starts one; all its nodes are ready afterwards, and pods can be made.
    pub fn start(blueprint: &Blueprint) -> Result<Self> {
        ensure!(!blueprint.name.contains('-'), "{} is not one word", blueprint.name);
        let prefix = format!("cluster-{}-", blueprint.name);
        let folder = Path::new("/run/steelyard-cluster").join(blueprint.name);
        leftovers::remove(&prefix)?;
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        let parts = Parts::new(&folder)?;
        let segment = Segment::create(prefix.trim_end_matches('-'))?;
        let client = lan::client(&segment)?;
        let control = lan::control_host(&segment, blueprint.nodes)?;
        let nodes: Vec<Node> = (1..=blueprint.nodes).map(Node::new).collect();
        let names: Vec<String> = nodes.iter().map(|node| node.name().to_owned()).collect();
        let plane = ControlPlane::start(&parts, control, &names)?;
        let mut images = vec![("echo".to_owned(), program().to_owned())];
        images.extend(blueprint.images.iter().map(|&(name, it)| (name.to_owned(), it.to_owned())));
        let rack = Rack { parts, segment, prefix, nodes: blueprint.nodes, images };
        let mut cluster = Self { nodes, plane, client, rack, folder };
        for name in &names {
            cluster.power_on(name)?;
        }
        for name in &names {
            until(&format!("{name} to be ready"), || cluster.is_ready(name))?;
        }
        // Until controllers have made it, pods are refused.
        let account = "/api/v1/namespaces/default/serviceaccounts/default";
        until("the first service account", || cluster.api().get(account).is_ok())?;
        Ok(cluster)
    }

    /// The host of somebody on the LAN who is not of the cluster.
    pub fn client(&self) -> &Namespace {
        &self.client
    }

    /// A node.
    pub fn node(&self, name: &str) -> Result<&Node> {
        let found = self.nodes.iter().find(|node| node.name() == name);
        found.with_context(|| format!("there is no {name}"))
    }

    /// The API server.
    pub fn api(&self) -> Api {
        self.plane.api()
    }

    /// The kubeconfig of the administrator, which is valid on the LAN.
    pub fn kubeconfig(&self) -> PathBuf {
        self.rack.parts.kubeconfig("admin")
    }

    /// A command of a part, on the client's host and with the administrator's rights.
    pub fn command(&self, part: Program) -> Command {
        self.rack.parts.command(&self.client, part)
    }

    /// Runs `kubectl`; what it prints.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let mut kubectl = self.command(Program::Kubectl);
        kubectl.args(arguments);
        run(kubectl)
    }

    /// Runs `helm`; what it prints.
    pub fn helm(&self, arguments: &[&str]) -> Result<String> {
        let mut helm = self.command(Program::Helm);
        helm.args(arguments);
        run(helm)
    }

    /// Applies manifests with kubectl.
    pub fn apply(&self, manifests: &str) -> Result<()> {
        let file = self.folder.join("applied.yaml");
        std::fs::write(&file, manifests)?;
        self.kubectl(&["apply", "-f", &file.to_string_lossy()]).map(drop)
    }

    /// Stops the API server where it stands: connections to it stay, and nothing comes.
    pub fn freeze_api(&self) -> Result<()> {
        self.plane.freeze()
    }

    /// Lets it go on.
    pub fn thaw_api(&self) -> Result<()> {
        self.plane.thaw()
    }

    /// Kills the API server.
    pub fn kill_api(&mut self) -> Result<()> {
        self.plane.kill()
    }

    /// Starts the API server again, once it was killed, and waits until it answers.
    pub fn start_api(&mut self) -> Result<()> {
        self.plane.start_again()
    }

    /// Makes etcd forget all versions but the newest. The API server keeps what it has in memory
    /// until it is started again.
    pub fn compact(&self) -> Result<()> {
        self.plane.compact()
    }

    /// Keeps all that the API server has, for [`Self::restore`].
    pub fn back_up(&self) -> Result<()> {
        self.plane.back_up()
    }

    /// Puts back what was kept, versions and all, and starts the API server again; waits until it
    /// answers.
    pub fn restore(&mut self) -> Result<()> {
        self.plane.restore()
    }

    /// Switches a node off, as when its cable is pulled; its disk stays.
    pub fn power_off(&mut self, node: &str) -> Result<()> {
        let (node, rack) = self.rack_and_node(node)?;
        node.power_off(rack)
    }

    /// Switches a node on.
    pub fn power_on(&mut self, node: &str) -> Result<()> {
        let (node, rack) = self.rack_and_node(node)?;
        node.power_on(rack)
    }

    fn rack_and_node(&mut self, name: &str) -> Result<(&mut Node, &Rack)> {
        let found = self.nodes.iter_mut().find(|node| node.name() == name);
        Ok((found.with_context(|| format!("there is no {name}"))?, &self.rack))
    }

    /// Whether the API server takes a node for ready.
    pub fn is_ready(&self, node: &str) -> bool {
        let object = self.api().get(&format!("/api/v1/nodes/{node}"));
        object.is_ok_and(|node| condition(&node, "Ready") == Some("True"))
    }

    /// The pods of a namespace that have these labels (`app=echo`), as the API server has them.
    pub fn pods(&self, namespace: &str, labels: &str) -> Result<Vec<Value>> {
        let labels = labels.replace('=', "%3D").replace(',', "%2C");
        let path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector={labels}");
        let list = self.api().get(&path)?;
        list["items"].as_array().cloned().context("a list of pods")
    }

    /// Waits until so many of these pods are there, all of them ready and none about to go.
    pub fn wait_for_pods(&self, namespace: &str, labels: &str, count: usize) -> Result<Vec<Value>> {
        let what = format!("{count} pods with {labels}");
        wait::until_some_within(PATIENCE, PAUSE, &what, || {
            let pods = self.pods(namespace, labels).ok()?;
            let is_well = |pod: &Value| {
                pod["metadata"]["deletionTimestamp"].is_null()
                    && condition(pod, "Ready") == Some("True")
            };
            (pods.len() == count && pods.iter().all(is_well)).then_some(pods)
        })
        .with_context(|| format!("{:?}", self.kubectl(&["get", "pods", "-A", "-o", "wide"])))
    }

    /// The network namespace of a pod, as [`Self::pods`] has it.
    pub fn host_of(&self, pod: &Value) -> Result<Namespace> {
        let node = pod["spec"]["nodeName"].as_str().context("a pod that is bound")?;
        let uid = pod["metadata"]["uid"].as_str().context("a pod of the API server")?;
        let short: String = uid.chars().filter(|it| *it != '-').take(12).collect();
        Ok(Namespace::existing(&format!("{}{node}-pod-{short}", self.rack.prefix))?)
    }

    /// What a container printed, of all its starts, from the disk of its node.
    pub fn log(&self, node: &str, namespace: &str, pod: &str, container: &str) -> Result<String> {
        let name = format!("{namespace}_{pod}_{container}.log");
        let file = node::logs(&self.rack.parts, node).join(name);
        std::fs::read_to_string(&file).with_context(|| file.display().to_string())
    }

    /// What an echo server answers to a host.
    pub fn fetch(&self, from: &Namespace, url: &str) -> Result<Value> {
        let options = ["-sS", "-g", "-m", "5", "--fail", "--noproxy", "*", url];
        let output = from.output("curl", &options)?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{url}: {}", errors.trim());
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Ends it in good order, and checks that kubelets leave nothing behind.
    pub fn stop(mut self) -> Result<()> {
        self.end_kubelets()?;
        let left = leftovers::names(&format!("{}node-", self.rack.prefix));
        let pods: Vec<&String> = left.iter().filter(|name| name.contains("-pod-")).collect();
        ensure!(pods.is_empty(), "left behind: {pods:?}");
        Ok(())
    }

    fn end_kubelets(&mut self) -> Result<()> {
        for node in &self.nodes {
            node.ask_to_end();
        }
        self.nodes.iter_mut().try_for_each(Node::wait_for_end)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.end_kubelets();
        let _ = leftovers::end(&self.rack.prefix);
        let _ = self.nodes.drain(..).map(|mut node| node.power_off(&self.rack)).count();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The status of a condition of an object.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|it| it["type"] == kind)?["status"].as_str()
}
