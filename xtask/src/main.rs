//! The project's own commands: `cargo xtask test`, `tidy`, `manifests`, `bench NAME`, …
//!
//! Everything a contributor or CI runs is here; nothing else needs to be installed by hand.

mod bench;
mod image;
mod install;
mod manifests;
mod mutants;
mod prove;
mod shell;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tests, checks and measurements of Steelyard")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything that must hold: install what is needed, format, lints, tests, licences, tidy
    Test {
        /// Only what needs no privileges and no peers: for the edit loop
        #[arg(long)]
        fast: bool,
    },
    /// Layer edges, sizes, diagnostics and their cases and docs
    Tidy,
    /// Changes of a crate that no test of it notices; needs hours for all of a large one
    Mutants {
        /// Its name in pure/ or io/, for example `http`
        #[arg(value_name = "CRATE")]
        name: String,
        /// Options of cargo-mutants, for example `--file pure/route/src/table.rs`
        #[arg(value_name = "OPTION", trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Write what a cluster is given, from its sources: the chart's crds, and plain manifests
    Manifests,
    /// Build a static program and an image of it, without a daemon: target/image/*.tar
    Image {
        /// What the nodes are
        #[arg(long, value_enum, default_value = "amd64")]
        arch: image::Architecture,
        /// Profile of cargo's
        #[arg(long, default_value = "release")]
        profile: String,
    },
    /// Show that a change under load costs no request
    Prove {
        /// Which change
        #[arg(value_parser = prove::NAMES)]
        name: String,
        /// For so long
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// Requests a second
        #[arg(long, default_value_t = 2000)]
        rate: u32,
    },
    /// Measure side by side with the peers and write bench/results/NAME.json
    Bench {
        /// Which measurement
        #[arg(value_parser = bench::NAMES)]
        name: String,
        /// Its own options, for example `--rounds 20`
        #[arg(value_name = "OPTION", trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
}

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Test { fast } => test::run(fast),
        Command::Tidy => tidy::run(),
        Command::Mutants { name, options } => mutants::run(&name, &options),
        Command::Image { arch, profile } => image::run(arch, &profile),
        Command::Manifests => manifests::run(),
        Command::Prove { name, seconds, rate } => prove::run(&name, seconds, rate),
        Command::Bench { name, options } => bench::run(&name, &options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the root of the repository")
        .to_owned()
}
