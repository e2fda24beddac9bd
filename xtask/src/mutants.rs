//! `cargo xtask mutants CRATE`: each small change of a crate that no test notices.
//!
//! A survivor in new code is a missing test, or a line that need not be there.

use anyhow::{Result, bail};

use crate::{install, shell};

/// Where crates lie.
const LAYERS: [&str; 2] = ["pure", "io"];

/// Mutates the crate `name`, as its folder is called, and lists what survives its own tests.
pub(crate) fn run(name: &str, options: &[String]) -> Result<()> {
    let is_there = |layer: &str| crate::root().join(layer).join(name).is_dir();
    if !LAYERS.into_iter().any(is_there) {
        bail!("no crate {name}: name a folder of pure/ or io/, for example `http`");
    }
    let program = install::cargo_tool(install::CARGO_MUTANTS)?;
    let package = format!("steelyard-{name}");
    let output = format!("target/mutants/{name}");
    let mut args = vec!["mutants", "--package", &package, "--output", &output, "--no-shuffle"];
    args.extend(options.iter().map(String::as_str));
    std::fs::create_dir_all(crate::root().join(&output))?;
    shell::run(&program.to_string_lossy(), &args, &[("STEELYARD_FAST", "1")])
}
