//! `cargo xtask bench NAME`: measurements, beside the peers, in one interleaved run.

use anyhow::Result;

use crate::{install, shell};

/// Runs the measurement `name` over `rounds` and writes `bench/results/NAME.json`.
pub(crate) fn run(name: &str, rounds: u32) -> Result<()> {
    install::packages()?;
    let build = ["build", "--release", "--locked", "-p", "steelyard", "-p", "steelyard-bench"];
    shell::run("cargo", &build, &[])?;
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let rounds = rounds.to_string();
    let output = format!("bench/results/{name}.json");
    let binary = format!("{target}/release/steelyard");
    let args = [name, "--binary", &binary, "--rounds", &rounds, "--output", &output];
    shell::run(&format!("{target}/release/steelyard-bench"), &args, &[])
}
