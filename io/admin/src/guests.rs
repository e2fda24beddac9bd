//! Who is connected, and who makes room when there is no place for one more: those who have asked
//! for nothing for the longest time. Who is being answered stays.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::sync::Notify;

/// Everybody who is connected.
#[derive(Debug, Default)]
pub(crate) struct Guests {
    all: Mutex<Vec<Weak<Presence>>>,
    /// Counts comings and requests, so that they have an order.
    clock: Arc<AtomicU64>,
}

/// One who is connected.
#[derive(Debug)]
pub(crate) struct Guest {
    presence: Arc<Presence>,
    clock: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Presence {
    /// Answers under way.
    busy: AtomicUsize,
    /// When it last came, asked, or was answered.
    last: AtomicU64,
    leave: Notify,
}

/// An answer under way, until the last of it was taken.
struct Answering {
    body: Body,
    _guest: Busy,
}

struct Busy(Arc<Presence>);

impl Guests {
    /// One more is connected.
    pub(crate) fn come(&self) -> Guest {
        let clock = Arc::clone(&self.clock);
        let last = AtomicU64::new(clock.fetch_add(1, Ordering::Relaxed));
        let busy = AtomicUsize::new(0);
        let presence = Arc::new(Presence { busy, last, leave: Notify::new() });
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.strong_count() > 0);
        all.push(Arc::downgrade(&presence));
        Guest { presence, clock }
    }

    /// Asks the one to leave who has asked for nothing for the longest time.
    pub(crate) fn make_room(&self) {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let here = all.iter().filter_map(Weak::upgrade);
        let idle = here.filter(|it| it.busy.load(Ordering::Relaxed) == 0);
        if let Some(longest) = idle.min_by_key(|it| it.last.load(Ordering::Relaxed)) {
            longest.last.store(u64::MAX, Ordering::Relaxed); // the next time another one
            longest.leave.notify_one();
        }
    }
}

impl Guest {
    /// Waits until somebody else needs the place.
    pub(crate) async fn asked_to_leave(&self) {
        self.presence.leave.notified().await;
    }

    /// Stays while it is answered.
    pub(crate) fn serve(
        &self,
        answer: impl Future<Output = Result<Response, Infallible>>,
    ) -> impl Future<Output = Result<Response, Infallible>> {
        let last = self.clock.fetch_add(1, Ordering::Relaxed);
        self.presence.last.store(last, Ordering::Relaxed);
        self.presence.busy.fetch_add(1, Ordering::Relaxed);
        let guest = Busy(Arc::clone(&self.presence));
        async move { Ok(answer.await?.map(|body| Body::new(Answering { body, _guest: guest }))) }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl hyper::body::Body for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
