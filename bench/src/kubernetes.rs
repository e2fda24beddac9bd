//! `bench kubernetes`: what it takes to serve a cluster with a real API server
//! (`tests/kubernetes`), on this machine.
//!
//! Every wait is for a condition. Memory is the resident set after it has settled. Writes are
//! counted by the API server itself. Each act has a cluster of its own, and what it measured is
//! written when it ends.

mod at_once;
mod endpoint;
mod figures;
mod load;
mod many;
mod site;

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use steelyard_tests::binary;

use crate::results::{self, Row};

/// What to measure.
pub(crate) struct Options {
    pub(crate) binary: PathBuf,
    pub(crate) rounds: u32,
    /// Empty: all acts.
    pub(crate) only: Vec<Act>,
    pub(crate) output: PathBuf,
}

/// Something that is measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Act {
    /// A thousand Services find a pool
    AtOnce,
    /// Ten thousand Services: memory, and a restart
    Many,
    /// An endpoint of one of five thousand routes changes
    Endpoint,
}

impl Act {
    const ALL: [Self; 3] = [Self::AtOnce, Self::Many, Self::Endpoint];

    /// What its rows begin with.
    fn name(self) -> &'static str {
        match self {
            Self::AtOnce => at_once::NAME,
            Self::Many => many::NAME,
            Self::Endpoint => endpoint::NAME,
        }
    }

    fn rows(self, rounds: u32) -> Result<Vec<Row>> {
        match self {
            Self::AtOnce => at_once::rows(rounds),
            Self::Many => many::rows(),
            Self::Endpoint => endpoint::rows(),
        }
    }
}

/// Measures all that is asked for.
pub(crate) fn run(options: &Options) -> Result<()> {
    binary::use_program(&options.binary);
    let Options { rounds, only, output, .. } = options;
    let acts = if only.is_empty() { &Act::ALL[..] } else { only };
    for act in acts {
        results::replace(output, &[act.name().to_owned()], act.rows(*rounds)?, Vec::new())?;
    }
    Ok(())
}
