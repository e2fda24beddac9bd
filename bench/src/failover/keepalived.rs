//! keepalived as it is usually set up, in the same laboratory: VRRP with an advert each second,
//! three nodes of different priority, an nginx behind it on each.
//!
//! `nopreempt`: a node that comes back takes nothing, as with Steelyard; else each round would end
//! with a second move.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal};
use steelyard_tests::binary;
use steelyard_tests::lab::Lab;
use steelyard_tests::scratch::Scratch;

use super::act::Act;
use super::names::{NODES, VIP, namespace};
use super::site::{Site, pids, signal, wait};

/// Its manual's example has 150 and 100.
const PRIORITIES: [u8; 3] = [150, 100, 50];

const EMPTY_TRIES: u32 = 200;
const EMPTY_PAUSE: Duration = Duration::from_millis(10);

/// What the nodes of the laboratory need to be on one LAN, and nothing that is announced.
const MANIFESTS: &str = "
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: lan, namespace: metallb-system}
spec: {addresses: [10.1.1.100-10.1.1.150]}
";

/// A laboratory whose nodes run keepalived instead of Steelyard.
pub(super) struct Keepalived {
    nodes: Vec<Node>,
    lab: Lab,
    folder: Scratch,
}

/// What runs on a node.
struct Node {
    name: &'static str,
    keepalived: Process,
    nginx: Process,
}

/// Killed when dropped.
struct Process(Child);

impl Keepalived {
    /// Starts it, and waits until Steelyard has left the nodes.
    pub(super) fn start(name: &str) -> Result<Self> {
        let folder = Scratch::new()?;
        folder.write("all.yaml", MANIFESTS)?;
        let options = ["--nodes", "3"];
        let mut lab = Lab::start_named(name.to_owned(), Some(folder.path()), &options)?;
        lab.process.hush();
        for node in NODES {
            lab.run(&["leave", node])?;
        }
        for node in NODES {
            wait("an empty node", || pids(&lab, node).is_ok_and(|it| it.is_empty()).then_some(()))?;
        }
        let mut site = Self { nodes: Vec::new(), lab, folder };
        for (node, priority) in NODES.into_iter().zip(PRIORITIES) {
            site.folder.write(&format!("{node}.keepalived"), &config(node, priority))?;
            let nginx = nginx_config(site.folder.path(), node);
            site.folder.write(&format!("{node}.nginx"), &nginx)?;
            let (nginx, keepalived) = (site.nginx(node)?, site.keepalived(node)?);
            site.nodes.push(Node { name: node, keepalived, nginx });
        }
        Ok(site)
    }

    fn keepalived(&self, node: &str) -> Result<Process> {
        let file = |what: &str| self.folder.file(&format!("{node}.{what}"));
        let mut command = self.inside(node, "keepalived");
        command.args(["--dont-fork", "--log-console", "--no-syslog", "--vrrp"]);
        command.arg("--use-file").arg(file("keepalived"));
        command.arg("--pid").arg(file("pid")).arg("--vrrp_pid").arg(file("vrrp-pid"));
        Process::start(command, &file("log"))
    }

    fn nginx(&self, node: &str) -> Result<Process> {
        let file = |what: &str| self.folder.file(&format!("{node}.{what}"));
        let mut command = self.inside(node, "nginx");
        command.arg("-c").arg(file("nginx")).arg("-e").arg(file("nginx-errors"));
        Process::start(command, &file("nginx-log"))
    }

    /// A command on a node, to die with the thread that starts it.
    fn inside(&self, node: &str, program: &str) -> Command {
        let mut command = binary::command(["lab", "inside", &namespace(&self.lab, node)]);
        command.arg(program);
        command
    }

    /// The last state that keepalived on a node said it entered: `MASTER`, `BACKUP`, `FAULT`.
    fn state(&self, node: &str) -> Option<String> {
        let log = std::fs::read_to_string(self.folder.file(&format!("{node}.log"))).ok()?;
        let (_, last) = log.rsplit_once("Entering ")?;
        last.split_whitespace().next().map(str::to_owned)
    }

    fn is_in(&self, node: &str, state: &str) -> bool {
        self.state(node).as_deref() == Some(state)
    }
}

impl Site for Keepalived {
    fn lab(&self) -> &Lab {
        &self.lab
    }

    fn settled(&mut self) -> Option<String> {
        let (masters, others): (Vec<&str>, Vec<&str>) =
            NODES.into_iter().partition(|node| self.is_in(node, "MASTER"));
        let waits = others.iter().all(|node| self.is_in(node, "BACKUP"));
        (waits && masters.len() == 1).then(|| masters[0].to_owned())
    }

    fn holder(&mut self, victim: &str) -> Option<String> {
        let others = NODES.into_iter().filter(|node| *node != victim);
        others.into_iter().find(|node| self.is_in(node, "MASTER")).map(str::to_owned)
    }

    fn announcer(&self, node: &str) -> Result<Pid> {
        let node = self.nodes.iter().find(|it| it.name == node).context("there is such a node")?;
        Pid::from_raw(i32::try_from(node.keepalived.0.id())?).context("a process id is positive")
    }

    fn restart(&mut self, act: Act, node: &str) -> Result<()> {
        let index = self.nodes.iter().position(|it| it.name == node).context("such a node")?;
        // Who is asked to end takes its time, and has a file that says it runs.
        wait("the end of keepalived", || self.nodes[index].keepalived.0.try_wait().ok()?)?;
        if act == Act::Crash {
            empty(&self.lab, node)?;
            // Another process may have the number by now that a killed one left there.
            for what in ["pid", "vrrp-pid"] {
                let _ = std::fs::remove_file(self.folder.file(&format!("{node}.{what}")));
            }
            self.nodes[index].nginx = self.nginx(node)?;
        }
        self.nodes[index].keepalived = self.keepalived(node)?;
        Ok(())
    }

    fn described(&mut self) -> String {
        format!("{:?}", NODES.map(|node| (node, self.state(node))))
    }
}

impl Drop for Keepalived {
    fn drop(&mut self) {
        self.nodes.clear();
        for node in NODES {
            if let Err(error) = empty(&self.lab, node) {
                eprintln!("{node}: {error:#}");
            }
        }
    }
}

/// Kills what is on a node until there is nothing: children do not end with those started here,
/// and are started anew.
fn empty(lab: &Lab, node: &str) -> Result<()> {
    for _ in 0..EMPTY_TRIES {
        let pids = pids(lab, node)?;
        if pids.is_empty() {
            return Ok(());
        }
        signal(&pids, Signal::KILL);
        std::thread::sleep(EMPTY_PAUSE);
    }
    anyhow::bail!("{:?} do not end", pids(lab, node))
}

impl Process {
    fn start(mut command: Command, log: &std::path::Path) -> Result<Self> {
        let log = File::create(log).with_context(|| log.display().to_string())?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Self(command.spawn().with_context(|| format!("{command:?}"))?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn config(node: &str, priority: u8) -> String {
    format!(
        "global_defs {{\n  router_id {node}\n}}\nvrrp_instance lan {{\n  state BACKUP\n  \
         interface eth0\n  virtual_router_id 51\n  priority {priority}\n  advert_int 1\n  \
         nopreempt\n  virtual_ipaddress {{\n    {VIP}/24\n  }}\n}}\n"
    )
}

fn nginx_config(folder: &std::path::Path, node: &str) -> String {
    let folder = folder.display();
    format!(
        "daemon off;\nworker_processes 1;\npid {folder}/{node}.nginx-pid;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n  access_log off;\n  client_body_temp_path {folder}/{node}.body;\n  \
         proxy_temp_path {folder}/{node}.proxy;\n  fastcgi_temp_path {folder}/{node}.fastcgi;\n  \
         uwsgi_temp_path {folder}/{node}.uwsgi;\n  scgi_temp_path {folder}/{node}.scgi;\n  \
         server {{\n    listen 80 backlog=4096;\n    location / {{ return 200 \"{node}\\n\"; }}\n  \
         }}\n}}\n"
    )
}
