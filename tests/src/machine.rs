//! One machine that runs `steelyard up` on a LAN with another host, both in namespaces.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use steelyard_host::netns::{Namespace, Segment};

use crate::process::Running;
use crate::scratch::Scratch;
use crate::{binary, wait};

/// The machine's addresses.
pub const MACHINE: [&str; 2] = ["10.1.1.11", "fd00:1:1::11"];
/// The other host's: a router, which is the machine's default gateway.
pub const ROUTER: [&str; 2] = ["10.1.1.1", "fd00:1:1::1"];

/// How long a client waits.
const LIMIT: Duration = Duration::from_secs(2);
/// How soon a server notices that it is to end.
const PAUSE: Duration = Duration::from_millis(5);

/// The machine, what is around it, and what it serves.
pub struct Machine {
    /// Where `up` runs; `10.1.1.11/24`.
    pub node: Namespace,
    /// The other host on the LAN; `10.1.1.1/24`.
    pub router: Namespace,
    /// The manifests.
    pub folder: Scratch,
    segment: Segment,
    disk: Scratch,
}

impl Machine {
    /// Makes both hosts; `name` tells tests that run at the same time apart.
    pub fn new(name: &str) -> Result<Self> {
        let segment = Segment::create(&format!("steelyard-{name}{}", std::process::id()))?;
        let host = |name: &str, [four, six]: [&str; 2]| {
            segment.host(name, &[&format!("{four}/24"), &format!("{six}/64")])
        };
        let (node, router) = (host("node", MACHINE)?, host("router", ROUTER)?);
        node.ip(&["route", "add", "default", "via", ROUTER[0]])?;
        Ok(Self { node, router, folder: Scratch::new()?, segment, disk: Scratch::new()? })
    }

    /// One more host on the LAN.
    pub fn host(&self, name: &str, addresses: &[&str]) -> Result<Namespace> {
        Ok(self.segment.host(name, addresses)?)
    }

    /// A file that is no manifest.
    pub fn file(&self, name: &str) -> PathBuf {
        self.disk.file(name)
    }

    /// Starts `up` with these options besides.
    pub fn up(&self, options: &[&str]) -> Result<Running> {
        Running::start(self.command(options))
    }

    /// The command of [`Self::up`].
    pub fn command(&self, options: &[&str]) -> Command {
        let mut up = self.node.command(&binary::steelyard().to_string_lossy());
        up.arg("up").arg(self.folder.path()).args(["--node", "box-1"]).args(options);
        up.arg("--lock").arg(self.file("steelyard.lock"));
        up.arg("--state-dir").arg(self.file("state"));
        up
    }

    /// Why `/readyz` says no; empty while it says yes, none while nothing is in force.
    pub fn reasons(&self) -> Option<Vec<String>> {
        let overview = self.read("overview")?;
        let reasons = overview["reasons"].as_array()?.iter();
        Some(reasons.filter_map(|it| it.as_str().map(str::to_owned)).collect())
    }

    /// Waits until `/readyz` says yes.
    pub fn ready(&self, up: &Running) -> Result<()> {
        let ready = wait::until("readiness", || self.reasons().is_some_and(|it| it.is_empty()));
        ready.with_context(|| format!("{:?}\n{}", self.reasons(), up.printed()))
    }

    /// Waits until one of the reasons of `/readyz` has `part` in it.
    pub fn says(&self, part: &str) -> Result<()> {
        let says = || self.reasons().is_some_and(|it| it.iter().any(|it| it.contains(part)));
        wait::until(part, says).with_context(|| format!("{:?}", self.reasons()))
    }

    /// Reads the admin API.
    pub fn read(&self, what: &str) -> Option<Value> {
        let url = format!("http://127.0.0.1:9180/api/v1/{what}");
        let asked = self.node.output("curl", &["-s", "-m", "5", "--noproxy", "*", &url]).ok()?;
        serde_json::from_slice(&asked.stdout).ok()
    }

    /// Who listens on the machine, as `ss` shows it: TCP and UDP, without names.
    pub fn listeners(&self) -> Result<String> {
        let shown = self.node.output("ss", &["-Hltun"])?;
        Ok(String::from_utf8_lossy(&shown.stdout).into_owned())
    }
}

/// A server of the machine's own; it ends when dropped.
#[derive(Debug)]
pub struct Server(Arc<AtomicBool>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Starts a server on `host` that says `word` to each who connects (`TCP:22`) or sends
/// (`UDP:53`), on all addresses of both families, as sshd and nginx do by default.
///
/// # Errors
/// When the port is taken, as for those.
pub fn serve(host: &Namespace, at: &str, word: &str) -> Result<Server> {
    let (protocol, port) = at.split_once(':').context("PROTOCOL:PORT")?;
    let (everywhere, word) = ((Ipv6Addr::UNSPECIFIED, port.parse()?), word.to_owned());
    let done = Server(Arc::default());
    let over = Arc::clone(&done.0);
    match protocol {
        "TCP" => {
            let listener = host.run(|| TcpListener::bind(everywhere))?.context("taken")?;
            listener.set_nonblocking(true)?;
            std::thread::spawn(move || tell(&listener, &word, &over));
        }
        _ => {
            let socket = host.run(|| UdpSocket::bind(everywhere))?.context("taken")?;
            socket.set_read_timeout(Some(PAUSE))?;
            std::thread::spawn(move || answer(&socket, &word, &over));
        }
    }
    Ok(done)
}

fn tell(listener: &TcpListener, word: &str, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        match listener.accept() {
            // Whoever does not listen is no loss.
            Ok((mut client, _)) => drop(client.write_all(word.as_bytes())),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

fn answer(socket: &UdpSocket, word: &str, over: &AtomicBool) {
    let mut buffer = [0; 2048];
    while !over.load(Ordering::Relaxed) {
        if let Ok((_, client)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(word.as_bytes(), client);
        }
    }
}

/// What a client on `from` hears at `at` (`TCP:10.1.1.1:22`), or why it hears nothing.
pub fn ask(from: &Namespace, at: &str) -> String {
    let asked = from.run(|| {
        let (protocol, at) = at.split_once(':').unwrap_or_default();
        let at: SocketAddr = at.parse().map_err(std::io::Error::other)?;
        let mut said = String::new();
        if protocol == "TCP" {
            let mut stream = TcpStream::connect_timeout(&at, LIMIT)?;
            stream.set_read_timeout(Some(LIMIT))?;
            stream.read_to_string(&mut said)?;
            return Ok(said);
        }
        let any = if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any)?;
        socket.set_read_timeout(Some(LIMIT))?;
        socket.connect(at)?;
        socket.send(b"who is there")?;
        let mut buffer = [0; 2048];
        let length = socket.recv(&mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
    });
    asked.map_or_else(
        |error| error.to_string(),
        |said: std::io::Result<String>| said.unwrap_or_else(|error| error.kind().to_string()),
    )
}
