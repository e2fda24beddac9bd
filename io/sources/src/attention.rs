//! What a look is at, for whoever wonders why it does not end: a share whose server is gone makes
//! whoever reads it wait, for as long as it likes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A look that has not ended after this long is told.
pub(crate) const LONG: Duration = Duration::from_secs(5);

/// Where a look is, seen from outside.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attention(Arc<Mutex<Spot>>);

#[derive(Debug, Default)]
struct Spot {
    name: Arc<str>,
    since: Option<Instant>,
}

impl Attention {
    /// A look begins.
    pub(crate) fn begin(&self) {
        self.with(|spot| spot.since = Some(Instant::now()));
    }

    /// It is at this file or folder.
    pub(crate) fn turn_to(&self, name: &Arc<str>) {
        self.with(|spot| spot.name = name.clone());
    }

    /// It has ended, or waits for something that may take its time.
    pub(crate) fn rest(&self) {
        self.with(|spot| spot.since = None);
    }

    /// Where a look is that should have ended.
    pub(crate) fn held_up(&self) -> Option<Arc<str>> {
        self.with(|spot| {
            spot.since.filter(|since| since.elapsed() >= LONG).map(|_| spot.name.clone())
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Spot) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
