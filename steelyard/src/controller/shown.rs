//! What the admin interface of a controller shows.

use std::sync::Arc;

use serde_json::json;
use steelyard_admin::{Overview, Published, View};
use steelyard_manifest::Selection;
use steelyard_metrics::Exposition;

use crate::hands::history::{self, History};
use crate::hands::lock::LockStanding;
use crate::hands::statuses::Counts;
use crate::instance::process;
use crate::privileges::Privileges;
use crate::tell::board::{Board, BoardSources};

/// Kinds that are named of those that are waited for, at most.
const MOST: usize = 5;

/// Where it is shown.
pub(super) struct Shown {
    published: Arc<Published>,
    identity: String,
    started: u64,
}

impl Shown {
    pub(super) fn new(identity: &str, counts: Counts) -> Self {
        let expose = move || {
            let mut out = Exposition::default();
            counts.expose(&mut out);
            process::expose(&mut out);
            out.into_text()
        };
        let published = Published::new(Arc::new(expose), Arc::new(|| false));
        Self { published, identity: identity.to_owned(), started: history::now() }
    }

    pub(super) fn published(&self) -> Arc<Published> {
        Arc::clone(&self.published)
    }

    /// What shows decisions there.
    pub(super) fn board(&self, history: History) -> Board {
        let why = "a controller answers for no address".to_owned();
        let sources = BoardSources {
            privileges: Privileges::None { why },
            history,
            lock: LockStanding::default(),
            status: None,
            sharing: None,
        };
        Board::new(self.published(), sources)
    }

    /// Shows that nothing is decided here, and why. One that waits for the leader to fail is ready
    /// once it has heard of everything.
    pub(super) fn wait(&self, awaited: Vec<Selection>, leads: bool, holder: Option<String>) {
        let mut unready: Vec<String> =
            awaited.iter().take(MOST).map(|it| format!("{it} are not listed yet")).collect();
        if leads && unready.is_empty() {
            unready.push("it leads, and looks at what is there".to_owned());
        }
        let note = match holder {
            Some(holder) if !leads => format!("{holder} leads: nothing is decided here"),
            _ => "no replica leads: nothing is decided".to_owned(),
        };
        let overview = Overview {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: self.identity.clone(),
            since: self.started,
            ..Overview::default()
        };
        self.published.publish(View {
            unready: unready.into(),
            notes: vec![note].into(),
            overview: json!(overview).into(),
            ..View::default()
        });
    }
}
