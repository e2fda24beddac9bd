//! Deadlines that cost nothing while nothing is late.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// A deadline that moves with every request. The runtime's timer is touched only when the wanted
/// deadline is earlier than the armed one, or when it fires: for a busy connection, almost never.
pub(crate) struct Timer {
    sleep: Pin<Box<Sleep>>,
    armed: Instant,
    /// The runtime knows whom to wake: the connection's task, as long as it lives.
    is_heard: bool,
}

/// `future`'s output, or `TimedOut` after `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    future: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    tokio::time::timeout(limit, future)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

impl Timer {
    pub(crate) fn new(at: Instant) -> Self {
        Self { sleep: Box::pin(tokio::time::sleep_until(at.into())), armed: at, is_heard: false }
    }

    /// `future`'s output, or `None` when `deadline` comes first.
    pub(crate) async fn until<T>(
        &mut self,
        deadline: Instant,
        future: impl Future<Output = T>,
    ) -> Option<T> {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            self.poll_late(deadline, cx).map(|()| None)
        })
        .await
    }

    /// Ready when `deadline` has come.
    pub(crate) fn poll_late(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if deadline < self.armed {
            self.arm(deadline);
        }
        // Who is heard is woken when it is late: not even the clock is looked at before.
        if self.is_heard && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        loop {
            self.is_heard = true;
            ready!(self.sleep.as_mut().poll(cx));
            if self.armed >= deadline {
                return Poll::Ready(());
            }
            self.arm(deadline);
        }
    }

    fn arm(&mut self, at: Instant) {
        self.sleep.as_mut().reset(at.into());
        (self.armed, self.is_heard) = (at, false);
    }
}
