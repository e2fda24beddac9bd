//! All that a role reads, followed at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_manifest::{ClusterEvent, Selection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::connection::Connection;
use crate::follow::{Follower, Rounds};
use crate::gap::{self, Gap};
use crate::patience::Patience;
use crate::standing::{Standing, Standings};

/// So many events wait, each perhaps with an object: nobody reads ahead of who takes them.
const WAITING: usize = 64;
/// So many objects have a watch of their own; more of them are asked for in turns.
const WATCHES: usize = 64;
/// So many are handed on at once.
const BATCH: usize = 1024;

/// What is heard of a cluster. Dropping it ends it.
pub struct Feed {
    connection: Arc<Connection>,
    events: mpsc::Receiver<ClusterEvent>,
    out: mpsc::Sender<ClusterEvent>,
    followed: BTreeMap<Selection, Followed>,
    /// Those that were told to end and may not have yet.
    ending: BTreeMap<Selection, JoinHandle<()>>,
    standings: Standings,
    patience: Patience,
    rounds: Rounds,
}

/// Whoever follows a selection: ends when the sender goes, and says so.
struct Followed {
    _end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Feed {
    /// Follows all of these, within a runtime.
    pub fn start(
        connection: &Arc<Connection>,
        watches: impl IntoIterator<Item = Selection>,
    ) -> Self {
        Self::start_patiently(connection, watches, Patience::default())
    }

    /// The same, with another patience.
    pub fn start_patiently(
        connection: &Arc<Connection>,
        watches: impl IntoIterator<Item = Selection>,
        patience: Patience,
    ) -> Self {
        let (out, events) = mpsc::channel(WAITING);
        let mut feed = Self {
            connection: connection.clone(),
            events,
            out,
            followed: BTreeMap::new(),
            ending: BTreeMap::new(),
            standings: Standings::default(),
            patience,
            rounds: Rounds::default(),
        };
        feed.follow(watches);
        feed
    }

    /// Follows these as well.
    pub fn follow(&mut self, watches: impl IntoIterator<Item = Selection>) {
        for watch in watches {
            if !self.followed.contains_key(&watch) {
                self.add(watch);
            }
        }
    }

    /// Waits for what is heard next, in order; never nothing.
    pub async fn next(&mut self) -> Vec<ClusterEvent> {
        let mut batch = Vec::new();
        self.events.recv_many(&mut batch, BATCH).await;
        batch
    }

    /// Of what is looked at by its name, follows these from now on, and no others.
    pub fn need(&mut self, named: &BTreeSet<Selection>) {
        let is_named = |watch: &Selection| watch.reach.name.is_some();
        let unneeded = self.followed.keys().filter(|it| is_named(it) && !named.contains(it));
        let unneeded: Vec<Selection> = unneeded.cloned().collect();
        for watch in unneeded {
            if let Some(Followed { task, .. }) = self.followed.remove(&watch) {
                self.ending.insert(watch, task);
            }
        }
        self.ending.retain(|_, task| !task.is_finished());
        self.follow(named.iter().cloned());
    }

    /// How it stands with each of them.
    pub fn standing(&self) -> BTreeMap<Selection, Standing> {
        self.standings.all()
    }

    /// The same, for whoever asks later; it goes on with the feed.
    pub fn standings(&self) -> Standings {
        self.standings.clone()
    }

    /// What is not known as it is now.
    pub fn gaps(&self) -> Vec<Gap> {
        gap::all(&self.standings.all())
    }

    fn add(&mut self, watch: Selection) {
        let (end, ended) = oneshot::channel::<()>();
        let before = self.ending.remove(&watch);
        let (out, standings) = (self.out.clone(), self.standings.clone());
        let mut follower = Follower::new(
            self.connection.clone(),
            watch.clone(),
            self.out.clone(),
            self.standings.clone(),
            self.patience,
        );
        let shown = watch.clone();
        let is_named = |watch: &Selection| watch.reach.name.is_some();
        let named = self.followed.keys().filter(|watch| is_named(watch)).count();
        let member = (is_named(&watch) && named >= WATCHES).then(|| self.rounds.join());
        let rounds = self.rounds.clone();
        let task = tokio::spawn(async move {
            // What it has to say comes before what is heard from now on.
            if let Some(before) = before {
                let _ = before.await;
            }
            standings.add(&shown);
            let following = async {
                match member {
                    Some(_member) => follower.run_in_rounds(&rounds).await,
                    None => follower.run().await,
                }
            };
            tokio::select! {
                () = following => {}
                _ = ended => {}
            }
            standings.remove(&shown);
            let _ = out.send(ClusterEvent::Unwatched(shown)).await;
        });
        self.followed.insert(watch, Followed { _end: end, task });
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let tasks = self.followed.values().map(|it| &it.task).chain(self.ending.values());
        tasks.for_each(JoinHandle::abort);
    }
}
