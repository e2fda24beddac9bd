//! The way there: a request from the client to an endpoint.

use super::passage::{Loan, Passage, release};
use super::reuse::{Reuse, Seen};
use super::tap::Tap;
use crate::body::{Body, Wrapping};
use crate::chunked::BadChunk;
use crate::request::renamed;
use crate::trailers::TrailerLine;

/// Bytes of what frames a body that is kept: of many small chunks it may be more than they are.
const MOST_FRAMING: usize = 4 * 1024;

/// A request on its way.
pub(super) struct Upload<O, B> {
    /// The rewritten head, with what had come of the body.
    opening: O,
    /// The same by another name, where this attempt is for who is asked by that one.
    renamed: Option<Box<[u8]>>,
    body: Body,
    /// Whether the opening is all of it.
    at_hand: bool,
    /// Read from the client: a piece of the body, then what it sent beyond this request.
    slot: Option<B>,
    passage: Passage,
    /// What somebody else has in hand.
    tap: Option<Box<Tap>>,
    /// Follows the opening, where it does not go on from the buffer it came in: what somebody else
    /// made of the body, or what is kept of it.
    woven: Vec<u8>,
    is_woven: bool,
    /// Bytes of it written in this attempt.
    woven_sent: usize,
    /// All of it is kept for another attempt, up to so many bytes of payload, and how many they
    /// are so far.
    keeps: Option<(usize, usize)>,
    /// Bytes of the opening written in this attempt.
    sent: usize,
    /// Anything was written in this attempt.
    begun: bool,
    /// The endpoint takes no more.
    refused: bool,
    /// Bytes of the body that came after the opening.
    pub(super) count: u64,
}

impl<O: AsRef<[u8]>, B: Loan> Upload<O, B> {
    pub(super) fn new(opening: O, body: Body, slot: Option<B>) -> Self {
        Self {
            opening,
            renamed: None,
            at_hand: body.is_done(),
            body,
            slot,
            passage: Passage::default(),
            tap: None,
            woven: Vec::new(),
            is_woven: false,
            woven_sent: 0,
            keeps: None,
            sent: 0,
            begun: false,
            refused: false,
            count: 0,
        }
    }

    /// A new attempt, on a connection nothing was written to.
    pub(super) fn begin(&mut self, reuse: &mut Reuse) {
        (self.sent, self.begun, self.refused) = (0, false, false);
        reuse.see(Seen::Owed(self.sends().len()));
        if self.keeps.is_some() {
            self.woven_sent = 0;
        }
        if self.is_woven {
            reuse.see(Seen::Owed(self.woven.len() - self.woven_sent));
        }
        if self.at_hand || self.whole().is_some() {
            reuse.see(Seen::RequestEnds);
        }
    }

    /// From now on all that goes on is kept, up to `max` bytes of payload behind the opening.
    pub(super) fn keep(&mut self, max: usize) {
        (self.is_woven, self.keeps) = (true, Some((max, 0)));
    }

    /// Whether all that went on so far can go on again.
    pub(super) fn is_kept(&self) -> bool {
        self.at_hand || self.keeps.is_some()
    }

    /// Bytes of payload that are kept behind the opening.
    pub(super) fn kept(&self) -> usize {
        self.keeps.map_or(0, |(_, kept)| kept)
    }

    /// All of it, where all of it has come and is kept: the opening, and what follows.
    pub(super) fn whole(&self) -> Option<[&[u8]; 2]> {
        let is_given = self.tap.as_ref().is_none_or(|tap| tap.is_ended);
        let is_whole = self.at_hand || (self.keeps.is_some() && self.body.is_done() && is_given);
        is_whole.then(|| [self.opening.as_ref(), &self.woven[..]])
    }

    /// The opening.
    pub(super) fn opening(&self) -> &[u8] {
        self.opening.as_ref()
    }

    /// The next attempt is asked by this name, and below this path; as the client asks where there
    /// is none.
    pub(super) fn rename(&mut self, host: Option<&str>, below: Option<&str>) {
        let is_other = host.is_some() || below.is_some();
        self.renamed = is_other.then(|| renamed(self.opening.as_ref(), host, below).into());
    }

    /// The opening as it is sent.
    fn sends(&self) -> &[u8] {
        self.renamed.as_deref().unwrap_or_else(|| self.opening.as_ref())
    }

    /// More of what is woven is owed. What is too much is not kept.
    fn owe(&mut self, from: usize, payload: usize, reuse: &mut Reuse) {
        reuse.see(Seen::Owed(self.woven.len() - from));
        let Some((max, kept)) = &mut self.keeps else { return };
        *kept += payload;
        if *kept > *max || self.woven.len() > *max + MOST_FRAMING {
            self.keeps = None;
            self.woven.drain(..std::mem::take(&mut self.woven_sent));
        }
    }

    /// What the endpoint is to get now.
    pub(super) fn pending(&self) -> [&[u8]; 3] {
        if self.refused {
            return [b""; 3];
        }
        let opening = &self.sends()[self.sent..];
        if self.is_woven {
            return [opening, &self.woven[self.woven_sent..], b""];
        }
        let [piece, closing] = self.passage.slices(self.slot.as_deref());
        [opening, piece, closing]
    }

    pub(super) fn wrote(&mut self, count: usize, reuse: &mut Reuse) {
        self.begun |= count > 0;
        reuse.see(Seen::Wrote(count));
        let first = count.min(self.sends().len() - self.sent);
        self.sent += first;
        if self.is_woven {
            self.woven_sent += count - first;
            if self.keeps.is_none() {
                self.woven.drain(..std::mem::take(&mut self.woven_sent));
            }
            return;
        }
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
        let is_begun = self.passage.len() > 0 || self.woven_sent < self.woven.len();
        !self.refused && (self.sent < self.sends().len() || is_begun)
    }

    /// Whether bytes from the client can be taken: the next piece, or what lies beyond.
    pub(super) fn reads(&self) -> bool {
        match self.body.is_done() {
            true => self.slot.is_none(),
            false => {
                !self.refused && !self.is_busy() && self.tap.as_ref().is_none_or(|it| it.takes())
            }
        }
    }

    /// Whether all of the request was read from the client.
    pub(super) fn is_read(&self) -> bool {
        self.body.is_done()
    }

    /// Whether all of it was written.
    pub(super) fn is_written(&self) -> bool {
        let is_given = self.tap.as_ref().is_none_or(|tap| tap.is_ended);
        self.is_read() && is_given && !self.refused && !self.is_busy()
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
        self.count += fed.payload as u64;
        if let Some(tap) = &mut self.tap {
            tap.came.extend_from_slice(&buffer[..fed.forward]);
            tap.is_whole = self.body.is_done();
            if tap.is_whole {
                tap.trailers = self.body.trailer_lines();
            }
            release(&mut self.slot, fed.consumed);
            return Ok(());
        }
        if self.is_woven {
            let before = self.woven.len();
            self.woven.extend_from_slice(&buffer[..fed.forward]);
            self.woven.extend_from_slice(&fed.closing);
            release(&mut self.slot, fed.consumed);
            self.owe(before, fed.payload, reuse);
        } else {
            self.passage = Passage::new(fed, 0, false);
            reuse.see(Seen::Owed(self.passage.len()));
        }
        if self.body.is_done() {
            reuse.see(Seen::RequestEnds);
        }
        if self.is_woven {
            return Ok(());
        }
        if !self.is_busy() {
            release(&mut self.slot, self.passage.consumed());
            self.passage = Passage::default();
        }
        Ok(())
    }

    /// From now on its pieces are taken and given by somebody else. `is_ended`: what is in the
    /// opening is all that will be.
    pub(super) fn tap(&mut self, wrapping: Wrapping, is_ended: bool) {
        let has_trailers = self.body.is_chunked();
        let tap = Tap { is_ended, wrapping, has_trailers, ..Tap::default() };
        self.tap = Some(Box::new(tap));
        (self.is_woven, self.at_hand) = (true, is_ended);
    }

    /// How far the body has come.
    pub(super) fn body(&self) -> Body {
        self.body.clone()
    }

    /// The body in somebody else's hands.
    pub(super) fn tapped(&mut self) -> Option<&mut Tap> {
        self.tap.as_deref_mut()
    }

    /// Whether what stands behind it goes through somebody else's hands, or nowhere.
    pub(super) fn has_trailers_in_hand(&self) -> bool {
        self.body.ends_bare() || self.tap.as_ref().is_some_and(|tap| tap.has_trailers)
    }

    /// What somebody else made of the body.
    pub(super) fn give(&mut self, payload: &[u8], end: Option<&[TrailerLine]>, reuse: &mut Reuse) {
        let Some(tap) = self.tap.as_mut().filter(|tap| !tap.is_ended) else { return };
        let before = self.woven.len();
        tap.wrapping.push(payload, &mut self.woven);
        if let Some(trailers) = end {
            tap.is_ended = true;
            tap.wrapping.end(trailers, &mut self.woven);
        }
        self.owe(before, payload.len(), reuse);
        if end.is_some() {
            reuse.see(Seen::RequestEnds);
        }
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
    pub(super) fn take_held(&mut self) -> Option<B> {
        release(&mut self.slot, self.passage.consumed());
        self.slot.take()
    }
}
