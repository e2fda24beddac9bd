//! A connection between two requests, and how it is ended without loss.
//!
//! Closing a connection while its client writes resets it, and the client cannot know whether its
//! request was taken. So who waits for a request is first told with its next answer
//! (`Connection: close`); who has none is *retired*: our side is closed, and what the client still
//! says is read until it closes too, or for a while.
//!
//! Where others need a place, who has waited longest is *pressed*: it ends at once. That concerns
//! who waits for a request, and who is waited for in the middle of one, but not who is served.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::listener::Listener;

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

/// What a client is waited for to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Awaited {
    /// Nothing that counts here: it is served.
    #[default]
    Nothing,
    /// What comes before its first request: a PROXY header, first bytes, a handshake.
    Opening,
    /// A request, of which nothing came.
    Request,
    /// The rest of a request's head, or of what was answered already.
    Rest,
    /// To go on with sending its request's body, or with taking its answer.
    Progress,
}

impl Awaited {
    /// For metrics.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Opening => "opening",
            Self::Request => "request",
            Self::Rest => "rest",
            Self::Progress => "progress",
        }
    }
}

/// A connection, and where it came in.
type Entry = (Rc<Waiting>, Rc<Listener>);

/// The connections of one core.
#[derive(Default)]
pub(crate) struct Registry {
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
    /// The most there were since they became few.
    peak: usize,
}

/// A burst of fewer connections is none.
const MANY: usize = 256;

impl Waiting {
    /// The connection waits since `at` for a request, of which nothing came; whether it shall not.
    /// `retire`: nobody says so later.
    pub(crate) fn wait(&self, cx: &Context<'_>, at: Instant, retire: bool) -> bool {
        self.is_retired.set(self.is_retired.get() || retire);
        self.awaited.set(Awaited::Request);
        self.since.set(Some(at));
        self.listen(cx);
        self.is_retired.get()
    }

    /// The connection waits, since `at`, for what comes before its first request; whether it shall
    /// not. `retire`: nobody says so later. More of it makes the wait no shorter.
    pub(crate) fn wait_for_opening(&self, cx: &Context<'_>, at: Instant, retire: bool) -> bool {
        self.is_retired.set(self.is_retired.get() || retire);
        self.awaited.set(Awaited::Opening);
        self.since.set(Some(at));
        self.listen(cx);
        self.is_retired.get()
    }

    /// The same in the middle of a handshake, which goes on where no more is served: by then its
    /// client believes that it is.
    pub(crate) fn wait_for_handshake(&self, cx: &Context<'_>, at: Instant) -> bool {
        self.wait_for_opening(cx, at, false);
        self.is_pressed.get()
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

    /// The connection waits for its client to go on with an exchange, in which nothing moved since
    /// `at`; whether it shall not.
    pub(crate) fn wait_for_progress(&self, cx: &Context<'_>, at: Instant) -> bool {
        self.awaited.set(Awaited::Progress);
        self.since.set(Some(at));
        self.listen(cx);
        self.is_pressed.get()
    }

    /// What `writing` to the client comes to; `None` where others need the place first.
    pub(crate) async fn unless_pressed<T>(&self, writing: impl Future<Output = T>) -> Option<T> {
        let (mut writing, mut since) = (pin!(writing), None);
        let outcome = poll_fn(|cx| match writing.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => {
                let at = *since.get_or_insert_with(Instant::now);
                if self.wait_for_progress(cx, at) { Poll::Ready(None) } else { Poll::Pending }
            }
        })
        .await;
        self.go_on();
        outcome
    }

    /// The connection does not wait any more.
    pub(crate) fn go_on(&self) {
        self.awaited.set(Awaited::Nothing);
    }

    /// Since when its client is waited for to go on with an exchange, and nothing moves.
    pub(crate) fn stalled(&self) -> Option<Instant> {
        self.since.get().filter(|_| self.awaited.get() == Awaited::Progress)
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.is_retired.get()
    }

    pub(crate) fn is_pressed(&self) -> bool {
        self.is_pressed.get()
    }

    /// Ends it, unless a request has begun.
    fn retire(&self) {
        let has_begun = !matches!(self.awaited.get(), Awaited::Opening | Awaited::Request);
        if !has_begun && !self.is_retired.replace(true) {
            self.wake();
        }
    }

    /// Ends it at once, also when a request has begun.
    fn press(&self) {
        self.is_pressed.set(true);
        self.is_retired.set(true);
        self.wake();
    }

    /// How early it makes room: the lower, the earlier. `None` for who need not.
    fn rank(&self, now: Instant) -> Option<(Pace, Instant)> {
        let since = self.since.get().filter(|_| !self.is_retired.get())?;
        let age = now.saturating_duration_since(since);
        match self.awaited.get() {
            Awaited::Nothing => None,
            _ if age < BREATH => None,
            Awaited::Progress if age < STALL => Some((Pace::Slow, since)),
            Awaited::Opening | Awaited::Request | Awaited::Rest | Awaited::Progress => {
                Some((Pace::None, since))
            }
        }
    }

    /// Who serves the connection is told of what happens to it.
    pub(crate) async fn attend(&self) {
        poll_fn(|cx| {
            self.listen(cx);
            Poll::Ready(())
        })
        .await;
    }

    fn listen(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if waker.as_ref().is_none_or(|known| !known.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }

    pub(crate) fn wake(&self) {
        self.waker.borrow().iter().for_each(Waker::wake_by_ref);
    }
}

/// Whether a client goes on with what it is at. Who does not makes room first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pace {
    None,
    Slow,
}

/// Of those who wait, this part makes room at a time.
const PART: usize = 16;

/// Who came, sent or took something this short ago is being served, not waited for: a round trip
/// over a slow line takes as long.
const BREATH: Duration = Duration::from_millis(200);

/// Who sent or took nothing for this long has stopped.
const STALL: Duration = Duration::from_secs(2);

impl Registry {
    /// Ends connections that have waited longest for their clients: a part of them, so that the
    /// next who needs a place need not look for one. Slow clients only where no other waits. Tells
    /// `left` of each.
    pub(crate) fn retire_longest(&self, now: Instant, left: impl FnMut(&Listener, Awaited)) {
        self.press_longest(now, |_| true, left);
    }

    /// The same of those alone who have not come to their first request.
    pub(crate) fn retire_openings(&self, now: Instant, left: impl FnMut(&Listener, Awaited)) {
        self.press_longest(now, |awaited| awaited == Awaited::Opening, left);
    }

    fn press_longest(
        &self,
        now: Instant,
        concerns: impl Fn(Awaited) -> bool,
        mut left: impl FnMut(&Listener, Awaited),
    ) {
        let waiting = self.entries.iter().flatten().filter(|it| concerns(it.0.awaited.get()));
        let ranked = waiting.filter_map(|entry| Some((entry.0.rank(now)?, entry)));
        let mut ranked: Vec<((Pace, Instant), &Entry)> = ranked.collect();
        let Some(pace) = ranked.iter().map(|((pace, _), _)| *pace).min() else { return };
        ranked.retain(|((its, _), _)| *its == pace);
        let count = (ranked.len() - 1) / PART;
        ranked.select_nth_unstable_by_key(count, |(rank, _)| *rank);
        for (_, (waiting, listener)) in &ranked[..=count] {
            left(listener, waiting.awaited.get());
            waiting.press();
        }
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

    /// How many of them are read from, answered, and wait for a request.
    pub(crate) fn standing(&self) -> (u64, u64, u64) {
        let mut all = (0, 0, 0);
        for (waiting, _) in self.entries.iter().flatten() {
            match waiting.awaited.get() {
                Awaited::Opening | Awaited::Rest => all.0 += 1,
                Awaited::Nothing | Awaited::Progress => all.1 += 1,
                Awaited::Request => all.2 += 1,
            }
        }
        all
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

    /// Ends what is under way at listeners that have been closed for so long.
    pub(crate) fn cut_late(&self, limit: Duration, now: Instant) {
        for (waiting, listener) in self.entries.iter().flatten() {
            if listener.cut_after(limit, now) {
                waiting.wake();
            }
        }
    }

    /// Has all of them look what is so.
    pub(crate) fn wake(&self) {
        self.entries.iter().flatten().for_each(|(waiting, _)| waiting.wake());
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

    /// Who is pressed, one after the other, of connections that wait so many milliseconds.
    fn pressed(waiting: &[(Awaited, u64)]) -> Vec<usize> {
        let now = Instant::now() + Duration::from_mins(1);
        let mut registry = Registry::default();
        let all = Vec::from_iter(waiting.iter().map(|(awaited, age)| {
            let waiting = Rc::new(Waiting::default());
            waiting.awaited.set(*awaited);
            waiting.since.set(now.checked_sub(Duration::from_millis(*age)));
            registry.insert(waiting.clone(), Listener::of_test());
            waiting
        }));
        let mut order = Vec::new();
        loop {
            registry.retire_longest(now, |_, _| ());
            let next = (0..all.len()).find(|n| all[*n].is_pressed() && !order.contains(n));
            let Some(next) = next else { return order };
            order.push(next);
        }
    }

    #[test]
    fn who_goes_on_makes_room_after_who_does_not() {
        use Awaited::{Nothing, Progress, Request, Rest};
        for (waiting, order) in [
            (&[(Request, 210), (Rest, 230), (Progress, 20_000)][..], &[2, 1, 0][..]),
            (&[(Progress, 2_500), (Progress, 20_000), (Request, 5_000)], &[1, 2, 0]),
            // Slow, but going on: by age, and after the youngest who is idle.
            (&[(Progress, 500), (Request, 201), (Progress, 1_500), (Rest, 202)], &[3, 1, 2, 0]),
            // Who stalls has stopped.
            (&[(Request, 1_000), (Progress, 2_000)], &[1, 0]),
            (&[(Request, 200), (Rest, 199)], &[0]),
            // Served.
            (&[(Nothing, 60_000), (Progress, 0), (Rest, 0), (Request, 100)], &[]),
        ] {
            assert_eq!(pressed(waiting), order, "{waiting:?}");
        }
    }

    /// A part of those who wait makes room at a time, at least one.
    #[test]
    fn no_more_make_room_than_a_part() {
        for (count, expected) in [(1, 1), (15, 1), (16, 1), (17, 2), (32, 2), (33, 3)] {
            let now = Instant::now() + Duration::from_mins(1);
            let mut registry = Registry::default();
            for age in 0..count {
                let waiting = Rc::new(Waiting::default());
                waiting.awaited.set(Awaited::Request);
                waiting.since.set(now.checked_sub(Duration::from_secs(age + 1)));
                registry.insert(waiting, Listener::of_test());
            }
            let mut left = 0;
            registry.retire_longest(now, |_, _| left += 1);
            assert_eq!(left, expected, "of {count}");
        }
    }

    #[test]
    fn a_burst_is_over_when_half_of_it_is_gone() {
        let listener = Listener::of_test();
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
