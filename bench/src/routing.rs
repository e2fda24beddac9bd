//! `bench routing`: what many routes cost, in Kubernetes' language and in Traefik's own.
//!
//! What is compiled and chosen is measured by itself, each in a process of its own; what an edit
//! takes and what all of it needs of memory is measured of the program. Traefik's own choice is
//! played by what its documents and its sources say it is: routes in their order, asked one after
//! the other.

mod choice;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use serde::Serialize;
use steelyard::planning::again;
use steelyard_manifest::{Extract, Key, Object, ObjectChanges, Source, merge};
use steelyard_model::Holdings;
use steelyard_pipeline::LoweredObject;
use steelyard_plan::{Facts, Planner};
use steelyard_route::RoutingTable;

use crate::cpu;
use crate::plan::running::{self, Home};
use crate::plan::worlds::{annotated, ingress, ingress_route, live, loaded, source};
use crate::results::{Row, median, write_with_notes};

/// What to measure.
pub(crate) struct Options {
    /// The release binary, for what is measured of `up`.
    pub(crate) binary: PathBuf,
    pub(crate) rounds: u32,
    pub(crate) output: PathBuf,
}

/// What is measured in a process of its own: one number each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Case {
    /// 10,000 Ingresses, from loaded objects to the table: milliseconds
    Compile,
    /// 1,000 hosts in words of ingress-nginx, 20 annotations each: milliseconds
    Annotated,
    /// A choice among 100,000 hosts: nanoseconds
    Hosts,
    /// The same, one after the other
    HostsScanned,
    /// A choice among 1,000 rules that name no host: nanoseconds
    Hostless,
    /// The same, one after the other
    HostlessScanned,
}

const INGRESSES: usize = 10_000;
const ANNOTATED: usize = 1_000;
/// As many as a folder may hold beside a pool, the Services that they lead to, and an edit until it
/// is moved to its place.
const FILES: usize = INGRESSES - 3;
const INGRESS_ROUTES: usize = 5_000;
/// Edits of a running instance.
const EDITS: usize = 200;

/// `up` among Ingresses, of which one changes.
const EDITED: Home =
    Home { routes: FILES, edits: EDITS, written: |n| ingress(n, &host(n), "/"), led: lead };
/// `up` with nothing but IngressRoutes, and a Service in each namespace that they lead to.
const OF_TRAEFIK: Home = Home {
    routes: INGRESS_ROUTES,
    edits: 0,
    written: |n| ingress_route(n, &format!("Host(`{}`)", host(n))),
    led: |n, host| ingress_route(n, &format!("Host(`{host}`)")),
};

const NOTE: &str = "Traefik publishes no time that a choice takes there: *one after the other* is \
                    Steelyard's own matchers, asked in the order and manner of Traefik.";

fn host(n: usize) -> String {
    format!("app-{n:05}.example")
}

fn lead(n: usize, host: &str) -> String {
    ingress(n, host, "/")
}

/// Runs everything and writes the rows.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut found: BTreeMap<Case, Vec<f64>> = BTreeMap::new();
    let (mut edits, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        for &case in Case::value_variants() {
            let number = in_child(case)?;
            eprintln!("{case:?}: {number:.3}");
            found.entry(case).or_default().push(number);
        }
        edits.push(running::run(&options.binary, &EDITED)?.edit_milliseconds);
        memory.push(running::run(&options.binary, &OF_TRAEFIK)?.after_start_mebibytes * 1.048_576);
        eprintln!("an edit {:.2?} ms, memory {:.1?} MB", edits.last(), memory.last());
    }
    let of = |case: Case| median(found[&case].clone());
    let row =
        |name: &str, unit: &str, ours, goal| Row::alone(name, unit, ours, goal, options.rounds);
    let hosts = || of(Case::Hosts);
    let hostless = || of(Case::Hostless);
    let scan = "one after the other";
    let rows = vec![
        row("10,000 Ingresses: from loaded objects to the table", "ms", of(Case::Compile), 500.0),
        row(
            "1,000 hosts of class nginx, 20 annotations each: to the table",
            "ms",
            of(Case::Annotated),
            300.0,
        ),
        row("one of 9,997 Ingresses changes: until it serves", "ms", median(edits), 10.0),
        row("`up`, 5,000 IngressRoutes: memory", "MB", median(memory), 45.0),
        row("choice among 100,000 hosts, at random", "ns", hosts(), 300.0),
        row("choice among 100,000 hosts, at random", "ns", hosts(), 1.0)
            .beside(scan, of(Case::HostsScanned)),
        row("choice among 1,000 rules without a host", "ns", hostless(), 2_000.0),
        row("choice among 1,000 rules without a host", "ns", hostless(), 1.0)
            .beside(scan, of(Case::HostlessScanned)),
    ];
    write_with_notes(&options.output, rows, vec![NOTE.to_owned()])
}

fn in_child(case: Case) -> Result<f64> {
    let name = serde_json::to_value(case)?;
    let name = name.as_str().context("a case is written as its name")?.to_owned();
    let output = Command::new(std::env::current_exe()?).args(["routing-case", &name]).output()?;
    if !output.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

impl Case {
    /// Runs it once.
    pub(crate) fn run(self) -> Result<f64> {
        match self {
            Self::Compile => compiled(INGRESSES, |n| ingress(n, &host(n), "/")),
            Self::Annotated => compiled(ANNOTATED, |n| annotated(n, &host(n))),
            Self::Hosts => choice::among_hosts(false),
            Self::HostsScanned => choice::among_hosts(true),
            Self::Hostless => choice::without_host(false),
            Self::HostlessScanned => choice::without_host(true),
        }
    }
}

/// Everything an instance does for its first requests, once files are parsed: each object
/// validated, all joined, planned, and compiled. Milliseconds.
fn compiled(count: usize, written: impl Fn(usize) -> String) -> Result<f64> {
    let files = files(count, written);
    let loaded = loaded(&files);
    let start = cpu::of_this_thread()?;
    let lowered = |object: Object| {
        (Key::of(&object), Some(LoweredObject::of(&object, &Default::default()).into()))
    };
    let objects = merge(loaded).objects.into_iter().map(lowered).collect();
    let changes = ObjectChanges { objects, ..ObjectChanges::default() };
    let (mut derived, mut planner) = (steelyard_pipeline::Pipeline::default(), Planner::default());
    let (held, facts) = (Holdings::default(), Facts::default());
    let (snapshot, plan) = again(&mut planner, derived.take(changes), &held, &facts);
    let listeners: Vec<_> = snapshot.routing.listeners.values().cloned().collect();
    let routes: Vec<_> = snapshot.routing.routes.values().cloned().collect();
    let table = RoutingTable::compile(&listeners, &routes);
    let took = cpu::of_this_thread()? - start;
    // In words of ingress-nginx a host has more: what no rule of it has.
    ensure!(table.len() >= count && plan.routes.len() >= count, "{} routes", table.len());
    Ok(took.as_secs_f64() * 1e3)
}

/// A file for each of so many objects, and the Services that they lead to.
fn files(count: usize, written: impl Fn(usize) -> String) -> Vec<Source> {
    let endpoint = ([127, 0, 0, 1], 80).into();
    let services = source("live.yaml", &live(endpoint));
    let each = (0..count).map(|n| source(&format!("app-{n:05}.yaml"), &written(n)));
    std::iter::once(services).chain(each).collect()
}
