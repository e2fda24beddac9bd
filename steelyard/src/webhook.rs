//! `steelyard webhook`: judges objects before a cluster takes them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use steelyard_webhook::{Webhook, WebhookOptions};

use crate::args::LogStyle;
use crate::instance::Signals;
use crate::logging;

/// `steelyard webhook`.
#[derive(Args, Debug)]
#[command(after_help = "\
An API server asks /validate before it takes an object, and /convert for a BGPPeer in its other
version. The answers are those of `steelyard check`, of one object alone. Nothing else needs it:
without it objects come in unjudged, and what is wrong with them is told by statuses and `check`.

Exit status: 0 ended by a signal, 2 could not serve.")]
pub struct WebhookArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:9443")]
    listen: SocketAddr,
    /// Folder with tls.crt and tls.key; another certificate there is taken while running
    #[arg(long, value_name = "FOLDER", default_value = "/etc/steelyard/webhook")]
    certificate: PathBuf,
    /// How logs are written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: LogStyle,
    /// What is logged: error, warn, info, debug, or per part (info,steelyard_webhook=debug)
    #[arg(long, value_name = "LEVEL", default_value = "info", env = "STEELYARD_LOG")]
    log_level: String,
}

/// Runs the command.
///
/// # Errors
/// When there is no certificate, or nothing can listen.
pub fn run(args: WebhookArgs) -> Result<ExitCode> {
    logging::start(args.log_format, &args.log_level)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        let options = WebhookOptions { listen: args.listen, folder: args.certificate };
        let webhook = Webhook::open(&options).await?;
        tracing::info!(listen = ?webhook.address(), "objects are judged");
        tokio::select! {
            () = webhook.serve() => {}
            why = signals.stop() => tracing::info!(why, "ending"),
        }
        Ok(ExitCode::SUCCESS)
    })
}
