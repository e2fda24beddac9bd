//! `cargo xtask test`: all that must hold before a change lands.

mod again;
mod lanes;

use anyhow::Result;

use crate::{image, install, shell, tidy};

/// When everything is tested: runs of the simulations, of whole segments and of gateways.
const WHOLE: &[(&str, &str)] =
    &[("STEELYARD_SIM_RUNS", "10000"), ("STEELYARD_HTTP_SIM_RUNS", "100000"), ONCE];

/// What is built for all tests keeps nothing for the next edit: that is gigabytes.
const ONCE: (&str, &str) = ("CARGO_INCREMENTAL", "0");

/// Runs everything; `fast` leaves out what needs privileges, peers or a browser.
pub(crate) fn run(fast: bool) -> Result<()> {
    if !fast {
        install::packages()?;
    }
    tidy::run()?;
    shell::run("cargo", &["fmt", "--all", "--check"], &[])?;
    if !fast {
        install::peers()?;
    }
    let kept: &[_] = if fast { &[] } else { &[ONCE] };
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    shell::run("cargo", &clippy, kept)?;
    let of_image = ["clippy", "-p", "steelyard", "--features", "otlp", "--locked"];
    shell::run("cargo", &[&of_image[..], &["--", "-D", "warnings"]].concat(), kept)?;
    if fast {
        let args = ["test", "--workspace", "--locked"];
        return shell::run("cargo", &args, &[("STEELYARD_FAST", "1")]);
    }
    // With the tests, so that both are made of the same libraries: alone, the program's choose
    // other features, and most of the workspace would be compiled twice.
    let at_once = ["build", "--workspace", "--bins", "--tests", "--locked"];
    shell::run("cargo", &at_once, &[ONCE])?;
    again::test(&lanes::run(WHOLE)?, WHOLE)?;
    image::check()?;
    let deny = install::cargo_tool(install::CARGO_DENY)?;
    let check = ["check", "bans", "licenses", "sources"];
    shell::run(&deny.to_string_lossy(), &check, &[])
}
