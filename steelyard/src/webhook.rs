//! `steelyard webhook`: judges objects before a cluster takes them.

mod standing;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use steelyard_webhook::{NothingBeside, Webhook, WebhookOptions};

use crate::args::{LogStyle, WorldArgs};
use crate::entry_points::StaticOptions;
use crate::instance::Signals;
use crate::load::ClusterInput;
use crate::logging;
use standing::StandingIngresses;

/// `steelyard webhook`.
#[derive(Args)]
#[command(after_help = "\
An API server asks /validate before it takes an object, and /convert for a BGPPeer in its other
version. The answers are those of `steelyard check`, of one object alone. Nothing else needs it:
without it objects come in unjudged, and what is wrong with them is told by statuses and `check`.

With --cluster (or PATHs) Ingresses in words of ingress-nginx are judged beside all others, as its
own webhook does: one that routes what another one routes already is refused, and one that the
controller's ConfigMap does not allow. Flags of ingress-nginx are taken as by `gateway`:
--nginx.configmap=NAMESPACE/NAME. It may be asked at /networking/v1/ingresses too.

Exit status: 0 ended by a signal, 2 could not serve.")]
pub struct WebhookArgs {
    /// Files or folders of objects to judge Ingresses beside
    #[arg(conflicts_with = "cluster", value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    input: ClusterInput,
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
    #[command(flatten)]
    world: WorldArgs,
}

/// Runs the command.
///
/// # Errors
/// When there is no certificate, or nothing can listen.
pub fn run(mut args: WebhookArgs, fixed: StaticOptions) -> Result<ExitCode> {
    args.world.fixed = fixed;
    logging::start(args.log_format, &args.log_level)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        let options = WebhookOptions { listen: args.listen, folder: args.certificate };
        let webhook = Webhook::open(&options).await?;
        tracing::info!(listen = ?webhook.address(), "objects are judged");
        let standing = Arc::new(StandingIngresses::new(&args.paths, &args.world)?);
        let serve = if args.paths.is_empty() && !args.input.cluster {
            webhook.serve(Arc::new(NothingBeside))
        } else {
            webhook.serve(standing.clone())
        };
        tokio::select! {
            () = serve => {}
            ended = standing.follow(&args.input) => ended?,
            why = signals.stop() => tracing::info!(why, "ending"),
        }
        Ok(ExitCode::SUCCESS)
    })
}
