//! `steelyard plan --diff OLD NEW`: what an edit would move, before it is merged.
//!
//! NEW is planned as it would be on the machine that serves OLD: every Service holds what OLD gave
//! it. So what moves here moves there.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde::Serialize;
use steelyard_model::{Holdings, Severity};
use steelyard_plan::{AnnouncementRow, Plan, RouteRow};
use steelyard_terminal::{Cell, Style, Table, complain, put, wants_color};

use crate::entry_points::StaticOptions;
use crate::plan::{PlanArgs, PlanFormat, facts_of};
use crate::{load, planning};

/// NEW has errors.
const ERRORS: u8 = 1;
/// A Service would lose an address, or its announcement.
const MOVES: u8 = 3;

/// One difference.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Change {
    /// `service`, `announcement` or `route`.
    what: &'static str,
    /// Which: `namespace/name` of a Service, or the route's rule.
    name: String,
    change: Kind,
    /// Addresses, how they are announced, or backends, before and after.
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
    /// It keeps what it has, and has more.
    Gains,
    /// It stays, and has less than before, or nothing.
    Loses,
    /// It is gone.
    Disappears,
}

/// Compares the two paths of `args`.
///
/// # Errors
/// When a path or the lock cannot be read, or there are not two paths.
pub fn run(mut args: PlanArgs, fixed: StaticOptions) -> Result<ExitCode> {
    args.world.fixed = fixed;
    let [old, new] = &args.paths[..] else {
        match &args.paths[..] {
            [one] => bail!(
                "--diff compares two paths, OLD and NEW, and only {} is given: name what would be \
                 in its place behind it",
                one.display()
            ),
            many => bail!(
                "--diff compares two paths, OLD and NEW, and {} are given: put files that belong \
                 together into one folder each",
                many.len()
            ),
        }
    };
    if args.output == PlanFormat::Traefik {
        bail!("--diff prints text or json");
    }
    let held = planning::held(args.lock.as_deref())?;
    let old = planned(&args, old, &held)?;
    let new = planned(&args, new, &old.held)?;
    let changes = changes(&old, &new);
    match args.output {
        PlanFormat::Json => put(&format!("{:#}\n", serde_json::json!({ "changes": changes })))?,
        PlanFormat::Text | PlanFormat::Traefik => put(&page(&changes))?,
    }
    let errors = errors(&new);
    if errors > 0 {
        let plural = if errors == 1 { "" } else { "s" };
        complain(&format!(
            "{name} has {errors} error{plural}, see `steelyard check {name}`; where OLD is in force \
             an object with a mistake keeps its version from there",
            name = args.paths[1].display()
        ));
    }
    Ok(match changes.iter().any(takes_away) {
        true => ExitCode::from(MOVES),
        false if errors > 0 => ExitCode::from(ERRORS),
        false => ExitCode::SUCCESS,
    })
}

fn errors(plan: &Plan) -> usize {
    plan.diagnostics.iter().filter(|found| found.severity == Severity::Error).count()
}

fn planned(args: &PlanArgs, path: &PathBuf, held: &Holdings) -> Result<Plan> {
    let (world, _) = load::world(std::slice::from_ref(path), &args.world)?;
    Ok(planning::of(world, held, &facts_of(args)).1)
}

/// Whether clients of a Service that stays would find nothing at its old address.
fn takes_away(change: &Change) -> bool {
    match change.what {
        "service" => matches!(change.change, Kind::Moves | Kind::Loses),
        "announcement" => change.change == Kind::Loses,
        _ => false,
    }
}

fn changes(old: &Plan, new: &Plan) -> Vec<Change> {
    let (before, after) = (addresses(old), addresses(new));
    let mut changes = compare("service", &before, &after);
    // Where the addresses change, so does what is announced.
    let announced = compare("announcement", &announced(old), &announced(new));
    changes.extend(announced.into_iter().filter(|it| before.get(&it.name) == after.get(&it.name)));
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
    let change = |name: &String| {
        let stays = new.contains_key(name);
        let from = old.get(name).cloned().unwrap_or_default();
        let to = new.get(name).cloned().unwrap_or_default();
        let loses = from.iter().any(|one| !to.contains(one));
        let gains = to.iter().any(|one| !from.contains(one));
        let change = match (loses, gains) {
            (false, false) => return None,
            _ if from.is_empty() => Kind::Appears,
            _ if !stays => Kind::Disappears,
            (true, true) => Kind::Moves,
            (true, false) => Kind::Loses,
            (false, true) => Kind::Gains,
        };
        Some(Change { what, name: name.clone(), change, from, to })
    };
    names.into_iter().filter_map(change).collect()
}

fn addresses(plan: &Plan) -> BTreeMap<String, Vec<String>> {
    let texts = |addresses: &[IpAddr]| addresses.iter().map(ToString::to_string).collect();
    plan.services.iter().map(|(id, row)| (id.to_string(), texts(row.addresses))).collect()
}

/// How the addresses of each Service are announced, as far as some node does.
fn announced(plan: &Plan) -> BTreeMap<String, Vec<String>> {
    let services = plan.services.keys().map(ToString::to_string);
    let mut announced: BTreeMap<String, Vec<String>> =
        services.map(|service| (service, Vec::new())).collect();
    for row in plan.announcements.values() {
        let how = match row {
            AnnouncementRow::Layer2(row) if row.owner.is_some() => {
                format!("{} by ARP/NDP", row.address)
            }
            AnnouncementRow::Bgp(row) if !row.nodes.is_empty() => format!("{} by BGP", row.address),
            _ => continue,
        };
        announced.entry(row.service().to_string()).or_default().push(how);
    }
    announced
}

fn routes(plan: &Plan) -> BTreeMap<String, Vec<String>> {
    let row = |row: RouteRow| {
        let backends = row.backends.into_iter().map(|backend| backend.service).collect();
        (format!("{} at {}", row.rule, row.entry_points.join(", ")), backends)
    };
    plan.routes.rows().map(row).collect()
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
            Kind::Gains => ("gains", Style::Good),
            Kind::Loses => ("loses", Style::Bad),
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
