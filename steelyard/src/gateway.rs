//! `steelyard gateway`: routes of a cluster, served in a pod.
//!
//! It has no address of its own: a Service selects its pods like any others, and whatever carries
//! the packets of Services brings requests here. Or a speaker of its node opens listeners at vips,
//! and lends them to it. Nor does it write anything: whether it is ready is
//! between it and the kubelet.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use steelyard_host::memory;
use steelyard_manifest::Role;
use steelyard_model::NamespacedName;
use steelyard_pipeline::GatewayServices;
use steelyard_plan::Author;

use crate::args::{ServeArgs, WorldArgs, namespaced};
use crate::cluster::{ClusterArgs, Ears, Event, all_of};
use crate::entry_points::StaticOptions;
use crate::instance::{Conflict, Duties, Instance, Meeting, Settings, Wish, runtime};
use crate::legacy::Inheritance;
use crate::logging;
use crate::privileges::Privileges;
use crate::upgrade;

/// Ports of the entry points inside the pod, which need no privileges.
const PORTS: (u16, u16) = (8080, 8443);

/// `steelyard gateway`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct GatewayArgs {
    /// How long to go on as before once asked to end, in seconds: until nothing leads here any more
    #[arg(long, value_name = "SECONDS", default_value_t = 5,
          value_parser = clap::value_parser!(u64).range(0..=300))]
    pub(crate) leave_after: u64,
    /// Serve listeners as well that a speaker of this node opens and lends at this socket, at
    /// addresses that are no pod's
    #[arg(long, value_name = "SOCKET")]
    pub(crate) borrow_listeners: Option<PathBuf>,
    /// The user that such a speaker is
    #[arg(long, value_name = "UID", default_value_t = 0, requires = "borrow_listeners")]
    pub(crate) lender: u32,
    /// Secret with the certificate for server names that no other one is for
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = namespaced)]
    pub(crate) default_ssl_certificate: Option<NamespacedName>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

const EXAMPLES: &str = "\
Examples:
  steelyard gateway --admin 0.0.0.0:9180 --log-format json
                                          in a pod, as the chart runs it
  steelyard gateway --kubeconfig ~/.kube/config
                                          beside a cluster whose pods this machine reaches

Entry points listen on 8080 (web) and 8443 (websecure), unless Traefik's static options say
otherwise: --entrypoints.web.address=:8000. Asked to end, it is unready at once, serves on for
--leave-after, then lets requests finish for --drain.

Exit status: 0 ended by a signal, 2 could not serve.";

/// Runs the command.
///
/// # Errors
/// When something that it cannot do without is not to be had.
pub fn run(mut args: GatewayArgs, fixed: StaticOptions) -> Result<ExitCode> {
    args.serve.show.follow(&fixed);
    logging::start(args.serve.show.style(), args.serve.show.level())?;
    memory::keep_little();
    runtime()?.block_on(serve(args, fixed))
}

async fn serve(args: GatewayArgs, fixed: StaticOptions) -> Result<ExitCode> {
    let mut ears = Ears::open(&args.cluster, Role::Gateway, BTreeSet::new()).await?;
    let drain = fixed.grace().unwrap_or_else(|| Duration::from_secs(args.serve.drain));
    let mut instance = Instance::start(settings(args, fixed, &ears)).await?;
    let why = follow(&mut instance, &mut ears).await;
    tracing::info!("{why}: finishing requests for up to {} s", drain.as_secs());
    instance.stop(drain, ears.signals.again()).await;
    Ok(ExitCode::SUCCESS)
}

fn settings(args: GatewayArgs, fixed: StaticOptions, ears: &Ears) -> Settings {
    let linger = fixed.accepts_on().unwrap_or_else(|| Duration::from_secs(args.leave_after));
    Settings {
        duties: Duties { routes: true, carries: false, passes: false, announces: false },
        author: Author::Nobody,
        awaited: Some(all_of(Role::Gateway)),
        standings: Some(ears.feed.standings()),
        gateway: GatewayServices::Nobody,
        is_shadow: args.cluster.shadow,
        ignore_exclude_lb: false,
        lock: None,
        privileges: Privileges::None { why: "a gateway needs none".to_owned() },
        interfaces: Vec::new(),
        fwmark: 0,
        ip_forward: false,
        state_dir: PathBuf::new(),
        conflict: Conflict::default(),
        sharing: None,
        world: WorldArgs {
            default_ssl_certificate: args.default_ssl_certificate,
            ..args.cluster.world(fixed)
        },
        serve: args.serve,
        ports: PORTS,
        listeners: args.borrow_listeners.map(|path| Meeting { path, other: args.lender }),
        linger,
        inheritance: Inheritance::default(),
        accepts_broken: false,
        is_demo: false,
    }
}

/// The main loop: takes what comes until it is told to end, and says why.
async fn follow(instance: &mut Instance, ears: &mut Ears) -> &'static str {
    let mut is_new = instance.hear_cluster(Vec::new()).await;
    loop {
        match ears.next(instance.news()).await {
            Event::Heard(events) => {
                if instance.hear_cluster(events).await {
                    ears.need(instance.needed());
                    is_new = true;
                }
            }
            Event::Own(news) => instance.hear(news).await,
            Event::Tick => {
                instance.tick().await;
                instance.set_gaps(ears.feed.gaps());
                if std::mem::take(&mut is_new) {
                    memory::give_back();
                }
            }
            Event::Asked(Wish::Reopen) => instance.reopen_logs(),
            Event::Asked(Wish::Upgrade) => upgrade::refuse(),
            Event::Asked(Wish::Stop(why)) => return why,
        }
    }
}
