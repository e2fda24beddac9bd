//! From rounds to rows.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Cell;
use super::act::{Act, Contender};
use super::round::Round;
use crate::results::Row;

/// Rounds of one cell, in figures.
struct Figures {
    rounds: u32,
    /// Milliseconds, ascending.
    outages: Vec<f64>,
    /// How long two answered for the address, in milliseconds, ascending.
    doubles: Vec<f64>,
    failed: f64,
    /// Broken and late.
    broken: f64,
    at_return: u32,
}

/// Rows of all cells that were measured, and sentences about what is missing or notable.
pub(super) fn rows(
    cells: &BTreeMap<Cell, Vec<Round>>,
    only: &[Act],
    wanted: u32,
) -> (Vec<Row>, Vec<String>) {
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    let acts = if only.is_empty() { &Act::ALL[..] } else { only };
    for &act in acts {
        let figures = |contender| {
            cells
                .get(&(act, contender))
                .filter(|rounds| !rounds.is_empty())
                .map(|it| Figures::of(it))
        };
        let theirs = figures(Contender::Keepalived);
        for contender in [Contender::Default, Contender::Tuned] {
            if let Some(ours) = figures(contender) {
                rows.extend(rows_of(act, contender, &ours, theirs.as_ref()));
            }
        }
        for &contender in act.contenders() {
            let rounds = cells.get(&(act, contender)).map_or(&[][..], Vec::as_slice);
            notes.extend(notes_on(
                &format!("{}, {}", act.name(), contender.name()),
                rounds,
                wanted,
            ));
        }
    }
    let slips = sorted(cells.values().flatten().map(|round| round.slip));
    if let Some(most) = slips.last() {
        notes.push(format!(
            "The client itself was at most {most:.0} ms behind its pace in a round, \
             {:.0} ms in 99 of 100.",
            rank(&slips, 99)
        ));
    }
    (rows, notes)
}

/// What may be asked of an act: goals for the 99th percentile in ms, by timing.
const fn goal(act: Act, contender: Contender) -> f64 {
    match (act, contender) {
        (Act::Leave | Act::LeaveTwo | Act::Address, _) => 100.0,
        // It is found out in a dead time before a takeover can begin.
        (Act::Unheard | Act::HalfHeard | Act::Deaf, Contender::Tuned) => 600.0,
        (_, Contender::Tuned) => 300.0,
        _ => 1000.0,
    }
}

fn rows_of(act: Act, contender: Contender, ours: &Figures, theirs: Option<&Figures>) -> Vec<Row> {
    let row = |what: &str, unit: &str, figure: fn(&Figures) -> f64, goal: f64| {
        let name = format!("{}, {}: {what}", act.name(), contender.name());
        let row = Row::alone(&name, unit, figure(ours), goal, ours.rounds);
        match theirs.map(figure).filter(|theirs| *theirs > 0.0) {
            Some(theirs) => row.beside("keepalived", theirs),
            None => row,
        }
    };
    let goal = goal(act, contender);
    let is_compared = act.contenders().contains(&Contender::Keepalived);
    // Beside a peer the ratio has a goal, else the figure.
    let than = if is_compared { 1.0 } else { goal };
    let name = format!("{}, {}: outage, p99", act.name(), contender.name());
    let mut rows = vec![Row::alone(&name, "ms", ours.p99(), goal, ours.rounds)];
    rows.push(row("outage, p50", "ms", Figures::p50, than));
    if is_compared {
        rows.push(row("outage, p99", "ms", Figures::p99, than));
    }
    rows.push(row("outage, longest", "ms", Figures::longest, than));
    let dead = if contender == Contender::Tuned { 150.0 } else { 500.0 };
    let name = format!("{}, {}: two answer, longest", act.name(), contender.name());
    rows.push(Row::alone(&name, "ms", rank(&ours.doubles, 100), dead, ours.rounds));
    // Nothing may be lost by a planned leave; the others only have to lose less.
    if act.is_planned() {
        rows.push(row("failed connections per round", "requests", |it| it.failed, 0.0));
        rows.push(row("broken or late per round", "requests", |it| it.broken, 0.0));
    } else if is_compared {
        let lost = |it: &Figures| it.failed + it.broken;
        rows.push(row("unanswered per round", "requests", lost, 1.0));
    }
    rows
}

fn notes_on(name: &str, rounds: &[Round], wanted: u32) -> Vec<String> {
    let mut notes = Vec::new();
    if rounds.len() < wanted as usize {
        notes.push(format!("{name}: only {} of {wanted} rounds were played.", rounds.len()));
    }
    let endless = rounds.iter().filter(|round| !round.is_over).count();
    if endless > 0 {
        notes.push(format!(
            "{name}: no answer came again in {endless} rounds; they count as long as was waited."
        ));
    }
    let lost: u32 = rounds.iter().map(|round| round.at_return).sum();
    if lost > 0 {
        notes.push(format!(
            "{name}: while the node came back, {lost} requests in all were not answered."
        ));
    }
    notes
}

/// Rounds in one line.
pub(super) fn sentence(rounds: &[Round]) -> String {
    if rounds.is_empty() {
        return "no rounds".to_owned();
    }
    let it = Figures::of(rounds);
    let took: Duration = rounds.iter().map(|round| round.took).sum();
    format!(
        "{} rounds of {:.1} s: outage p50 {:.0} p99 {:.0} longest {:.0} ms; two answer \
         {:.0} ms; per round {:.1} failed, {:.1} broken or late; {} at the return",
        it.rounds,
        took.as_secs_f64() / f64::from(it.rounds),
        it.p50(),
        it.p99(),
        it.longest(),
        rank(&it.doubles, 100),
        it.failed,
        it.broken,
        it.at_return
    )
}

impl Figures {
    fn of(rounds: &[Round]) -> Self {
        let mean = |figure: fn(&Round) -> u32| {
            rounds.iter().map(|round| f64::from(figure(round))).sum::<f64>() / rounds.len() as f64
        };
        Self {
            rounds: u32::try_from(rounds.len()).unwrap_or(u32::MAX),
            outages: sorted(rounds.iter().map(|round| round.outage)),
            doubles: sorted(rounds.iter().map(|round| round.double)),
            failed: mean(|round| round.failed),
            broken: mean(|round| round.broken + round.late),
            at_return: rounds.iter().map(|round| round.at_return).sum(),
        }
    }

    fn p50(&self) -> f64 {
        rank(&self.outages, 50)
    }

    fn p99(&self) -> f64 {
        rank(&self.outages, 99)
    }

    fn longest(&self) -> f64 {
        rank(&self.outages, 100)
    }
}

/// In milliseconds, ascending.
fn sorted(durations: impl Iterator<Item = Duration>) -> Vec<f64> {
    let mut all: Vec<f64> = durations.map(|it| it.as_secs_f64() * 1e3).collect();
    all.sort_by(f64::total_cmp);
    all
}

/// The least value that `percent` of all do not exceed.
fn rank(sorted: &[f64], percent: usize) -> f64 {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_least_values_that_so_many_do_not_exceed() {
        let all: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!([rank(&all, 50), rank(&all, 99), rank(&all, 100)], [100.0, 198.0, 200.0]);
        assert_eq!((rank(&[7.0], 50), rank(&[], 99)), (7.0, 0.0));
    }

    #[test]
    fn what_was_not_measured_is_said_and_the_rest_stays() {
        let round = Round {
            outage: Duration::from_millis(500),
            failed: 3,
            is_over: true,
            ..Round::default()
        };
        let cells = BTreeMap::from([((Act::Crash, Contender::Default), vec![round])]);
        let (rows, notes) = rows(&cells, &[Act::Crash], 1);
        assert_eq!(rows.len(), 6, "all of what is known: {rows:?}");
        assert!(rows.iter().all(|row| row.beside.is_none()));
        let missing = notes.iter().filter(|it| it.contains("only 0 of 1 rounds")).count();
        assert_eq!(missing, 2, "{notes:?}");
    }
}
