//! When what is ours is set again after others changed it.

use std::time::{Duration, Instant};

/// When our tables, rules and routes are set again after others changed them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mending {
    due: Option<Instant>,
    last: Option<Instant>,
}

/// Whoever restores a ruleset does so in several steps.
const SETTLE: Duration = Duration::from_millis(50);
/// Between two repairs: a program that fights with us does not get all our time.
const PAUSE: Duration = Duration::from_millis(300);

impl Mending {
    /// When it is to be set again, if at all.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What is ours was changed at `now`.
    pub fn ask(&mut self, now: Instant) {
        let earliest = self.last.map_or(now, |last| last + PAUSE);
        let due = earliest.max(now + SETTLE);
        self.due = Some(self.due.map_or(due, |before| before.min(due)));
    }

    /// It was set again at `now`.
    pub fn done(&mut self, now: Instant) {
        (self.due, self.last) = (None, Some(now));
    }
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "any moment will do, and there is no other way to one"
)]
mod tests {
    use super::*;

    #[test]
    fn repairs_wait_for_the_last_step_and_leave_time_between_them() {
        let start = Instant::now();
        let mut mending = Mending::default();
        assert_eq!(mending.due(), None);
        mending.ask(start);
        mending.ask(start + SETTLE / 2);
        assert_eq!(mending.due(), Some(start + SETTLE), "who goes on changing puts nothing off");
        mending.done(start + SETTLE);
        assert_eq!(mending.due(), None);
        mending.ask(start + SETTLE);
        assert_eq!(mending.due(), Some(start + SETTLE + PAUSE));
    }
}
