//! A running `steelyard up` without privileges, and backends for it, all on loopback.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::http::{self, Answer};
use crate::process::Running;
use crate::scratch::Scratch;
use crate::{binary, wait};

/// `up` on a folder; killed when dropped.
#[derive(Debug)]
pub struct Up {
    /// The process.
    pub process: Running,
    /// Where the entry point `web` is.
    pub web: SocketAddr,
    /// Where the entry point `websecure` is.
    pub websecure: SocketAddr,
    /// Where the admin API is.
    pub admin: SocketAddr,
}

/// An echo server that plays one replica of a workload.
#[derive(Debug)]
pub struct Backend {
    /// Where it answers.
    pub address: SocketAddr,
    _process: Running,
}

impl Up {
    /// Starts it and waits until it is ready.
    pub fn start(folder: &Path) -> Result<Self> {
        let state = folder.join(".state");
        let mut up = Self::launch(&[], folder, &["--state-dir".as_ref(), state.as_os_str()])?;
        up.wait_until_ready()?;
        Ok(up)
    }

    /// Starts it through another command (`prlimit`, `setpriv`), with these options as well.
    pub fn launch(by: &[&str], folder: &Path, options: &[&OsStr]) -> Result<Self> {
        Self::launch_at(loopback()?, by, folder, options)
    }

    /// The same with `web` at this address.
    pub fn launch_at(
        web: SocketAddr,
        by: &[&str],
        folder: &Path,
        options: &[&OsStr],
    ) -> Result<Self> {
        let (websecure, admin) = (loopback()?, loopback()?);
        let mut words = by.iter().map(OsStr::new).chain([binary::steelyard().as_os_str()]);
        let mut command = Command::new(words.next().context("there is a command")?);
        command.args(words).arg("up").arg(folder).args(["--unprivileged", "--log-format", "json"]);
        command.arg(format!("--admin={admin}"));
        command.arg(format!("--entrypoints.web.address={web}"));
        command.arg(format!("--entrypoints.websecure.address={websecure}"));
        command.args(options);
        Ok(Self { process: Running::start(command)?, web, websecure, admin })
    }

    /// Waits until it is ready; fails when it ends.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        let mut alive = true;
        wait::until("readiness", || {
            alive = self.process.is_running();
            !alive || self.is_ready()
        })
        .with_context(|| self.process.printed())?;
        ensure!(alive, "it ended: {}", self.process.printed());
        Ok(())
    }

    /// Fetches a page.
    pub fn get(&self, host: &str, path: &str) -> Result<Answer> {
        http::get(self.web, host, path)
    }

    /// Waits until `host` answers with this status.
    pub fn wait_for(&self, host: &str, status: u16) -> Result<Answer> {
        let mut last = None;
        let found = wait::until_some(&format!("{status} from {host}"), || {
            let answer = self.get(host, "/").ok()?;
            last = Some(answer.clone());
            (answer.status == status).then_some(answer)
        });
        found.with_context(|| format!("last: {last:?}\n{}", self.process.printed()))
    }

    /// Reads the admin API.
    pub fn read(&self, what: &str) -> Result<Value> {
        let answer = http::get(self.admin, &self.admin.to_string(), &format!("/api/v1/{what}"))?;
        serde_json::from_str(&answer.body).with_context(|| answer.body.clone())
    }

    /// The first address of a Service, when it has one.
    pub fn address_of(&self, service: &str) -> Option<String> {
        let services = self.read("services").ok()?;
        // A list, or an object that holds it.
        let rows = services.as_array().or_else(|| services.get("services")?.as_array())?.clone();
        let row = rows.into_iter().find(|row| row["name"] == service)?;
        row["addresses"][0].as_str().map(str::to_owned)
    }

    /// What `/readyz` says: nothing when it is ready.
    pub fn unready(&self) -> Result<Option<String>> {
        let answer = http::get(self.admin, &self.admin.to_string(), "/readyz")?;
        Ok((answer.status != 200).then_some(answer.body))
    }

    /// Waits until `/readyz` gives a reason with this in it.
    pub fn wait_for_reason(&self, part: &str) -> Result<()> {
        let mut last = None;
        wait::until(&format!("a reason: {part}"), || {
            last = self.unready().ok().flatten();
            last.as_ref().is_some_and(|reasons| reasons.contains(part))
        })
        .with_context(|| format!("last: {last:?}\n{}", self.process.printed()))
    }

    /// Whether `/readyz` says so.
    pub fn is_ready(&self) -> bool {
        self.unready().is_ok_and(|reasons| reasons.is_none())
    }
}

impl Backend {
    /// Starts replica 1 of a workload of this name.
    pub fn start(name: &str) -> Result<Self> {
        Self::start_at(name, loopback()?)
    }

    /// The same at this address.
    pub fn start_at(name: &str, address: SocketAddr) -> Result<Self> {
        let command = binary::command(["echo", "--name", name, "--tcp", &address.to_string()]);
        let process = Running::start(command)?;
        wait::until("the backend", || http::get(address, "backend", "/").is_ok())?;
        Ok(Self { address, _process: process })
    }
}

/// A free address of loopback.
fn loopback() -> Result<SocketAddr> {
    Ok((Ipv4Addr::LOCALHOST, http::free_port()?).into())
}

/// A Service `name` whose only endpoint is `at`.
pub fn service(name: &str, at: SocketAddr) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  \
         annotations: {{steelyard.dev/endpoints: \"{at}\"}}\nspec:\n  ports: [{{port: 80}}]\n"
    )
}

/// The same with an address of its own.
pub fn load_balancer(name: &str, at: SocketAddr) -> String {
    service(name, at).replace("spec:\n", "spec:\n  type: LoadBalancer\n")
}

/// An Ingress `name` that sends `host` to the Service `service`; `annotations` in flow style.
pub fn ingress(name: &str, host: &str, service: &str, annotations: &str) -> String {
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {name}\n  \
         annotations: {{{annotations}}}\nspec:\n  ingressClassName: nginx\n  rules:\n  \
         - host: {host}\n    http:\n      paths:\n      - path: /\n        pathType: Prefix\n        \
         backend: {{service: {{name: {service}, port: {{number: 80}}}}}}\n"
    )
}

/// A server whose certificate for `own.test`, `own.pem` in this folder, no gateway has, and which
/// answers by its own page.
pub fn tls_endpoint(folder: &Scratch) -> Result<(Running, SocketAddr)> {
    let (key, certificate) = (folder.file("own.key"), folder.file("own.pem"));
    let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=own \
                -addext subjectAltName=DNS:own.test -keyout";
    let mut openssl = Command::new("openssl");
    openssl.args(make.split_whitespace()).arg(&key).arg("-out").arg(&certificate);
    ensure!(openssl.output()?.status.success(), "no certificate");
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut server = Command::new("openssl");
    server.args(["s_server", "-www", "-quiet", "-accept", &address.to_string(), "-key"]);
    server.arg(&key).arg("-cert").arg(&certificate);
    let server = Running::start(server)?;
    wait::until("the server to listen", || TcpStream::connect(address).is_ok())?;
    Ok((server, address))
}
