//! `bench gateway`: what a proxied request takes, beside Debian's nginx and HAProxy.
//!
//! The proxies all run at once on core 0; generator and backend share one thread on core 1. Runs
//! are interleaved (ours, nginx, HAProxy, ours, …), medians over the rounds. Everybody's access log
//! is on, and ours counts metrics. Where their sources are there, two sketches run in the same
//! rounds: how little it can cost.
//!
//! Ours must answer; a peer that does not is told of beside the rows, and has none where it fails
//! more than a few.

pub(crate) mod certificates;
mod figure;
pub(crate) mod filtered;
mod floor;
mod http2;
mod memory;
pub(crate) mod secure;
mod workload;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::load::Report;
use crate::peer::{Proxy, beside};
use crate::results::Row;
use crate::{cpu, results};
use figure::Figure;
use floor::Floor;
use workload::Load;
pub(crate) use workload::Workload;

/// What to measure.
pub(crate) struct Options {
    pub(crate) binary: PathBuf,
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
    /// Nothing but these; everything where there are none.
    pub(crate) only: Vec<Workload>,
    pub(crate) output: PathBuf,
}

const BACKEND: ([u8; 4], u16) = ([127, 0, 0, 1], 18080);

/// How many routes many are, and what a request may cost with them, of what it costs with one.
const ROUTES: u32 = 100_000;
const ROUTES_GOAL: f64 = 1.1;

/// Of the own maximum.
const PACE: f64 = 0.8;

/// Rows, and what has to be said beside them.
type Found = (Vec<Row>, Vec<String>);

/// Runs all loads and writes the rows.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (rows, mut notes) = in_a_folder(options, |bench| bench.measure())?;
    if options.only.is_empty() {
        notes.push(versions()?);
        return results::write_with_notes(&options.output, rows, notes);
    }
    let begins: Vec<String> = options.only.iter().map(|it| it.name().to_owned()).collect();
    results::replace(&options.output, &begins, rows, notes)
}

/// Measures with a folder for the configurations of the proxies, which goes afterwards.
fn in_a_folder<T>(options: &Options, measure: impl FnOnce(&Bench<'_>) -> Result<T>) -> Result<T> {
    let folder = std::env::temp_dir().join(format!("steelyard-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let bench = Bench { options, folder: &folder, backend: SocketAddr::from(BACKEND) };
    let outcome = measure(&bench);
    std::fs::remove_dir_all(&folder)?;
    outcome
}

/// A run of the whole.
struct Bench<'a> {
    options: &'a Options,
    folder: &'a Path,
    backend: SocketAddr,
}

impl Bench<'_> {
    fn measure(&self) -> Result<Found> {
        let mut found = Found::default();
        let wanted = |it: &Workload| self.options.only.is_empty() || self.options.only.contains(it);
        let (mut apart, beside): (Vec<_>, Vec<_>) = Workload::ALL
            .into_iter()
            .filter(wanted)
            .partition(|it| matches!(it, Workload::Routes | Workload::Memory));
        if !beside.is_empty() {
            let proxies = self.everybody()?;
            for workload in beside {
                self.beside(workload, &proxies, &mut found)?;
            }
        }
        apart.sort_unstable();
        for workload in apart {
            match workload {
                Workload::Routes => self.routes(&mut found)?,
                _ => self.memory(&mut found)?,
            }
        }
        Ok(found)
    }

    /// Ours, then those it is compared with.
    fn everybody(&self) -> Result<Vec<Proxy>> {
        let Self { folder, backend, .. } = *self;
        let mut proxies = self.users()?;
        proxies.push(Proxy::caddy(folder, backend)?);
        if let Some(floor) = Floor::build()? {
            proxies.push(Proxy::sketch(("f_epoll", 18084), &floor.bare, folder, backend)?);
            proxies.push(Proxy::sketch(("d_feat", 18085), &floor.featured, folder, backend)?);
        }
        Ok(proxies)
    }

    /// Those that people use, ours first.
    fn users(&self) -> Result<Vec<Proxy>> {
        let Self { folder, backend, .. } = *self;
        Ok(vec![
            Proxy::steelyard(&self.options.binary, folder, backend, 1)?,
            Proxy::nginx(folder, backend)?,
            Proxy::haproxy(folder, backend)?,
        ])
    }

    fn beside(&self, what: Workload, proxies: &[Proxy], found: &mut Found) -> Result<()> {
        let _backend = match what {
            Workload::Http2Backend => Some(Proxy::http2_backend(self.folder)?),
            _ => None,
        };
        let able: Vec<&Proxy> = proxies.iter().filter(|it| what.concerns(it.name)).collect();
        let loads: Vec<Load> = able.iter().map(|_| what.load()).collect();
        let figures = self.rounds(what, &able, &loads)?;
        if what == Workload::Pace {
            return self.pace(&able, &figures, found);
        }
        let (ours, peers) = figures.split_first().context("ours is the first")?;
        ensure!(ours.counts(), "{}: {ours}", what.name());
        for peer in peers.iter().filter(|it| it.counts()) {
            if let Some(goal) = what.goal(peer.name) {
                let row = Row::alone(what.name(), "µs CPU", ours.cost(), goal, self.options.rounds);
                found.0.push(row.beside(peer.name, peer.cost()));
            }
        }
        let failing = figures.iter().filter(|it| it.has_failed());
        found.1.extend(failing.map(|it| format!("{}: {it}.", what.name())));
        Ok(())
    }

    /// The slowest of a hundred, each at its own pace.
    fn pace(&self, proxies: &[&Proxy], most: &[Figure], found: &mut Found) -> Result<()> {
        let rates = most.iter().map(|figure| figure.rate() * PACE);
        let loads: Vec<Load> =
            rates.map(|rate| Load { rate: Some(rate), ..Workload::Pace.load() }).collect();
        let figures = self.rounds(Workload::Pace, proxies, &loads)?;
        let name = Workload::Pace.name();
        let (ours, peers) = figures.split_first().context("ours is the first")?;
        ensure!(ours.counts(), "{name}: {ours}");
        let users =
            peers.iter().filter(|it| it.counts() && ["nginx", "haproxy"].contains(&it.name));
        if let Some(best) = users.min_by(|one, other| one.p99().total_cmp(&other.p99())) {
            let row = Row::alone(name, "µs", ours.p99(), 1.0, self.options.rounds);
            found.0.push(row.beside(best.name, best.p99()));
        }
        let told = figures.iter().zip(&loads).map(|(it, load)| {
            format!("{} {:.0} µs at {:.0}/s", it.name, it.p99(), load.rate.unwrap_or_default())
        });
        found.1.push(format!("{name}: {}.", told.collect::<Vec<_>>().join(", ")));
        Ok(())
    }

    /// Ours with many routes beside ours with one.
    fn routes(&self, found: &mut Found) -> Result<()> {
        let Self { folder, backend, .. } = *self;
        let proxies = [
            Proxy::steelyard(&self.options.binary, folder, backend, ROUTES)?,
            Proxy::steelyard(&self.options.binary, folder, backend, 1)?,
        ];
        let what = Workload::Routes;
        let loads = [ROUTES, 1].map(|hosts| Load { hosts, ..what.load() });
        self.wait_for(&proxies[0], &loads[0])?;
        let figures = self.rounds(what, &proxies.each_ref(), &loads)?;
        let [many, one] = &figures[..] else { bail!("there are two") };
        ensure!(many.counts() && one.counts(), "{}: {many}; {one}", what.name());
        let row = Row::alone(what.name(), "µs CPU", many.cost(), ROUTES_GOAL, self.options.rounds);
        found.0.push(row.beside("one route", one.cost()));
        Ok(())
    }

    fn memory(&self, found: &mut Found) -> Result<()> {
        memory::answer(self.backend)?;
        let proxies = self.users()?;
        let (ours, peers) = proxies.split_first().context("ours is the first")?;
        let (rows, notes) = memory::rows(ours, &peers.iter().collect::<Vec<_>>())?;
        found.0.extend(rows);
        found.1.extend(notes);
        Ok(())
    }

    /// Each in its turn, as often as there are rounds.
    fn rounds(&self, what: Workload, proxies: &[&Proxy], loads: &[Load]) -> Result<Vec<Figure>> {
        let mut figures = Vec::from_iter(proxies.iter().map(|it| Figure::of(it.name)));
        for _ in 0..self.options.rounds {
            for ((proxy, load), figure) in proxies.iter().zip(loads).zip(&mut figures) {
                self.one_run(what, proxy, load, figure)?;
            }
        }
        Ok(figures)
    }

    /// Takes in what `proxy` needs under `load`.
    fn one_run(
        &self,
        what: Workload,
        proxy: &Proxy,
        load: &Load,
        figure: &mut Figure,
    ) -> Result<()> {
        let before = cpu::of_tree(proxy.pid());
        let report = self.generate(proxy, load, self.options.seconds)?;
        let used = cpu::of_tree(proxy.pid()) - before;
        let cost = figure.add(used, &report);
        eprintln!(
            "{:32} {:11} {:8.0} requests/s  {:8.2} µs  p50 {} p99 {} µs  {} failed",
            what.name(),
            proxy.name,
            report.requests as f64 / report.seconds,
            cost,
            report.p50,
            report.p99,
            report.errors
        );
        Ok(())
    }

    /// Until all routes are there.
    fn wait_for(&self, proxy: &Proxy, load: &Load) -> Result<()> {
        for _ in 0..120 {
            if self.generate(proxy, load, 0.5).is_ok_and(|report| report.errors == 0) {
                return Ok(());
            }
        }
        bail!("{} does not have its routes", proxy.name)
    }

    /// Runs the generator on the other core.
    fn generate(&self, proxy: &Proxy, load: &Load, seconds: f64) -> Result<Report> {
        if let Some(streams) = load.streams {
            return http2::generate(proxy, (load, streams), self.backend, seconds);
        }
        let mut command = beside(&std::env::current_exe()?.to_string_lossy());
        command
            .args(["load", "--target", &proxy.address.to_string()])
            .args(["--backend", &self.backend.to_string(), "--host", load.host])
            .args(["--connections", &load.connections.to_string(), "--path", load.path])
            .args(["--seconds", &seconds.to_string()]);
        if load.is_fresh {
            command.arg("--new-connections");
        }
        if load.hosts > 0 {
            command.args(["--hosts", &load.hosts.to_string()]);
        }
        if let Some(rate) = load.rate {
            command.args(["--rate", &rate.to_string()]);
        }
        let output = command.output().context("cannot start taskset")?;
        if !output.status.success() {
            bail!("load on {}: {}", proxy.name, String::from_utf8_lossy(&output.stderr));
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// What the peers are, by their own word.
fn versions() -> Result<String> {
    let said = |program: &str, ask: &str| -> Result<String> {
        let output = Command::new(program).arg(ask).output()?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().next().unwrap_or_default().trim().to_owned())
    };
    let [nginx, haproxy] = [said("nginx", "-v")?, said("haproxy", "-v")?];
    Ok(format!("The peers: {nginx}; {haproxy}; Caddy {}.", said("caddy", "version")?))
}
