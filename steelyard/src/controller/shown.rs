//! What the admin interface of a controller shows.

use std::sync::Arc;

use serde_json::json;
use steelyard_admin::{Lazy, LiveParts, Overview, Published, View};
use steelyard_kube::{Gap, Standings};
use steelyard_manifest::Selection;
use steelyard_metrics::Exposition;

use crate::hands::history::{self, History};
use crate::hands::lock::LockStanding;
use crate::hands::statuses::Counts;
use crate::instance::process;
use crate::privileges::Privileges;
use crate::tell::board::{Board, BoardSources};
use crate::tell::{followed, note};

/// Kinds that are named of those that are waited for, at most.
const MOST: usize = 5;

/// Where it is shown.
pub(super) struct Shown {
    published: Arc<Published>,
    identity: String,
    started: u64,
    /// What of the cluster is not known as it is now.
    gaps: Vec<Gap>,
    /// What is shown; none where it is a decision.
    waits: Option<Waits>,
}

/// Why nothing is decided here.
#[derive(PartialEq, Eq)]
pub(super) struct Waits {
    /// What was not listed yet.
    pub(super) awaited: Vec<Selection>,
    pub(super) leads: bool,
    /// Who leads, as far as it is known.
    pub(super) holder: Option<String>,
}

impl Shown {
    pub(super) fn new(identity: &str, counts: Counts, standings: Standings) -> Self {
        let expose = move || {
            let mut out = Exposition::default();
            counts.expose(&mut out);
            followed::expose(&standings, &mut out);
            process::expose(false, &mut out);
            out.into_text()
        };
        let published =
            Published::new(LiveParts { metrics: Arc::new(expose), ..LiveParts::default() });
        let (identity, started) = (identity.to_owned(), history::now());
        Self { published, identity, started, gaps: Vec::new(), waits: None }
    }

    pub(super) fn published(&self) -> Arc<Published> {
        Arc::clone(&self.published)
    }

    /// What shows decisions there.
    pub(super) fn board(&self, history: History) -> Board {
        let why = "a controller answers for no address".to_owned();
        let sources = BoardSources {
            privileges: Privileges::None { why },
            accepts_broken: false,
            history,
            lock: LockStanding::default(),
            status: None,
            sharing: None,
        };
        Board::new(self.published(), sources)
    }

    /// This of the cluster is not known as it is now.
    pub(super) fn set_gaps(&mut self, gaps: &[Gap]) {
        if self.gaps != gaps {
            self.gaps = gaps.to_vec();
            self.waits.take().into_iter().for_each(|it| self.wait(it));
        }
    }

    /// What is decided here is shown from now on.
    pub(super) fn decide(&mut self) {
        self.waits = None;
    }

    /// Shows that nothing is decided here, and why. One that waits for the leader to fail is ready
    /// once it has heard of everything.
    pub(super) fn wait(&mut self, waits: Waits) {
        if self.waits.as_ref() == Some(&waits) {
            return;
        }
        let overview = Overview {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: self.identity.clone(),
            since: self.started,
            ..Overview::default()
        };
        let (first, gaps) = (waits.note(), self.gaps.clone());
        self.published.publish(View {
            unready: waits.unready().into(),
            notes: Lazy::new(move || {
                let gaps = note::of_gaps(&gaps);
                [first.clone()].into_iter().chain(gaps.iter().map(ToString::to_string)).collect()
            }),
            overview: json!(overview).into(),
            ..View::default()
        });
        self.waits = Some(waits);
    }
}

impl Waits {
    fn unready(&self) -> Vec<String> {
        let awaited = self.awaited.iter().take(MOST);
        let mut unready: Vec<String> =
            awaited.map(|it| format!("{it} are not listed yet")).collect();
        if self.leads && unready.is_empty() {
            unready.push("it leads, and looks at what is there".to_owned());
        }
        unready
    }

    fn note(&self) -> String {
        match &self.holder {
            Some(holder) if !self.leads => format!("{holder} leads: nothing is decided here"),
            _ => "no replica leads: nothing is decided".to_owned(),
        }
    }
}
