//! `cargo xtask mutants CRATE`: each small change of a crate that no test notices.
//!
//! A survivor in new code is a missing test, or a line that need not be there.

use anyhow::{Result, bail};

use crate::{install, shell};

/// Where crates lie.
const LAYERS: [&str; 2] = ["pure", "io"];

/// Mutates the crate `name`, without its prefix, and lists what survives its own tests.
pub(crate) fn run(name: &str, options: &[String]) -> Result<()> {
    let package = format!("steelyard-{name}");
    if !is_there(&package)? {
        bail!("no crate {package} in pure/ or io/: name one of these, for example `http`");
    }
    let program = install::cargo_tool(install::CARGO_MUTANTS)?;
    let output = format!("target/mutants/{name}");
    let mut args = vec!["mutants", "--package", &package, "--output", &output, "--no-shuffle"];
    args.extend(options.iter().map(String::as_str));
    std::fs::create_dir_all(crate::root().join(&output))?;
    shell::run(&program.to_string_lossy(), &args, &[("STEELYARD_FAST", "1")])
}

fn is_there(package: &str) -> Result<bool> {
    let line = format!("name = \"{package}\"");
    for layer in LAYERS {
        for entry in std::fs::read_dir(crate::root().join(layer))? {
            let manifest = std::fs::read_to_string(entry?.path().join("Cargo.toml"));
            if manifest.is_ok_and(|text| text.lines().any(|it| it == line)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
