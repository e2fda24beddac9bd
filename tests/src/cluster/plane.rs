//! The control plane of a cluster: etcd, the API server, controllers and the scheduler on one
//! host, and a door to the API server for tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use steelyard_host::netns::Namespace;

use super::api::Api;
use super::lan;
use super::part::{Parts, Program};
use crate::process::{Running, Signal, run};

/// Its processes.
#[derive(Debug)]
pub(super) struct ControlPlane {
    parts: Parts,
    host: Namespace,
    etcd: Running,
    server: Running,
    /// The controllers and the scheduler.
    followers: Vec<Running>,
    /// What is only to run as long as this does.
    _door: Running,
}

impl ControlPlane {
    /// Makes the keys of the cluster and starts it; the API server answers afterwards.
    pub(super) fn start(parts: &Parts, host: Namespace, nodes: &[String]) -> Result<Self> {
        make_keys(parts, nodes)?;
        let etcd = start_etcd(parts, &host)?;
        let server = Running::start(server(parts, &host))?;
        let mut door = Running::start(door(parts, &host))?;
        door.hush();
        let (parts, followers) = (parts.clone(), Vec::new());
        let mut plane = Self { parts, host, etcd, server, followers, _door: door };
        plane.wait_until_ready()?;
        plane.start_followers()?;
        Ok(plane)
    }

    /// Starts them, in the place of those that ran before.
    fn start_followers(&mut self) -> Result<()> {
        self.followers.clear();
        for (part, user) in
            [(Program::Controllers, "controllers"), (Program::Scheduler, "scheduler")]
        {
            self.followers.push(Running::start(self.follower(part, user))?);
        }
        Ok(())
    }

    /// A door to the API server that needs no key.
    pub(super) fn api(&self) -> Api {
        Api::new(socket(&self.parts))
    }

    /// Stops the API server where it stands: connections to it stay, and nothing comes.
    pub(super) fn freeze(&self) -> Result<()> {
        self.server.freeze()
    }

    /// Lets it go on.
    pub(super) fn thaw(&self) -> Result<()> {
        self.server.signal(Signal::CONT)
    }

    /// Kills the API server.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.server.kill()
    }

    /// Starts it again, once it was killed, and waits until it answers.
    pub(super) fn start_again(&mut self) -> Result<()> {
        self.server = Running::start(server(&self.parts, &self.host))?;
        self.wait_until_ready()
    }

    /// Makes etcd forget the past.
    pub(super) fn compact(&self) -> Result<()> {
        run(self.parts.command(&self.host, Program::Compact)).map(drop)
    }

    /// Keeps all that is there now, for another time.
    pub(super) fn back_up(&self) -> Result<()> {
        // It stands meanwhile: what it has written is then as whole as after a power cut.
        self.etcd.freeze()?;
        let copied = copy(&self.parts.file("etcd"), &self.parts.file("backup"));
        self.etcd.signal(Signal::CONT)?;
        copied
    }

    /// Puts back what was kept, as Kubernetes' documentation says: while no API server runs, and
    /// what follows it is started again, since it believes in what never was.
    pub(super) fn restore(&mut self) -> Result<()> {
        self.server.kill()?;
        self.etcd.kill()?;
        copy(&self.parts.file("backup"), &self.parts.file("etcd"))?;
        self.etcd = start_etcd(&self.parts, &self.host)?;
        self.start_again()?;
        self.start_followers()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let api = self.api();
        super::until("the API server", || api.get_text("/readyz").is_ok_and(|it| it == "ok"))
            .map_err(|error| error.context(self.server.printed()))
    }

    fn follower(&self, part: Program, user: &str) -> Command {
        let kubeconfig = self.parts.kubeconfig(user);
        let mut command = self.parts.command(&self.host, part);
        for option in ["--kubeconfig", "--authentication-kubeconfig", "--authorization-kubeconfig"]
        {
            command.arg(option).arg(&kubeconfig);
        }
        command.args(["--leader-elect=false", "--profiling=false"]);
        if part == Program::Controllers {
            command.arg("--root-ca-file").arg(self.parts.key("ca.crt"));
            command.arg("--service-account-private-key-file").arg(self.parts.key("tokens.key"));
            command.args([
                "--use-service-account-credentials",
                // Nodes say each second that they are there. They are missed after Kubernetes' own
                // time: no pause of the API server in a test lasts as long.
                "--node-monitor-period=1s",
                "--node-monitor-grace-period=40s",
            ]);
        }
        command
    }
}

fn make_keys(parts: &Parts, nodes: &[String]) -> Result<()> {
    let [four, six] = lan::control();
    let mut keys = Parts::local(Program::Keys);
    keys.arg("--folder").arg(parts.file("keys"));
    keys.args(["--server", &format!("https://{four}:6443"), "--nodes", &nodes.join(",")]);
    let [service_four, service_six] = lan::API_SERVICE;
    let all = ["127.0.0.1", &four, &six, service_four, service_six];
    keys.args(["--addresses", &all.join(",")]);
    run(keys).map(drop)
}

fn start_etcd(parts: &Parts, host: &Namespace) -> Result<Running> {
    let mut etcd = Running::start(etcd(parts, host))?;
    etcd.hush();
    Ok(etcd)
}

/// Puts what is in a folder into another one, in the place of what was there.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    let mut copy = Command::new("cp");
    copy.arg("-a").args([from, to]);
    run(copy).map(drop)
}

/// What it writes need not survive the machine.
fn etcd(parts: &Parts, host: &Namespace) -> Command {
    let mut etcd = parts.command(host, Program::Etcd);
    etcd.arg("--data-dir").arg(parts.file("etcd"));
    etcd.args(["--unsafe-no-fsync", "--log-level", "warn"]);
    etcd
}

fn server(parts: &Parts, host: &Namespace) -> Command {
    let mut server = parts.command(host, Program::ApiServer);
    let issuer = "https://kubernetes.default.svc.cluster.local";
    server.args(["--etcd-servers", "http://127.0.0.1:2379", "--service-account-issuer", issuer]);
    for (option, key) in [
        ("--client-ca-file", "ca.crt"),
        ("--requestheader-client-ca-file", "ca.crt"),
        ("--tls-cert-file", "apiserver.crt"),
        ("--tls-private-key-file", "apiserver.key"),
        ("--service-account-key-file", "tokens.pub"),
        ("--service-account-signing-key-file", "tokens.key"),
    ] {
        server.arg(option).arg(parts.key(key));
    }
    server.args(["--advertise-address", &lan::control()[0], "--secure-port=6443"]);
    server.args(["--service-cluster-ip-range", &lan::SERVICES.join(",")]);
    server.args(["--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction"]);
    // Nobody may speak for others here; without these, whoever has tokens checked looks for them
    // again and again.
    server.args(["--requestheader-allowed-names=nobody"]);
    server.args(["--requestheader-username-headers=X-Remote-User"]);
    // There is no DNS to look nodes' names up in.
    server.args(["--kubelet-preferred-address-types=InternalIP"]);
    // Nor does anybody carry packets for Services where it is: it asks their pods.
    server.args(["--enable-aggregator-routing=true"]);
    server.args(["--allow-privileged", "--profiling=false"]);
    server
}

fn door(parts: &Parts, host: &Namespace) -> Command {
    let mut door = parts.command(host, Program::Kubectl);
    door.arg("proxy").arg("--unix-socket").arg(socket(parts));
    door
}

fn socket(parts: &Parts) -> PathBuf {
    parts.file("api")
}
