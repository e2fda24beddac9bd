//! `bench tls`: what TLS adds, beside Debian's nginx and HAProxy: requests over connections that
//! stay, handshakes, and the memory of connections that wait.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::figure::Figure;
use super::workload::{Load, Workload};
use super::{BACKEND, certificates, http2, versions};
use crate::load::Report;
use crate::load::handshakes::{self, Handshakes};
use crate::memory::resident;
use crate::peer::{HOST, Proxy, beside};
use crate::results::Row;
use crate::{cpu, results};

/// Connections that have asked once and wait, and KiB that one may take.
const WAITING: usize = 1_000;
const GOAL_WAITING: f64 = 20.0;

/// What is asked over TLS.
#[derive(Clone, Copy)]
enum Act {
    /// By HTTP/1.1, over connections that stay.
    Small,
    /// The same by HTTP/2.
    Http2,
    /// Each over a connection of its own.
    Handshakes(Handshakes),
}

const ACTS: [(&str, Act); 5] = [
    ("small answers over TLS 1.3, 64 connections", Act::Small),
    ("HTTP/2 over TLS, 16 connections of 16 streams", Act::Http2),
    ("a handshake per request, X25519", Act::Handshakes(Handshakes::Full)),
    ("a handshake per request, X25519MLKEM768", Act::Handshakes(Handshakes::Hybrid)),
    ("a resumed handshake per request", Act::Handshakes(Handshakes::Resumed)),
];

impl Act {
    /// What the ratio of CPU to a peer's is to be at most; none where they are not compared.
    fn goal(self, peer: &str) -> Option<f64> {
        Some(match (self, peer) {
            (Self::Small, _) => 0.85,
            (Self::Http2, "nginx") => 0.55,
            (Self::Http2, _) => 0.8,
            // The peers do not have it.
            (Self::Handshakes(Handshakes::Hybrid), _) => return None,
            (Self::Handshakes(_), _) => 0.6,
        })
    }

    fn generate(self, proxy: &Proxy, backend: SocketAddr, seconds: f64) -> Result<Report> {
        let load = match self {
            Self::Small => Workload::Small.load(),
            Self::Http2 => Workload::Http2.load(),
            Self::Handshakes(which) => return shake(proxy, which, backend, seconds),
        };
        http2::generate_secure(proxy, &Load { host: HOST, ..load }, backend, seconds)
    }
}

/// Runs all acts and writes the rows.
pub(crate) fn run(options: &super::Options) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("steelyard-bench-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = measure(options, &folder);
    std::fs::remove_dir_all(&folder)?;
    let (rows, mut notes) = outcome?;
    notes.push(versions()?);
    results::write_with_notes(&options.output, rows, notes)
}

fn measure(options: &super::Options, folder: &Path) -> Result<super::Found> {
    let backend = SocketAddr::from(BACKEND);
    let proxies = [
        Proxy::steelyard(&options.binary, folder, backend, 1)?,
        Proxy::nginx(folder, backend)?,
        Proxy::haproxy(folder, backend)?,
    ];
    let mut found = super::Found::default();
    for (name, act) in ACTS {
        let mut figures: Vec<Figure> = proxies.iter().map(|it| Figure::of(it.name)).collect();
        for _ in 0..options.rounds {
            for (proxy, figure) in proxies.iter().zip(&mut figures) {
                if proxy.name == "steelyard" || act.goal(proxy.name).is_some() {
                    one_run(options, (name, act), (proxy, backend), figure)?;
                }
            }
        }
        let (ours, peers) = figures.split_first().context("ours is the first")?;
        ensure!(ours.counts(), "{name}: {ours}");
        let row = |goal| Row::alone(name, "µs CPU", ours.cost(), goal, options.rounds);
        for peer in peers {
            match act.goal(peer.name) {
                Some(goal) if peer.counts() => {
                    found.0.push(row(goal).beside(peer.name, peer.cost()))
                }
                Some(_) => found.1.push(format!("{name}: {peer}.")),
                None => {}
            }
        }
        if act.goal("nginx").is_none() {
            found.1.push(format!("{name}: {:.0} µs of Steelyard alone.", ours.cost()));
        }
    }
    memory(&proxies, backend, &mut found)?;
    let (rows, notes) = certificates::rows()?;
    found.0.extend(rows);
    found.1.extend(notes);
    Ok(found)
}

fn one_run(
    options: &super::Options,
    (name, act): (&str, Act),
    (proxy, backend): (&Proxy, SocketAddr),
    figure: &mut Figure,
) -> Result<()> {
    let before = cpu::of_tree(proxy.pid());
    let report = act.generate(proxy, backend, options.seconds)?;
    let cost = figure.add(cpu::of_tree(proxy.pid()) - before, &report);
    let rate = report.requests as f64 / report.seconds;
    let name_of = proxy.name;
    eprintln!("{name:48} {name_of:11} {rate:8.0}/s {cost:8.2} µs {} failed", report.errors);
    Ok(())
}

/// Runs the generator of handshakes on the other core, and the backend beside it.
fn shake(proxy: &Proxy, which: Handshakes, backend: SocketAddr, seconds: f64) -> Result<Report> {
    let _backend = http2::answer(backend, seconds)?;
    let output = beside(&std::env::current_exe()?.to_string_lossy())
        .args(["handshakes", "--target", &proxy.tls.to_string(), "--host", HOST])
        .args(["--which", which.word(), "--seconds", &seconds.to_string()])
        .output()
        .context("cannot start taskset")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "handshakes with {}: {said}", proxy.name);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// KiB of a connection that has asked once and waits.
fn memory(proxies: &[Proxy], backend: SocketAddr, found: &mut super::Found) -> Result<()> {
    super::memory::answer(backend)?;
    let name = "memory, a connection over TLS that waits";
    let mut kib = Vec::new();
    for proxy in proxies {
        handshakes::wait(proxy.tls, HOST, 50)?; // what is set aside once
        let before = resident(proxy.worker())?;
        let waiting = handshakes::wait(proxy.tls, HOST, WAITING)?;
        std::thread::sleep(std::time::Duration::from_secs(2));
        let after = resident(proxy.worker())?;
        drop(waiting);
        kib.push((proxy.name, (after - before) * 1024.0 / WAITING as f64));
    }
    found.0.push(Row::alone(name, "KiB", kib[0].1, GOAL_WAITING, 1));
    let told = kib[1..].iter().map(|(peer, kib)| format!("{kib:.1} KiB of {peer}"));
    found.1.push(format!("{name}: {}.", told.collect::<Vec<_>>().join(", ")));
    Ok(())
}
