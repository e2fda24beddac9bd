//! Roles of Steelyard in a cluster of tests, as processes of its nodes, and what they need there.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::cluster::{self, Cluster};
use crate::process::Running;
use crate::scratch::Scratch;
use crate::{binary, clock};

/// Kinds of metallb.io, as they are shipped.
const KINDS: &str = "../deploy/helm/steelyard/crds/metallb.yaml";
/// A namespace with the key, a pool of the LAN's addresses, and that it is announced.
const CONFIGURED: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: steelyard-system}
---
apiVersion: v1
kind: Secret
metadata: {name: steelyard-membership, namespace: steelyard-system}
stringData: {key: "KEY"}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: lan, namespace: steelyard-system}
spec: {addresses: [10.2.0.200-10.2.0.209, "fd00:2::200-fd00:2::209"]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: lan, namespace: steelyard-system}
spec: {}
"#;
/// What the key is made of: two of its digits.
pub const KEY: &str = "5e";
/// Where each tells what it does, on its own host.
const ADMIN: &str = "127.0.0.1:9180";

/// Speakers, one a node.
#[derive(Debug, Default)]
pub struct Speakers {
    running: BTreeMap<String, Running>,
    kept: BTreeMap<String, Scratch>,
}

/// Configures a cluster: kinds, a key, a pool from 10.2.0.200 and fd00:2::200 on.
pub fn configure(cluster: &Cluster) -> Result<()> {
    let kinds = Path::new(env!("CARGO_MANIFEST_DIR")).join(KINDS);
    cluster.kubectl(&["apply", "--server-side", "-f", &kinds.to_string_lossy()])?;
    for plural in ["ipaddresspools", "l2advertisements"] {
        let path = format!("/apis/metallb.io/v1beta1/{plural}");
        cluster::until(plural, || cluster.api().get(&path).is_ok())?;
    }
    cluster.apply(&CONFIGURED.replace("KEY", &KEY.repeat(32)))
}

/// Writes into the status of a Service of the default namespace that it has these addresses, as a
/// controller does.
pub fn give(cluster: &Cluster, service: &str, addresses: &[&str]) -> Result<()> {
    write_status(cluster, service, addresses, "VIP")
}

/// The same where kube-proxy is to leave them alone.
pub fn give_direct(cluster: &Cluster, service: &str, addresses: &[&str]) -> Result<()> {
    write_status(cluster, service, addresses, "Proxy")
}

fn write_status(cluster: &Cluster, service: &str, addresses: &[&str], mode: &str) -> Result<()> {
    let ingress: Vec<Value> =
        addresses.iter().map(|it| json!({"ip": it, "ipMode": mode})).collect();
    let status = json!({"status": {"loadBalancer": {"ingress": ingress}}});
    let path = format!("/api/v1/namespaces/default/services/{service}/status");
    let answer = cluster.api().send("PATCH", &path, &status.to_string())?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

/// Which node the client takes for the one that has this address, if any.
pub fn owner(cluster: &Cluster, vip: IpAddr) -> Option<String> {
    let known = cluster.client().ip(&["neigh", "show", &vip.to_string()]).ok()?;
    // As `tests/src/cluster/lan.rs` numbers them: node-1 is host 11.
    let (_, last) = known.split_once("lladdr 02:00:00:00:02:")?;
    let number = u8::from_str_radix(last.get(..2)?, 16).ok()?;
    Some(format!("node-{}", number.checked_sub(10)?))
}

/// Whether anybody on the LAN answers for an IPv4 address when the client asks.
pub fn is_answered(cluster: &Cluster, vip: IpAddr) -> Result<bool> {
    let question = ["-c", "1", "-w", "1", "-I", "eth0", &vip.to_string()];
    Ok(cluster.client().output("arping", &question)?.status.success())
}

impl Speakers {
    /// Starts one on this node, or again; what it kept on its disk is there.
    pub fn start(&mut self, cluster: &Cluster, node: &str, options: &[&str]) -> Result<()> {
        self.begin(cluster, node, (node, None), options)
    }

    /// The same with a clock that is wrong ([`clock::shift`]).
    pub fn start_at(
        &mut self,
        cluster: &Cluster,
        node: &str,
        clock: Option<&str>,
        options: &[&str],
    ) -> Result<()> {
        self.begin(cluster, node, (node, clock), options)
    }

    /// The same by the name of another node.
    pub fn start_as(&mut self, cluster: &Cluster, node: &str, name: &str) -> Result<()> {
        self.begin(cluster, node, (name, None), &[])
    }

    fn begin(
        &mut self,
        cluster: &Cluster,
        node: &str,
        (name, clock): (&str, Option<&str>),
        options: &[&str],
    ) -> Result<()> {
        if !self.kept.contains_key(node) {
            self.kept.insert(node.to_owned(), Scratch::new()?);
        }
        let program = binary::steelyard().to_string_lossy().into_owned();
        let mut command = cluster.node(node)?.host()?.command(&program);
        command.args(["speaker", "--node-name", name, "--admin", ADMIN, "--log-level", "debug"]);
        command.arg("--kubeconfig").arg(cluster.kubeconfig());
        command.arg("--state-dir").arg(self.kept[node].path()).args(options);
        clock.map_or(Ok(()), |by| clock::shift(&mut command, by))?;
        self.running.insert(node.to_owned(), Running::start(command)?);
        Ok(())
    }

    /// One of them.
    pub fn on(&mut self, node: &str) -> Result<&mut Running> {
        self.running.get_mut(node).with_context(|| format!("no speaker on {node}"))
    }

    /// What the one on this node keeps for its next start.
    pub fn kept(&self, node: &str) -> Result<Value> {
        let kept = self.kept.get(node).with_context(|| format!("no speaker on {node}"))?;
        Ok(serde_json::from_str(&std::fs::read_to_string(kept.path().join("cluster.json"))?)?)
    }

    /// All of them end, in good order.
    pub fn stop(&mut self) -> Result<()> {
        self.running.values_mut().try_for_each(|it| it.stop().map(drop))
    }
}

/// What a role on this node tells, such as `/api/v1/announcements`.
pub fn told(cluster: &Cluster, node: &str, path: &str) -> Result<Value> {
    let text = said(cluster, node, path)?;
    serde_json::from_str(&text).with_context(|| text.clone())
}

/// The same of what is no JSON, such as `/readyz`, whatever the status.
pub fn said(cluster: &Cluster, node: &str, path: &str) -> Result<String> {
    let url = format!("http://{ADMIN}{path}");
    let host = cluster.node(node)?.host()?;
    let output = host.output("curl", &["-sS", "-m", "5", "--noproxy", "*", &url])?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// How a speaker on this node says that it stands with a vip.
pub fn state(cluster: &Cluster, node: &str, vip: &str) -> Option<String> {
    let rows = told(cluster, node, "/api/v1/announcements").ok()?;
    let row = rows.as_array()?.iter().find(|row| row["address"] == vip)?.clone();
    row["state"].as_str().map(str::to_owned)
}

/// Waits until a role on this node is ready.
pub fn wait_until_ready(cluster: &Cluster, node: &str) -> Result<()> {
    let mut last = String::new();
    cluster::until(&format!("{node} to be ready"), || {
        last = said(cluster, node, "/readyz").unwrap_or_default();
        last.starts_with("ok")
    })
    .with_context(|| last)
}
