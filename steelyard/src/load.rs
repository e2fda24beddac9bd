//! What `check`, `plan` and `hosts` share: paths in, world out.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use steelyard_manifest::Source;
use steelyard_model::routing::entry_point::{PLAIN, SECURE};
use steelyard_model::{Diagnostic, Diagnostics};
use steelyard_pipeline::{ResolveOptions, World};

use crate::args::WorldArgs;
use crate::pipeline::Pipeline;

/// Ports of the built-in entry points, unless moved.
pub(crate) const PORTS: (u16, u16) = (PLAIN.port, SECURE.port);

/// How the world is joined, by the command line.
pub(crate) fn resolve_options(args: &WorldArgs, ports: (u16, u16)) -> ResolveOptions {
    ResolveOptions {
        config_namespace: args.config_namespace.clone(),
        load_balancer_class: args.lb_class.clone(),
        entry_points: args.fixed.entry_points(ports),
        ..ResolveOptions::default()
    }
}

/// Reads everything under `paths` once.
///
/// # Errors
/// When a path does not exist.
pub(crate) fn world(paths: &[PathBuf], args: &WorldArgs) -> Result<(World, Vec<Source>)> {
    let sources = steelyard_sources::read(paths)?.into_sources();
    let world = Pipeline::new(resolve_options(args, PORTS)).update(&sources);
    Ok((world, sources))
}

/// Exit status by what was found: 0 without errors, 1 with, 2 when a file could not be read, or
/// there was nothing to judge.
pub(crate) fn status(diagnostics: &Diagnostics, is_empty: bool) -> ExitCode {
    let has_errors = diagnostics.iter().any(Diagnostic::is_error);
    if is_empty && !has_errors {
        eprintln!("error: there is no Kubernetes object in the input");
        return ExitCode::from(2);
    }
    if diagnostics.iter().any(|found| found.code == steelyard_manifest::codes::FILE_UNREADABLE) {
        return ExitCode::from(2);
    }
    u8::from(has_errors).into()
}

/// The name of this node: as given, else the host's name.
pub(crate) fn node_name(args: &WorldArgs) -> String {
    args.node.clone().unwrap_or_else(host_name)
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}
