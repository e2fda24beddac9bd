//! What ingress-nginx was tested for end to end, read in place from beside the repository: objects,
//! requests, and what client and backend see, run against `steelyard up` on addresses of loopback.
//!
//! No case is copied or known by name here. Those that do not hold yet stand in `pending.yaml`, and
//! those that differ on purpose in `../compat/differences.yaml`, each with the reason; a case in
//! either that holds fails the test, so that both lists say what is so. A case whose `needs` are
//! not met is skipped, and counted.
//!
//! It listens on ports 80 and 443 of 127.20.0.0 and above, as root or in a namespace of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod backend;
mod beside;
mod case;
mod certs;
mod client;
mod controller;
mod expect;
mod handshake;
mod record;
mod reply;
mod responder;
mod rpc;
mod steps;
mod webhook;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use case::Case;

/// Cases at a time for each core, with a program of its own each: most of what takes long is
/// waiting, and who is alone on his core is not waited for in vain.
const AT_ONCE: usize = 4;

/// What a case may need that is not there.
const UNMET: [(&str, &str); 4] = [
    ("snippets", "configuration of nginx is never interpreted"),
    ("modsecurity", "there is none"),
    ("api", "played with an API server, by tests/kubernetes_controller"),
    ("rbac", "there is no API server"),
];

/// What came of a case.
enum Outcome {
    Held,
    Failed(String),
    Skipped(String),
}

#[test]
fn what_ingress_nginx_was_tested_for() {
    let cases = case::all();
    if cases.is_empty() {
        return;
    }
    let pending = listed(include_str!("pending.yaml"));
    let differing = listed(include_str!("../compat/differences.yaml"));
    let is_known = |name: &str| pending.contains_key(name) || differing.contains_key(name);
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE * cores {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let begun = Instant::now();
                    let outcome = outcome(case, is_known(&case.name));
                    let took = begun.elapsed();
                    if std::env::var("VERBOSE").is_ok() {
                        println!("done {} {took:?}", case.name);
                    }
                    outcomes.lock().unwrap().insert(case.name.clone(), (outcome, took));
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    tell(&outcomes);
    let mut wrong = wrong(&outcomes, &pending, &differing);
    if whole() {
        wrong.extend(unshown(&outcomes, &cases));
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), outcomes.len(), wrong.join("\n"));
}

type Outcomes = BTreeMap<String, (Outcome, std::time::Duration)>;

/// What is not as the lists say.
fn wrong(
    outcomes: &Outcomes,
    pending: &BTreeMap<String, String>,
    differing: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, (outcome, _)) in outcomes {
        match (outcome, pending.contains_key(name), differing.contains_key(name)) {
            (Outcome::Failed(why), false, false) => wrong.push(format!("{name}: {why}")),
            (Outcome::Held, true, _) => wrong.push(format!("{name}: pending, but holds")),
            (Outcome::Held, _, true) => wrong.push(format!("{name}: differs, but holds")),
            (Outcome::Skipped(_), true, _) => wrong.push(format!("{name}: pending, but skipped")),
            _ => {}
        }
    }
    // The names of other cases in the file of differences are none of ours.
    let gone = pending.keys().filter(|name| !outcomes.contains_key(*name));
    wrong.extend(gone.filter(|_| whole()).map(|name| format!("{name}: pending, but no such case")));
    wrong
}

/// What docs/nginx.md says that cases show, and they do not: each is there, has what it is to show,
/// and holds.
fn unshown(outcomes: &Outcomes, cases: &[Case]) -> Vec<String> {
    let page = include_str!("../../docs/nginx.md");
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(|it| it.trim().trim_matches('`')).collect();
        let [_, name, _, _, case, ""] = cells[..] else { return None };
        case.contains('/').then_some((name, case))
    });
    let is_shown = |(name, of): &(&str, &str)| {
        let case = cases.iter().find(|case| case.name == *of);
        let has_it = case.is_some_and(|it| it.content.to_string().contains(&format!("{name}\":")));
        has_it && matches!(outcomes.get(*of), Some((Outcome::Held, _)))
    };
    let wrong = rows.filter(|row| !is_shown(row));
    wrong.map(|(name, case)| format!("docs/nginx.md: {name} is not shown by {case}")).collect()
}

/// Whether all cases there are were run.
fn whole() -> bool {
    std::env::var("CASES").is_err() && case::others().is_dir()
}

fn tell(outcomes: &Outcomes) {
    let (mut held, mut failed, mut skipped) = (0, 0, BTreeMap::<&str, usize>::new());
    for (name, (outcome, took)) in outcomes {
        match outcome {
            Outcome::Held => held += 1,
            Outcome::Failed(why) => {
                failed += 1;
                println!("{name} ({:.1} s): {why}", took.as_secs_f32());
            }
            Outcome::Skipped(why) => *skipped.entry(why).or_default() += 1,
        }
    }
    skipped.iter().for_each(|(why, count)| println!("skipped {count}: {why}"));
    println!("{held} cases hold, {failed} do not");
}

fn outcome(case: &Case, is_known: bool) -> Outcome {
    for need in case.texts("needs") {
        let unmet = UNMET.iter().find(|(name, _)| *name == need);
        if let Some((name, why)) = unmet {
            return Outcome::Skipped(format!("{name}: {why}"));
        }
    }
    if let Some(why) = steps::beyond(case) {
        return Outcome::Skipped(format!("runner: {why}"));
    }
    // Where chance is involved.
    let attempts = if case.content["timing"]["random"] == true && !is_known { 3 } else { 1 };
    let mut last = String::new();
    for _ in 0..attempts {
        match steps::run(case, is_known) {
            Ok(()) => return Outcome::Held,
            Err(error) => last = format!("{error:#}"),
        }
    }
    Outcome::Failed(last)
}

/// Case → reason: `name: reason` lines and comments.
fn listed(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines = lines.filter(|line| !line.starts_with('#'));
    let entry = |line: &str| {
        let (name, reason) = line.split_once(": ").expect("`case: reason` on one line");
        (name.to_owned(), reason.to_owned())
    };
    lines.map(entry).collect()
}
