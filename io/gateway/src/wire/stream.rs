//! Reading and writing as the gateway does it: buffers only when there is something to read,
//! deadlines that cost nothing while nothing is late.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::Sleep;

use crate::wire::buffers::{Buffer, BufferPool};

/// A deadline that moves with every request. The runtime's timer is touched only when the wanted
/// deadline is earlier than the armed one, or when it fires: for a busy connection, almost never.
pub(crate) struct Timer {
    sleep: Pin<Box<Sleep>>,
    armed: Instant,
}

/// Waits for bytes and reads them behind those in `slot`, which is empty again while there are
/// none. 0 means the other side has closed.
pub(crate) async fn read(
    from: &mut ReadHalf<'_>,
    pool: &Rc<BufferPool>,
    slot: &mut Option<Buffer>,
) -> io::Result<usize> {
    poll_fn(|cx| poll_read(from, pool, slot, cx)).await
}

pub(crate) fn poll_read(
    from: &mut ReadHalf<'_>,
    pool: &Rc<BufferPool>,
    slot: &mut Option<Buffer>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    // Taking a buffer and giving it back when nothing is there is cheaper than asking first.
    let buffer = slot.get_or_insert_with(|| pool.take());
    let mut room = ReadBuf::new(buffer.room());
    let outcome = Pin::new(from).poll_read(cx, &mut room);
    let count = room.filled().len();
    buffer.filled += count;
    if buffer.filled == 0 {
        *slot = None;
    } else if outcome.is_pending() {
        buffer.park();
    }
    outcome.map_ok(|()| count)
}

/// Writes all of `bytes`; each wait for room is limited to `stall`. On failure the number of
/// bytes that were taken comes along.
pub(crate) async fn write_all(
    to: &mut WriteHalf<'_>,
    bytes: &[u8],
    stall: Duration,
) -> Result<(), (io::Error, usize)> {
    let mut done = 0;
    while done < bytes.len() {
        let mut write = pin!(poll_fn(|cx| Pin::new(&mut *to).poll_write(cx, &bytes[done..])));
        let outcome = match poll_once(write.as_mut()).await {
            Some(outcome) => outcome,
            None => within(stall, write).await,
        };
        match outcome {
            Ok(0) => return Err((io::ErrorKind::WriteZero.into(), done)),
            Ok(count) => done += count,
            Err(error) => return Err((error, done)),
        }
    }
    Ok(())
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

/// What `future` has right now, without waiting.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

impl Timer {
    pub(crate) fn new(at: Instant) -> Self {
        Self { sleep: Box::pin(tokio::time::sleep_until(at.into())), armed: at }
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
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if self.armed >= deadline {
                return Poll::Ready(());
            }
            self.arm(deadline);
        }
    }

    fn arm(&mut self, at: Instant) {
        self.sleep.as_mut().reset(at.into());
        self.armed = at;
    }
}
