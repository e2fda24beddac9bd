//! The parts of a cluster, as one program (`tests/kubernetes`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::lab;
use crate::process::run;

/// A failure is kept too: one build tells it, not one per test.
static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();

/// Its file: `STEELYARD_CLUSTER` where that is set, else built once per version of its sources
/// and kept outside `target/`.
///
/// # Panics
/// When it does not build.
pub fn program() -> &'static Path {
    let found = PROGRAM.get_or_init(|| match std::env::var_os("STEELYARD_CLUSTER") {
        Some(path) => Ok(PathBuf::from(path)),
        None => build().map_err(|error| format!("{error:#}")),
    });
    found.as_ref().expect("the parts of a cluster can be built")
}

fn build() -> anyhow::Result<PathBuf> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/kubernetes/build");
    Ok(PathBuf::from(run(Command::new(script))?.trim()))
}

/// Why no cluster can be had here; none when one can. Where there is Go, a program that does not
/// build is no reason but a failure.
pub fn unavailable() -> Option<String> {
    lab::unavailable().or_else(|| {
        let is_given = std::env::var_os("STEELYARD_CLUSTER").is_some();
        let has_go = || Command::new("go").arg("version").output().is_ok();
        (!is_given && !has_go()).then(|| "there is no Go to build a cluster's parts".to_owned())
    })
}
