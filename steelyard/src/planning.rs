//! From a world to the plan for this node: the mind does it again and again, commands once.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use steelyard_manifest::{Source, render};
use steelyard_model::{Diagnostics, Holdings, NamespacedName, Snapshot};
use steelyard_pipeline::World;
use steelyard_plan::{Facts, Plan, Planner};

use crate::args::WorldArgs;
use crate::certificates;
use crate::{load, lock_file};

/// What `paths` come to for any node, addresses held as the lock file says.
///
/// # Errors
/// When a path or the lock file cannot be read.
pub fn read(paths: &[PathBuf], lock: &Path) -> Result<(Snapshot, Plan)> {
    let (world, _) = load::world(paths, &WorldArgs::default())?;
    let held = lock_file::read(lock)?.unwrap_or_default();
    let plan = steelyard_plan::plan(&world.snapshot, &held, &Facts::default());
    Ok((world.snapshot, plan))
}

/// What a world comes to, and what is to be said of it today.
pub(crate) fn of(world: World, held: &Holdings, facts: &Facts) -> (Snapshot, Plan) {
    let mut today = Diagnostics::default();
    today.extend(certificates::findings(&world.snapshot));
    world.place(&mut today);
    let (snapshot, mut plan) = again(&mut Planner::default(), world, held, facts);
    plan.diagnostics.extend(today.iter().cloned());
    (snapshot, plan)
}

/// The same, by a planner that keeps what did not change.
pub fn again(
    planner: &mut Planner,
    world: World,
    held: &Holdings,
    facts: &Facts,
) -> (Snapshot, Plan) {
    let facts = Facts { absent: world.absent.clone(), ..facts.clone() };
    let mut plan = planner.plan(&world.snapshot, held, &facts);
    world.place(&mut plan.diagnostics);
    let lost = |id: &&NamespacedName| held.0.contains_key(*id) && !plan.held.0.contains_key(*id);
    let lost = held.0.differing(&plan.held.0).into_iter().filter(lost);
    let lost: Vec<NamespacedName> = lost.cloned().collect();
    for (id, holding) in lost.iter().map(|id| (id, &held.0[id])) {
        if !world.may_return(&holding.pool) {
            continue;
        }
        plan.held.0.insert(id.clone(), holding.clone());
    }
    (world.snapshot, plan)
}

/// What is known of this node offline: its name, and that all nodes are alive.
pub(crate) fn facts(args: &WorldArgs) -> Facts {
    Facts { node: load::node_name(args), ..Facts::default() }
}

/// What the lock file says; nothing without one.
pub(crate) fn held(lock: Option<&Path>) -> Result<Holdings> {
    let Some(path) = lock else { return Ok(Holdings::default()) };
    if !path.exists() {
        steelyard_terminal::complain(&format!(
            "note: {} is not there: planned as if nobody held an address",
            path.display()
        ));
    }
    match lock_file::read(path)? {
        Ok(held) => Ok(held),
        Err(diagnostic) => {
            let bytes = std::fs::read(path).unwrap_or_default();
            let source = Source::new(path.to_string_lossy().as_ref(), bytes);
            steelyard_terminal::note(&render::text(&[*diagnostic], &[source], false));
            bail!("nothing is planned, since addresses would move")
        }
    }
}
