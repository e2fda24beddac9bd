//! The binary: reads the command line and hands over.

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use steelyard::cli::{Cli, Command};
use steelyard::entry_points::StaticOptions;
use steelyard::plugin;

/// Unreadable input or a wrong command line.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments = plugin::arguments(std::env::args_os());
    let (fixed, rest) = match StaticOptions::take(arguments, std::env::vars_os()) {
        Ok(taken) => taken,
        Err(wrong) => {
            for why in wrong {
                steelyard_terminal::complain(&format!("error: {why}"));
            }
            return ExitCode::from(USAGE);
        }
    };
    for remark in fixed.remarks() {
        steelyard_terminal::complain(&format!("warning: {remark}"));
    }
    let outcome = match Cli::parse_from(rest).command {
        Command::Check(args) => steelyard::check::run(args, fixed),
        Command::Plan(args) if args.diff => steelyard::diff::run(args, fixed),
        Command::Plan(args) => steelyard::plan::run(args, fixed),
        Command::Route(args) => steelyard::route::run(args, fixed),
        Command::Explain(args) => steelyard::explain::run(args, fixed),
        Command::Hosts(args) => steelyard::hosts::run(args, fixed),
        Command::Get(args) => steelyard::get::run(args),
        Command::Up(args) => steelyard::up::run(args, fixed),
        Command::Demo(args) => steelyard::demo::run(args, fixed),
        Command::Controller(args) => steelyard::controller::run(args, &fixed),
        Command::Speaker(args) => steelyard::speaker::run(args, fixed),
        Command::Gateway(args) => steelyard::gateway::run(args, fixed),
        Command::Lab(args) => steelyard_lab::run(args, steelyard::planning::read),
        Command::Rebalance(args) => steelyard::rebalance::run(args),
        Command::Upgrade(args) => steelyard::upgrade::run(args),
        Command::Key(args) => steelyard::key::run(args),
        Command::Webhook(args) => steelyard::webhook::run(args, fixed),
        Command::Echo(args) => steelyard_lab::echo::run(args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "steelyard", &mut script);
            steelyard_terminal::put(&String::from_utf8_lossy(&script))
                .map(|()| ExitCode::SUCCESS)
                .map_err(Into::into)
        }
    };
    let code = outcome.unwrap_or_else(|error| {
        steelyard_terminal::complain(&format!("error: {error:#}"));
        ExitCode::from(USAGE)
    });
    steelyard_terminal::finish();
    code
}
