//! `cargo xtask bench NAME`: measurements, beside the peers, in one interleaved run.

use anyhow::{Result, bail};

/// Runs the measurement `name`.
pub(crate) fn run(name: &str, _rounds: u32) -> Result<()> {
    bail!("no measurement is called {name:?}")
}
