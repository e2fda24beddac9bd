//! Logs of the long-running commands, on standard error: nobody waits until they are written.

use steelyard_terminal::Line;
use tracing_subscriber::EnvFilter;

use crate::args::LogStyle;

/// What libraries say of whoever is on the other side, at levels that are for the operator: anybody
/// could fill the log with it. Floods and failed handshakes are counted, and told grouped, by those
/// who use them.
const OTHERS: &str = "h2=off,rustls=off";

/// What is logged, by `level`: a level, or a filter per part (`info,steelyard_gateway=debug`),
/// which may name libraries too.
///
/// # Errors
/// When `level` is not a filter.
pub(crate) fn filter(level: &str) -> anyhow::Result<EnvFilter> {
    EnvFilter::try_new(format!("{OTHERS},{level}"))
        .map_err(|error| anyhow::anyhow!("--log-level {level:?} is not a filter: {error}"))
}

/// Starts logging, and lets nobody wait for whoever reads it.
/// `level` is as of [`filter`].
///
/// # Errors
/// When `level` is not a filter, or no thread is to be had.
pub(crate) fn start(format: LogStyle, level: &str) -> anyhow::Result<()> {
    let filter = filter(level)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_say_of_others_what_is_asked_for_by_their_names_alone() {
        for (level, said) in [("warn", false), ("debug", false), ("info,h2=warn", true)] {
            let filter = filter(level).unwrap();
            let lines = tracing_subscriber::fmt().with_env_filter(filter).finish();
            tracing::subscriber::with_default(lines, || {
                assert!(tracing::enabled!(target: "steelyard_gateway", tracing::Level::WARN));
                assert_eq!(tracing::enabled!(target: "h2::proto", tracing::Level::WARN), said);
            });
        }
        assert!(filter("info,steelyard=loud").is_err());
    }
}
