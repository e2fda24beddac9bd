//! The objects of a cluster, read once in the place of files: with the rights of whoever asks.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use steelyard_kube::{Connection, Feed, Standing};
use steelyard_manifest::{Breadth, ClusterEvent, Role, Selection, Sight, Watched, watched};
use steelyard_pipeline::{NeededObject, ResolveOptions, World};

use crate::pipeline::Pipeline;

/// For so long nothing comes of what is waited for, whatever else does, and then nothing is waited
/// for.
const QUIET: Duration = Duration::from_secs(10);

/// Where objects are read from that are in no file.
#[derive(Args, Clone, Default)]
pub(crate) struct ClusterInput {
    /// Read the objects of a cluster in the place of files
    #[arg(long)]
    pub(crate) cluster: bool,
    /// How its API server is reached [default: $KUBECONFIG or ~/.kube/config]
    #[arg(long, value_name = "FILE", requires = "cluster")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME", requires = "cluster")]
    context: Option<String>,
}

impl ClusterInput {
    /// The way to its API server.
    ///
    /// # Errors
    /// When it is not told where that is.
    pub(crate) async fn connect(&self) -> Result<Arc<Connection>> {
        let connection = Connection::open(self.kubeconfig.as_deref(), self.context.as_deref());
        Ok(Arc::new(connection.await.context("no way to the API server")?))
    }
}

/// What is being read.
struct Reading {
    feed: Feed,
    pipeline: Pipeline,
    /// What the API server does not let us read.
    refused: BTreeSet<Selection>,
    server: String,
}

/// What was read of a cluster.
pub(crate) struct Read {
    pub(crate) world: World,
    /// Whether all Secrets that something refers to could be looked for.
    pub(crate) saw_secrets: bool,
}

/// Reads all that counts of the cluster, and of its Secrets those that something refers to.
///
/// # Errors
/// When the API server does not answer.
pub(crate) fn read(input: &ClusterInput, options: ResolveOptions) -> Result<Read> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut reading = Reading::begin(input, options).await?;
        reading.complete().await?;
        let world = reading.world();
        let needed = named(&world.needed);
        if needed.is_empty() {
            return Ok(Read { world, saw_secrets: true });
        }
        needed.iter().for_each(|it| reading.pipeline.await_also(it.clone()));
        reading.feed.need(&needed);
        reading.complete().await?;
        let saw_secrets = needed.is_disjoint(&reading.refused);
        Ok(Read { world: reading.world(), saw_secrets })
    })
}

/// Whether an event is of what is waited for.
fn is_awaited(event: &ClusterEvent, awaited: &[Selection]) -> bool {
    let of = |kind: &str, group: &str| {
        awaited.iter().any(|it| it.kind.kind == kind && it.kind.group == group)
    };
    match event {
        ClusterEvent::Written(sent) => of(&sent.object.reference.kind, sent.object.group()),
        ClusterEvent::Gone { key, .. } => of(&key.reference.kind, &key.group),
        ClusterEvent::Listed { watch, .. }
        | ClusterEvent::Refused { watch, .. }
        | ClusterEvent::Absent(watch)
        | ClusterEvent::Anew(watch)
        | ClusterEvent::Unwatched(watch) => awaited.contains(watch),
    }
}

fn kinds() -> impl Iterator<Item = &'static Watched> {
    watched(Role::Everything).iter()
}

fn named(needed: &BTreeSet<NeededObject>) -> BTreeSet<Selection> {
    let one = |NeededObject { kind, id }: &NeededObject| {
        let kind = kinds().find(|it| it.kind == *kind)?;
        Some(Selection::one(kind, &id.namespace, &id.name))
    };
    needed.iter().filter_map(one).collect()
}

impl Reading {
    async fn begin(input: &ClusterInput, options: ResolveOptions) -> Result<Self> {
        let connection = input.connect().await?;
        let all = || kinds().filter(|kind| kind.breadth == Breadth::All).map(Selection::all);
        Ok(Self {
            server: connection.server(),
            feed: Feed::start(&connection, all()),
            pipeline: Pipeline::of_cluster(options, all()),
            refused: BTreeSet::new(),
        })
    }

    /// Waits until all is read, but for what is refused.
    async fn complete(&mut self) -> Result<()> {
        let mut heard = tokio::time::Instant::now();
        loop {
            let awaited = self.awaited();
            if awaited.is_empty() {
                return Ok(());
            }
            let Ok(events) = tokio::time::timeout_at(heard + QUIET, self.feed.next()).await else {
                bail!("nothing comes from {}: {}", self.server, self.trouble());
            };
            if events.iter().any(|event| is_awaited(event, &awaited)) {
                heard = tokio::time::Instant::now();
            }
            for event in events {
                match event {
                    ClusterEvent::Refused { watch, .. } if watch.reach.name.is_some() => {
                        // Secrets need not be shown to whoever judges the rest.
                        self.refused.insert(watch);
                    }
                    event => {
                        if let ClusterEvent::Refused { watch, .. } = &event {
                            self.refused.insert(watch.clone());
                        }
                        self.pipeline.hear([event]);
                    }
                }
            }
        }
    }

    /// What is to be read yet, and not refused.
    fn awaited(&self) -> Vec<Selection> {
        let awaited = self.pipeline.awaited().into_iter();
        awaited.filter(|it| !self.refused.contains(it)).collect()
    }

    /// What is in the way of the first that is not read.
    fn trouble(&self) -> String {
        let why = self.feed.standing().into_values().find_map(|standing| match standing {
            Standing::Awaited(why) => why,
            Standing::CutOff { why, .. } => Some(why),
            _ => None,
        });
        let silent = || format!("it has said nothing for {} s", QUIET.as_secs());
        why.map_or_else(silent, |why| why.to_string())
    }

    fn world(&mut self) -> World {
        self.pipeline.follow(&Sight::default(), Instant::now()).0
    }
}
