//! The programs that are measured, each started on one core with one worker.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A running proxy, ended when dropped.
pub(crate) struct Proxy {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    child: Child,
}

/// The core the proxies run on; the load runs on the next one.
const CORE: &str = "0";

impl Proxy {
    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Steelyard itself, as a user would start it.
    pub(crate) fn steelyard(
        binary: &Path,
        folder: &Path,
        backend: SocketAddr,
        logs: bool,
    ) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], 18081));
        let manifests = folder.join("manifests");
        fs::create_dir_all(&manifests)?;
        fs::write(manifests.join("app.yaml"), manifest(backend))?;
        let mut command = pinned(&binary.to_string_lossy());
        command
            .args(["up", "--unprivileged", "--workers", "1", "--admin", "127.0.0.1:18091"])
            .arg(format!("--entrypoints.web.address={address}"))
            .arg(manifests);
        if logs {
            let log = folder.join("steelyard-access.log");
            command.arg(format!("--accesslog.filepath={}", log.display()));
        }
        Self::start("steelyard", address, command)
    }

    /// nginx with what makes it fast: keep-alive upstreams, no temporary files; its log, where it
    /// has one, is buffered.
    pub(crate) fn nginx(folder: &Path, backend: SocketAddr, logs: bool) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], 18082));
        let path = folder.join("nginx.conf");
        fs::write(&path, nginx_config(folder, address, backend, logs))?;
        let mut command = pinned("nginx");
        command.arg("-c").arg(&path).arg("-e").arg(folder.join("nginx.log"));
        Self::start("nginx", address, command)
    }

    /// HAProxy with one thread and upstream reuse; its log, where it has one, goes to its standard
    /// output, since it writes no files.
    pub(crate) fn haproxy(folder: &Path, backend: SocketAddr, logs: bool) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], 18083));
        let path = folder.join("haproxy.cfg");
        fs::write(&path, haproxy_config(address, backend, logs))?;
        let mut command = pinned("haproxy");
        command.arg("-db").arg("-f").arg(&path);
        Self::start("haproxy", address, command)
    }

    /// A sketch of a loop, run in `folder`.
    pub(crate) fn sketch(
        name: &'static str,
        program: &Path,
        folder: &Path,
        backend: SocketAddr,
    ) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], 18084));
        let mut command = pinned(&program.to_string_lossy());
        command.args([address.to_string(), backend.to_string()]).current_dir(folder);
        Self::start(name, address, command)
    }

    fn start(name: &'static str, address: SocketAddr, mut command: Command) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let mut proxy = Self { name, address, child };
        let deadline = Instant::now() + Duration::from_secs(15);
        while TcpStream::connect(address).is_err() {
            if Instant::now() > deadline || proxy.child.try_wait()?.is_some() {
                bail!("{name} does not listen on {address}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(proxy)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // nginx's master ends its workers on SIGTERM only.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pinned(program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", CORE, program]);
    command
}

fn manifest(backend: SocketAddr) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: app\n  annotations:\n    \
         steelyard.dev/endpoints: \"{backend}\"\nspec:\n  ports: [{{port: 80}}]\n---\n\
         apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: app}}\nspec:\n  \
         rules:\n  - host: app.example.com\n    http:\n      paths:\n      - path: /\n        \
         pathType: Prefix\n        backend: {{service: {{name: app, port: {{number: 80}}}}}}\n"
    )
}

fn nginx_config(folder: &Path, address: SocketAddr, backend: SocketAddr, logs: bool) -> String {
    let folder = folder.display();
    let log = match logs {
        true => format!("{folder}/access.log combined buffer=64k flush=1s"),
        false => "off".to_owned(),
    };
    format!(
        "daemon off;\nmaster_process on;\nworker_processes 1;\npid {folder}/nginx.pid;\n\
         worker_rlimit_nofile 16384;\nevents {{ worker_connections 8192; multi_accept on; }}\n\
         http {{\n  access_log {log};\n  client_body_temp_path {folder}/body;\n  \
         proxy_temp_path {folder}/proxy;\n  keepalive_requests 100000000;\n  \
         upstream app {{ server {backend}; keepalive 256; keepalive_requests 100000000; }}\n  \
         server {{\n    listen {address} backlog=4096;\n    server_name app.example.com;\n    \
         location / {{\n      proxy_pass http://app;\n      proxy_http_version 1.1;\n      \
         proxy_set_header Connection \"\";\n      proxy_set_header Host $host;\n      \
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n    }}\n  }}\n}}\n"
    )
}

fn haproxy_config(address: SocketAddr, backend: SocketAddr, logs: bool) -> String {
    let (log, uses) = match logs {
        true => ("  log stdout format raw local0\n", "  log global\n  option httplog\n"),
        false => ("", ""),
    };
    format!(
        "global\n  nbthread 1\n  maxconn 4096\n{log}defaults\n  mode http\n{uses}  timeout connect 5s\n  \
         timeout client 60s\n  timeout server 60s\n  option forwardfor\n  http-reuse always\n\
         frontend web\n  bind {address}\n  \
         use_backend app if {{ hdr(host) -i app.example.com }}\n\
         backend app\n  server one {backend}\n"
    )
}
