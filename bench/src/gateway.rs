//! `bench gateway`: CPU per proxied request, beside Debian's nginx and HAProxy.
//!
//! The proxies all run at once on core 0; generator and backend share one thread on core 1. Runs
//! are interleaved (ours, nginx, HAProxy, ours, …), medians over the rounds.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::load::Report;
use crate::peer::Proxy;
use crate::results::{Row, median};
use crate::{cpu, results};

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
    /// Goals for the ratio to nginx and to HAProxy.
    goals: (f64, f64),
}

const LOADS: &[Load] = &[
    Load {
        name: "128 B, 64 connections",
        connections: 64,
        path: "/s",
        new_connections: false,
        goals: (0.8, 0.8),
    },
    Load {
        name: "128 B, 1000 connections",
        connections: 1000,
        path: "/s",
        new_connections: false,
        goals: (0.8, 0.8),
    },
    Load {
        name: "16 KiB, 64 connections",
        connections: 64,
        path: "/m",
        new_connections: false,
        goals: (1.0, 0.8),
    },
    Load {
        name: "1 MiB, 8 connections",
        connections: 8,
        path: "/l",
        new_connections: false,
        goals: (1.0, 1.0),
    },
    Load {
        name: "128 B, a connection each",
        connections: 64,
        path: "/s",
        new_connections: true,
        goals: (1.0, 1.0),
    },
];

const BACKEND: ([u8; 4], u16) = ([127, 0, 0, 1], 18080);

/// Runs all loads and writes the rows.
pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("steelyard-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = measure(options, &folder);
    std::fs::remove_dir_all(&folder)?;
    results::write(&options.output, outcome?)
}

fn measure(options: &Options, folder: &std::path::Path) -> Result<Vec<Row>> {
    let backend = SocketAddr::from(BACKEND);
    let proxies = [
        Proxy::steelyard(&options.binary, folder, backend)?,
        Proxy::nginx(folder, backend)?,
        Proxy::haproxy(folder, backend)?,
    ];
    let mut rows = Vec::new();
    for load in LOADS {
        let mut samples = [const { Vec::new() }; 3];
        for _ in 0..options.rounds {
            for (proxy, samples) in proxies.iter().zip(&mut samples) {
                samples.push(one_run(proxy, load, options.seconds)?);
            }
        }
        rows.extend(rows_of(load, samples, options.rounds));
    }
    Ok(rows)
}

/// CPU of `proxy` in µs per request under `load`.
fn one_run(proxy: &Proxy, load: &Load, seconds: f64) -> Result<f64> {
    let before = cpu::of_tree(proxy.pid());
    let report = generate(proxy, load, seconds)?;
    let used = cpu::of_tree(proxy.pid()) - before;
    if report.requests == 0 || report.errors * 1000 > report.requests {
        bail!("{} failed {} of {} requests", proxy.name, report.errors, report.requests);
    }
    let cost = used.as_secs_f64() * 1e6 / report.requests as f64;
    eprintln!(
        "{:26} {:10} {:8.0} requests/s  {:8.2} µs  p50 {} p99 {} µs",
        load.name,
        proxy.name,
        report.requests as f64 / report.seconds,
        cost,
        report.p50,
        report.p99
    );
    Ok(cost)
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

fn rows_of(load: &Load, samples: [Vec<f64>; 3], rounds: u32) -> Vec<Row> {
    let [ours, nginx, haproxy] = samples.map(median);
    let row = |peer, theirs, goal| {
        Row::alone(load.name, "µs CPU", ours, goal, rounds).beside(peer, theirs)
    };
    vec![row("nginx", nginx, load.goals.0), row("haproxy", haproxy, load.goals.1)]
}
