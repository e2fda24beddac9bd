//! Buffers shared by all connections of one core.
//!
//! A connection that waits holds none: it takes one when there is something to read and gives it
//! back (by dropping it) when the bytes have gone on.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// Buffers of one size.
pub(crate) struct BufferPool {
    size: usize,
    /// How many unused ones are kept.
    keep: usize,
    free: RefCell<Vec<Box<[u8]>>>,
}

/// A buffer on loan, of which the first `filled` bytes count.
pub(crate) struct Buffer {
    bytes: Box<[u8]>,
    /// How many bytes are in use.
    pub(crate) filled: usize,
    pool: Rc<BufferPool>,
}

impl BufferPool {
    pub(crate) fn new(size: usize, keep: usize) -> Rc<Self> {
        Rc::new(Self { size, keep, free: RefCell::default() })
    }

    pub(crate) fn take(self: &Rc<Self>) -> Buffer {
        let free = self.free.borrow_mut().pop();
        let bytes = free.unwrap_or_else(|| vec![0; self.size].into_boxed_slice());
        Buffer { bytes, filled: 0, pool: self.clone() }
    }
}

impl Buffer {
    /// Forgets the first `count` of the filled bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.bytes.copy_within(count..self.filled, 0);
        self.filled -= count;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.filled == self.bytes.len()
    }

    /// The part that is not filled yet.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.filled..]
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
        let mut free = self.pool.free.borrow_mut();
        if free.len() < self.pool.keep {
            free.push(std::mem::take(&mut self.bytes));
        }
    }
}
