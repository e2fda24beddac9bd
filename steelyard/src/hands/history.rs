//! What happened, newest first: told by the admin API, and logged once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use steelyard_admin::Happening;

/// How many happenings are kept.
const KEPT: usize = 500;

/// The last happenings. Its clones are the same: whoever does something has one.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(Arc<Mutex<VecDeque<Arc<Happening>>>>);

impl History {
    /// Logs and keeps that `reason` happened to `object`. `normal` tells news from trouble.
    pub(crate) fn note(&self, normal: bool, reason: &str, object: &str, message: &str) {
        if normal {
            tracing::info!(reason, object, "{message}");
        } else {
            tracing::warn!(reason, object, "{message}");
        }
        self.keep(normal, reason, object, message);
    }

    /// Keeps what was logged elsewhere.
    pub(crate) fn keep(&self, normal: bool, reason: &str, object: &str, message: &str) {
        let happening = Happening {
            time: now(),
            kind: if normal { "Normal" } else { "Warning" }.to_owned(),
            reason: reason.to_owned(),
            object: object.to_owned(),
            message: message.to_owned(),
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_front(Arc::new(happening));
        kept.truncate(KEPT);
    }

    /// All that is kept.
    pub(crate) fn all(&self) -> Vec<Arc<Happening>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// `2026-11-21 15:04:05 UTC`, of seconds since 1970.
pub(crate) fn date(seconds: u64) -> String {
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March here, so that the leap day comes last.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + later;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_as_the_calendar_says() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (951_868_800, "2000-03-01 00:00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }
}
