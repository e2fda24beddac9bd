//! What it costs to choose one of a thousand endpoints: alone, and while another core chooses among
//! the same.

use std::path::PathBuf;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use anyhow::Result;
use steelyard_balance::pick::{hash, mixed};
use steelyard_balance::{Field, Lot, Member, Picker};
use steelyard_model::routing::backend::Algorithm;

use crate::results::{Row, write};

/// What is measured, and where it is written.
pub(crate) struct Options {
    pub(crate) rounds: u32,
    pub(crate) output: PathBuf,
}

const ENDPOINTS: usize = 1_000;

/// Choices of one run.
const CHOICES: u64 = 1_000_000;

/// Requests that one core has under way.
const HELD: usize = 256;

/// Nanoseconds that one choice may take.
const GOAL: f64 = 100.0;

/// How much longer it may take while another core chooses too.
const GOAL_SHARED: f64 = 1.1;

/// What all cores share of an endpoint, as the gateway has it: a place in memory of its own.
#[repr(align(128))]
struct Standing {
    load: AtomicU32,
    latency: u64,
}

struct Shared(Vec<Standing>);

impl Shared {
    fn new(count: usize) -> Self {
        let latency = |at: usize| 1_000_000 + mixed(at as u64) % 1_000_000;
        let standing = |at| Standing { load: AtomicU32::new(0), latency: latency(at) };
        Self((0..count).map(standing).collect())
    }
}

impl Field for Shared {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn weight(&self, at: usize) -> u32 {
        1 + u32::from(at.is_multiple_of(4))
    }

    fn load(&self, at: usize) -> u32 {
        self.0[at].load.load(Ordering::Relaxed)
    }

    fn latency(&self, at: usize) -> u64 {
        self.0[at].latency
    }

    fn is_fit(&self, _: usize) -> bool {
        true
    }
}

/// Measures all of it.
pub(crate) fn run(options: &Options) -> Result<()> {
    let algorithms = [
        ("in turn, by weight", Algorithm::RoundRobin, u64::MAX),
        ("two choices", Algorithm::TwoChoices, u64::MAX),
        ("least", Algorithm::Least, u64::MAX),
        ("least time", Algorithm::LeastTime, u64::MAX),
        ("peak EWMA", Algorithm::PeakEwma, u64::MAX),
        ("Maglev", Algorithm::Maglev(Box::default()), u64::MAX),
        ("rendezvous, keys of late", Algorithm::Rendezvous(Box::default()), 1_000),
        ("rendezvous, new keys", Algorithm::Rendezvous(Box::default()), u64::MAX),
    ];
    let mut rows = Vec::new();
    for (name, algorithm, keys) in &algorithms {
        let runs = || nanoseconds(algorithm, *keys, 1, ENDPOINTS);
        let ours = median((0..options.rounds).map(|_| runs()).collect());
        rows.push(Row::alone(&format!("choice, {name}"), "ns", ours, GOAL, options.rounds));
    }
    // Most backends of a homelab have one endpoint.
    let runs = || nanoseconds(&Algorithm::RoundRobin, u64::MAX, 1, 1);
    let ours = median((0..options.rounds).map(|_| runs()).collect());
    rows.push(Row::alone("choice, of one endpoint", "ns", ours, GOAL, options.rounds));
    for (name, algorithm, keys) in &algorithms[1..3] {
        let mut runs = [Vec::new(), Vec::new()];
        for _ in 0..options.rounds {
            for (cores, all) in (1..).zip(&mut runs) {
                all.push(nanoseconds(algorithm, *keys, cores, ENDPOINTS));
            }
        }
        let [one, two] = runs.map(median);
        let name = format!("choice on each of 2 cores, {name}");
        rows.push(Row::alone(&name, "ns", two, GOAL_SHARED, options.rounds).beside("1 core", one));
    }
    write(&options.output, rows)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// How long one choice of so many endpoints takes, and counting it, on each of so many cores that
/// share all counts.
fn nanoseconds(algorithm: &Algorithm, keys: u64, cores: usize, endpoints: usize) -> f64 {
    let (shared, barrier) = (Shared::new(endpoints), Barrier::new(cores));
    let times = std::thread::scope(|scope| {
        let (shared, barrier) = (&shared, &barrier);
        let begin = |core| scope.spawn(move || choices(algorithm, keys, core, shared, barrier));
        let cores: Vec<_> = (0..cores as u64).map(begin).collect();
        cores.into_iter().map(|core| core.join().expect("it does not panic")).collect()
    });
    median(times)
}

fn choices(algorithm: &Algorithm, keys: u64, core: u64, shared: &Shared, barrier: &Barrier) -> f64 {
    let picker = Picker::new(algorithm);
    let member = |at: usize| Member { name: hash(at.to_le_bytes()), weight: shared.weight(at) };
    picker.follow((0..shared.count()).map(member).collect());
    let lot =
        |number: u64| Lot { draw: mixed(number ^ (core << 32)), key: Some(mixed(number % keys)) };
    // What is made when it is first needed is there, and what is remembered is.
    for number in 0..2 * ENDPOINTS as u64 {
        picker.attempts(shared, lot(number)).next();
    }
    let mut held = [usize::MAX; HELD];
    barrier.wait();
    let began = Instant::now();
    for number in 0..CHOICES {
        let chosen = picker.attempts(shared, lot(number)).next().expect("all are fit");
        shared.0[chosen].load.fetch_add(1, Ordering::Relaxed);
        let place = usize::try_from(number).map_or(0, |number| number % HELD);
        let over = std::mem::replace(&mut held[place], chosen);
        if let Some(over) = shared.0.get(over) {
            over.load.fetch_sub(1, Ordering::Relaxed);
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "it is no such large number")]
    let each = began.elapsed().as_nanos() as f64 / CHOICES as f64;
    each
}
