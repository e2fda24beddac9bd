//! How a breaker stands, for all cores.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Terms;
use super::window::Window;

/// How a breaker stands. Times are milliseconds since it was first asked, from 1.
#[derive(Debug, Default)]
pub(crate) struct BreakerState {
    begin: OnceLock<Instant>,
    /// When it opened; 0 is not, or not of late.
    opened: AtomicU64,
    /// When the condition was looked at; 0 is never, so that the first response is looked at.
    checked: AtomicU64,
    /// Requests since it has asked again.
    allowed: AtomicU64,
    /// Those that it has turned away meanwhile.
    denied: AtomicU64,
    window: Window,
}

/// How it stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Standing {
    Closed,
    /// Nobody is asked.
    Open,
    /// This share of requests is to be let in, from 0 to 1.
    Recovering(f64),
}

impl BreakerState {
    fn millis(&self, now: Instant) -> u64 {
        let begin = *self.begin.get_or_init(|| now);
        millis(now.saturating_duration_since(begin)).saturating_add(1)
    }

    fn standing(&self, terms: &Terms, now: u64) -> Standing {
        let opened = self.opened.load(Ordering::Acquire);
        let since = now.saturating_sub(opened);
        let (fallback, recovery) = (millis(terms.fallback), millis(terms.recovery));
        match since.checked_sub(fallback) {
            _ if opened == 0 => Standing::Closed,
            None => Standing::Open,
            // As many let in as turned away means that all may come in, since what was turned away
            // stays: so half is all.
            Some(passed) if passed < recovery => {
                Standing::Recovering(0.5 * ratio(passed, recovery))
            }
            Some(_) => Standing::Closed,
        }
    }

    /// Whether a request may come in.
    pub(super) fn lets_in(&self, terms: &Terms, now: Instant) -> bool {
        match self.standing(terms, self.millis(now)) {
            Standing::Closed => true,
            Standing::Open => false,
            Standing::Recovering(share) => {
                let allowed = self.allowed.load(Ordering::Relaxed);
                let denied = self.denied.load(Ordering::Relaxed);
                let may = ratio(allowed, (allowed + denied).max(1)) < share;
                let counter = if may { &self.allowed } else { &self.denied };
                counter.fetch_add(1, Ordering::Relaxed);
                may
            }
        }
    }

    /// Takes in what came of a request, and looks whether it is time to open.
    pub(super) fn record(&self, terms: &Terms, status: u16, time: Duration, now: Instant) {
        let now = self.millis(now);
        self.window.record(status, time, now);
        if self.standing(terms, now) == Standing::Open {
            return;
        }
        let checked = self.checked.load(Ordering::Relaxed);
        let is_time = checked == 0 || now >= checked.saturating_add(millis(terms.check_period));
        let is_mine = is_time
            && self
                .checked
                .compare_exchange(checked, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if is_mine && self.window.meets(&terms.condition, now) {
            self.allowed.store(0, Ordering::Relaxed);
            self.denied.store(0, Ordering::Relaxed);
            self.window.forget();
            self.opened.store(now, Ordering::Release);
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn ratio(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
    let ratio = part as f64 / whole as f64;
    ratio
}
