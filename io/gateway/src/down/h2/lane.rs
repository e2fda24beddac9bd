//! What speaks as a connection of HTTP/1 and carries the requests of a client of HTTP/2, one stream
//! after the other: so a stream costs no task, and nothing that a connection has of its own.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{Interest, Ready};

use super::strand::Strand;
use super::{Open, Place, Strands};
use crate::core::waiting::Waiting;
use crate::wire::Wire;
use crate::wire::buffers::{Buffer, BufferPool};
use crate::wire::flow::Trailers;

/// One of the lanes of a client.
#[derive(Default)]
pub(super) struct Lane {
    /// The stream that it carries, and that one's place among all.
    carried: RefCell<Option<(Strand, Open)>>,
    /// Who waits for the next one.
    waker: Cell<Option<Waker>>,
    /// There is no next one.
    is_over: Cell<bool>,
    pub(super) waiting: Rc<Waiting>,
}

/// Those of a client that carry nothing.
#[derive(Default)]
pub(super) struct FreeLanes {
    all: RefCell<Vec<Rc<Lane>>>,
    /// How many of them were not needed since the last trim.
    spare: Cell<usize>,
}

impl Lane {
    /// Carries `strand` from now on.
    pub(super) fn begin(&self, strand: Strand, strands: &Rc<Strands>, place: Place) {
        let open = Open::new(strands, &self.waiting, strand.ahead(), place);
        *self.carried.borrow_mut() = Some((strand, open));
        self.waker.take().into_iter().for_each(Waker::wake);
    }

    /// Carries nothing any more, ever.
    pub(super) fn end(&self) {
        self.is_over.set(true);
        self.waker.take().into_iter().for_each(Waker::wake);
    }

    fn with<T>(&self, of: impl FnOnce(&mut Strand) -> T) -> Option<T> {
        self.carried.borrow_mut().as_mut().map(|(strand, _)| of(strand))
    }

    fn poll_next(&self, cx: &Context<'_>) -> Poll<io::Result<usize>> {
        if self.is_over.get() {
            return Poll::Ready(Ok(0));
        }
        self.waker.set(Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl FreeLanes {
    /// The one that was busy last.
    pub(super) fn take(&self) -> Option<Rc<Lane>> {
        let mut all = self.all.borrow_mut();
        // Who waited too long has left.
        let lane = std::iter::from_fn(|| all.pop()).find(|lane| !lane.is_over.get());
        self.spare.set(self.spare.get().min(all.len()));
        lane
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.borrow().is_empty()
    }

    /// Now and then: ends those that nobody needed since.
    pub(super) fn trim(&self) {
        let mut all = self.all.borrow_mut();
        let spare = self.spare.get().min(all.len());
        all.drain(..spare).for_each(|lane| lane.end());
        self.spare.set(all.len());
    }
}

impl Drop for FreeLanes {
    fn drop(&mut self) {
        self.all.borrow().iter().for_each(|lane| lane.end());
    }
}

impl Wire for Rc<Lane> {
    const PROTOCOL: Option<&'static str> = Some("HTTP/2.0");
    const IS_DUPLEX: bool = true;

    fn poll_read(
        &self,
        pool: &Rc<BufferPool>,
        slot: &mut Option<Buffer>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match &mut *self.carried.borrow_mut() {
            Some((strand, _)) => pool.fill(slot, |room| strand.poll_read(room, cx)),
            None => self.poll_next(cx),
        }
    }

    fn poll_write(
        &self,
        slices: [&[u8]; 3],
        _: bool,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let written = self.with(|strand| strand.poll_write(slices, cx));
        written.unwrap_or_else(|| Poll::Ready(Err(io::ErrorKind::NotConnected.into())))
    }

    async fn ready(&self, _: Interest) -> io::Result<Ready> {
        poll_fn(|cx| self.with(|strand| strand.poll_reset(cx)).unwrap_or(Poll::Pending)).await?;
        Ok(Ready::ERROR)
    }

    fn trailers(&self) -> Option<Trailers> {
        self.with(|strand| strand.trailers()).flatten()
    }

    fn carry(&self, trailers: Trailers) {
        self.with(|strand| strand.carry(trailers));
    }

    fn turn(&self) -> bool {
        let carried = self.carried.borrow_mut().take();
        if let Some((_, open)) = &carried {
            open.strands.free.all.borrow_mut().push(self.clone());
        }
        true
    }

    fn close(&self) -> io::Result<()> {
        self.with(Strand::close).unwrap_or_else(|| Err(io::ErrorKind::NotConnected.into()))
    }

    fn reset(&self) {
        self.with(Strand::reset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(count: usize) -> (FreeLanes, Vec<Rc<Lane>>) {
        let lanes = Vec::from_iter((0..count).map(|_| Rc::<Lane>::default()));
        let free = FreeLanes::default();
        free.all.borrow_mut().extend(lanes.iter().cloned());
        (free, lanes)
    }

    fn ended(lanes: &[Rc<Lane>]) -> Vec<bool> {
        lanes.iter().map(|lane| lane.is_over.get()).collect()
    }

    #[test]
    fn who_was_busy_last_is_taken_first_and_nobody_who_has_left() {
        let (free, lanes) = free(3);
        lanes[2].end();
        assert!(Rc::ptr_eq(&free.take().unwrap(), &lanes[1]));
        assert!(Rc::ptr_eq(&free.take().unwrap(), &lanes[0]));
        assert!(free.take().is_none() && free.is_empty());
    }

    #[test]
    fn who_was_not_needed_between_two_looks_ends() {
        let (free, lanes) = free(4);
        free.trim();
        assert_eq!(ended(&lanes), [false; 4], "a moment ago there were none");
        let taken = [free.take().unwrap(), free.take().unwrap()];
        free.all.borrow_mut().extend(taken);
        free.trim();
        assert_eq!(ended(&lanes), [true, true, false, false]);
        free.trim();
        assert_eq!(ended(&lanes), [true; 4]);
    }

    #[test]
    fn lanes_end_with_their_client() {
        let (free, lanes) = free(2);
        let mut cx = Context::from_waker(Waker::noop());
        let pool = BufferPool::new(9, 1);
        assert!(lanes[0].poll_read(&pool, &mut None, &mut cx).is_pending());
        drop(free);
        assert!(matches!(lanes[0].poll_read(&pool, &mut None, &mut cx), Poll::Ready(Ok(0))));
        assert_eq!(ended(&lanes), [true, true]);
    }
}
