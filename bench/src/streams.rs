//! `bench streams`: what connections and datagrams take that are carried as they come, beside
//! Debian's HAProxy and nginx's stream module.
//!
//! Each proxy runs on core 0, with one worker; generator and backend share one thread on core 1.
//! Runs are interleaved, medians over the rounds. Handshakes are passed on as an Ingress asks for.
//! No language of manifests makes other TCP routes yet, or UDP routes: there ours is its gateway
//! alone, in a process of this program, with routes made by hand.

mod datagrams;
mod gateway;
mod peers;
mod pipe;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::peer::Proxy;
use crate::results::{Row, median};
use crate::{cpu, results};
pub(crate) use gateway::serve;

/// What to measure.
pub(crate) struct Options {
    pub(crate) binary: PathBuf,
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
    pub(crate) output: PathBuf,
}

/// Where the backend is, TCP and UDP.
const BACKEND: ([u8; 4], u16) = ([127, 0, 0, 1], 18180);

/// The server name of the handshakes that are passed on: that of [`pipe::HELLO`].
const SERVER_NAME: &str = "git.homelab.local";

/// A workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Workload {
    /// Many clients, of which each waits for its answer.
    Questions,
    /// A few tunnels, each of which sends many datagrams in a row.
    Tunnels,
    /// A connection that carries much, both ways.
    Plain,
    /// The same behind a handshake that is passed on.
    PassedOn,
}

impl Workload {
    const ALL: [Self; 4] = [Self::Questions, Self::Tunnels, Self::Plain, Self::PassedOn];

    fn name(self) -> &'static str {
        match self {
            Self::Questions => "UDP, 64 clients that wait for answers",
            Self::Tunnels => "UDP, 4 tunnels with bursts",
            Self::Plain => "TCP as it comes",
            Self::PassedOn => "TLS passed on",
        }
    }

    fn unit(self) -> &'static str {
        if self.is_of_datagrams() { "µs CPU" } else { "s CPU/GB" }
    }

    fn is_of_datagrams(self) -> bool {
        matches!(self, Self::Questions | Self::Tunnels)
    }

    /// Whom it is compared with, and which ratio is wanted.
    fn peer(self) -> (&'static str, f64) {
        if self.is_of_datagrams() { ("nginx", 0.7) } else { ("haproxy", 0.9) }
    }
}

/// Runs all loads and writes the rows.
pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("steelyard-streams-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = measure(options, &folder);
    std::fs::remove_dir_all(&folder)?;
    results::write(&options.output, outcome?)
}

fn measure(options: &Options, folder: &Path) -> Result<Vec<Row>> {
    let backend = SocketAddr::from(BACKEND);
    let alone = peers::alone()?;
    let whole = peers::whole(&options.binary, folder, backend)?;
    wait_for(&whole)?;
    let nginx = peers::nginx(folder, backend)?;
    let haproxy = peers::haproxy(folder, backend)?;
    let mut rows = Vec::new();
    for what in Workload::ALL {
        let (name, goal) = what.peer();
        let peer = if name == "nginx" { &nginx } else { &haproxy };
        let ours = if what == Workload::PassedOn { &whole } else { &alone };
        let mut costs = [Vec::new(), Vec::new()];
        for _ in 0..options.rounds {
            for (proxy, costs) in [ours, peer].into_iter().zip(&mut costs) {
                let cost = one_run(what, proxy, options.seconds).context(what.name())?;
                eprintln!("{:40} {:10} {cost:9.3} {}", what.name(), proxy.name, what.unit());
                costs.push(cost);
            }
        }
        let [ours, theirs] = costs.map(median);
        let row = Row::alone(what.name(), what.unit(), ours, goal, options.rounds);
        rows.push(row.beside(name, theirs));
    }
    Ok(rows)
}

/// Until it has its route.
fn wait_for(proxy: &Proxy) -> Result<()> {
    let mut last = Ok(0.0);
    for _ in 0..20 {
        last = one_run(Workload::PassedOn, proxy, 0.1);
        if last.is_ok() {
            break;
        }
    }
    last.map(drop)
}

/// What a datagram, or a gigabyte, takes.
fn one_run(what: Workload, proxy: &Proxy, seconds: f64) -> Result<f64> {
    let (backend, to) = (SocketAddr::from(BACKEND), proxy.address);
    let before = cpu::of_tree(proxy.pid());
    let amount = match what {
        Workload::Questions => datagrams::exchange((to, backend), (64, 1, 100), seconds)?,
        Workload::Tunnels => datagrams::exchange((to, backend), (4, 32, 1_200), seconds)?,
        Workload::Plain => pipe::exchange((to, backend), false, seconds)?,
        Workload::PassedOn => pipe::exchange((to, backend), true, seconds)?,
    };
    let used = cpu::of_tree(proxy.pid()) - before;
    let scale = if what.is_of_datagrams() { 1e6 } else { 1e9 };
    Ok(used.as_secs_f64() * scale / amount as f64)
}
