//! What is worth saying again: each reason about each thing once in a while, however often it
//! happens.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The same is said once in this time.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// What was not said for so long is new again.
const REMEMBERED: Duration = Duration::from_mins(1);

/// What was said of what, on one core.
#[derive(Default)]
pub(super) struct Warnings(RefCell<HashMap<(&'static str, Arc<str>), Said>>);

/// When it was said last, and how often it has happened since.
type Said = (Option<Instant>, u64);

impl Warnings {
    /// It happened `now`. How often since it was said last, when it is time to say it again.
    pub(super) fn note(&self, reason: &'static str, about: &Arc<str>, now: Instant) -> Option<u64> {
        let mut all = self.0.borrow_mut();
        let (last, times) = all.entry((reason, about.clone())).or_default();
        *times += 1;
        if last.is_some_and(|last| now.duration_since(last) < WARN_EVERY) {
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(times))
    }

    /// Forgets what is long ago.
    pub(super) fn prune(&self, now: Instant) {
        let is_recent = |last: Instant| now.duration_since(last) < REMEMBERED;
        self.0.borrow_mut().retain(|_, (last, _)| last.is_some_and(is_recent));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_in_a_while_with_how_often_it_was() {
        let (warnings, start) = (Warnings::default(), Instant::now());
        let [one, other] = ["one", "other"].map(Arc::<str>::from);
        for (reason, about, seconds, said) in [
            ("closed", &one, 0, Some(1)),
            ("closed", &one, 0, None),
            ("closed", &other, 1, Some(1)),
            ("timeout", &one, 2, Some(1)),
            ("closed", &one, 9, None),
            ("closed", &one, 10, Some(3)),
            ("closed", &one, 19, None),
            ("closed", &one, 50, Some(2)),
        ] {
            let now = start + Duration::from_secs(seconds);
            assert_eq!(warnings.note(reason, about, now), said, "{reason} {about} {seconds}");
        }
    }

    #[test]
    fn what_is_long_ago_takes_no_memory() {
        let (warnings, start) = (Warnings::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        warnings.note("closed", &"early".into(), at(0));
        warnings.note("closed", &"late".into(), at(30));
        for (seconds, left) in [(0, 2), (59, 2), (60, 1), (89, 1), (90, 0)] {
            warnings.prune(at(seconds));
            assert_eq!(warnings.0.borrow().len(), left, "{seconds}");
        }
    }
}
