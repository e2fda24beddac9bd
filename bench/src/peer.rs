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

    /// The process that serves: nginx has another one above it.
    pub(crate) fn worker(&self) -> u32 {
        let children = format!("/proc/{0}/task/{0}/children", self.pid());
        let children = fs::read_to_string(children).unwrap_or_default();
        let first = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
        first.filter(|_| self.name == "nginx").unwrap_or_else(|| self.pid())
    }

    /// Steelyard itself, as a user would start it, with its access log on and a route, or for so
    /// many numbered `hosts`.
    pub(crate) fn steelyard(
        binary: &Path,
        folder: &Path,
        backend: SocketAddr,
        hosts: u32,
    ) -> Result<Self> {
        let one = hosts < 2;
        let (name, ports) = if one { ("steelyard", 18081) } else { ("many routes", 18086) };
        let address = SocketAddr::from(([127, 0, 0, 1], ports));
        let manifests = folder.join(format!("manifests-{hosts}"));
        fs::create_dir_all(&manifests)?;
        fs::write(manifests.join("app.yaml"), manifest(backend, hosts))?;
        let mut command = pinned(&binary.to_string_lossy());
        command
            .args(["up", "--unprivileged", "--workers", "1"])
            .arg(format!("--admin=127.0.0.1:{}", ports + 10))
            .arg(format!("--entrypoints.web.address={address}"))
            .arg(format!("--accesslog.filepath={}", folder.join(format!("{hosts}.log")).display()))
            .arg(manifests);
        Self::start(name, address, command)
    }

    /// nginx with what makes it fast: keep-alive upstreams, no temporary files, a buffered log.
    pub(crate) fn nginx(folder: &Path, backend: SocketAddr) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], 18082));
        let path = folder.join("nginx.conf");
        fs::write(&path, nginx_config(folder, address, backend))?;
        let mut command = pinned("nginx");
        command.arg("-c").arg(&path).arg("-e").arg(folder.join("nginx.log"));
        Self::start("nginx", address, command)
    }

    /// HAProxy with one thread and upstream reuse; its log goes to its standard output, since it
    /// writes no files.
    pub(crate) fn haproxy(folder: &Path, backend: SocketAddr) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], 18083));
        let path = folder.join("haproxy.cfg");
        fs::write(&path, haproxy_config(address, backend))?;
        let mut command = pinned("haproxy");
        command.arg("-db").arg("-f").arg(&path);
        Self::start("haproxy", address, command)
    }

    /// A sketch of a loop, run in `folder`.
    pub(crate) fn sketch(
        (name, port): (&'static str, u16),
        program: &Path,
        folder: &Path,
        backend: SocketAddr,
    ) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
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
        let deadline = Instant::now() + Duration::from_secs(60);
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

/// The name of a numbered host; the generator asks for the same.
pub(crate) fn host(number: u32) -> String {
    format!("h{number:08}.example.com")
}

fn manifest(backend: SocketAddr, hosts: u32) -> String {
    let mut text = format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: app\n  annotations:\n    \
         steelyard.dev/endpoints: \"{backend}\"\nspec:\n  ports: [{{port: 80}}]\n"
    );
    let hosts = match hosts {
        0 | 1 => vec!["app.example.com".to_owned(), host(0)],
        _ => (0..hosts).map(host).collect(),
    };
    for (number, hosts) in hosts.chunks(100).enumerate() {
        text += &format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\n\
             metadata: {{name: app-{number}}}\nspec:\n  rules:\n"
        );
        for host in hosts {
            text += &format!(
                "  - host: {host}\n    http:\n      paths:\n      - path: /\n        \
                 pathType: Prefix\n        \
                 backend: {{service: {{name: app, port: {{number: 80}}}}}}\n"
            );
        }
    }
    text
}

fn nginx_config(folder: &Path, address: SocketAddr, backend: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "daemon off;\nmaster_process on;\nworker_processes 1;\npid {folder}/nginx.pid;\n\
         worker_rlimit_nofile 16384;\nevents {{ worker_connections 8192; multi_accept on; }}\n\
         http {{\n  access_log {folder}/access.log combined buffer=64k flush=1s;\n  client_body_temp_path {folder}/body;\n  \
         proxy_temp_path {folder}/proxy;\n  keepalive_requests 100000000;\n  \
         upstream app {{ server {backend}; keepalive 256; keepalive_requests 100000000; }}\n  \
         server {{\n    listen {address} backlog=4096;\n    server_name app.example.com;\n    \
         location / {{\n      proxy_pass http://app;\n      proxy_http_version 1.1;\n      \
         proxy_set_header Connection \"\";\n      proxy_set_header Host $host;\n      \
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n    }}\n  }}\n}}\n"
    )
}

fn haproxy_config(address: SocketAddr, backend: SocketAddr) -> String {
    format!(
        "global\n  nbthread 1\n  maxconn 4096\n  log stdout format raw local0\n\
         defaults\n  mode http\n  log global\n  option httplog\n  timeout connect 5s\n  \
         timeout client 60s\n  timeout server 60s\n  option forwardfor\n  http-reuse always\n\
         frontend web\n  bind {address}\n  \
         use_backend app if {{ hdr(host) -i app.example.com }}\n\
         backend app\n  server one {backend}\n"
    )
}
