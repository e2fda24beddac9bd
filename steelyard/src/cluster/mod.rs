//! What roles in a cluster have in common: where its API server is, who they are, and what there is
//! to answer to while they run.

mod args;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use steelyard_kube::{Connection, Feed};
use steelyard_manifest::{Breadth, ClusterEvent, Role, Selection, watched};
use steelyard_model::NamespacedName;
use steelyard_pipeline::NeededObject;
use tokio::time::Interval;

use crate::instance::{Signals, Wish};

pub(crate) use args::{ClusterArgs, PodArgs};

/// How often what does not tell of itself is looked at.
const TICK: Duration = Duration::from_secs(1);

/// Something that a role in a cluster answers to.
pub(crate) enum Event<Own> {
    /// Something was heard of the cluster.
    Heard(Vec<ClusterEvent>),
    /// Something of the role's own.
    Own(Own),
    /// It is time to look around.
    Tick,
    /// The process is asked for something.
    Asked(Wish),
}

/// Where it is heard.
pub(crate) struct Ears {
    pub(crate) feed: Feed,
    pub(crate) signals: Signals,
    tick: Interval,
    connection: Arc<Connection>,
    role: Role,
    /// What is read besides all of the role's kinds, whatever refers to it.
    besides: BTreeSet<Selection>,
    /// Objects that something refers to by their names.
    needed: Arc<BTreeSet<NeededObject>>,
}

impl Ears {
    /// Follows what `role` reads, and these besides.
    ///
    /// # Errors
    /// When it is not told where the API server is.
    pub(crate) async fn open(
        args: &ClusterArgs,
        role: Role,
        besides: BTreeSet<Selection>,
    ) -> Result<Self> {
        let mut ears = Self::open_for(args, role, besides).await?;
        ears.follow_all();
        Ok(ears)
    }

    /// The same, for the time being without all that `role` reads.
    ///
    /// # Errors
    /// When it is not told where the API server is.
    pub(crate) async fn open_for(
        args: &ClusterArgs,
        role: Role,
        besides: BTreeSet<Selection>,
    ) -> Result<Self> {
        let signals = Signals::new()?;
        let connection = Connection::open(args.kubeconfig.as_deref(), args.context.as_deref());
        let connection = connection.await.context("no way to the API server")?;
        tracing::info!(server = connection.server(), "following the cluster");
        let connection = Arc::new(connection);
        let feed = Feed::start(&connection, besides.clone());
        let (tick, needed) = (tokio::time::interval(TICK), Arc::default());
        Ok(Self { feed, signals, tick, connection, role, besides, needed })
    }

    /// Follows all that the role reads.
    pub(crate) fn follow_all(&mut self) {
        self.feed.follow(all_of(self.role));
    }

    /// The way to the API server.
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Of what is read by its name, reads these from now on, besides those that it reads anyway,
    /// and no others.
    pub(crate) fn need(&mut self, needed: &Arc<BTreeSet<NeededObject>>) {
        if *needed == self.needed {
            return;
        }
        self.needed = Arc::clone(needed);
        let read = needed.iter().filter_map(|it| named(self.role, it));
        self.feed.need(&self.besides.iter().cloned().chain(read).collect());
    }

    /// Waits for the next, of the role's own too. Cancel-safe where that is.
    pub(crate) async fn next<Own>(&mut self, own: impl Future<Output = Own>) -> Event<Own> {
        tokio::select! {
            events = self.feed.next() => Event::Heard(events),
            own = own => Event::Own(own),
            _ = self.tick.tick() => Event::Tick,
            wish = self.signals.next() => Event::Asked(wish),
        }
    }
}

/// What a role reads all of: before it has, it decides nothing.
pub(crate) fn all_of(role: Role) -> Vec<Selection> {
    let kinds = watched(role).iter().filter(|kind| kind.breadth == Breadth::All);
    kinds.map(Selection::all).collect()
}

/// An object that a role may read by its name.
pub(crate) fn named(role: Role, NeededObject { kind, id }: &NeededObject) -> Option<Selection> {
    let kind = watched(role).iter().find(|it| it.kind == *kind)?;
    Some(Selection::one(kind, &id.namespace, &id.name))
}

/// The same of a Secret.
pub(crate) fn secret(role: Role, namespace: &str, name: &str) -> Option<Selection> {
    let id = NamespacedName::new(namespace, name);
    named(role, &NeededObject { kind: "Secret", id })
}
