//! How many requests of filters' own wait on one core, by whom they ask: one that never answers
//! holds up so many connections to it, and no more; who asks it then gets no answer at once.

use std::cell::RefCell;
use std::collections::HashMap;

use steelyard_model::routing::id::BackendId;

/// Requests to one backend that wait at a time.
const MOST: usize = 2048;

/// Those that wait.
#[derive(Default)]
pub(crate) struct Askings(RefCell<HashMap<BackendId, usize>>);

/// One that waits, until it is dropped.
pub(crate) struct Asking<'a> {
    all: &'a Askings,
    to: BackendId,
}

impl Askings {
    /// Another one to `to`, if there may be.
    pub(crate) fn begin(&self, to: &BackendId) -> Option<Asking<'_>> {
        let mut all = self.0.borrow_mut();
        let count = all.entry(to.clone()).or_default();
        if *count >= MOST {
            return None;
        }
        *count += 1;
        Some(Asking { all: self, to: to.clone() })
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut all = self.all.0.borrow_mut();
        if let Some(count) = all.get_mut(&self.to) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_wait_for_one_and_others_for_others() {
        let (askings, one, other) = (Askings::default(), "one".into(), "other".into());
        let waiting: Vec<_> = (0..MOST).map(|_| askings.begin(&one)).collect();
        assert!(waiting.iter().all(Option::is_some) && askings.begin(&one).is_none());
        assert!(askings.begin(&other).is_some());
        drop(waiting);
        assert!(askings.begin(&one).is_some());
        assert!(askings.0.borrow().is_empty());
    }
}
