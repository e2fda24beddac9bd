//! How many of each of many sources are under way, in a table of fixed size that all cores share.
//!
//! Whose a place is and how many are under way is one number, so that both change together. A
//! source may be in any place of its window; one that is nowhere takes a free place, and sees to
//! it that nobody has done the same at that time.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Sources that may be under way at once.
const PLACES: usize = 1 << 16;
/// Places where one source may be.
const WINDOW: usize = 16;
/// Places that come to be together, once one of them is wanted.
const SHELF: usize = 1 << 10;
/// Bits of the count; the others say whose it is.
const COUNT: u32 = 24;
const MOST: u64 = (1 << COUNT) - 1;

/// Counts of many sources.
#[derive(Debug)]
pub(crate) struct Counts {
    shelves: Box<[OnceLock<Box<[AtomicU64]>>]>,
}

/// Stands for one that is under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    /// Its place.
    place: u32,
}

impl Ticket {
    fn at(place: usize) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "there are not so many places")]
        let place = place as u32;
        Self { place }
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self { shelves: (0..PLACES / SHELF).map(|_| OnceLock::new()).collect() }
    }
}

impl Counts {
    /// One more of `source`, where fewer than `amount` are under way. None where there are as
    /// many, or no place for another source.
    pub(crate) fn enter(&self, source: u64, amount: u64) -> Option<Ticket> {
        let tag = source & !MOST;
        let (begin, window) = self.window(source);
        loop {
            let is_own = |value: u64| value & MOST > 0 && value & !MOST == tag;
            let mut free = None;
            let own = window.iter().enumerate().find_map(|(at, it)| {
                let value = it.load(Ordering::Acquire);
                if value & MOST == 0 && free.is_none() {
                    free = Some((at, value));
                }
                is_own(value).then_some(at)
            });
            if let Some(at) = own {
                match add(&window[at], tag, amount) {
                    Added::Yes => return Some(Ticket::at(begin + at)),
                    Added::Full => return None,
                    Added::Gone => continue,
                }
            }
            if amount == 0 {
                return None;
            }
            let (at, value) = free?;
            let (done, failed) = (Ordering::AcqRel, Ordering::Acquire);
            if window[at].compare_exchange(value, tag | 1, done, failed).is_err() {
                continue;
            }
            // Of two that come at once each may have taken a place.
            let mut others = window.iter().enumerate().filter(|(place, _)| *place != at);
            if others.any(|(_, it)| is_own(it.load(Ordering::Acquire))) {
                window[at].fetch_sub(1, Ordering::AcqRel);
                continue;
            }
            return Some(Ticket::at(begin + at));
        }
    }

    /// It is under way no more.
    pub(crate) fn leave(&self, it: Ticket) {
        let place = it.place as usize;
        if let Some(shelf) = self.shelves[place / SHELF].get() {
            shelf[place % SHELF].fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn window(&self, source: u64) -> (usize, &[AtomicU64]) {
        #[expect(clippy::cast_possible_truncation, reason = "some bits of it are enough")]
        let place = (source as usize) % (PLACES / WINDOW) * WINDOW;
        let shelf = self.shelves[place / SHELF]
            .get_or_init(|| (0..SHELF).map(|_| AtomicU64::default()).collect());
        (place, &shelf[place % SHELF..][..WINDOW])
    }
}

enum Added {
    Yes,
    /// As many are under way as may be.
    Full,
    /// It is another's by now.
    Gone,
}

fn add(place: &AtomicU64, tag: u64, amount: u64) -> Added {
    let mut value = place.load(Ordering::Acquire);
    loop {
        let count = value & MOST;
        if value & !MOST != tag || count == 0 {
            return Added::Gone;
        }
        if count >= amount.min(MOST) {
            return Added::Full;
        }
        match place.compare_exchange_weak(value, value + 1, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Added::Yes,
            Err(other) => value = other,
        }
    }
}
