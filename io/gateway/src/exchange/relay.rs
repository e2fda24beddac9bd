//! Bytes both ways between a client and an endpoint, as they come, until both sides are done.
//!
//! Each way ends by itself: what one side has closed is closed towards the other, which may go on.
//! Who takes no more is still listened to: what it said before is carried to its end. Whatever ends
//! it otherwise (a connection that breaks, silence, others who need the place) is told to both by a
//! reset, so that nobody takes what came for the whole.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::core::listener::Listener;
use crate::core::waiting::Waiting;
use crate::core::{Core, HEAD_BUFFER};
use crate::tell::carried::Carried;
use crate::tell::distrust::Distrust;
use crate::wire::Wire;
use crate::wire::buffers::Buffer;
use crate::wire::timer::Timer;

/// How long both may say nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quiet {
    /// While neither has closed its side.
    pub(crate) open: Duration,
    /// When one has.
    pub(crate) half_closed: Duration,
}

/// Where a connection is served.
#[derive(Clone, Copy)]
pub(crate) struct Stand<'c> {
    pub(crate) core: &'c Core,
    pub(crate) listener: &'c Listener,
    pub(crate) waiting: &'c Waiting,
}

/// A client and an endpoint.
pub(crate) struct Relay<'c, C: Wire, E: Wire> {
    place: Stand<'c>,
    client: C,
    endpoint: E,
    quiet: Quiet,
    carried: Rc<Carried>,
    /// Both sides know that it has ended.
    is_whole: bool,
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Both sides had closed.
    Whole,
    /// One of them broke off, or was silent for too long, or made room.
    Broken,
    /// The endpoint does not trust us, which it may say only once its own part of the handshake is
    /// over (RFC 8446 §4.4.2.4).
    Distrusted(Distrust, io::Error),
    /// It had all the time it gets.
    Cut,
}

/// One of the two ways.
#[derive(Default)]
struct Lane {
    held: Option<Buffer>,
    /// Of what is held, so many bytes went on.
    sent: usize,
    /// Much comes at a time.
    is_bulk: bool,
    /// The other side takes no more: what comes is dropped, since a connection that is closed with
    /// bytes unread is reset, and what was said on it may be lost.
    is_untaken: bool,
    /// Nothing more comes.
    has_ended: bool,
    /// The other side knows.
    is_over: bool,
    /// Bytes that went on.
    carried: u64,
}

/// How long one side may go on with what the other does not take, when all else is said.
const LINGER: Duration = Duration::from_secs(5);

impl<'c, C: Wire, E: Wire> Relay<'c, C, E> {
    pub(crate) fn new(
        place: Stand<'c>,
        (client, endpoint): (C, E),
        quiet: Quiet,
        carried: Rc<Carried>,
    ) -> Self {
        Self { place, client, endpoint, quiet, carried, is_whole: false }
    }

    /// Carries until the end; how many bytes went up and down. `ahead` is what came of the client
    /// already.
    pub(crate) async fn run(mut self, ahead: Option<Buffer>) -> (Ending, [u64; 2]) {
        let Stand { core, listener, waiting } = self.place;
        let _under_way = core.begin();
        let mut up = Lane { held: ahead, ..Lane::default() };
        let mut down = Lane::default();
        let mut heard = Instant::now();
        let (mut timer, mut lingers) = (Timer::new(after(heard, self.quiet.open)), None);
        let ending = poll_fn(|cx| {
            let before = (self.carried.up.get(), self.carried.down.get());
            if let Poll::Ready(ending) = self.poll_both(&mut up, &mut down, cx) {
                return Poll::Ready(ending);
            }
            if before != (self.carried.up.get(), self.carried.down.get()) {
                heard = Instant::now();
            }
            let is_half = up.is_over || down.is_over;
            let limit = if is_half { self.quiet.half_closed } else { self.quiet.open };
            let mut deadline = after(heard, limit);
            if (up.is_over && down.is_untaken) || (down.is_over && up.is_untaken) {
                deadline = *lingers.get_or_insert_with(Instant::now) + LINGER;
            }
            let is_pressed = waiting.wait_for_progress(cx, heard);
            match () {
                () if core.is_cut(listener) => Poll::Ready(Ending::Cut),
                () if is_pressed || timer.poll_late(deadline, cx).is_ready() => {
                    Poll::Ready(Ending::Broken)
                }
                () => Poll::Pending,
            }
        })
        .await;
        self.is_whole = matches!(ending, Ending::Whole);
        (ending, [up.carried, down.carried])
    }

    fn poll_both(&self, up: &mut Lane, down: &mut Lane, cx: &mut Context<'_>) -> Poll<Ending> {
        let (core, client, endpoint) = (self.place.core, &self.client, &self.endpoint);
        let up = up.poll(core, (client, endpoint), &self.carried.up, cx);
        let down = down.poll(core, (endpoint, client), &self.carried.down, cx);
        match (up, down) {
            (_, Poll::Ready(Err(error))) => Poll::Ready(match Distrust::of(&error) {
                Some(why) => Ending::Distrusted(why, error),
                None => Ending::Broken,
            }),
            (Poll::Ready(Err(_)), _) => Poll::Ready(Ending::Broken),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(Ending::Whole),
            _ => Poll::Pending,
        }
    }
}

/// A moment that far from now; where that is no time at all, one that nobody lives to see.
fn after(moment: Instant, limit: Duration) -> Instant {
    const FAR: Duration = Duration::from_hours(24 * 365 * 30);
    moment + limit.min(FAR)
}

impl<C: Wire, E: Wire> Drop for Relay<'_, C, E> {
    fn drop(&mut self) {
        if !self.is_whole {
            self.client.reset();
            self.endpoint.reset();
        }
    }
}

impl Lane {
    /// Carries what there is; ready when its end was told.
    fn poll(
        &mut self,
        core: &Core,
        (from, to): (&impl Wire, &impl Wire),
        carried: &Cell<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_over {
            ready!(self.poll_send(to, carried, cx));
            if self.has_ended {
                self.is_untaken |= to.close().is_err();
                self.is_over = true;
                break;
            }
            let pool = if self.is_bulk { &core.bulk } else { &core.heads };
            let count = ready!(from.poll_read(pool, &mut self.held, cx))?;
            self.has_ended = count == 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what is held, as long as it is taken.
    fn poll_send(&mut self, to: &impl Wire, carried: &Cell<u64>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(held) = &mut self.held else { return Poll::Ready(()) };
        while self.sent < held.filled && !self.is_untaken {
            match ready!(to.poll_write([&held[self.sent..], b"", b""], false, cx)) {
                Ok(count) => {
                    self.sent += count;
                    carried.set(carried.get() + count as u64);
                    self.carried += count as u64;
                }
                Err(_) => self.is_untaken = true,
            }
        }
        // A buffer of the other size, where it fits better.
        let is_bulk = self.sent >= HEAD_BUFFER;
        if is_bulk == self.is_bulk {
            held.filled = 0;
        } else {
            self.held = None;
        }
        (self.is_bulk, self.sent) = (is_bulk, 0);
        Poll::Ready(())
    }
}
