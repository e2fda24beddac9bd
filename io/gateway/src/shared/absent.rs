//! Whom filters ask without an answer: who says who may pass, counts for all replicas or has pages.
//! It is said once when one is away, and once more when it answers again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use steelyard_model::routing::id::BackendId;

/// However often one comes and goes, it is said to be away once in this time.
const SAID_EVERY: Duration = Duration::from_mins(1);

/// So many are remembered.
const MOST: usize = 1_000;

/// Those that are away, and were a while ago.
#[derive(Default)]
pub(crate) struct Absent {
    /// How many are: as long as none is, who answers is no news, and nobody waits for a lock.
    away: AtomicUsize,
    known: Mutex<HashMap<BackendId, Absence>>,
}

/// When it was said last that one is away, and whether it still is.
struct Absence {
    said: Instant,
    is_away: bool,
}

impl Absent {
    /// It gives no answer `now`. Whether that is to be said.
    pub(crate) fn is_lost(&self, backend: &BackendId, now: Instant) -> bool {
        let mut known = self.known();
        let is_recent = |it: &Absence| now.saturating_duration_since(it.said) < SAID_EVERY;
        if known.get(backend).is_some_and(|it| it.is_away || is_recent(it)) {
            return false;
        }
        if known.len() >= MOST {
            known.retain(|_, it| is_recent(it));
            self.away.store(known.values().filter(|it| it.is_away).count(), Ordering::Relaxed);
        }
        if known.len() >= MOST {
            return false;
        }
        known.insert(backend.clone(), Absence { said: now, is_away: true });
        self.away.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// It answers. Whether it was said to be away.
    pub(crate) fn is_back(&self, backend: &BackendId) -> bool {
        if self.away.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut known = self.known();
        let Some(absence) = known.get_mut(backend).filter(|it| it.is_away) else { return false };
        absence.is_away = false;
        self.away.fetch_sub(1, Ordering::Relaxed);
        true
    }

    fn known(&self) -> MutexGuard<'_, HashMap<BackendId, Absence>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_that_one_is_away_and_once_that_it_is_back() {
        let (absent, start) = (Absent::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let [login, counter] = ["login", "counter"].map(BackendId::from);
        assert!(!absent.is_back(&login));
        for (seconds, is_said) in [(0, true), (1, false), (100, false)] {
            assert_eq!(absent.is_lost(&login, at(seconds)), is_said, "{seconds}");
        }
        assert!(absent.is_lost(&counter, at(1)), "another one");
        assert!(absent.is_back(&login) && !absent.is_back(&login));
        for (seconds, is_said) in [(30, false), (59, false), (60, true)] {
            assert_eq!(absent.is_lost(&login, at(seconds)), is_said, "{seconds}");
        }
        assert!(absent.is_back(&login) && absent.is_back(&counter));
        assert_eq!(absent.away.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn so_many_are_remembered() {
        let (absent, start) = (Absent::default(), Instant::now());
        let lost = |name: usize, now| absent.is_lost(&BackendId::from(&*name.to_string()), now);
        assert!((0..MOST).all(|name| lost(name, start)));
        assert!(!lost(MOST, start));
        assert!(lost(MOST, start + SAID_EVERY), "others were long ago");
        assert_eq!(absent.away.load(Ordering::Relaxed), 1);
    }
}
