//! `bench failover`: how long a client gets no answer when the node that answers goes, beside
//! keepalived in the same laboratory.
//!
//! A round is: the node that has the address is struck ([`Act`]); another takes over; the struck
//! node is brought back, and is a settled member again before the next round. Every wait is for a
//! condition. What is measured is told in [`round`]. Rounds mostly wait, so several laboratories
//! stand side by side; each plays a part of the rounds of one contender and one act, in turn.

mod act;
mod client;
mod fault;
mod figures;
mod keepalived;
mod names;
mod ours;
mod round;
mod site;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use steelyard_tests::binary;

pub(crate) use self::act::Act;
use self::act::Contender;
use self::client::Client;
use self::fault::Witness;
use self::round::Round;
use self::site::Site;
use crate::interrupt;
use crate::results::Row;

/// Rounds that one laboratory plays before it is built anew.
const PART: u32 = 25;
/// Failures after which a part is given up.
const FAILURES: usize = 3;

/// What to measure.
pub(crate) struct Options {
    pub(crate) binary: PathBuf,
    pub(crate) rounds: u32,
    pub(crate) labs: u32,
    /// All when empty.
    pub(crate) only: Vec<Act>,
}

/// What is measured together.
type Cell = (Act, Contender);

/// Some rounds of one cell.
#[derive(Clone, Copy)]
struct Part {
    cell: Cell,
    rounds: u32,
}

/// What came of it so far.
#[derive(Default)]
struct Progress {
    rounds: BTreeMap<Cell, Vec<Round>>,
    notes: Vec<String>,
    parts: usize,
}

/// Plays all rounds; the rows, and what has to be said beside them.
pub(crate) fn run(options: &Options) -> Result<(Vec<Row>, Vec<String>)> {
    if let Some(reason) = steelyard_tests::lab::unavailable() {
        anyhow::bail!("no laboratory can be built here: {reason}");
    }
    let binary = std::path::absolute(&options.binary)?;
    ensure!(binary.is_file(), "{} is no file: build it first", binary.display());
    binary::use_program(&binary);
    interrupt::listen()?;
    let parts = parts(options);
    let all = parts.len();
    let (queue, progress) = (Mutex::new(parts), Mutex::new(Progress::default()));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for number in 1..=options.labs {
            let (queue, progress) = (&queue, &progress);
            scope.spawn(move || {
                while let Some(part) = next(queue) {
                    let played = play(part, &format!("failover{number}"));
                    if !interrupt::is_set() {
                        keep(progress, part, played, (all, started));
                    }
                }
            });
        }
    });
    ensure!(!interrupt::is_set(), "interrupted: everything is cleaned up, nothing is written");
    let Progress { rounds, mut notes, .. } =
        progress.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (rows, more) = figures::rows(&rounds, &options.only, options.rounds);
    notes.extend(more);
    Ok((rows, notes))
}

/// What is compared stands side by side, the slowest first.
fn parts(options: &Options) -> VecDeque<Part> {
    let acts = if options.only.is_empty() { &Act::ALL[..] } else { &options.only };
    let mut parts = VecDeque::new();
    let mut left = options.rounds;
    while left > 0 {
        let rounds = left.min(PART);
        left -= rounds;
        for &act in acts {
            for &contender in act.contenders() {
                parts.push_back(Part { cell: (act, contender), rounds });
            }
        }
    }
    parts
}

fn next(queue: &Mutex<VecDeque<Part>>) -> Option<Part> {
    if interrupt::is_set() {
        return None;
    }
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Rounds that were played, and what failed.
#[derive(Default)]
struct Played {
    rounds: Vec<Round>,
    failures: Vec<String>,
}

/// Plays a part; after a failure in a laboratory of the same name, built anew.
fn play(part: Part, lab: &str) -> Played {
    let mut played = Played::default();
    while played.failures.len() < FAILURES && !interrupt::is_set() {
        match in_one_lab(part, lab, &mut played.rounds) {
            Ok(()) => break,
            Err(error) => played.failures.push(format!("{error:#}")),
        }
    }
    played
}

fn in_one_lab(part: Part, lab: &str, rounds: &mut Vec<Round>) -> Result<()> {
    let (act, contender) = part.cell;
    let mut site: Box<dyn Site> = match contender {
        Contender::Default => Box::new(ours::Ours::start(lab, &[])?),
        Contender::Tuned => Box::new(ours::Ours::start(lab, ours::TUNED)?),
        Contender::Keepalived => Box::new(keepalived::Keepalived::start(lab)?),
    };
    let namespace = site.lab().namespace("client");
    let client = Client::start(&namespace, site.target())?;
    let witness = Witness::start(&namespace)?;
    while rounds.len() < part.rounds as usize {
        let number = u32::try_from(rounds.len())?;
        let round = round::play(&mut *site, &client, &witness, (act, phase(number)))
            .with_context(|| format!("round {}", number + 1))?;
        let is_over = round.is_over;
        rounds.push(round);
        ensure!(is_over, "round {}: no answer again", number + 1);
    }
    Ok(())
}

/// Strikes fall on all phases of heartbeats and adverts, not on those that waiting leaves.
fn phase(number: u32) -> Duration {
    Duration::from_millis(u64::from(number * 37 % 100))
}

fn keep(progress: &Mutex<Progress>, part: Part, played: Played, (all, started): (usize, Instant)) {
    let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
    let (act, contender) = part.cell;
    let name = format!("{}, {}", act.name(), contender.name());
    progress.parts += 1;
    let done = progress.parts;
    let left = started.elapsed().as_secs_f64() / done as f64 * (all - done) as f64 / 60.0;
    eprintln!(
        "[{done}/{all}, {left:4.1} min left] {name:40} {}",
        figures::sentence(&played.rounds)
    );
    for failure in &played.failures {
        eprintln!("    {name}: {failure}");
        progress.notes.push(format!("{name}: {failure}"));
    }
    progress.rounds.entry(part.cell).or_default().extend(played.rounds);
}
