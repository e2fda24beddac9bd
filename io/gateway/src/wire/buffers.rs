//! Buffers shared by all connections of one core.
//!
//! A connection that waits holds none: it takes one when there is something to read and gives it
//! back (by dropping it) when the bytes have gone on. What has begun and does not go on waits in a
//! buffer of its own size, so that many heads that are never finished cost what they are long.

use std::cell::{Cell, RefCell};
use std::io;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::task::Poll;

/// Buffers of one size.
pub(crate) struct BufferPool {
    size: usize,
    /// How many unused ones are kept.
    keep: usize,
    free: RefCell<Vec<Box<[u8]>>>,
    /// How many of the unused ones were never needed since the last trim.
    spare: Cell<usize>,
}

/// A buffer on loan, of which the first `filled` bytes count.
pub(crate) struct Buffer {
    /// Of the pool's size, or just what is filled while it is parked.
    bytes: Box<[u8]>,
    /// How many bytes are in use.
    pub(crate) filled: usize,
    pool: Rc<BufferPool>,
}

/// More than this is not copied to save memory.
const PARKED: usize = 4 * 1024;

/// Unused buffers that are kept in any case.
const KEEP: usize = 4;

impl BufferPool {
    pub(crate) fn new(size: usize, keep: usize) -> Rc<Self> {
        Rc::new(Self { size, keep, free: RefCell::default(), spare: Cell::default() })
    }

    pub(crate) fn take(self: &Rc<Self>) -> Buffer {
        Buffer { bytes: self.take_bytes(), filled: 0, pool: self.clone() }
    }

    /// Reads on into what was begun in `slot`, which holds nothing where nothing has come.
    ///
    /// Taking a buffer and giving it back when nothing is there is cheaper than asking first.
    #[inline]
    pub(crate) fn fill(
        self: &Rc<Self>,
        slot: &mut Option<Buffer>,
        read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let buffer = slot.get_or_insert_with(|| self.take());
        let outcome = read(buffer.room());
        if let Poll::Ready(Ok(count)) = outcome {
            buffer.filled += count;
        }
        if buffer.filled == 0 {
            *slot = None;
        } else if outcome.is_pending() {
            buffer.park();
        }
        outcome
    }

    /// Once a second: half of what was not needed since is given up. Returns how many bytes.
    pub(crate) fn trim(&self) -> usize {
        let mut free = self.free.borrow_mut();
        let left = free.len() - self.spare.get().min(free.len()).div_ceil(2);
        let before = free.len();
        free.truncate(left.max(KEEP));
        self.spare.set(free.len());
        (before - free.len()) * self.size
    }

    fn take_bytes(&self) -> Box<[u8]> {
        let mut free = self.free.borrow_mut();
        let bytes = free.pop();
        self.spare.set(self.spare.get().min(free.len()));
        bytes.unwrap_or_else(|| vec![0; self.size].into_boxed_slice())
    }

    fn give(&self, bytes: Box<[u8]>) {
        let mut free = self.free.borrow_mut();
        if free.len() < self.keep {
            free.push(bytes);
        }
    }
}

impl Buffer {
    /// Forgets the first `count` of the filled bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.bytes.copy_within(count..self.filled, 0);
        self.filled -= count;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.filled == self.pool.size
    }

    /// The part that is not filled yet.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.bytes.len() < self.pool.size {
            let mut bytes = self.pool.take_bytes();
            bytes[..self.filled].copy_from_slice(&self.bytes[..self.filled]);
            self.bytes = bytes;
        }
        &mut self.bytes[self.filled..]
    }

    /// Nothing comes for the moment: what is filled moves to where it takes no more room than it
    /// needs, as long as that is little to copy.
    pub(crate) fn park(&mut self) {
        if self.filled <= PARKED && self.bytes.len() == self.pool.size {
            let parked = self.bytes[..self.filled].into();
            self.pool.give(std::mem::replace(&mut self.bytes, parked));
        }
    }
}

/// The filled bytes.
impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.bytes.len() == self.pool.size {
            self.pool.give(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parked_buffer_takes_what_it_holds() {
        let pool = BufferPool::new(16 * 1024, 8);
        let mut buffer = pool.take();
        buffer.room()[..3].copy_from_slice(b"abc");
        buffer.filled = 3;
        buffer.park();
        assert_eq!((buffer.bytes.len(), &*buffer), (3, &b"abc"[..]));
        assert_eq!(pool.free.borrow().len(), 1, "the large one is free");
        assert!(!buffer.is_full());
        buffer.room()[..1].copy_from_slice(b"d");
        buffer.filled += 1;
        assert_eq!((buffer.bytes.len(), &*buffer), (16 * 1024, &b"abcd"[..]));
        buffer.filled = PARKED + 1;
        buffer.park();
        assert_eq!(buffer.bytes.len(), 16 * 1024, "that would be much to copy");
        buffer.park();
        drop(buffer);
        assert_eq!(pool.free.borrow().len(), 1);
    }

    #[test]
    fn a_pool_keeps_so_many() {
        let pool = BufferPool::new(16, 2);
        drop((0..3).map(|_| pool.take()).collect::<Vec<_>>());
        assert_eq!(pool.free.borrow().len(), 2);
    }

    #[test]
    fn a_buffer_has_room_until_it_is_full() {
        let pool = BufferPool::new(16, 2);
        let mut buffer = pool.take();
        let place = buffer.room().as_ptr();
        assert_eq!(buffer.room().as_ptr(), place, "it stays where it is");
        buffer.filled = 15;
        assert!(!buffer.is_full());
        buffer.filled = 16;
        assert!(buffer.is_full() && buffer.room().is_empty());
    }

    #[test]
    fn what_is_not_needed_is_given_up() {
        let pool = BufferPool::new(10, 64);
        drop((0..64).map(|_| pool.take()).collect::<Vec<_>>());
        assert_eq!(pool.trim(), 0, "a moment ago all were needed");
        drop((0..20).map(|_| pool.take()).collect::<Vec<_>>());
        assert_eq!(pool.trim(), 220, "half of 44");
        let rounds = std::iter::repeat_with(|| pool.trim()).take_while(|bytes| *bytes > 0).count();
        assert!((2..9).contains(&rounds));
        assert_eq!(pool.free.borrow().len(), KEEP);
    }
}
