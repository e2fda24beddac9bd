//! Turns of those that are not watched: few ask at a time, and where they are many, less often.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many ask at a time.
const AT_ONCE: usize = 4;
/// An API server is asked so often at most, by all of them together.
const EACH: Duration = Duration::from_millis(50);

/// Who takes turns. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Rounds {
    turns: Arc<Semaphore>,
    count: Arc<AtomicU32>,
}

/// One of them.
pub(crate) struct Member(Rounds);

impl Default for Rounds {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), count: Arc::default() }
    }
}

impl Rounds {
    /// One more takes turns, until this is dropped.
    pub(crate) fn join(&self) -> Member {
        self.count.fetch_add(1, Ordering::Relaxed);
        Member(self.clone())
    }

    /// Waits for its turn.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.turns.clone().acquire_owned().await.ok()
    }

    /// How long a round takes; `least` where they are few.
    pub(super) fn length(&self, least: Duration) -> Duration {
        least.max(EACH * self.count.load(Ordering::Relaxed))
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_ask_less_often() {
        let (rounds, least) = (Rounds::default(), Duration::from_secs(30));
        let few: Vec<Member> = (0..10).map(|_| rounds.join()).collect();
        assert_eq!(rounds.length(least), least);
        let many: Vec<Member> = (0..4_990).map(|_| rounds.join()).collect();
        assert_eq!(rounds.length(least), Duration::from_secs(250));
        drop((few, many));
        assert_eq!(rounds.length(least), least);
    }
}
