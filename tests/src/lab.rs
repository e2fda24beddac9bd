//! A running `steelyard lab`, and what can be asked of its hosts.
//!
//! [`Lab::start_with`] builds the topology and starts every node; [`Lab::run`] gives orders
//! (`&["kill", "node-1"]`, `stop`, `cont`, `leave`, `cut`, `partition`, `loss`, `heal`);
//! [`Lab::show`] tells who answers for what; [`Lab::command`]`(&["watch", "-o", "json"])` is the
//! request loop, a line of JSON for each outage. Other programs run in the same topology by
//! [`Lab::on`]. Measurements use the same.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use steelyard_host::netns::{self, Namespace};

use crate::binary;
use crate::process::{Running, run};
use crate::wait;

/// What the last line says once everything serves.
const READY: &str = "Ctrl-C ends it";
/// How long a datagram may take.
const DATAGRAM_PATIENCE: Duration = Duration::from_secs(2);

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A laboratory under a name of its own; ended when dropped.
#[derive(Debug)]
pub struct Lab {
    /// Its name.
    pub name: String,
    /// The process that runs it.
    pub process: Running,
}

/// Why no laboratory can be built here; none when one can.
pub fn unavailable() -> Option<String> {
    if std::env::var_os("STEELYARD_FAST").is_some() {
        return Some("left out by --fast".to_owned());
    }
    netns::unavailable()
}

impl Lab {
    /// Starts one on `path`, or on the built-in homelab, and waits until it serves.
    pub fn start(path: Option<&Path>) -> Result<Self> {
        Self::start_with(path, &[])
    }

    /// The same with further options of `steelyard lab`.
    pub fn start_with(path: Option<&Path>, options: &[&str]) -> Result<Self> {
        Self::start_named(free_name(), path, options)
    }

    /// The same before whatever else this machine has to do, builds and other tests: a node that
    /// is kept waiting for half a second falls silent, as it should, and its addresses move.
    pub fn start_first(path: &Path, options: &[&str]) -> Result<Self> {
        let mut command = Command::new("chrt");
        command.args(["--rr", "1"]).arg(binary::steelyard());
        Self::launch(command, free_name(), Some(path), options)
    }

    /// The same under a given name.
    pub fn start_named(name: String, path: Option<&Path>, options: &[&str]) -> Result<Self> {
        Self::launch(Command::new(binary::steelyard()), name, path, options)
    }

    fn launch(
        mut command: Command,
        name: String,
        path: Option<&Path>,
        options: &[&str],
    ) -> Result<Self> {
        command.args(["lab", "--name", &name]).args(path).args(options);
        let mut process = Running::start(command)?;
        process.wait_for(READY)?;
        Ok(Self { name, process })
    }

    /// Name of the network namespace of one of its parts: `client`, `switch`, `node-NODE`.
    pub fn namespace(&self, part: &str) -> String {
        format!("steelyard-{}-{part}", self.name)
    }

    /// Network namespaces that belong to it.
    pub fn namespaces(&self) -> Vec<String> {
        let prefix = self.namespace("");
        netns::list().into_iter().filter(|name| name.starts_with(&prefix)).collect()
    }

    /// Its folder.
    pub fn folder(&self) -> PathBuf {
        Path::new("/run/steelyard-lab").join(&self.name)
    }

    /// `steelyard lab` with these arguments, for this laboratory.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = binary::command(["lab", "--name", &self.name]);
        command.args(arguments);
        command
    }

    /// Runs `steelyard lab` with these arguments; what it prints.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        run(self.command(arguments))
    }

    /// How things are, as `lab show -o json` tells: `nodes` (`name`, `life`, `ready`, `faults`) and
    /// `vips` (`address`, `service`, `owners`: the nodes that answer for it).
    pub fn show(&self) -> Result<serde_json::Value> {
        Ok(serde_json::from_str(&self.run(&["show", "-o", "json"])?)?)
    }

    /// Runs a program on a host; its output whatever its status.
    pub fn on(&self, host: &str, program: &[&str]) -> Result<Output> {
        let mut command = self.command(&["exec", host]);
        Ok(command.args(program).output()?)
    }

    /// Fetches from the client with curl: `STATUS` and the content, behind each other.
    pub fn curl(&self, arguments: &[&str]) -> Result<(u16, String)> {
        let mut all =
            vec!["curl", "-sS", "-g", "-m", "10", "--noproxy", "*", "-w", "\n%{http_code}"];
        all.extend(arguments);
        let output = self.on("client", &all)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "curl {arguments:?}: {errors}");
        let (content, status) = text.rsplit_once('\n').context("curl says no status")?;
        Ok((status.parse()?, content.to_owned()))
    }

    /// The hardware addresses that answer the client for `address`.
    pub fn who_has(&self, address: IpAddr) -> Result<BTreeSet<String>> {
        self.who_tells("client", address)
    }

    /// The hardware addresses that answer a host for `address`.
    pub fn who_tells(&self, host: &str, address: IpAddr) -> Result<BTreeSet<String>> {
        who_has(&Namespace::existing(&self.namespace(host))?, address)
    }

    /// The hardware address of a host, as its own kernel tells it.
    pub fn mac(&self, host: &str) -> Result<String> {
        let output = self.on(host, &["cat", "/sys/class/net/eth0/address"])?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// What comes back to the client for a datagram, from a socket of its own.
    pub fn datagram(&self, to: SocketAddr, content: &str) -> Result<String> {
        let client = Namespace::existing(&self.namespace("client"))?;
        let exchange = || -> std::io::Result<String> {
            let any: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
            let socket = UdpSocket::bind((any, 0))?;
            socket.set_read_timeout(Some(DATAGRAM_PATIENCE))?;
            socket.connect(to)?;
            socket.send(content.as_bytes())?;
            let mut answer = [0; 2048];
            let length = socket.recv(&mut answer)?;
            Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
        };
        Ok(client.run(exchange)??)
    }

    /// Sends a signal to every process on a node (that is, to `steelyard up`).
    pub fn signal(&self, node: &str, signal: Signal) -> Result<()> {
        let namespace = self.namespace(&format!("node-{node}"));
        let pids = netns::ip(&["netns", "pids", &namespace])?;
        ensure!(!pids.trim().is_empty(), "nothing runs on {node}");
        for pid in pids.split_whitespace() {
            kill_process(Pid::from_raw(pid.parse()?).context("a process id is positive")?, signal)?;
        }
        Ok(())
    }

    /// Ends it, and checks that nothing is left behind.
    pub fn stop(mut self) -> Result<()> {
        let status = self.process.stop()?;
        ensure!(status.success(), "{status}: {}", self.process.printed());
        self.check_gone()
    }

    /// Checks that nothing of it is there.
    pub fn check_gone(&self) -> Result<()> {
        ensure!(self.namespaces().is_empty(), "left behind: {:?}", self.namespaces());
        ensure!(!self.folder().exists(), "left behind: {}", self.folder().display());
        wait::until("the end of its processes", || processes_of(&self.name).is_empty())
            .with_context(|| format!("{:?}", processes_of(&self.name)))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.process.is_running() {
            let _ = self.process.stop();
        }
        // Also when it was killed: what is left goes now.
        let _ = self.command(&["down"]).output();
    }
}

/// The hardware addresses that answer a host for `address` on its `eth0`.
pub fn who_has(host: &Namespace, address: IpAddr) -> Result<BTreeSet<String>> {
    let text = address.to_string();
    let output = match address {
        IpAddr::V4(_) => host.output("arping", &["-c", "2", "-w", "1", "-I", "eth0", &text])?,
        IpAddr::V6(_) => host.output("ndisc6", &["-m", "-r", "2", "-w", "500", &text, "eth0"])?,
    };
    let output = String::from_utf8_lossy(&output.stdout).to_lowercase();
    let words = output.split(|c: char| !(c.is_ascii_hexdigit() || c == ':'));
    let is_mac = |word: &&str| word.len() == 17 && word.matches(':').count() == 5;
    Ok(words.filter(is_mac).map(str::to_owned).collect())
}

fn free_name() -> String {
    format!("t{}n{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Command lines that name the laboratory.
fn processes_of(name: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let lines = entries.flatten().filter_map(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    let own = [format!("/run/steelyard-lab/{name}/"), format!("steelyard-{name}-")];
    lines.filter(|line| own.iter().any(|part| line.contains(part))).collect()
}
