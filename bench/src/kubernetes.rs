//! `bench kubernetes`: what it takes to serve a cluster with a real API server
//! (`tests/kubernetes`), on this machine.
//!
//! Every wait is for a condition. Memory is the resident set after it has settled. Writes are
//! counted by the API server itself.

mod at_once;
mod endpoint;
mod figures;
mod load;
mod many;
mod site;

use std::path::PathBuf;

use anyhow::Result;
use steelyard_tests::binary;

use crate::results::Row;

/// What to measure.
pub(crate) struct Options {
    pub(crate) binary: PathBuf,
    pub(crate) rounds: u32,
}

/// Measures all.
pub(crate) fn run(options: &Options) -> Result<Vec<Row>> {
    binary::use_program(&options.binary);
    let mut rows = at_once::rows(options.rounds)?;
    rows.extend(many::rows()?);
    rows.extend(endpoint::rows()?);
    rows.iter().for_each(|row| println!("{row}"));
    Ok(rows)
}
