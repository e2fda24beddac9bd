//! How long nothing was heard on a connection or session, and who ends for that.
//!
//! Each has a limit, as a flow has in the kernel; where others need a place, those that were silent
//! longest end before it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use steelyard_host::places::{Places, TakenPlace};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Places of one kind, and who has them.
#[derive(Clone, Debug, Default)]
pub(super) struct Seats {
    pub(super) places: Places,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    by: HashMap<u64, Arc<Silence>>,
}

/// Its connection or session has a seat until this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) silence: Arc<Silence>,
    number: u64,
    taken: Arc<Mutex<Taken>>,
    _place: TakenPlace,
}

/// When something was last heard, and for how long nothing may be.
#[derive(Debug)]
pub(super) struct Silence {
    began: Instant,
    /// Milliseconds since it began, and of patience.
    last: AtomicU64,
    limit: AtomicU64,
    is_pressed: AtomicBool,
    stirred: Notify,
}

/// Who was heard this short ago is not silent.
const BREATH: Duration = Duration::from_millis(200);
/// Of those who are silent, this part makes room at a time.
const PART: usize = 16;
/// Those who are asked to make room have left after this long, mostly.
const ROOM: Duration = Duration::from_millis(200);

impl Seats {
    pub(super) fn new(places: Places) -> Self {
        Self { places, taken: Arc::default() }
    }

    /// A place; who was silent longest makes room, and where nobody is silent, who is new waits.
    pub(super) async fn place(&self) -> TakenPlace {
        self.places.take_making_room(ROOM, || _ = self.make_room()).await
    }

    /// A place, if there is one now or who was silent longest leaves one at once.
    pub(super) async fn place_now(&self) -> Option<TakenPlace> {
        if let Some(place) = self.places.take_now() {
            return Some(place);
        }
        if !self.make_room() {
            self.places.note_delay();
        }
        tokio::task::yield_now().await;
        self.places.take_now()
    }

    /// Takes the place for something that may be silent for `limit`.
    pub(super) fn seat(&self, place: TakenPlace, limit: Duration) -> Seat {
        let silence = Arc::new(Silence {
            began: Instant::now(),
            last: AtomicU64::new(0),
            limit: AtomicU64::new(milliseconds(limit)),
            is_pressed: AtomicBool::new(false),
            stirred: Notify::new(),
        });
        let mut taken = lock(&self.taken);
        let number = taken.next;
        taken.next += 1;
        taken.by.insert(number, Arc::clone(&silence));
        Seat { silence, number, taken: Arc::clone(&self.taken), _place: place }
    }

    /// Ends those who were silent longest; whether anybody was silent.
    pub(super) fn make_room(&self) -> bool {
        let now = Instant::now();
        let taken = lock(&self.taken);
        let mut silent: Vec<(Instant, &Silence)> =
            taken.by.values().filter_map(|it| Some((it.since(now)?, &**it))).collect();
        let Some(last) = silent.len().checked_sub(1) else { return false };
        let count = last / PART;
        silent.select_nth_unstable_by_key(count, |(since, _)| *since);
        for (_, silence) in &silent[..=count] {
            silence.is_pressed.store(true, Ordering::Relaxed);
            silence.stirred.notify_one();
        }
        true
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.taken).by.remove(&self.number);
    }
}

impl Silence {
    /// Something was heard.
    pub(super) fn broken(&self) {
        self.last.store(milliseconds(self.began.elapsed()), Ordering::Relaxed);
    }

    /// From now on it may last this long.
    pub(super) fn limit(&self, limit: Duration) {
        self.limit.store(milliseconds(limit), Ordering::Relaxed);
        self.stirred.notify_one();
    }

    /// Returns when it has lasted too long, or others need the place.
    pub(super) async fn is_too_long(&self) {
        while !self.is_pressed.load(Ordering::Relaxed) {
            let until = self.last() + Duration::from_millis(self.limit.load(Ordering::Relaxed));
            if until <= Instant::now() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                () = self.stirred.notified() => {}
            }
        }
    }

    /// Whether others need the place.
    pub(super) fn is_pressed(&self) -> bool {
        self.is_pressed.load(Ordering::Relaxed)
    }

    /// Since when it lasts, unless something was heard just now or it ends already.
    fn since(&self, now: Instant) -> Option<Instant> {
        let is_silent = now.saturating_duration_since(self.last()) >= BREATH;
        (is_silent && !self.is_pressed.load(Ordering::Relaxed)).then(|| self.last())
    }

    fn last(&self) -> Instant {
        self.began + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }
}

fn lock(taken: &Mutex<Taken>) -> std::sync::MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
