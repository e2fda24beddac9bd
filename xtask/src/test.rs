//! `cargo xtask test`: all that must hold before a change lands.

use anyhow::Result;

use crate::{install, shell, tidy};

/// Runs everything; `fast` leaves out what needs privileges, peers or a browser.
pub(crate) fn run(fast: bool) -> Result<()> {
    if !fast {
        install::packages()?;
    }
    tidy::run()?;
    shell::run("cargo", &["fmt", "--all", "--check"], &[])?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    shell::run("cargo", &clippy, &[])?;
    if fast {
        return shell::run(
            "cargo",
            &["test", "--workspace", "--locked"],
            &[("STEELYARD_FAST", "1")],
        );
    }
    shell::run("cargo", &["build", "--locked"], &[])?;
    shell::run("cargo", &["test", "--workspace", "--locked", "--no-fail-fast"], &[])?;
    let deny = install::cargo_deny()?;
    let check = ["check", "bans", "licenses", "sources"];
    shell::run(&deny.to_string_lossy(), &check, &[])
}
