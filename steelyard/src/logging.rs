//! Logs of the long-running commands, on standard error: nobody waits until they are written.

use steelyard_terminal::Line;
use tracing_subscriber::EnvFilter;

use crate::args::LogStyle;

/// Starts logging, and lets nobody wait for whoever reads it.
/// `level` is a level or a filter per part (`info,steelyard_gateway=debug`).
///
/// # Errors
/// When `level` is not a filter, or no thread is to be had.
pub(crate) fn start(format: LogStyle, level: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(level)
        .map_err(|error| anyhow::anyhow!("--log-level {level:?} is not a filter: {error}"))?;
    steelyard_terminal::detach()?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // Where standard error is closed there is nowhere to complain of it either.
        .log_internal_errors(false)
        .with_writer(|| Line(steelyard_terminal::note));
    match format {
        LogStyle::Text => lines
            .with_target(false)
            .with_ansi(
                std::io::IsTerminal::is_terminal(&std::io::stderr())
                    && std::env::var_os("NO_COLOR").is_none(),
            )
            .init(),
        LogStyle::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}
