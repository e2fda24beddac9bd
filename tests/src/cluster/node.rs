//! A node of a cluster: its host, the stand-in kubelet with its pods, and kube-proxy.

use std::path::Path;

use anyhow::{Context, Result};
use steelyard_host::netns::{Namespace, Segment};

use super::lan;
use super::leftovers;
use super::part::{Parts, Program};
use crate::process::{Running, Signal};

/// A node, which may be switched off.
#[derive(Debug)]
pub struct Node {
    name: String,
    /// Counted from one.
    number: u8,
    power: Option<Power>,
}

/// What is there of it while it is switched on.
#[derive(Debug)]
struct Power {
    host: Namespace,
    kubelet: Running,
    _proxy: Running,
}

/// What all nodes have in common.
#[derive(Debug)]
pub(super) struct Rack {
    pub(super) parts: Parts,
    pub(super) segment: Segment,
    /// What names of namespaces begin with.
    pub(super) prefix: String,
    /// How many nodes there are.
    pub(super) nodes: u8,
    /// Images, and the programs that stand for them.
    pub(super) images: Vec<(String, std::path::PathBuf)>,
}

impl Node {
    pub(super) fn new(number: u8) -> Self {
        Self { name: format!("node-{number}"), number, power: None }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its addresses on the LAN.
    pub fn addresses(&self) -> [String; 2] {
        lan::addresses(lan::host_number(self.number))
    }

    /// The host, while it is switched on.
    pub fn host(&self) -> Result<&Namespace> {
        let power = self.power.as_ref();
        Ok(&power.with_context(|| format!("{} is switched off", self.name))?.host)
    }

    /// Its kubelet, while it is switched on.
    pub fn kubelet(&mut self) -> Result<&mut Running> {
        let power = self.power.as_mut();
        Ok(&mut power.with_context(|| format!("{} is switched off", self.name))?.kubelet)
    }

    /// Switches it on.
    pub(super) fn power_on(&mut self, rack: &Rack) -> Result<()> {
        let host = lan::node(&rack.segment, &self.name, self.number, rack.nodes)?;
        let kubelet = Running::start(self.kubelet_command(rack, &host))?;
        let proxy = Running::start(self.proxy_command(rack, &host))?;
        self.power = Some(Power { host, kubelet, _proxy: proxy });
        Ok(())
    }

    /// Switches it off, as when its cable is pulled: nothing is said to anybody, and what it had
    /// in memory is lost. Its disk stays.
    pub(super) fn power_off(&mut self, rack: &Rack) -> Result<()> {
        let Some(power) = self.power.take() else { return Ok(()) };
        // The cable first: the last words of what is killed are heard by nobody.
        power.host.ip(&["link", "set", "eth0", "down"])?;
        leftovers::end(power.host.name())?;
        leftovers::remove(&self.pods_prefix(rack))
    }

    /// Asks its kubelet to end; it takes everything of its pods away.
    pub(super) fn ask_to_end(&self) {
        if let Some(power) = &self.power {
            let _ = power.kubelet.signal(Signal::TERM);
            // Where it was stopped, it goes on to end.
            let _ = power.kubelet.signal(Signal::CONT);
        }
    }

    /// Waits until its kubelet has ended.
    pub(super) fn wait_for_end(&mut self) -> Result<()> {
        match &mut self.power {
            Some(power) => power.kubelet.wait_for_end().map(drop),
            None => Ok(()),
        }
    }

    /// What names of its pods' namespaces begin with.
    fn pods_prefix(&self, rack: &Rack) -> String {
        format!("{}{}-pod-", rack.prefix, self.name)
    }

    fn kubelet_command(&self, rack: &Rack, host: &Namespace) -> std::process::Command {
        let mut kubelet = rack.parts.command(host, Program::Kubelet);
        kubelet.args(["--node", &self.name]);
        kubelet.arg("--kubeconfig").arg(rack.parts.kubeconfig(&self.name));
        kubelet.arg("--state").arg(rack.parts.file(&self.name));
        kubelet.args(["--prefix", &format!("{}{}-", rack.prefix, self.name)]);
        for (address, range) in self.addresses().iter().zip(lan::pods(self.number)) {
            kubelet.args(["--address", address, "--pod-cidr", &range]);
        }
        for (name, program) in &rack.images {
            kubelet.args(["--image", &format!("{name}={}", program.display())]);
        }
        kubelet
    }

    /// Nothing of connection tracking is set that a namespace does not have as its own.
    fn proxy_command(&self, rack: &Rack, host: &Namespace) -> std::process::Command {
        let mut proxy = rack.parts.command(host, Program::Proxy);
        proxy.arg("--kubeconfig").arg(rack.parts.kubeconfig("proxy"));
        proxy.args(["--hostname-override", &self.name, "--proxy-mode=nftables"]);
        proxy.args(["--cluster-cidr", &lan::PODS.join(",")]);
        proxy.args([
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
        ]);
        proxy
    }
}

/// Where a node's kubelet keeps what containers print.
pub(super) fn logs(parts: &Parts, node: &str) -> std::path::PathBuf {
    Path::new(&parts.file(node)).join("logs")
}
