//! `steelyard hosts`: /etc/hosts lines.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use steelyard_manifest::codes::FILE_UNREADABLE;
use steelyard_manifest::render;
use steelyard_model::Diagnostic;

use crate::args::WorldArgs;
use crate::entry_points::StaticOptions;
use crate::{load, plan, text};

/// Where names point to when no Service is the gateway's: the entry points listen on this host.
const THIS_HOST: &str = "127.0.0.1";

/// `steelyard hosts`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct HostsArgs {
    /// Files, folders (*.yaml, *.yml, *.json, recursively) or `-` for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Which Service has which address already
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) world: WorldArgs,
}

const EXAMPLES: &str = "\
Examples:
  steelyard hosts manifests/ | sudo tee -a /etc/hosts";

/// Runs the command.
///
/// # Errors
/// When a path or the lock file cannot be read.
pub fn run(mut args: HostsArgs, fixed: StaticOptions) -> Result<ExitCode> {
    args.world.fixed = fixed;
    let held = plan::held(args.lock.as_deref())?;
    let (world, sources) = load::world(&args.paths, &args.world)?;
    let (snapshot, plan) = plan::of(world, &held, &plan::facts(&args.world));
    steelyard_terminal::put(&text::hosts(&snapshot, &plan, THIS_HOST))?;
    // Standard output is for /etc/hosts alone.
    let unreadable = plan.diagnostics.iter().filter(|found| found.code == FILE_UNREADABLE);
    let unreadable: Vec<Diagnostic> = unreadable.cloned().collect();
    steelyard_terminal::note(&render::text(&unreadable, &sources, false));
    Ok(if unreadable.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
