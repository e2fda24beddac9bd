//! Who carries them: ours, nginx' stream module and HAProxy.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use super::SERVER_NAME;
use crate::peer::{Proxy, pinned};

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Our gateway alone, in a process of this program.
pub(super) fn alone() -> Result<Proxy> {
    let mut command = pinned(&std::env::current_exe()?.to_string_lossy());
    let address = at(18181);
    command.args(["streams-gateway", &address.to_string()]);
    Proxy::start("steelyard", address, command)
}

/// Ours as a user would start it, with an Ingress whose handshakes are passed on.
pub(super) fn whole(binary: &Path, folder: &Path, backend: SocketAddr) -> Result<Proxy> {
    let (address, manifests) = (at(18184), folder.join("manifests"));
    fs::create_dir_all(&manifests)?;
    let text = format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: app\n  annotations:\n    \
         steelyard.dev/endpoints: \"{backend}\"\nspec:\n  ports: [{{port: 443}}]\n---\n\
         apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: app\n  annotations:\n    \
         nginx.ingress.kubernetes.io/ssl-passthrough: \"true\"\nspec:\n  ingressClassName: nginx\n  \
         rules:\n  - host: {SERVER_NAME}\n    http:\n      paths:\n      - path: /\n        \
         pathType: Prefix\n        backend: {{service: {{name: app, port: {{number: 443}}}}}}\n"
    );
    fs::write(manifests.join("app.yaml"), text)?;
    let mut command = pinned(&binary.to_string_lossy());
    command
        .args(["up", "--unprivileged", "--workers", "1", "--admin=127.0.0.1:18185"])
        .arg("--entrypoints.web.address=127.0.0.1:18186")
        .arg(format!("--entrypoints.websecure.address={address}"))
        .arg(manifests);
    Proxy::start("steelyard", address, command)
}

/// nginx' stream module; sessions last as long as ours.
pub(super) fn nginx(folder: &Path, backend: SocketAddr) -> Result<Proxy> {
    let (address, path, at) = (at(18182), folder.join("stream.conf"), folder.display());
    let text = format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\ndaemon off;\n\
         worker_processes 1;\npid {at}/stream.pid;\nevents {{ worker_connections 8192; }}\n\
         stream {{\n  proxy_timeout 3s;\n  server {{ listen {address}; proxy_pass {backend}; }}\n  \
         server {{ listen {address} udp; proxy_pass {backend}; }}\n}}\n"
    );
    fs::write(&path, text)?;
    let mut command = pinned("nginx");
    command.arg("-c").arg(&path).arg("-e").arg(folder.join("stream.log"));
    Proxy::start("nginx", address, command)
}

/// HAProxy, which moves bytes without looking at them where it may.
pub(super) fn haproxy(folder: &Path, backend: SocketAddr) -> Result<Proxy> {
    let (address, path) = (at(18183), folder.join("stream.cfg"));
    let text = format!(
        "global\n  nbthread 1\n  maxconn 4096\n\
         defaults\n  mode tcp\n  option splice-auto\n  timeout connect 5s\n  timeout client 60s\n  \
         timeout server 60s\n\
         frontend streams\n  bind {address}\n  tcp-request inspect-delay 5s\n  \
         tcp-request content accept if {{ req_ssl_hello_type 1 }}\n  \
         tcp-request content accept if {{ req.len gt 4 }}\n  \
         use_backend named if {{ req_ssl_sni -i {SERVER_NAME} }}\n  default_backend plain\n\
         backend named\n  server one {backend}\nbackend plain\n  server one {backend}\n"
    );
    fs::write(&path, text)?;
    let mut command = pinned("haproxy");
    command.arg("-db").arg("-f").arg(&path);
    Proxy::start("haproxy", address, command)
}
