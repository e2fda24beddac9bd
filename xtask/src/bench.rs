//! `cargo xtask bench NAME`: measurements, beside the peers, in one interleaved run.

use anyhow::Result;

use crate::{install, shell};

/// What can be measured.
pub(crate) const NAMES: [&str; 10] = [
    "balance",
    "failover",
    "filters",
    "gateway",
    "health",
    "kubernetes",
    "plan",
    "routing",
    "streams",
    "tls",
];

/// Those that compare with other programs.
const BESIDE_PEERS: &[&str] = &["failover", "filters", "gateway", "streams", "tls"];

/// Runs the measurement `name` with its own options and writes `bench/results/NAME.json`.
pub(crate) fn run(name: &str, options: &[String]) -> Result<()> {
    if BESIDE_PEERS.contains(&name) {
        install::packages_for_bench()?;
    }
    if name == "kubernetes" {
        install::peers()?;
    }
    let build = ["build", "--release", "--locked", "-p", "steelyard-bench", "-p", "steelyard"];
    shell::run("cargo", &build, &[])?;
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let output = format!("bench/results/{name}.json");
    let binary = format!("{target}/release/steelyard");
    let mut args = vec![name, "--output", &output, "--binary", &binary];
    args.extend(options.iter().map(String::as_str));
    shell::run(&format!("{target}/release/steelyard-bench"), &args, &[])
}
