//! `steelyard plan --diff OLD NEW`: what an edit would move, before it is merged.
//!
//! NEW is planned as it would be on the machine that serves OLD: every Service holds what OLD gave
//! it. So what moves here moves there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde::Serialize;
use steelyard_model::Held;
use steelyard_plan::{Plan, RouteRow};

use crate::cli::{Output, PlanArgs};
use crate::text::{self, Cell, Style, Table, wants_color};
use crate::{load, plan};

/// An address in use would move.
const MOVES: u8 = 3;

/// One difference.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Change {
    /// `service` or `route`.
    what: &'static str,
    /// Which: `namespace/name`, or the route's rule.
    name: String,
    change: Kind,
    /// Addresses, or backends, before and after.
    from: Vec<String>,
    to: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// It has others than before.
    Moves,
    /// It had none.
    Appears,
    /// It has none any more.
    Disappears,
}

/// Compares the two paths of `args`.
///
/// # Errors
/// When a path or the lock cannot be read, or there are not two paths.
pub(crate) fn run(args: &PlanArgs) -> Result<ExitCode> {
    let [old, new] = &args.paths[..] else {
        bail!("--diff compares two paths, OLD and NEW; {} are given", args.paths.len());
    };
    let held = plan::held(args.lock.as_deref())?;
    let old = planned(args, old, &held)?;
    let new = planned(args, new, &old.held)?;
    let changes = changes(&old, &new);
    match args.output {
        Output::Json => text::put(&format!("{:#}\n", serde_json::json!({ "changes": changes })))?,
        Output::Text => text::put(&page(&changes))?,
    }
    let moves = changes.iter().any(|change| change.what == "service" && takes_away(change, &new));
    Ok(if moves { ExitCode::from(MOVES) } else { ExitCode::SUCCESS })
}

fn planned(args: &PlanArgs, path: &PathBuf, held: &Held) -> Result<Plan> {
    let (world, _) = load::world(std::slice::from_ref(path), &args.world)?;
    Ok(plan::of(world, held, &plan::facts_of(args)).1)
}

/// Whether clients of a Service that stays would find nothing at its old address.
fn takes_away(change: &Change, new: &Plan) -> bool {
    let stays = new.services.keys().any(|id| id.to_string() == change.name);
    stays && change.from.iter().any(|address| !change.to.contains(address))
}

fn changes(old: &Plan, new: &Plan) -> Vec<Change> {
    let mut changes = compare("service", &addresses(old), &addresses(new));
    changes.extend(compare("route", &routes(old), &routes(new)));
    changes
}

fn compare(
    what: &'static str,
    old: &BTreeMap<String, Vec<String>>,
    new: &BTreeMap<String, Vec<String>>,
) -> Vec<Change> {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let of = |side: &BTreeMap<String, Vec<String>>, name: &String| {
        side.get(name).cloned().unwrap_or_default()
    };
    let change = |name: &String| {
        let (from, to) = (of(old, name), of(new, name));
        let change = match (from.is_empty(), to.is_empty()) {
            _ if from == to => return None,
            (true, _) => Kind::Appears,
            (_, true) => Kind::Disappears,
            _ => Kind::Moves,
        };
        Some(Change { what, name: name.clone(), change, from, to })
    };
    names.into_iter().filter_map(change).collect()
}

fn addresses(plan: &Plan) -> BTreeMap<String, Vec<String>> {
    let row = |row: &steelyard_plan::ServiceRow| {
        let addresses = row.addresses.iter().map(ToString::to_string).collect();
        (format!("{}/{}", row.namespace, row.name), addresses)
    };
    plan.services.values().map(row).collect()
}

fn routes(plan: &Plan) -> BTreeMap<String, Vec<String>> {
    let row = |row: &RouteRow| {
        let backends = row.backends.iter().map(|backend| backend.service.clone()).collect();
        (format!("{} at {}", row.rule, row.entry_points.join(", ")), backends)
    };
    plan.routes.iter().map(row).collect()
}

fn page(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "nothing moves\n".to_owned();
    }
    let mut table = Table::new(&["CHANGE", "WHAT", "NAME", "FROM", "TO"]);
    for change in changes {
        let (word, style) = match change.change {
            Kind::Moves => ("moves", Style::Careful),
            Kind::Appears => ("appears", Style::Good),
            Kind::Disappears => ("disappears", Style::Bad),
        };
        table.row([
            Cell::new(word, style),
            change.what.into(),
            change.name.as_str().into(),
            change.from.join(", ").into(),
            change.to.join(", ").into(),
        ]);
    }
    table.render(0, wants_color())
}
