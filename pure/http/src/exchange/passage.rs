//! Bytes of one buffer on their way to the other side.

use std::borrow::Cow;
use std::ops::DerefMut;

use crate::body::Fed;

/// A buffer on loan: its bytes are those that were read and not used yet.
pub trait Loan: DerefMut<Target = [u8]> {
    /// Forgets the first `count` bytes.
    fn consume(&mut self, count: usize);

    /// Whether nothing more fits in.
    fn is_full(&self) -> bool;
}

/// What is to be written of a buffer, what goes behind it, and what of it is used up then.
#[derive(Clone, Debug, Default)]
pub(super) struct Passage {
    at: usize,
    end: usize,
    consumed: usize,
    closing: Cow<'static, [u8]>,
    /// Bytes of it that are written.
    closed: usize,
}

impl Passage {
    /// What became of bytes that begin at `start` of their buffer. With `head`, those before are
    /// written too.
    pub(super) fn new(fed: Fed, start: usize, head: bool) -> Self {
        Self {
            at: if head { 0 } else { start },
            end: start + fed.forward,
            consumed: start + fed.consumed,
            closing: fed.closing,
            closed: 0,
        }
    }

    /// The first `len` bytes, which are used up then.
    pub(super) fn head(len: usize, written: bool) -> Self {
        let at = if written { 0 } else { len };
        Self { at, end: len, consumed: len, ..Self::default() }
    }

    pub(super) fn slices<'a>(&'a self, buffer: Option<&'a [u8]>) -> [&'a [u8]; 2] {
        let closing = &self.closing[self.closed..];
        [buffer.map_or(&b""[..], |bytes| &bytes[self.at..self.end]), closing]
    }

    pub(super) fn len(&self) -> usize {
        self.end - self.at + self.closing.len() - self.closed
    }

    /// So many bytes are written.
    pub(super) fn wrote(&mut self, count: usize) {
        let first = count.min(self.end - self.at);
        self.at += first;
        self.closed = (self.closed + count - first).min(self.closing.len());
    }

    /// Bytes of the buffer that are used up when all is written, or given up.
    pub(super) fn consumed(&self) -> usize {
        self.consumed
    }
}

/// Drops the first `count` bytes, and the buffer with them when nothing is left.
pub fn release<B: Loan>(slot: &mut Option<B>, count: usize) {
    let Some(buffer) = slot else { return };
    if buffer.len() == count {
        *slot = None;
    } else if count > 0 {
        buffer.consume(count);
    }
}
