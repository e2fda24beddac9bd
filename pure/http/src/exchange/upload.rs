//! The way there: a request from the client to an endpoint.

use super::passage::{Held, Passage, release};
use super::reuse::{Reuse, Seen};
use crate::body::Body;
use crate::chunked::BadChunk;

/// A request on its way.
pub(super) struct Upload<O, B> {
    /// The rewritten head, with what had come of the body.
    opening: O,
    body: Body,
    /// Whether the opening is all of it.
    at_hand: bool,
    /// Read from the client: a piece of the body, then what it sent beyond this request.
    slot: Option<B>,
    passage: Passage,
    /// Bytes of the opening written in this attempt.
    sent: usize,
    /// Anything was written in this attempt.
    begun: bool,
    /// The endpoint takes no more.
    refused: bool,
    /// Bytes of the body that came after the opening.
    pub(super) count: u64,
}

impl<O: AsRef<[u8]>, B: Held> Upload<O, B> {
    pub(super) fn new(opening: O, body: Body, slot: Option<B>) -> Self {
        Self {
            opening,
            body,
            at_hand: body.is_done(),
            slot,
            passage: Passage::default(),
            sent: 0,
            begun: false,
            refused: false,
            count: 0,
        }
    }

    /// A new attempt, on a connection nothing was written to.
    pub(super) fn begin(&mut self, reuse: &mut Reuse) {
        (self.sent, self.begun, self.refused) = (0, false, false);
        reuse.see(Seen::Owed(self.opening.as_ref().len()));
        if self.at_hand {
            reuse.see(Seen::RequestEnds);
        }
    }

    /// What the endpoint is to get now.
    pub(super) fn pending(&self) -> [&[u8]; 3] {
        if self.refused {
            return [b""; 3];
        }
        let [piece, closing] = self.passage.slices(self.slot.as_deref());
        [&self.opening.as_ref()[self.sent..], piece, closing]
    }

    pub(super) fn wrote(&mut self, count: usize, reuse: &mut Reuse) {
        self.begun |= count > 0;
        reuse.see(Seen::Wrote(count));
        let first = count.min(self.opening.as_ref().len() - self.sent);
        self.sent += first;
        self.passage.wrote(count - first);
        if !self.is_busy() {
            release(&mut self.slot, self.passage.consumed());
            self.passage = Passage::default();
        }
    }

    pub(super) fn refuse(&mut self) {
        self.refused = true;
    }

    pub(super) fn is_refused(&self) -> bool {
        self.refused
    }

    /// Whether something is to be written.
    pub(super) fn is_busy(&self) -> bool {
        !self.refused && (self.sent < self.opening.as_ref().len() || self.passage.len() > 0)
    }

    /// Whether bytes from the client can be taken: the next piece, or what lies beyond.
    pub(super) fn reads(&self) -> bool {
        match self.body.is_done() {
            true => self.slot.is_none(),
            false => !self.refused && !self.is_busy(),
        }
    }

    /// Whether all of the request was read from the client.
    pub(super) fn is_read(&self) -> bool {
        self.body.is_done()
    }

    /// Whether all of it was written.
    pub(super) fn is_written(&self) -> bool {
        self.is_read() && !self.refused && !self.is_busy()
    }

    /// Where bytes from the client go.
    pub(super) fn slot(&mut self) -> &mut Option<B> {
        &mut self.slot
    }

    /// The slot has more bytes.
    pub(super) fn received(&mut self, reuse: &mut Reuse) -> Result<(), BadChunk> {
        let Some(buffer) = self.slot.as_mut().filter(|_| !self.body.is_done()) else {
            return Ok(());
        };
        let fed = self.body.feed(buffer)?;
        self.count += fed.consumed as u64;
        self.passage = Passage::new(fed, 0, false);
        reuse.see(Seen::Owed(self.passage.len()));
        if self.body.is_done() {
            reuse.see(Seen::RequestEnds);
        }
        if !self.is_busy() {
            release(&mut self.slot, self.passage.consumed());
            self.passage = Passage::default();
        }
        Ok(())
    }

    /// Whether another connection may get the request, of which this one answered nothing.
    pub(super) fn may_repeat(&self, idempotent: bool) -> bool {
        !self.begun || (idempotent && self.at_hand)
    }

    /// Whether all of it was at hand from the beginning.
    pub(super) fn is_at_hand(&self) -> bool {
        self.at_hand
    }

    /// What the client sent beyond this request.
    pub(super) fn into_held(mut self) -> Option<B> {
        release(&mut self.slot, self.passage.consumed());
        self.slot
    }
}
