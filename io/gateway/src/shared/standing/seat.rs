//! Places for requests at an endpoint, and who waits for one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use steelyard_model::routing::care::Most;
use tokio::sync::Notify;

use super::EndpointStanding;

/// A request that an endpoint has, until this is dropped.
pub(crate) struct Seat {
    at: Arc<EndpointStanding>,
    line: Option<Arc<Line>>,
}

/// Those who wait, at one backend, until one of its endpoints has a place.
#[derive(Default)]
pub(crate) struct Line {
    waiting: AtomicU32,
    free: Notify,
}

/// One who waits.
pub(crate) struct Waiter(Arc<Line>);

/// Whose place becomes free at another backend of the same endpoint is looked for so often.
const LOOK: Duration = Duration::from_millis(20);

impl Seat {
    pub(super) fn take(at: &Arc<EndpointStanding>, line: Option<&Arc<Line>>) -> Option<Self> {
        let most = at.spot.care.most.map_or(u32::MAX, |most| most.in_flight);
        if at.load.fetch_add(1, Ordering::Relaxed) >= most {
            // Not a place that has become free: nobody is told.
            at.load.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self { at: at.clone(), line: line.cloned() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.at.load.fetch_sub(1, Ordering::Relaxed);
        if let Some(line) =
            self.line.as_ref().filter(|line| line.waiting.load(Ordering::Relaxed) > 0)
        {
            line.free.notify_one();
        }
    }
}

impl Line {
    /// One more who waits; none where as many do as may.
    pub(crate) fn join(self: &Arc<Self>, most: Most) -> Option<Waiter> {
        let had = self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiter = Waiter(self.clone());
        (had < most.pending).then_some(waiter)
    }
}

impl Waiter {
    /// Until there may be a place.
    pub(crate) async fn wait(&self) {
        let _ = tokio::time::timeout(LOOK, self.0.free.notified()).await;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
