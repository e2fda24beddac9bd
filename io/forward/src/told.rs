//! What others did to what is ours, told without filling the log: a program may fight with us.

use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(crate) struct Told {
    last: Option<Instant>,
    untold: u32,
}

/// Repairs are told at most this often.
const TELL: Duration = Duration::from_secs(1);

impl Told {
    /// `who` changed `what`, which is ours.
    pub(crate) fn tell(&mut self, who: &str, what: &str) {
        let now = Instant::now();
        if self.last.is_some_and(|last| now < last + TELL) {
            self.untold += 1;
            return;
        }
        let before = match std::mem::take(&mut self.untold) {
            0 => String::new(),
            times => format!(" (and {times} times before)"),
        };
        tracing::warn!("{who} changed our {what}{before}: they are set again");
        self.last = Some(now);
    }
}
