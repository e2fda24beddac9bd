//! The program under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

/// A failure is kept too: one build tells it, not one per test.
static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();

/// Its file: `STEELYARD_BIN` where that is set, else built beside the tests.
///
/// # Panics
/// When it does not build.
pub fn steelyard() -> &'static Path {
    let found = PROGRAM.get_or_init(|| match std::env::var_os("STEELYARD_BIN") {
        Some(path) => Ok(PathBuf::from(path)),
        None => build().map_err(|error| format!("{error:#}")),
    });
    found.as_ref().expect("the program can be built")
}

/// Takes this file instead of looking for one; heeded before the first use.
pub fn use_program(file: &Path) {
    let _ = PROGRAM.set(Ok(file.to_owned()));
}

/// A command of it.
pub fn command<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(steelyard());
    command.args(arguments);
    command
}

/// A folder of `examples/`.
pub fn example(name: &str) -> PathBuf {
    root().join("examples").join(name)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Builds with the profile, and into the folder, of the tests: `target/PROFILE/deps/this-test`.
fn build() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let folder =
        this.parent().and_then(Path::parent).context("tests are not where cargo puts them")?;
    let target = folder.parent().context("tests are not where cargo puts them")?;
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "steelyard", "--profile", profile])
        .arg("--target-dir")
        .arg(target)
        .current_dir(root())
        .status()?;
    ensure!(status.success(), "the program does not build");
    Ok(folder.join("steelyard"))
}
