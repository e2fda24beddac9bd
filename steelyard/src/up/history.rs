//! What happened, newest first: told by the admin API, and logged once.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use steelyard_admin::Happening;

/// How many happenings are kept.
const KEPT: usize = 200;

/// The last happenings.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Happening>);

impl History {
    /// Logs and keeps that `reason` happened to `object`. `normal` tells news from trouble.
    pub(super) fn note(&mut self, normal: bool, reason: &str, object: &str, message: &str) {
        if normal {
            tracing::info!(reason, object, "{message}");
        } else {
            tracing::warn!(reason, object, "{message}");
        }
        self.keep(normal, reason, object, message);
    }

    /// Keeps what was logged elsewhere.
    pub(super) fn keep(&mut self, normal: bool, reason: &str, object: &str, message: &str) {
        self.0.push_front(Happening {
            time: now(),
            kind: if normal { "Normal" } else { "Warning" }.to_owned(),
            reason: reason.to_owned(),
            object: object.to_owned(),
            message: message.to_owned(),
        });
        self.0.truncate(KEPT);
    }

    /// All that is kept.
    pub(super) fn all(&self) -> &VecDeque<Happening> {
        &self.0
    }
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
