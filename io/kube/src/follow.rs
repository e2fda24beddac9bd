//! The life of one selection: listed, then watched from the version of the list on, and again.
//!
//! A list is asked for as a stream, which costs an API server less, and in pages where it does not
//! do that. A watch that ends, or breaks, goes on from the last version that was heard; only where
//! that is forgotten, or nothing can be relied on, is there another list, and of a list that says
//! the same nothing comes.
//!
//! Where an API server's store was put back to what it was before, from a backup, its versions go
//! back too, and a watch from a version that it does not have yet is silent: nothing of it comes
//! before there is one, and what happened until then never does. So before a watch goes on it is
//! asked at which version things are; whoever is behind has another history, and lists anew.
//!
//! A watch takes a connection. Where so many objects are looked at by their names that this would
//! be too many of them, the others are asked for in [`Rounds`].

mod page;
mod rounds;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use steelyard_manifest::{ClusterEvent, ClusterObject, Key, RawObject, Selection, Verb, is_older};
use tokio::sync::mpsc;

use crate::answer::{escaped, get, of_status};
use crate::connection::Connection;
use crate::pace::Pace;
use crate::pages;
use crate::patience::Patience;
use crate::standing::{Standing, Standings};
use crate::trouble::Trouble;
pub(crate) use rounds::Rounds;

/// A watch that ends sooner, and has said nothing, was cut short.
const SHORT: Duration = Duration::from_secs(1);
/// Ends the objects that were there when a watch began.
const INITIAL_END: &str = "k8s.io/initial-events-end";

/// Whoever follows a selection.
pub(crate) struct Follower {
    pub(crate) connection: Arc<Connection>,
    pub(crate) watch: Selection,
    pub(crate) out: mpsc::Sender<ClusterEvent>,
    pub(crate) standings: Standings,
    patience: Patience,
    progress: Progress,
    pace: Pace,
}

/// How far it has come.
struct Progress {
    /// What to go on from; none before a list.
    version: Option<String>,
    /// Lists are asked for as streams.
    streams: bool,
    /// So many objects in a page.
    page: usize,
    /// Since when there is no such kind.
    missing: Option<Instant>,
    was_listed: bool,
    /// Whether anything was heard since the last trouble.
    heard: bool,
}

/// A line of a watch.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    object: RawObject,
}

/// Nobody listens any more.
pub(crate) struct Unheard;

/// What ends a look.
enum End {
    Trouble(Trouble),
    Unheard,
}

impl From<Trouble> for End {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<Unheard> for End {
    fn from(Unheard: Unheard) -> Self {
        Self::Unheard
    }
}

impl Follower {
    pub(crate) fn new(
        connection: Arc<Connection>,
        watch: Selection,
        out: mpsc::Sender<ClusterEvent>,
        standings: Standings,
        patience: Patience,
    ) -> Self {
        let progress = Progress {
            version: None,
            streams: true,
            page: pages::MOST,
            missing: None,
            was_listed: false,
            heard: false,
        };
        Self { connection, watch, out, standings, patience, progress, pace: Pace::new(patience) }
    }

    /// Follows until nobody listens any more.
    pub(crate) async fn run(&mut self) {
        loop {
            let began = Instant::now();
            self.progress.heard = false;
            let trouble = match self.look().await {
                Ok(()) if self.progress.heard || began.elapsed() >= SHORT => continue,
                Ok(()) => Trouble::CutShort,
                Err(End::Trouble(trouble)) => trouble,
                Err(End::Unheard) => return,
            };
            if self.progress.heard {
                self.pace.reset();
            }
            let wait = self.pace.wait(&trouble);
            if self.settle(trouble).await.is_err() {
                return;
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Lists again and again, without a watch, until nobody listens any more.
    pub(crate) async fn run_in_rounds(&mut self, rounds: &Rounds) {
        self.progress.streams = false;
        loop {
            let wait = match self.ask_once(rounds).await {
                Ok(()) => {
                    let round = rounds.length(self.patience.round);
                    self.pace.between(round, round * 3 / 2)
                }
                Err(End::Trouble(trouble)) => {
                    let wait = self.pace.wait(&trouble);
                    if self.settle(trouble).await.is_err() {
                        return;
                    }
                    wait
                }
                Err(End::Unheard) => return,
            };
            tokio::time::sleep(wait).await;
        }
    }

    async fn ask_once(&mut self, rounds: &Rounds) -> Result<(), End> {
        let _turn = rounds.turn().await;
        let (version, present) = page::list(self).await?;
        Ok(self.listed(version, present).await?)
    }

    /// Lists if that has to be, and watches.
    async fn look(&mut self) -> Result<(), End> {
        if let Some(version) = &self.progress.version {
            self.ask_whether_it_goes_on(version).await?;
        } else if !self.progress.streams {
            let (version, present) = page::list(self).await?;
            self.listed(version, present).await?;
        }
        self.watch().await
    }

    /// Whether what comes next comes after `version`.
    async fn ask_whether_it_goes_on(&self, version: &str) -> Result<(), Trouble> {
        match page::version(self).await {
            Ok(now) if is_older(&now, version) => Err(Trouble::Rewound),
            // A watch needs another right, and says itself what it lacks.
            Ok(_) | Err(Trouble::Refused(_)) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    /// What trouble means for what comes next.
    async fn settle(&mut self, trouble: Trouble) -> Result<(), Unheard> {
        tracing::debug!("{}: {trouble}", self.watch);
        match &trouble {
            Trouble::NotStreamed => {
                self.progress.streams = false;
                return Ok(());
            }
            // There is another list, and it says what has become of it all.
            Trouble::Expired => {
                self.progress.version = None;
                return Ok(());
            }
            Trouble::Rewound => {
                tracing::warn!("{}: {trouble}, and is listed anew", self.watch);
                self.progress.version = None;
                return Ok(());
            }
            // Perhaps it is the version that is none.
            Trouble::Garbled(_) | Trouble::Failed(400..=499) => self.progress.version = None,
            Trouble::Refused(verb) => {
                let (watch, verb) = (self.watch.clone(), *verb);
                self.progress.version = None;
                self.standings.trouble(&self.watch, trouble);
                return self.send(ClusterEvent::Refused { watch, verb }).await;
            }
            Trouble::Absent => return self.doubt(trouble).await,
            _ => {}
        }
        self.progress.missing = None;
        self.standings.trouble(&self.watch, trouble);
        Ok(())
    }

    /// There may be no such kind.
    async fn doubt(&mut self, trouble: Trouble) -> Result<(), Unheard> {
        let since = *self.progress.missing.get_or_insert_with(Instant::now);
        let doubt = match self.progress.was_listed {
            true => self.patience.doubt,
            false => self.patience.first_doubt,
        };
        self.progress.version = None;
        if since.elapsed() < doubt {
            self.standings.trouble(&self.watch, trouble);
            return Ok(());
        }
        self.progress.was_listed = false;
        self.standings.set(&self.watch, Standing::Absent);
        self.send(ClusterEvent::Absent(self.watch.clone())).await
    }

    /// Watches from the last version on; from nothing, as a list that comes as a stream.
    async fn watch(&mut self) -> Result<(), End> {
        let mut present = match &self.progress.version {
            Some(_) => None,
            None => Some(BTreeSet::new()),
        };
        let path = self.path();
        let mut lines =
            match get(&self.connection, &path, Verb::Watch, self.patience.beginning).await {
                // Who does not know what is asked for says that it is no valid question.
                Err(Trouble::Failed(400 | 422)) if present.is_some() => {
                    return Err(Trouble::NotStreamed.into());
                }
                answer => answer?,
            };
        match present {
            Some(_) => self.begin_list().await?,
            None => self.standings.set(&self.watch, Standing::Followed),
        }
        loop {
            let patience = match present {
                Some(_) => self.patience.listing,
                None => self.patience.silence,
            };
            let line = match lines.next(patience).await {
                // Who knows nothing of it sends what there is, and no end.
                Err(Trouble::Silent(_)) if present.is_some() => Err(Trouble::NotStreamed),
                line => line,
            };
            let Some(line) = line? else {
                return if present.is_some() { Err(Trouble::CutShort.into()) } else { Ok(()) };
            };
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let line: Line = serde_json::from_slice(&line)
                .map_err(|error| Trouble::Garbled(error.to_string()))?;
            self.hear(line, &mut present).await?;
        }
    }

    fn path(&self) -> String {
        let longest = self.patience.watch * 3 / 2;
        let seconds = self.pace.between(self.patience.watch, longest).as_secs();
        let path = self.watch.path();
        let common = format!("{path}watch=1&allowWatchBookmarks=true&timeoutSeconds={seconds}");
        match &self.progress.version {
            Some(version) => format!("{common}&resourceVersion={}", escaped(version)),
            None => {
                format!("{common}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan")
            }
        }
    }

    async fn hear(&mut self, line: Line, present: &mut Option<BTreeSet<Key>>) -> Result<(), End> {
        let Line { kind, object } = line;
        if kind == "ERROR" {
            let status = object.status_code().unwrap_or(500);
            return Err(of_status(status, Verb::Watch, None).into());
        }
        let version = object.resource_version().map(str::to_owned);
        let version = version.ok_or_else(|| Trouble::Garbled("a line without a version".into()))?;
        self.progress.heard = true;
        // Of what is gone, some API servers tell the version that it had.
        if present.is_none() && kind != "DELETED" && self.is_behind(&version) {
            return Err(Trouble::Rewound.into());
        }
        match &*kind {
            "BOOKMARK" => {
                if object.annotation(INITIAL_END) == Some("true")
                    && let Some(present) = present.take()
                {
                    return Ok(self.listed(version, present).await?);
                }
            }
            "ADDED" | "MODIFIED" => {
                let object = self.written(object)?;
                if let Some(present) = present {
                    present.insert(object.key());
                }
                self.send(ClusterEvent::Written(Box::new(object))).await?;
            }
            "DELETED" => {
                let object = self.written(object)?;
                let (key, uid) = (object.key(), (*object.origin.uid()).into());
                if let Some(present) = present {
                    present.remove(&key);
                }
                self.send(ClusterEvent::Gone { key, uid }).await?;
            }
            other => return Err(Trouble::Garbled(format!("a line of type {other:?}")).into()),
        }
        // Objects of a list are of any age.
        if present.is_none() {
            self.progress.version = Some(version);
        }
        Ok(())
    }

    /// Whether a watch, which tells what happens in order, has told something later than `version`.
    fn is_behind(&self, version: &str) -> bool {
        self.progress.version.as_ref().is_some_and(|known| is_older(version, known))
    }

    /// A list begins to come.
    async fn begin_list(&self) -> Result<(), Unheard> {
        match self.progress.was_listed && self.watch.reach.name.is_none() {
            true => self.send(ClusterEvent::Anew(self.watch.clone())).await,
            false => Ok(()),
        }
    }

    fn written(&self, raw: RawObject) -> Result<ClusterObject, Trouble> {
        ClusterObject::new(raw, self.watch.kind)
            .map_err(|error| Trouble::Garbled(error.to_string()))
    }

    /// A list has come to its end.
    async fn listed(&mut self, version: String, present: BTreeSet<Key>) -> Result<(), Unheard> {
        self.progress.version = Some(version);
        (self.progress.was_listed, self.progress.missing) = (true, None);
        self.progress.heard = true;
        self.pace.reset();
        self.send(ClusterEvent::Listed { watch: self.watch.clone(), present }).await?;
        self.standings.set(&self.watch, Standing::Followed);
        Ok(())
    }

    async fn send(&self, event: ClusterEvent) -> Result<(), Unheard> {
        self.out.send(event).await.map_err(|_| Unheard)
    }
}
