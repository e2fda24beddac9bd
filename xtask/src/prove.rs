//! `cargo xtask prove NAME`: a change under load costs nothing, for longer than the tests take.

use std::process::Command;

use anyhow::{Context, Result, bail};

/// What can be proved, and the test that does: its target and its name.
const PROOFS: [(&str, &str, &str); 3] = [
    ("rollout", "changes", "rollout"),
    ("reload", "changes", "reload"),
    ("upgrade", "upgrade", "ten_upgrades_under_load_lose_nothing"),
];
/// What they are called.
pub(crate) const NAMES: [&str; 3] = [PROOFS[0].0, PROOFS[1].0, PROOFS[2].0];

/// Runs one for so many seconds, at so many requests a second, and says how many failed; fails
/// where one did, with all that was printed.
pub(crate) fn run(name: &str, seconds: u32, rate: u32) -> Result<()> {
    let Some((_, target, test)) = PROOFS.iter().find(|it| it.0 == name) else {
        bail!("there is {}", NAMES.join(", "));
    };
    println!("{name}: {rate} requests a second, for {seconds} s once the tests are built");
    let output = Command::new("cargo")
        .args(["test", "--quiet", "--package", "steelyard-tests", "--test", target])
        .args(["--", "--exact", test, "--nocapture"])
        .env("STEELYARD_PROVE_SECONDS", seconds.to_string())
        .env("STEELYARD_PROVE_RATE", rate.to_string())
        .current_dir(crate::root())
        .output()
        .context("cargo")?;
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    if !output.status.success() {
        bail!("{printed}\n{name}: {}", output.status);
    }
    // The one line that the proof itself prints; the rest is what processes say.
    let is_tally = |line: &&str| line.ends_with(" failed") && !line.starts_with(['{', ' ']);
    printed.lines().filter(is_tally).for_each(|line| println!("{line}"));
    Ok(())
}
