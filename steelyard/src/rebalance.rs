//! `steelyard rebalance`: nodes that share addresses spread them anew.
//!
//! Nothing moves by itself when a node comes back; this is how it does.

use std::process::ExitCode;

use clap::Args;
use steelyard_admin::AskError;

use crate::args::AdminArgs;

/// `steelyard rebalance`.
#[derive(Args, Debug)]
#[command(after_help = "\
Each address that moves is handed over: its new owner answers before the old one falls silent.
Connections through the old owner go on there: the new one passes their packets to it.

Exit status: 0 begun, 1 no running instance does it, 2 usage.")]
pub struct RebalanceArgs {
    #[command(flatten)]
    admin: AdminArgs,
}

/// Runs the command.
///
/// # Errors
/// When the token file cannot be read.
pub fn run(args: RebalanceArgs) -> anyhow::Result<ExitCode> {
    match args.admin.respondent("speaker").and_then(|it| it.order("rebalance")) {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(error @ AskError::TokenFile(..)) => Err(error.into()),
        Err(error) => {
            steelyard_terminal::complain(&format!("error: {:#}", anyhow::Error::from(error)));
            Ok(ExitCode::from(1))
        }
    }
}
