//! `bench gateway`: CPU per proxied request, beside Debian's nginx and HAProxy.
//!
//! The proxies all run at once on core 0; generator and backend share one thread on core 1. Runs
//! are interleaved (ours, nginx, HAProxy, ours, …), medians over the rounds. Ours counts metrics
//! in every row; `log` rows have everybody's access log on, into a file. Where their sources are
//! there, two sketches run in the same rounds: how little it can cost.
//!
//! Ours must answer; a peer that does not is told of beside the rows, and has none where it fails
//! more than a few.

mod figure;
mod floor;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::load::Report;
use crate::peer::Proxy;
use crate::results::Row;
use crate::{cpu, results};
use figure::Figure;
use floor::Floor;

/// What to measure.
pub(crate) struct Options {
    pub(crate) binary: PathBuf,
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
    pub(crate) output: PathBuf,
}

/// One kind of load.
struct Load {
    name: &'static str,
    connections: u32,
    path: &'static str,
    new_connections: bool,
    /// Whether access logs are on.
    logs: bool,
    /// Goals for the ratio to nginx and to HAProxy.
    goals: (f64, f64),
}

/// What the ratio to the sketches may be; it is to become less.
const FLOOR_GOALS: [f64; 2] = [2.5, 2.0];

const LOADS: &[Load] = &[
    Load {
        name: "128 B, 64 connections",
        connections: 64,
        path: "/s",
        new_connections: false,
        logs: false,
        goals: (0.8, 0.8),
    },
    Load {
        name: "128 B, 1000 connections",
        connections: 1000,
        path: "/s",
        new_connections: false,
        logs: false,
        goals: (0.8, 0.8),
    },
    Load {
        name: "16 KiB, 64 connections",
        connections: 64,
        path: "/m",
        new_connections: false,
        logs: false,
        goals: (1.0, 0.8),
    },
    Load {
        name: "1 MiB, 8 connections",
        connections: 8,
        path: "/l",
        new_connections: false,
        logs: false,
        goals: (1.0, 1.0),
    },
    Load {
        name: "128 B, a connection each",
        connections: 64,
        path: "/s",
        new_connections: true,
        logs: false,
        goals: (1.0, 1.0),
    },
    Load {
        name: "128 B, 64 connections, access log",
        connections: 64,
        path: "/s",
        new_connections: false,
        logs: true,
        goals: (0.8, 0.8),
    },
];

const BACKEND: ([u8; 4], u16) = ([127, 0, 0, 1], 18080);

/// Rows, and what has to be said beside them.
type Found = (Vec<Row>, Vec<String>);

/// Runs all loads and writes the rows.
pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("steelyard-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = measure(options, &folder);
    std::fs::remove_dir_all(&folder)?;
    let (rows, notes) = outcome?;
    results::write_with_notes(&options.output, rows, notes)
}

fn measure(options: &Options, folder: &Path) -> Result<Found> {
    let backend = SocketAddr::from(BACKEND);
    let floor = Floor::build()?;
    let mut found = Found::default();
    for logs in [false, true] {
        let start = Start { binary: &options.binary, folder, backend, logs };
        let proxies = start.all(floor.as_ref())?;
        for load in LOADS.iter().filter(|load| load.logs == logs) {
            let mut figures = Vec::from_iter(proxies.iter().map(|it| Figure::of(it.name)));
            for _ in 0..options.rounds {
                for (proxy, figure) in proxies.iter().zip(&mut figures) {
                    one_run(proxy, load, options.seconds, figure)?;
                }
            }
            load.judge(&figures, options.rounds, &mut found)?;
        }
    }
    Ok(found)
}

/// How the proxies are started.
struct Start<'a> {
    binary: &'a Path,
    folder: &'a Path,
    backend: SocketAddr,
    logs: bool,
}

impl Start<'_> {
    /// Ours, then those it is compared with. The sketches log always, or never.
    fn all(&self, floor: Option<&Floor>) -> Result<Vec<Proxy>> {
        let Self { binary, folder, backend, logs } = *self;
        let mut proxies = vec![
            Proxy::steelyard(binary, folder, backend, logs)?,
            Proxy::nginx(folder, backend, logs)?,
            Proxy::haproxy(folder, backend, logs)?,
        ];
        if let Some(floor) = floor {
            proxies.push(match logs {
                false => Proxy::sketch("f_epoll", &floor.bare, folder, backend)?,
                true => Proxy::sketch("d_feat", &floor.featured, folder, backend)?,
            });
        }
        Ok(proxies)
    }
}

/// Takes in what `proxy` needs under `load`.
fn one_run(proxy: &Proxy, load: &Load, seconds: f64, figure: &mut Figure) -> Result<()> {
    let before = cpu::of_tree(proxy.pid());
    let report = generate(proxy, load, seconds)?;
    let used = cpu::of_tree(proxy.pid()) - before;
    let cost = figure.add(used, &report);
    eprintln!(
        "{:26} {:10} {:8.0} requests/s  {:8.2} µs  p50 {} p99 {} µs  {} failed",
        load.name,
        proxy.name,
        report.requests as f64 / report.seconds,
        cost,
        report.p50,
        report.p99,
        report.errors
    );
    Ok(())
}

/// Runs the generator on the other core.
fn generate(proxy: &Proxy, load: &Load, seconds: f64) -> Result<Report> {
    let mut command = Command::new("taskset");
    command
        .args(["-c", "1"])
        .arg(std::env::current_exe()?)
        .args(["load", "--target", &proxy.address.to_string()])
        .args(["--backend", &SocketAddr::from(BACKEND).to_string()])
        .args(["--connections", &load.connections.to_string(), "--path", load.path])
        .args(["--seconds", &seconds.to_string()]);
    if load.new_connections {
        command.arg("--new-connections");
    }
    let output = command.output().context("cannot start taskset")?;
    if !output.status.success() {
        bail!("load on {}: {}", proxy.name, String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

impl Load {
    /// The rows of this load: ours beside each peer that can be compared with.
    fn judge(&self, figures: &[Figure], rounds: u32, (rows, notes): &mut Found) -> Result<()> {
        let (ours, peers) = figures.split_first().expect("ours is the first");
        if !ours.counts() {
            bail!("{}: {ours}", self.name);
        }
        let floor = FLOOR_GOALS[usize::from(self.logs)];
        for (peer, goal) in peers.iter().zip([self.goals.0, self.goals.1, floor]) {
            if peer.counts() {
                let row = Row::alone(self.name, "µs CPU", ours.cost(), goal, rounds);
                rows.push(row.beside(peer.name, peer.cost()));
            }
        }
        let failing = figures.iter().filter(|it| it.has_failed());
        notes.extend(failing.map(|it| format!("{}: {it}.", self.name)));
        Ok(())
    }
}
