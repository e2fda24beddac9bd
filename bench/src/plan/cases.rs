//! What is timed, each in a process of its own.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use steelyard::pipeline::Pipeline;
use steelyard::planning::again;
use steelyard_dialects::{LowerOptions, lower};
use steelyard_ipam::{Allocator, Occupant, Options, Reserved};
use steelyard_manifest::{Extract, Key, Object, ObjectChanges, Source, merge};
use steelyard_model::{Holdings, Item, Pool, Service};
use steelyard_pipeline::{LoweredObject, ResolveOptions, resolve};
use steelyard_plan::{Facts, Plan, Planner};

use crate::{cpu, memory};

use super::carried::carried;
use super::reporting;
use super::worlds::{
    LOAD_BALANCER, MISTAKEN, half_routed, loaded, pool, routed, service, source, sources,
    thousand_pools,
};

/// A case by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Case {
    /// 10,000 Services from a /16
    Sixteen,
    /// One of them changes; the allocator keeps the rest
    Change,
    /// One of them changes in its file, and everything is planned again
    Edit,
    /// The same, in a file with 100 of them
    EditOfHundred,
    /// One more comes into such a file
    Come,
    /// An endpoint of one changes, to which a route leads
    Endpoint,
    /// One of 5,000 routes changes
    Route,
    /// One of them gets a mistake
    Mistake,
    /// The mistake is mended
    Mended,
    /// One of 10,000 Ingresses leads somewhere else: what its status is to say
    Reported,
    /// 10,000 addresses of machines: which of them 1,000 pools have
    Reserved,
    /// The one endpoint of one of 10,000 forwarded vips changes: the kernel is told
    Carried,
    /// The same, and everything is looked at anew
    CarriedAnew,
    /// 65,536 Services have a /16, one more asks
    Full,
    /// One asks an empty /16
    Empty,
    /// 250 Services from an IPv6 /64
    SixtyFour,
    /// 250 Services from a /24
    TwentyFour,
    /// 10,000 Services from 1,000 pools for everybody
    PoolsForAll,
    /// 10,000 Services from 1,000 pools, each for those with a label
    PoolsForSome,
}

/// What one run of a case took.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) milliseconds: f64,
    pub(crate) peak_mebibytes: f64,
}

const SERVICES: usize = 10_000;
const SIXTEEN: &str = "10.0.0.0/16";

/// Decisions per run where one alone is too short for the clock.
const REPEATED: u32 = 200;

impl Case {
    pub(crate) const ALL: &[Self] = &[
        Self::Sixteen,
        Self::Change,
        Self::Edit,
        Self::EditOfHundred,
        Self::Come,
        Self::Endpoint,
        Self::Route,
        Self::Mistake,
        Self::Mended,
        Self::Reported,
        Self::Reserved,
        Self::Carried,
        Self::CarriedAnew,
        Self::Full,
        Self::Empty,
        Self::SixtyFour,
        Self::TwentyFour,
        Self::PoolsForAll,
        Self::PoolsForSome,
    ];

    /// Runs it once.
    pub(crate) fn run(self) -> Result<Sample> {
        let took = match self {
            Self::Sixteen => planned(&pool("home", SIXTEEN, ""), SERVICES)?,
            Self::Change => changed(SERVICES, false)?,
            Self::Edit => edited(1, false)?,
            Self::EditOfHundred => edited(100, false)?,
            Self::Come => edited(100, true)?,
            Self::Endpoint => routed_edited(&[(81, "/", LOAD_BALANCER)])?,
            Self::Route => routed_edited(&[(80, "/new", LOAD_BALANCER)])?,
            Self::Mistake => routed_edited(&[(80, "/", MISTAKEN)])?,
            Self::Mended => routed_edited(&[(80, "/", MISTAKEN), (80, "/", LOAD_BALANCER)])?,
            Self::Reported => reporting::one_of_many(SERVICES)?,
            Self::Reserved => reserved(SERVICES)?,
            Self::Carried => carried(SERVICES, false)?,
            Self::CarriedAnew => carried(SERVICES, true)?,
            Self::Full => changed(65_536, true)?,
            Self::Empty => changed(0, true)?,
            Self::SixtyFour => assigned(&pool("six", "\"fd00:0:0:1::/64\"", ""))?,
            Self::TwentyFour => assigned(&pool("four", "10.0.0.0/24", ""))?,
            Self::PoolsForAll => planned(&thousand_pools(|_| String::new()), SERVICES)?,
            Self::PoolsForSome => planned(&thousand_pools(for_some), SERVICES)?,
        };
        Ok(Sample { milliseconds: took.as_secs_f64() * 1e3, peak_mebibytes: peak()? })
    }
}

fn for_some(n: usize) -> String {
    format!(", serviceAllocation: {{serviceSelectors: [{{matchLabels: {{pool: p{n}}}}}]}}")
}

/// From loaded objects to the plan.
fn planned(pools: &str, count: usize) -> Result<Duration> {
    let sources = sources(pools, count, 10);
    let loaded = loaded(&sources);
    let start = cpu::of_this_thread()?;
    let objects = merge(loaded).objects.into_iter();
    let lowered = |object: Object| Some(Arc::new(LoweredObject::of(&object, &Default::default())));
    let objects = objects.map(|object| (Key::of(&object), lowered(object))).collect();
    let changes = ObjectChanges { objects, ..ObjectChanges::default() };
    // A running instance keeps all this: that it is freed here is not part of it.
    let (mut derived, mut planner) = (steelyard_pipeline::Pipeline::default(), Planner::default());
    let (held, facts) = (Holdings::default(), Facts::default());
    let (_, plan) = again(&mut planner, derived.take(changes), &held, &facts);
    let took = cpu::of_this_thread()? - start;
    ensure!(served(&plan) == count, "{} of {count} have an address", served(&plan));
    Ok(took)
}

/// One Service of `count` changes (or, `further`, one more asks); everybody else is known.
fn changed(count: usize, further: bool) -> Result<Duration> {
    let sources = sources(&pool("home", SIXTEEN, ""), count + 1, 10);
    let items = items(&merge(loaded(&sources)).objects);
    let (pools, mut services) = pools_and_services(&items);
    let mut last = services.pop().context("there is one Service at least")?;
    let known = if further { services } else { [services, vec![last.clone()]].concat() };
    let mut allocator = allocator(&pools, known);
    let mut took = Duration::ZERO;
    for n in 0..REPEATED {
        Arc::make_mut(&mut last).ports[0].port = 1_000 + u16::try_from(n).context("few")?;
        let change = last.clone();
        let start = Instant::now();
        allocator.change([(last.id.clone(), Some(change))]);
        black_box(allocator.assignment(&last.id));
        took += start.elapsed();
        if further {
            allocator.change([(last.id.clone(), None)]);
        }
    }
    Ok(took / REPEATED)
}

/// One Service changes (or, `further`, comes) in one of many files with `in_a_file` Services each:
/// what a running instance does then, short of carrying it out.
fn edited(in_a_file: usize, further: bool) -> Result<Duration> {
    let mut sources = sources(&pool("home", SIXTEEN, ""), SERVICES, in_a_file);
    let (mut pipeline, mut planner) = (Pipeline::default(), Planner::default());
    let facts = Facts::default();
    let (_, plan) = again(&mut planner, pipeline.update(&sources), &Holdings::default(), &facts);
    planner.look_ahead();
    let edited = sources.len() / 2;
    let first = (edited - 1) * in_a_file;
    let mut text: String = (first + 1..first + in_a_file).map(|n| service(n, 80)).collect();
    text += &service(first, if further { 80 } else { 81 });
    text += &if further { service(SERVICES, 80) } else { String::new() };
    sources[edited] = source(&sources[edited].name, &text);
    let start = cpu::of_this_thread()?;
    let (_, plan) = again(&mut planner, pipeline.update(&sources), &plan.held, &facts);
    let took = cpu::of_this_thread()? - start;
    let wanted = SERVICES + usize::from(further);
    ensure!(served(&plan) == wanted, "{} of {wanted} have an address", served(&plan));
    Ok(took)
}

/// One Service is edited of those that a route leads to, in one of many files, as often as there
/// are `edits`: what a running instance does after the last of them, short of carrying it out.
fn routed_edited(edits: &[(u16, &str, &str)]) -> Result<Duration> {
    let mut sources = half_routed(&pool("home", SIXTEEN, ""), SERVICES);
    let (mut pipeline, mut planner) = (Pipeline::default(), Planner::default());
    let facts = Facts::default();
    let mut look = |sources: &[Source], held: &Holdings| -> Result<(Plan, Duration)> {
        let start = cpu::of_this_thread()?;
        let (_, plan) = again(&mut planner, pipeline.update(sources), held, &facts);
        let took = cpu::of_this_thread()? - start;
        planner.look_ahead();
        Ok((plan, took))
    };
    let (mut plan, mut took) = look(&sources, &Holdings::default())?;
    let edited = SERVICES / 4;
    for (replica, path, spec) in edits {
        let text = routed(edited, path, *replica, spec);
        sources[edited + 1] = source(&sources[edited + 1].name, &text);
        (plan, took) = look(&sources, &plan.held)?;
    }
    ensure!(plan.routes.len() == SERVICES / 2, "{} routes", plan.routes.len());
    ensure!(served(&plan) == SERVICES, "{} of {SERVICES} have an address", served(&plan));
    Ok(took)
}

/// 250 Services get addresses of one pool.
fn assigned(pools: &str) -> Result<Duration> {
    let items = items(&merge(loaded(&sources(pools, 250, 10))).objects);
    let (pools, services) = pools_and_services(&items);
    let mut took = Duration::ZERO;
    for _ in 0..REPEATED {
        let start = Instant::now();
        let allocator = black_box(allocator(&pools, services.clone()));
        took += start.elapsed();
        ensure!(allocator.held().0.len() == 250, "everybody has an address");
    }
    Ok(took / REPEATED)
}

/// Which of `count` addresses that machines have as their own are of a thousand pools: every other.
fn reserved(count: usize) -> Result<Duration> {
    let (pools, _) = pools_and_services(&items(
        &merge(loaded(&[source("pools.yaml", &thousand_pools(|_| String::new()))])).objects,
    ));
    // Pools have sixteen addresses each from 10.0.0.0 on.
    let address = |n: usize| -> Result<IpAddr> {
        let of_pool = u32::try_from(n / 2 * 3)? + 10 * 0x0100_0000;
        let elsewhere = u32::try_from(n)? + 172 * 0x0100_0000;
        Ok(Ipv4Addr::from_bits(if n.is_multiple_of(2) { of_pool } else { elsewhere }).into())
    };
    let known = (0..count).map(|n| Ok((address(n)?, Occupant::Peer)));
    let known = known.collect::<Result<BTreeMap<IpAddr, Occupant>>>()?;
    let mut took = Duration::ZERO;
    for _ in 0..REPEATED {
        let start = Instant::now();
        let found = black_box(Reserved::of_pools(&pools, &known));
        took += start.elapsed();
        ensure!(found.occupant(address(0)?).is_some() && found.occupant(address(1)?).is_none());
    }
    Ok(took / REPEATED)
}

fn allocator(pools: &[Pool], services: Vec<Arc<Service>>) -> Allocator {
    Allocator::new(pools, &BTreeMap::new(), services, &Holdings::default(), &Options::default())
}

fn items(objects: &[Object]) -> Vec<Arc<Item>> {
    let options = LowerOptions::default();
    objects.iter().flat_map(|it| lower(it, &options).items).map(Arc::new).collect()
}

fn pools_and_services(items: &[Arc<Item>]) -> (Vec<Pool>, Vec<Arc<Service>>) {
    let snapshot = resolve(items, &ResolveOptions::default());
    let services = snapshot.services.values().map(|it| it.service.clone()).collect();
    (Arc::unwrap_or_clone(snapshot.pools), services)
}

fn served(plan: &Plan) -> usize {
    plan.services.values().filter(|row| !row.addresses.is_empty()).count()
}

/// The most memory this process had so far, in MiB.
fn peak() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    memory::of_status(&status, "VmHWM:")
}
