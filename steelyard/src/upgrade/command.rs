//! `steelyard upgrade`: a new process takes the place of the one that runs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use steelyard_upgrade::{Request, ask};

/// `steelyard upgrade`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sudo steelyard upgrade                  after a new version was installed in the same place
  sudo steelyard upgrade /opt/steelyard-2/steelyard
                                          another file, with the options that the running one has
  sudo kill -USR2 $(pidof steelyard)      the same as the first; the log says what became of it

The new process reads the manifests and takes over listeners, addresses and rules; then the old one
finishes what is under way (--drain) and ends. Where the new one does not start, or is not ready in
time, the old one goes on as before.

Exit status: 0 another process has taken over, 1 it has not, 2 usage.")]
pub struct UpgradeArgs {
    /// The program to go on with [default: the file that the running one was started from]
    #[arg(value_name = "PROGRAM")]
    program: Option<PathBuf>,
    /// State folder of the instance that runs
    #[arg(long, value_name = "DIR", default_value = "/var/lib/steelyard")]
    state_dir: PathBuf,
    /// How long the new process may take until it is ready, in seconds [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    within: Option<u64>,
}

/// Runs the command.
///
/// # Errors
/// When a path makes no sense.
pub fn run(args: UpgradeArgs) -> Result<ExitCode> {
    let absolute =
        |path: PathBuf| std::path::absolute(&path).with_context(|| path.display().to_string());
    let program = args.program.map(absolute).transpose()?;
    let request = Request { program, within: args.within };
    let answer = crate::instance::runtime()?.block_on(ask(&args.state_dir, &request));
    match answer {
        Ok(answer) if answer.process.is_some() => {
            steelyard_terminal::put(&format!("{}\n", answer.said))?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(answer) => {
            steelyard_terminal::complain(&format!("error: {}", answer.said));
            Ok(ExitCode::from(1))
        }
        Err(error) => {
            steelyard_terminal::complain(&format!(
                "error: no instance answers in {}: {error}; --state-dir names its state folder, \
                 and only its own user and root may ask",
                args.state_dir.display()
            ));
            Ok(ExitCode::from(1))
        }
    }
}
