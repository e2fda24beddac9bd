//! What one core keeps of requests for whoever may be asked after another, or for filters that want
//! bodies whole, and copies that are under way: so many, and so many bytes.

use std::cell::Cell;
use std::rc::Rc;

use super::spares::{Spare, Spares};

/// Copies under way at a time.
const MOST_COPIES: usize = 256;

/// Bytes of requests that are kept or copied at a time.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// What there is now, wherever it is looked at.
#[derive(Clone, Default)]
pub(crate) struct Stock {
    taken: Rc<Taken>,
}

#[derive(Default)]
struct Taken {
    copies: Cell<usize>,
    bytes: Cell<usize>,
    spares: Spares,
}

/// A part of it, until it is dropped.
pub(crate) struct Stocked {
    taken: Rc<Taken>,
    copies: usize,
    bytes: usize,
}

impl Stock {
    /// Room for so many bytes, if there is.
    pub(crate) fn bytes(&self, bytes: usize) -> Option<Stocked> {
        self.take(0, bytes)
    }

    /// A place for a copy of so many bytes, if there is.
    pub(crate) fn copy(&self, bytes: usize) -> Option<Stocked> {
        self.take(1, bytes)
    }

    /// Room for a request on its way through filters.
    pub(crate) fn spare(&self) -> Spare {
        self.taken.spares.take()
    }

    /// A request is over, which has left this.
    pub(crate) fn put_back(&self, spare: Spare) {
        self.taken.spares.put(spare);
    }

    fn take(&self, copies: usize, bytes: usize) -> Option<Stocked> {
        let Taken { copies: all_copies, bytes: all_bytes, .. } = &*self.taken;
        let now = (all_copies.get() + copies, all_bytes.get() + bytes);
        if now.0 > MOST_COPIES || now.1 > MOST_BYTES {
            return None;
        }
        all_copies.set(now.0);
        all_bytes.set(now.1);
        Some(Stocked { taken: self.taken.clone(), copies, bytes })
    }
}

impl Stocked {
    /// Room for so many bytes more, if there is.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let now = self.taken.bytes.get() + bytes;
        if now > MOST_BYTES {
            return false;
        }
        self.taken.bytes.set(now);
        self.bytes += bytes;
        true
    }
}

impl Drop for Stocked {
    fn drop(&mut self) {
        self.taken.copies.set(self.taken.copies.get() - self.copies);
        self.taken.bytes.set(self.taken.bytes.get() - self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_in_number_and_bytes() {
        let stock = Stock::default();
        let copies: Vec<Option<Stocked>> = (0..MOST_COPIES).map(|_| stock.copy(1)).collect();
        assert!(copies.iter().all(Option::is_some) && stock.copy(1).is_none());
        assert!(stock.bytes(MOST_BYTES - MOST_COPIES).is_some());
        assert!(stock.bytes(MOST_BYTES - MOST_COPIES + 1).is_none());
        drop(copies);
        let mut growing = stock.bytes(1).expect("there is room");
        assert!(growing.grow(MOST_BYTES - 2) && growing.grow(1) && !growing.grow(1));
        drop(growing);
        assert!(stock.copy(MOST_BYTES).is_some() && stock.copy(MOST_BYTES + 1).is_none());
    }
}
