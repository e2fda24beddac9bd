//! `cargo xtask prove NAME`: a change under load costs nothing, for longer than the tests take.

use anyhow::Result;

use crate::shell::run as shell;

/// What can be proved, and the test that does: its target and its name.
const PROOFS: [(&str, &str, &str); 3] = [
    ("rollout", "changes", "rollout"),
    ("reload", "changes", "reload"),
    ("upgrade", "upgrade", "ten_upgrades_under_load_lose_nothing"),
];
/// What they are called.
pub(crate) const NAMES: [&str; 3] = [PROOFS[0].0, PROOFS[1].0, PROOFS[2].0];

/// Runs one for so many seconds, at so many requests a second; fails where one request did.
pub(crate) fn run(name: &str, seconds: u32, rate: u32) -> Result<()> {
    let (seconds, rate) = (seconds.to_string(), rate.to_string());
    let env = [("STEELYARD_PROVE_SECONDS", &*seconds), ("STEELYARD_PROVE_RATE", &*rate)];
    PROOFS.iter().filter(|it| it.0 == name).try_for_each(|(_, target, test)| {
        let package = ["test", "--quiet", "--package", "steelyard-tests", "--test", target];
        let which = ["--", "--exact", test, "--nocapture"];
        shell("cargo", &[&package[..], &which].concat(), &env)
    })
}
