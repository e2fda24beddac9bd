//! Room that requests need on their way through filters, kept from those that are over: memory is
//! not asked for each time. Nothing of a request stays in it.

use std::cell::RefCell;

use steelyard_filters::{Recipe, SpareLayers};
use steelyard_http::RequestChanges;

/// What is kept of requests that are over.
#[derive(Default)]
pub(super) struct Spares {
    free: RefCell<Vec<Spare>>,
}

/// Room for one request.
#[derive(Default)]
pub(crate) struct Spare {
    /// For the frames that it enters.
    pub(crate) layers: SpareLayers<Recipe>,
    /// For what is changed about it.
    pub(crate) changes: RequestChanges,
    /// For its head.
    pub(crate) text: Vec<u8>,
}

/// How many are kept: as many requests are mostly under way at once on one core.
const KEEP: usize = 32;

/// Bytes of lines and of heads for which room is kept.
const KEEP_CAPACITY: usize = 4 * 1024;

impl Spares {
    /// Room, perhaps of another request.
    pub(super) fn take(&self) -> Spare {
        self.free.borrow_mut().pop().unwrap_or_default()
    }

    /// A request is over.
    pub(super) fn put(&self, mut spare: Spare) {
        let mut free = self.free.borrow_mut();
        if free.len() >= KEEP {
            return;
        }
        spare.text.clear();
        spare.changes.clear();
        if spare.text.capacity() > KEEP_CAPACITY {
            spare.text = Vec::new();
        }
        if spare.changes.lines.capacity() > KEEP_CAPACITY {
            spare.changes = RequestChanges::default();
        }
        free.push(spare);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_request_stays_and_little_is_kept() {
        let spares = Spares::default();
        for size in [10, KEEP_CAPACITY + 1] {
            let mut spare = spares.take();
            spare.text.resize(size, b'x');
            spare.changes.lines.set("X-A", &vec![b'y'; size]).expect("a line");
            spare.changes.path = Some("/x".into());
            spares.put(spare);
            let Spare { text, changes, .. } = spares.take();
            assert!(text.is_empty() && changes == RequestChanges::default());
            let kept = [text.capacity(), changes.lines.capacity()];
            assert!(kept.iter().all(|kept| (*kept > 0) == (size == 10)), "{kept:?}");
        }
        (0..2 * KEEP).for_each(|_| spares.put(Spare::default()));
        assert_eq!(spares.free.borrow().len(), KEEP);
    }
}
