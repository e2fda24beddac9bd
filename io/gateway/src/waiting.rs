//! A connection between two requests, and how it is ended without loss.
//!
//! Closing a connection while its client writes resets it, and the client cannot know whether its
//! request was taken. So who waits for a request is first told with its next answer
//! (`Connection: close`); who has none is *retired*: our side is closed, and what the client still
//! says is read until it closes too, or for a while.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Instant;

use crate::core::Listener;

/// Where one connection stands, as its task and its core see it.
#[derive(Default)]
pub(crate) struct Waiting {
    awaited: Cell<Awaited>,
    /// Since when.
    since: Cell<Option<Instant>>,
    is_retired: Cell<bool>,
    /// It ends at once: others need its place.
    is_pressed: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// What a client is waited for to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Awaited {
    /// Nothing that counts here: it is served.
    #[default]
    Nothing,
    /// A request, of which nothing came.
    Request,
    /// The rest of a request's head, or of what was answered already.
    Rest,
}

/// The connections of one core.
#[derive(Default)]
pub(crate) struct Registry {
    entries: Vec<Option<(Rc<Waiting>, Rc<Listener>)>>,
    free: Vec<usize>,
    /// The most there were since they became few.
    peak: usize,
}

/// A burst of fewer connections is none.
const MANY: usize = 256;

impl Waiting {
    /// The connection waits for a request, of which nothing came; whether it shall not. `retire`:
    /// nobody says so later.
    pub(crate) fn wait(&self, cx: &Context<'_>, retire: bool) -> bool {
        self.is_retired.set(self.is_retired.get() || retire);
        if self.awaited.replace(Awaited::Request) != Awaited::Request {
            self.since.set(Some(Instant::now()));
        }
        self.listen(cx);
        self.is_retired.get()
    }

    /// The connection waits for the rest of a request that has begun, or was answered, `at`;
    /// whether it shall not.
    /// More of it makes the wait no shorter.
    pub(crate) fn wait_for_rest(&self, cx: &Context<'_>, at: Instant) -> bool {
        self.awaited.set(Awaited::Rest);
        self.since.set(Some(at));
        self.listen(cx);
        self.is_pressed.get()
    }

    /// The connection does not wait any more.
    pub(crate) fn go_on(&self) {
        self.awaited.set(Awaited::Nothing);
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.is_retired.get()
    }

    pub(crate) fn is_pressed(&self) -> bool {
        self.is_pressed.get()
    }

    /// Ends it, unless a request has begun.
    fn retire(&self) {
        if self.awaited.get() == Awaited::Request && !self.is_retired.replace(true) {
            self.wake();
        }
    }

    /// Ends it at once, also when a request has begun.
    fn press(&self) {
        self.is_pressed.set(true);
        self.is_retired.set(true);
        self.wake();
    }

    fn may_be_pressed(&self) -> bool {
        self.awaited.get() != Awaited::Nothing && !self.is_retired.get()
    }

    fn listen(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if waker.as_ref().is_none_or(|known| !known.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }

    fn wake(&self) {
        self.waker.borrow().iter().for_each(Waker::wake_by_ref);
    }
}

/// Of those who wait, this part makes room at a time.
const PART: usize = 16;

impl Registry {
    /// Ends connections that have waited longest for a request or the rest of its head: a part of
    /// them, so that the next who needs a place need not look for one.
    pub(crate) fn retire_longest(&self) {
        let waiting = self.entries.iter().flatten().map(|(waiting, _)| waiting);
        let mut idle: Vec<&Rc<Waiting>> = waiting.filter(|it| it.may_be_pressed()).collect();
        let Some(last) = idle.len().checked_sub(1) else { return };
        let count = last / PART;
        idle.select_nth_unstable_by_key(count, |it| it.since.get());
        idle[..=count].iter().for_each(|waiting| waiting.press());
    }

    /// A place for a connection.
    pub(crate) fn insert(&mut self, waiting: Rc<Waiting>, listener: Rc<Listener>) -> usize {
        let entry = Some((waiting, listener));
        self.peak = self.peak.max(self.len() + 1);
        if let Some(at) = self.free.pop() {
            self.entries[at] = entry;
            return at;
        }
        self.entries.push(entry);
        self.entries.len() - 1
    }

    pub(crate) fn remove(&mut self, at: usize) {
        self.entries[at] = None;
        self.free.push(at);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many connections there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Whether many connections have become half as many: memory that only they needed can be
    /// returned.
    pub(crate) fn burst_is_over(&mut self) -> bool {
        let is_over = self.peak >= MANY && self.len() <= self.peak / 2;
        if is_over {
            self.peak = self.len();
        }
        is_over
    }

    /// Ends connections that wait for a request, all of them or those of closing listeners.
    pub(crate) fn retire(&self, all: bool) {
        for (waiting, listener) in self.entries.iter().flatten() {
            if all || listener.closing.get() {
                waiting.retire();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_over_when_half_of_it_is_gone() {
        let listener = Rc::new(Listener {
            entry_point: "web".into(),
            address: String::new(),
            path: steelyard_http::Spelling::Normal,
            closing: Cell::new(false),
            open: Rc::default(),
        });
        let mut registry = Registry::default();
        let mut places = Vec::new();
        let counts = [255, 0, 1000, 900, 501, 500, 400, 250, 249, 120, 60, 0, 300, 0];
        let over: Vec<usize> = counts
            .into_iter()
            .filter(|count| {
                while places.len() < *count {
                    places.push(registry.insert(Rc::default(), listener.clone()));
                }
                places.drain(count..).for_each(|place| registry.remove(place));
                registry.burst_is_over()
            })
            .collect();
        assert_eq!(over, [500, 250, 0]);
    }
}
