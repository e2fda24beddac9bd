//! `steelyard speaker`: answers on the LAN for the addresses that a cluster's Services have.
//!
//! Who has which address stands in the Services' statuses, which a controller writes. The nodes of
//! the cluster settle among themselves which of them answers; what seals that is in a Secret. What
//! reaches a vip is kube-proxy's, or its like's, unless this node is told to carry it itself
//! ([`Carrier`]).
//!
//! It needs no API server to go on, and what a start needs is kept ([`kept`]).

mod kept;
mod reports;
mod secret;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use steelyard_admin::{Admin, LiveParts, Published};
use steelyard_host::memory::{self, MemoryCare};
use steelyard_manifest::{ClusterEvent, Role};
use steelyard_metrics::Exposition;
use steelyard_pipeline::GatewayServices;
use steelyard_plan::Author;
use steelyard_speaker::Keyring;

use crate::args::ServeArgs;
use crate::cluster::{self, ClusterArgs, Ears, Event, PodArgs, all_of};
use crate::entry_points::StaticOptions;
use crate::instance::{
    Conflict, Duties, ElectionArgs, Instance, Meeting, Settings, Sharing, Wish, process, runtime,
};
use crate::legacy::Inheritance;
use crate::privileges::Privileges;
use crate::tell::followed;
use crate::upgrade;
use crate::{key, load, logging};
use kept::Keeper;
use reports::{Answered, Reports};

/// Where what seals heartbeats is.
const SECRET: &str = "steelyard-membership";
/// What the key is made of that shadows know each other by where no controller has made one, as
/// none does in the shadow. It is no secret: nobody answers for anything by what it seals.
const SHADOWS: &str = "5d";
/// How long the API server is waited for before what was done before the start is done again.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether there is memory to be given back.
const CALM: Duration = Duration::from_secs(10);
/// The mark bit unless another is named.
const FWMARK: u32 = 0x2000;

/// The user that the chart's gateway is.
const BORROWER: u32 = 65532;

/// `steelyard speaker`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct SpeakerArgs {
    /// Who carries packets for vips to endpoints
    #[arg(long, value_enum, default_value_t, value_name = "WHO")]
    pub(crate) carrier: Carrier,
    /// Open the listeners of Services that say that they are the gateway's, and lend them at this
    /// socket to a gateway of this node; with --carrier direct
    #[arg(long, value_name = "SOCKET")]
    pub(crate) lend_listeners: Option<PathBuf>,
    /// The user that such a gateway is, with a group of the same number
    #[arg(long, value_name = "UID", default_value_t = BORROWER, requires = "lend_listeners")]
    pub(crate) borrower: u32,
    /// Let open connections break when their address goes to another node, instead of passing their
    /// packets back to the node where they began; it takes no CAP_NET_ADMIN then
    #[arg(long)]
    pub(crate) forget_flows: bool,
    /// Answer on these interfaces only [default: those whose subnet holds the address]
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Vec<String>,
    /// Where what must outlive a restart is kept
    #[arg(long, value_name = "DIR", default_value = "/var/lib/steelyard")]
    pub(crate) state_dir: PathBuf,
    /// What to do where a foreign machine claims one of our addresses
    #[arg(long, value_enum, default_value_t, value_name = "POLICY")]
    pub(crate) vip_conflict: Conflict,
    /// Let nodes take part whose label excludes them from load balancers
    /// (node.kubernetes.io/exclude-from-external-load-balancers)
    #[arg(long)]
    pub(crate) ignore_exclude_lb: bool,
    #[command(flatten)]
    pub(crate) pod: PodArgs,
    #[command(flatten)]
    pub(crate) election: ElectionArgs,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

const EXAMPLES: &str = "\
Examples:
  steelyard speaker --admin 0.0.0.0:9180 --log-format json
                                          in a pod of the node's network, as the chart runs it
  steelyard speaker --shadow              beside MetalLB: watch and explain, and announce nothing
  steelyard speaker --carrier direct      where nothing else carries packets for vips

Exit status: 0 ended by a signal, 2 could not serve.";

/// Who carries packets for vips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Carrier {
    /// kube-proxy, or what stands in its place
    #[default]
    KubeProxy,
    /// This process, by rules of its own; Services' statuses then have `ipMode: Proxy`
    Direct,
}

/// Runs the command.
///
/// # Errors
/// When something that it cannot do without is not to be had.
pub fn run(mut args: SpeakerArgs, fixed: StaticOptions) -> Result<ExitCode> {
    args.serve.show.follow(&fixed);
    logging::start(args.serve.show.style(), args.serve.show.level())?;
    memory::keep_little();
    runtime()?.block_on(serve(args, fixed))
}

async fn serve(args: SpeakerArgs, fixed: StaticOptions) -> Result<ExitCode> {
    let carries = args.carrier == Carrier::Direct;
    if args.lend_listeners.is_some() && !carries {
        bail!("--lend-listeners needs --carrier direct: others carry packets to pods");
    }
    let privileges = Privileges::to_speak(carries);
    if let Privileges::None { why } = &privileges {
        bail!("nothing can be announced {why}");
    }
    let named = cluster::secret(Role::Speaker, &args.cluster.namespace, SECRET);
    let named = named.into_iter().collect();
    let mut ears = Ears::open_for(&args.cluster, Role::Speaker, named).await?;
    let mut keeper = Keeper::read(&args.state_dir, carries);
    let admin = wait_admin(&args, &ears)?;
    let Some(heard) = wait_for_key(&args, &mut keeper, &mut ears).await else {
        return Ok(ExitCode::SUCCESS);
    };
    drop(admin);
    // What is heard before is only held.
    ears.follow_all();
    let drain = Duration::from_secs(args.serve.drain);
    let namespace = args.cluster.namespace.clone();
    let reports = reports(&args, &ears);
    let mut instance =
        Instance::start(settings(args, fixed, privileges, (&keeper, &ears))?).await?;
    let care = (MemoryCare::default(), Instant::now());
    let mut beside = Beside { keeper, reports, namespace, care };
    let why = follow(&mut instance, &mut ears, heard, &mut beside).await;
    tracing::info!("{why}: handing addresses over");
    instance.stop(drain, ears.signals.again()).await;
    Ok(ExitCode::SUCCESS)
}

/// Tells that this process lives, and is not ready, before there is more to tell.
fn wait_admin(args: &SpeakerArgs, ears: &Ears) -> Result<Admin> {
    let standings = ears.feed.standings();
    let expose = move || {
        let mut out = Exposition::default();
        process::expose(false, &mut out);
        followed::expose(&standings, &mut out);
        out.into_text()
    };
    let published = Published::new(LiveParts { metrics: Arc::new(expose), ..LiveParts::default() });
    Ok(steelyard_admin::serve(&args.serve.show.admin(), published)?)
}

/// Waits until there is a key, kept or in the Secret; what was heard of the cluster meanwhile. None
/// when it is asked to end before that. Shadows need none.
async fn wait_for_key(
    args: &SpeakerArgs,
    keeper: &mut Keeper,
    ears: &mut Ears,
) -> Option<Vec<ClusterEvent>> {
    let mut heard = Vec::new();
    let waits = |keeper: &Keeper| !keeper.has_key() && !args.cluster.shadow;
    if waits(keeper) {
        let namespace = &args.cluster.namespace;
        tracing::info!("waiting for the key in Secret {namespace}/{SECRET}");
    }
    while waits(keeper) {
        tokio::select! {
            events = ears.feed.next() => {
                learn_key(keeper, &args.cluster.namespace, &events);
                heard.extend(events);
            }
            why = ears.signals.stop() => {
                tracing::info!("{why}");
                return None;
            }
        }
    }
    Some(heard)
}

/// Takes the key out of what was heard; whether it is another one.
fn learn_key(keeper: &mut Keeper, namespace: &str, events: &[ClusterEvent]) -> bool {
    let found = secret::key(events, namespace, SECRET);
    found.is_some_and(|key| keeper.set_key(key))
}

/// The keys; shadows that know none have one of their own, which is kept nowhere.
fn keys(args: &SpeakerArgs, keeper: &Keeper) -> Result<Keyring> {
    match args.cluster.shadow && !keeper.has_key() {
        true => key::parse(&SHADOWS.repeat(32), "the key of shadows"),
        false => keeper.keys(),
    }
}

fn settings(
    args: SpeakerArgs,
    fixed: StaticOptions,
    privileges: Privileges,
    (keeper, ears): (&Keeper, &Ears),
) -> Result<Settings> {
    let mut sharing = Sharing::in_cluster(&args.election, args.vip_conflict, keys(&args, keeper)?);
    sharing.set_peers(keeper.peers());
    let carries = args.carrier == Carrier::Direct && !args.cluster.shadow;
    let path = args.lend_listeners.filter(|_| carries);
    let listeners = path.map(|path| Meeting { path, other: args.borrower });
    let passes = args.carrier == Carrier::KubeProxy && !args.forget_flows && !args.cluster.shadow;
    Ok(Settings {
        duties: Duties { routes: false, carries, passes, announces: true },
        author: Author::Statuses,
        awaited: Some(all_of(Role::Speaker)),
        standings: Some(ears.feed.standings()),
        gateway: match &listeners {
            Some(_) => GatewayServices::Annotated,
            None => GatewayServices::Nobody,
        },
        is_shadow: args.cluster.shadow,
        ignore_exclude_lb: args.ignore_exclude_lb,
        lock: None,
        privileges,
        interfaces: args.interface,
        fwmark: FWMARK,
        // The network of pods needs it as well.
        ip_forward: carries,
        state_dir: args.state_dir,
        conflict: args.vip_conflict,
        sharing: Some(sharing),
        world: args.cluster.world(fixed),
        serve: args.serve,
        ports: (0, 0),
        listeners,
        linger: Duration::ZERO,
        inheritance: Inheritance::default(),
        accepts_broken: false,
        is_demo: false,
    })
}

/// The main loop: takes what comes until it is told to end, and says why.
async fn follow(
    instance: &mut Instance,
    ears: &mut Ears,
    heard: Vec<ClusterEvent>,
    beside: &mut Beside,
) -> &'static str {
    let patience = Instant::now() + PATIENCE;
    let Beside { keeper, reports, namespace, care: (care, looked) } = beside;
    hear(instance, ears, keeper, heard).await;
    loop {
        match ears.next(instance.news()).await {
            Event::Heard(events) => {
                if learn_key(keeper, namespace, &events)
                    && let Ok(keys) = keeper.keys()
                    && instance.set_keys(&keys)
                {
                    tracing::info!("the Secret has a new key: {keys:?}");
                }
                hear(instance, ears, keeper, events).await;
            }
            Event::Own(news) => instance.hear(news).await,
            Event::Tick => {
                instance.tick().await;
                instance.set_gaps(ears.feed.gaps());
                if patience <= Instant::now() && !instance.awaited().is_empty() {
                    instance.remember(keeper.duty()).await;
                }
                if let Some(reports) = reports.as_mut().filter(|_| instance.is_informed()) {
                    reports.follow(answered(instance)).await;
                }
                keeper.write();
                if looked.elapsed() >= CALM {
                    care.look();
                    *looked = Instant::now();
                }
            }
            Event::Asked(Wish::Reopen) => instance.reopen_logs(),
            Event::Asked(Wish::Upgrade) => upgrade::refuse(),
            Event::Asked(Wish::Stop(why)) => {
                keeper.write();
                return why;
            }
        }
    }
}

/// What goes beside the instance.
struct Beside {
    keeper: Keeper,
    /// None where nothing is to be written.
    reports: Option<Reports>,
    namespace: String,
    /// Of memory that is left over, and when it was last taken.
    care: (MemoryCare, Instant),
}

/// Who reports, where it is known which pod this is.
fn reports(args: &SpeakerArgs, ears: &Ears) -> Option<Reports> {
    let pod = args.pod.owner()?;
    let node = load::node_name(&args.cluster.world(StaticOptions::default()));
    let reports = Reports::new(ears.connection(), &args.cluster.namespace, &node, pod);
    (!args.cluster.shadow).then_some(reports)
}

/// For which Services this node answers now.
fn answered(instance: &Instance) -> Answered {
    let Some(decided) = instance.decided() else { return Answered::default() };
    let vips = instance.answered();
    let is_ours = |vip| vips.contains(&vip);
    let services = steelyard_statuses::on_the_lan(&decided.plan, &decided.node, is_ours);
    Answered { services, vips }
}

/// Takes in what was heard; notes what the next start is to know, and who the others are.
async fn hear(
    instance: &mut Instance,
    ears: &mut Ears,
    keeper: &mut Keeper,
    events: Vec<ClusterEvent>,
) {
    if !instance.hear_cluster(events).await {
        return;
    }
    ears.need(instance.needed());
    let Some(decided) = instance.decided() else { return };
    let others = decided.snapshot.nodes.iter().filter(|it| *it.name != *decided.node);
    let addresses = others.flat_map(|node| &node.internal_ips);
    let peers: Vec<SocketAddr> =
        addresses.map(|ip| SocketAddr::new(*ip, steelyard_speaker::PORT)).collect();
    keeper.set_duty(&decided.plan.node);
    keeper.set_peers(&peers);
    instance.set_peers(peers);
}
