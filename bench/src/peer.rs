//! The programs that are measured, each started on one core with one worker.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// A running proxy, ended when dropped.
pub(crate) struct Proxy {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// Where it takes HTTP/2 from who knows that beforehand.
    pub(crate) http2: SocketAddr,
    /// Where it takes TLS.
    pub(crate) tls: SocketAddr,
    child: Child,
}

/// The core the proxies run on; the load runs on the next one.
const CORE: &str = "0";
const LOAD_CORE: &str = "1";

/// Whom requests are for.
pub(crate) const HOST: &str = "app.example.com";
/// Whose backend speaks HTTP/2.
pub(crate) const HTTP2_HOST: &str = "h2.example.com";

/// Where that one is.
const HTTP2_BACKEND: ([u8; 4], u16) = ([127, 0, 0, 1], 18079);

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
        // Not beside logs: the folder above is looked at too, should this one be replaced.
        let manifests = folder.join(format!("ours-{hosts}/manifests"));
        fs::create_dir_all(&manifests)?;
        fs::write(manifests.join("app.yaml"), manifest(backend, hosts))?;
        let pair = pair(folder)?;
        fs::write(manifests.join("tls.yaml"), secret(&pair))?;
        let mut command = pinned(&binary.to_string_lossy());
        command
            .args(["up", "--unprivileged", "--workers", "1"])
            .arg(format!("--admin=127.0.0.1:{}", ports + 10))
            .arg(format!("--entrypoints.web.address={address}"))
            .arg(format!("--entrypoints.websecure.address=127.0.0.1:{}", ports + 11))
            .arg(format!("--accesslog.filepath={}", folder.join(format!("{hosts}.log")).display()))
            .arg(manifests);
        let mut proxy = Self::start(name, address, command)?;
        proxy.tls = SocketAddr::from(([127, 0, 0, 1], ports + 11));
        Ok(proxy)
    }

    /// nginx with what makes it fast: keep-alive upstreams, no temporary files, a buffered log.
    pub(crate) fn nginx(folder: &Path, backend: SocketAddr) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], 18082));
        let path = folder.join("nginx.conf");
        pair(folder)?;
        fs::write(&path, nginx_config(folder, address, backend))?;
        let mut command = pinned("nginx");
        command.arg("-c").arg(&path).arg("-e").arg(folder.join("nginx.log"));
        let mut proxy = Self::start("nginx", address, command)?;
        // Its ports speak one version each.
        proxy.http2 = nginx_http2();
        proxy.tls = nginx_tls();
        Ok(proxy)
    }

    /// The backend that speaks HTTP/2: nginx, beside the generator.
    pub(crate) fn http2_backend(folder: &Path) -> Result<Self> {
        let address = SocketAddr::from(HTTP2_BACKEND);
        let path = folder.join("backend.conf");
        fs::write(&path, backend_config(folder, address))?;
        let mut command = beside("nginx");
        command.arg("-c").arg(&path).arg("-e").arg(folder.join("backend.log"));
        Self::start("the backend of HTTP/2", address, command)
    }

    /// HAProxy with one thread and upstream reuse; its log goes to its standard output, since it
    /// writes no files.
    pub(crate) fn haproxy(folder: &Path, backend: SocketAddr) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], 18083));
        let path = folder.join("haproxy.cfg");
        let pair = pair(folder)?;
        fs::write(&path, haproxy_config((address, haproxy_tls()), backend, &pair))?;
        let mut command = pinned("haproxy");
        command.arg("-db").arg("-f").arg(&path);
        let mut proxy = Self::start("haproxy", address, command)?;
        proxy.tls = haproxy_tls();
        Ok(proxy)
    }

    /// Caddy, whose scheduler has one core too.
    pub(crate) fn caddy(folder: &Path, backend: SocketAddr) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], 18088));
        let path = folder.join("Caddyfile");
        fs::write(&path, caddy_config(folder, address, backend))?;
        let mut command = pinned("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&path);
        command.env("GOMAXPROCS", "1").env("HOME", folder);
        Self::start("caddy", address, command)
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

    pub(crate) fn start(
        name: &'static str,
        address: SocketAddr,
        mut command: Command,
    ) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let mut proxy = Self { name, address, http2: address, tls: address, child };
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

pub(crate) fn pinned(program: &str) -> Command {
    on(CORE, program)
}

/// `program` on the core of the load.
pub(crate) fn beside(program: &str) -> Command {
    on(LOAD_CORE, program)
}

fn on(core: &str, program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", core, program]);
    command
}

fn nginx_http2() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 18087))
}

fn nginx_tls() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 18097))
}

fn haproxy_tls() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 18098))
}

/// A certificate that signed itself and its key, on P-256, in one file as PEM: its path.
fn pair(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("pair.pem");
    if path.exists() {
        return Ok(path);
    }
    let status = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", "30", "-subj", &format!("/CN={HOST}")])
        .args(["-addext", &format!("subjectAltName=DNS:{HOST}"), "-keyout"])
        .arg(&path)
        .arg("-out")
        .arg(folder.join("certificate.pem"))
        .stderr(Stdio::null())
        .status()
        .context("cannot start openssl")?;
    ensure!(status.success(), "openssl makes no certificate");
    let both = [fs::read(folder.join("certificate.pem"))?, fs::read(&path)?].concat();
    fs::write(&path, both)?;
    Ok(path)
}

/// The same as a Secret, and who names it.
fn secret(pair: &Path) -> String {
    let pem = fs::read_to_string(pair).unwrap_or_default();
    let pem = pem.replace('\n', "\n    ");
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: pair}}\ntype: kubernetes.io/tls\n\
         stringData:\n  tls.crt: |\n    {pem}\n  tls.key: |\n    {pem}\n---\n\
         apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: pair}}\nspec:\n  \
         tls: [{{hosts: [{HOST}], secretName: pair}}]\n  rules:\n  - host: tls.example.com\n    \
         http:\n      paths:\n      - path: /\n        pathType: Prefix\n        \
         backend: {{service: {{name: app, port: {{number: 80}}}}}}\n"
    )
}

/// The name of a numbered host; the generator asks for the same.
pub(crate) fn host(number: u32) -> String {
    format!("h{number:08}.example.com")
}

fn manifest(backend: SocketAddr, hosts: u32) -> String {
    let http2 = SocketAddr::from(HTTP2_BACKEND);
    let mut text = format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: app\n  annotations:\n    \
         steelyard.dev/endpoints: \"{backend}\"\nspec:\n  ports: [{{port: 80}}]\n---\n\
         apiVersion: v1\nkind: Service\nmetadata:\n  name: h2\n  annotations:\n    \
         steelyard.dev/endpoints: \"{http2}\"\nspec:\n  \
         ports: [{{port: 80, appProtocol: kubernetes.io/h2c}}]\n---\n\
         apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: h2}}\nspec:\n  \
         defaultBackend: {{service: {{name: h2, port: {{number: 80}}}}}}\n"
    );
    let hosts = match hosts {
        0 | 1 => vec![HOST.to_owned(), host(0)],
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
    let (folder, http2, tls) = (folder.display(), nginx_http2(), nginx_tls());
    format!(
        "daemon off;\nmaster_process on;\nworker_processes 1;\npid {folder}/nginx.pid;\n\
         worker_rlimit_nofile 16384;\nevents {{ worker_connections 8192; multi_accept on; }}\n\
         http {{\n  access_log {folder}/access.log combined buffer=64k flush=1s;\n  client_body_temp_path {folder}/body;\n  \
         proxy_temp_path {folder}/proxy;\n  keepalive_requests 100000000;\n  \
         upstream app {{ server {backend}; keepalive 256; keepalive_requests 100000000; }}\n  \
         server {{\n    listen {address} backlog=4096;\n    listen {http2} http2;\n    \
         listen {tls} ssl http2 backlog=4096;\n    ssl_certificate {folder}/pair.pem;\n    \
         ssl_certificate_key {folder}/pair.pem;\n    ssl_protocols TLSv1.2 TLSv1.3;\n    \
         server_name {HOST};\n    \
         location / {{\n      proxy_pass http://app;\n      proxy_http_version 1.1;\n      \
         proxy_set_header Connection \"\";\n      proxy_set_header Host $host;\n      \
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n    }}\n    \
         location /text {{\n      gzip on;\n      gzip_comp_level 5;\n      \
         gzip_types text/plain;\n      proxy_pass http://app;\n      \
         proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n    }}\n  }}\n}}\n"
    )
}

/// Small answers, as the other backend gives them.
fn backend_config(folder: &Path, address: SocketAddr) -> String {
    let (folder, body) = (folder.display(), "x".repeat(128));
    format!(
        "daemon off;\nworker_processes 1;\npid {folder}/backend.pid;\n\
         events {{ worker_connections 8192; }}\nhttp {{\n  access_log off;\n  \
         keepalive_requests 100000000;\n  client_body_temp_path {folder}/backend-body;\n  \
         server {{\n    listen {address} http2;\n    default_type text/plain;\n    \
         add_header Cache-Control max-age=60;\n    location / {{ return 200 {body}; }}\n  }}\n}}\n"
    )
}

fn haproxy_config(
    (address, tls): (SocketAddr, SocketAddr),
    backend: SocketAddr,
    pair: &Path,
) -> String {
    let pair = pair.display();
    let http2 = SocketAddr::from(HTTP2_BACKEND);
    format!(
        "global\n  nbthread 1\n  maxconn 4096\n  log stdout format raw local0\n\
         defaults\n  mode http\n  log global\n  option httplog\n  timeout connect 5s\n  \
         timeout client 60s\n  timeout server 60s\n  option forwardfor\n  http-reuse always\n\
         frontend web\n  bind {address}\n  bind {tls} ssl crt {pair} alpn h2,http/1.1\n  \
         use_backend app if {{ hdr(host) -i {HOST} }}\n  \
         use_backend h2 if {{ hdr(host) -i {HTTP2_HOST} }}\n\
         backend app\n  server one {backend}\nbackend h2\n  server one {http2} proto h2\n"
    )
}

fn caddy_config(folder: &Path, address: SocketAddr, backend: SocketAddr) -> String {
    let (folder, port) = (folder.display(), address.port());
    format!(
        "{{\n  admin off\n  auto_https off\n}}\n\
         http://{HOST}:{port} {{\n  bind {}\n  log {{\n    output file {folder}/caddy.log\n  }}\n  \
         reverse_proxy {backend}\n}}\n",
        address.ip()
    )
}
