//! Places for connections: as many as there are descriptors for, and no more.
//!
//! Who accepts a connection takes a place for it first or waits for one; it is free again when the
//! [`TakenPlace`] is dropped. Each part of the program has its own, so that none can use up what
//! another needs. The number may change at any time: nobody is thrown out, nobody new gets in.
//!
//! Where all are taken by who is idle, those make room, and nobody notices; who still has none
//! after a while is *kept waiting*, which is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Who has no place after this long is kept waiting: making room takes a fraction of it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The places of one part. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Places(Arc<Shared>);

/// A place that is taken; free again when dropped.
#[derive(Debug)]
pub struct TakenPlace(Places);

#[derive(Debug)]
struct Shared {
    limit: AtomicUsize,
    taken: AtomicUsize,
    waiting: AtomicUsize,
    wanting: AtomicU64,
    failed: AtomicU64,
    delayed: AtomicU64,
    freed: Notify,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            limit: AtomicUsize::new(usize::MAX),
            taken: AtomicUsize::default(),
            waiting: AtomicUsize::default(),
            wanting: AtomicU64::default(),
            failed: AtomicU64::default(),
            delayed: AtomicU64::default(),
            freed: Notify::default(),
        }
    }
}

impl Places {
    /// So many. [`Places::default`] has no end of them.
    pub fn new(limit: usize) -> Self {
        let places = Self::default();
        places.set_limit(limit);
        places
    }

    /// Changes how many there are.
    pub fn set_limit(&self, limit: usize) {
        self.0.limit.store(limit, Ordering::Relaxed);
        self.0.freed.notify_waiters();
    }

    /// How many there are.
    pub fn limit(&self) -> usize {
        self.0.limit.load(Ordering::Relaxed)
    }

    /// How many are taken; after the limit was lowered there may be more than it.
    pub fn taken(&self) -> usize {
        self.0.taken.load(Ordering::Relaxed)
    }

    /// Connections that wait for a place now.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// Connections, ever, for which there was no place at once.
    pub fn wanting(&self) -> u64 {
        self.0.wanting.load(Ordering::Relaxed)
    }

    /// Times, ever, that the system refused a connection although there was a place.
    pub fn failed(&self) -> u64 {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// Grows as long as somebody is kept waiting, and with everybody who is turned away.
    pub fn delayed(&self) -> u64 {
        self.0.delayed.load(Ordering::Relaxed)
    }

    /// Whether none is free.
    pub fn is_full(&self) -> bool {
        self.taken() >= self.limit()
    }

    /// The system refused a connection although there was a place.
    pub fn note_failure(&self) {
        self.0.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Somebody got no place, and is not served.
    pub fn note_delay(&self) {
        self.0.delayed.fetch_add(1, Ordering::Relaxed);
    }

    /// A place, if one is free; else that counts as wanting.
    pub fn take_now(&self) -> Option<TakenPlace> {
        let place = self.attempt();
        if place.is_none() {
            self.0.wanting.fetch_add(1, Ordering::Relaxed);
        }
        place
    }

    /// A place. Where none is free, `make_room` has others leave, and is asked again each `pause`:
    /// who was busy at first may be idle then.
    pub async fn take_making_room(
        &self,
        pause: Duration,
        mut make_room: impl FnMut(),
    ) -> TakenPlace {
        if let Some(place) = self.take_now() {
            return place;
        }
        let since = Instant::now();
        loop {
            make_room();
            if let Ok(place) = tokio::time::timeout(pause, self.take()).await {
                return place;
            }
            if since.elapsed() >= PATIENCE {
                self.note_delay();
            }
        }
    }

    /// A place, as soon as one is free. Cancel-safe.
    pub async fn take(&self) -> TakenPlace {
        if let Some(place) = self.attempt() {
            return place;
        }
        let waiting = Waiting(&self.0.waiting);
        waiting.0.fetch_add(1, Ordering::Relaxed);
        loop {
            let mut freed = std::pin::pin!(self.0.freed.notified());
            freed.as_mut().enable();
            if let Some(place) = self.attempt() {
                return place;
            }
            freed.await;
        }
    }

    fn attempt(&self) -> Option<TakenPlace> {
        let limit = self.limit();
        let free = |taken: usize| (taken < limit).then_some(taken + 1);
        let taken = &self.0.taken;
        taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).ok()?;
        Some(TakenPlace(self.clone()))
    }
}

impl Drop for TakenPlace {
    fn drop(&mut self) {
        let shared = &self.0.0;
        shared.taken.fetch_sub(1, Ordering::Relaxed);
        shared.freed.notify_one();
    }
}

/// Counted while somebody waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Places;

    #[tokio::test]
    async fn who_is_idle_makes_room_unnoticed_and_who_finds_all_busy_is_kept_waiting() {
        let (places, pause) = (Places::new(1), Duration::from_millis(20));
        let mut idle = places.take_now();
        let place = places.take_making_room(pause, || drop(idle.take())).await;
        assert_eq!((places.delayed(), places.wanting()), (0, 1));
        let busy = tokio::spawn({
            let places = places.clone();
            async move { drop(places.take_making_room(pause, || ()).await) }
        });
        while places.delayed() < 2 {
            tokio::time::sleep(pause).await;
        }
        drop(place);
        busy.await.unwrap();
        assert_eq!((places.taken(), places.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn nobody_gets_in_beyond_the_limit_and_who_waits_does_when_one_leaves() {
        let places = Places::new(2);
        let (one, two) = (places.take_now().unwrap(), places.take().await);
        assert!(places.take_now().is_none() && places.is_full());
        assert_eq!((places.taken(), places.wanting()), (2, 1));
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let places = places.clone();
                tokio::spawn(async move { drop(places.take().await) })
            })
            .collect();
        while places.waiting() < 3 {
            tokio::task::yield_now().await;
        }
        drop(one);
        for each in waiting {
            each.await.unwrap();
        }
        assert_eq!((places.taken(), places.waiting()), (1, 0));
        drop(two);
    }

    #[tokio::test]
    async fn a_lower_limit_throws_nobody_out_and_a_higher_one_lets_in() {
        let places = Places::new(2);
        let held = (places.take_now(), places.take_now());
        places.set_limit(1);
        drop(held.0);
        assert!(places.take_now().is_none());
        let waits = tokio::spawn({
            let places = places.clone();
            async move { drop(places.take().await) }
        });
        while places.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        places.set_limit(2);
        waits.await.unwrap();
    }
}
