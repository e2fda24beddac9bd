//! How soon each of many sources may come again, in a table of fixed size that all cores share.
//!
//! A source's bucket is one number: the time at which it will be full again (the theoretical
//! arrival time of the generic cell rate algorithm). One that is full is as good as none, so it is
//! forgotten without a loss. Where more sources than places come at once, the one that is fullest
//! goes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Sources of which it knows, at most.
const PLACES: usize = 1 << 16;
/// Places where one source may be.
const WINDOW: usize = 8;
/// Places that come to be together, once one of them is wanted.
const SHELF: usize = 1 << 10;
/// Parts of a nanosecond that are counted, as bits: rates of a million a second are exact, and 36
/// years fit.
const FRACTION: u32 = 4;

/// Buckets of many sources.
#[derive(Debug)]
pub(crate) struct Buckets {
    /// What times are counted from.
    begin: OnceLock<Instant>,
    shelves: Box<[OnceLock<Box<[Bucket]>>]>,
}

#[derive(Debug, Default)]
struct Bucket {
    /// Whose it is; 0 is nobody's.
    source: AtomicU64,
    /// When it is full again.
    full: AtomicU64,
}

/// How fast a bucket fills, and how much is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Time for one, in parts of a nanosecond.
    pub(crate) each: u64,
    /// Time for a whole bucket, in the same.
    pub(crate) all: u64,
    /// How long one may be waited for, in the same.
    pub(crate) patience: u64,
}

impl Pace {
    /// `average` in each `period`, `burst` at once. None where nothing is limited.
    pub(crate) fn new(average: u64, period: Duration, burst: u64) -> Option<Self> {
        let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        let scaled = u128::from(period) << FRACTION;
        let each = scaled.checked_div(average.into())?;
        let each = u64::try_from(each).unwrap_or(u64::MAX);
        let second = 1_000_000_000_u64 << FRACTION;
        // Traefik: half the time between two, where that is a second or less.
        let whole_rate = second.checked_div(each).unwrap_or(u64::MAX).max(1);
        let patience = second / whole_rate / 2;
        Some(Self { each, all: each.saturating_mul(burst), patience })
    }

    /// How long one may be waited for, in microseconds.
    pub(crate) fn patience_micros(self) -> u64 {
        (self.patience >> FRACTION) / 1000
    }
}

impl Default for Buckets {
    fn default() -> Self {
        let shelves = (0..PLACES / SHELF).map(|_| OnceLock::new()).collect();
        Self { begin: OnceLock::new(), shelves }
    }
}

impl Buckets {
    /// Takes one out of the bucket of `source`, and says how long to wait for it.
    ///
    /// # Errors
    /// When it would be longer than is waited; nothing is taken then.
    pub(crate) fn take(&self, source: u64, pace: Pace, now: Instant) -> Result<Duration, Duration> {
        let begin = *self.begin.get_or_init(|| now);
        let passed = now.saturating_duration_since(begin).as_nanos();
        let now = u64::try_from(passed << FRACTION).unwrap_or(u64::MAX);
        let bucket = self.bucket(source.max(1), now);
        let mut full = bucket.full.load(Ordering::Relaxed);
        loop {
            let next = full.max(now).saturating_add(pace.each);
            let wait = next.saturating_sub(pace.all).saturating_sub(now);
            if wait > pace.patience {
                return Err(duration(wait));
            }
            match bucket.full.compare_exchange_weak(
                full,
                next,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(duration(wait)),
                Err(other) => full = other,
            }
        }
    }

    /// The bucket of a source: its own, else a full one, else the fullest.
    fn bucket(&self, source: u64, now: u64) -> &Bucket {
        let window = self.window(source);
        loop {
            let own = window.iter().find(|it| it.source.load(Ordering::Acquire) == source);
            if let Some(own) = own {
                return own;
            }
            let full = |it: &Bucket| it.full.load(Ordering::Relaxed);
            let Some(place) = window.iter().min_by_key(|it| full(it)) else {
                unreachable!("a window has places")
            };
            let former = place.source.load(Ordering::Acquire);
            let was = full(place);
            let taken = former != source
                && place
                    .source
                    .compare_exchange(former, source, Ordering::AcqRel, Ordering::Acquire)
                    .is_ok();
            if taken {
                // Whoever has just taken of it for the former source loses that, and no other.
                if was > now {
                    _ = place.full.compare_exchange(was, now, Ordering::Relaxed, Ordering::Relaxed);
                }
                return place;
            }
        }
    }

    fn window(&self, source: u64) -> &[Bucket] {
        #[expect(clippy::cast_possible_truncation, reason = "some bits of it are enough")]
        let place = (source as usize) % (PLACES / WINDOW) * WINDOW;
        let shelf = self.shelves[place / SHELF]
            .get_or_init(|| (0..SHELF).map(|_| Bucket::default()).collect());
        &shelf[place % SHELF..][..WINDOW]
    }
}

fn duration(time: u64) -> Duration {
    Duration::from_nanos(time >> FRACTION)
}
