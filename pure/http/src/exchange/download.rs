//! The way back: a response from an endpoint to the client.

mod held;
mod onward;

pub(super) use held::Hold;
pub use held::{LetThrough, Look};

use std::borrow::Cow;
use std::sync::Arc;

use super::passage::{Loan, Passage, release};
use super::reuse::{Reuse, Seen};
use super::tap::Tap;
use super::witness::Witness;
use crate::blame::blame;
use crate::body::{Body, Framing};
use crate::edits::{ResponseChanges, UNCHANGED_RESPONSE};
use crate::excerpt::Excerpt;
use crate::head::Slots;
use crate::reject::BadResponse;
use crate::response::{Asked, Persistence, ResponseHead};
use onward::Onward;

/// Heads with at most this much body behind them are put together and sent in one piece;
/// more goes out as several slices.
const COPY_LIMIT: usize = 8 * 1024;

/// Interim responses before a final one: hints and notes of progress are few, and where the client
/// speaks HTTP/2 each of them waits in memory until it is taken.
const MOST_INTERIMS: u8 = 32;

/// A response on its way.
pub(super) struct Download<B> {
    pub(super) stage: Stage,
    /// How many interim responses came.
    interims: u8,
    slot: Option<B>,
    /// A rewritten head, and how much of it was written.
    head: Vec<u8>,
    sent: usize,
    passage: Passage,
    body: Body,
    /// What is changed about the final head.
    pub(super) changes: Option<Arc<ResponseChanges>>,
    /// Who looks at the final head before it goes on.
    pub(super) hold: Hold,
    /// More may come behind a head that is looked at, until the first so many bytes of the body
    /// are there.
    pub(super) peeks: Option<usize>,
    tap: Option<Box<Tap>>,
    /// Of the final response, 0 before.
    pub(super) status: u16,
    pub(super) persistence: Persistence,
    /// The endpoint's connection may stay open, as far as its head goes.
    persistent: bool,
    /// Bytes of the body for the client.
    pub(super) count: u64,
    /// Something came from an endpoint: the request was taken.
    pub(super) begun: bool,
    /// The line that makes it no response.
    pub(super) to_blame: Option<Box<Excerpt>>,
    /// Who is shown the heads of the final response.
    pub(super) witness: Option<Box<Witness>>,
}

/// How far a response has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// A head is awaited.
    Head,
    /// An interim response is passed on.
    Interim,
    /// The head of the final response is looked at.
    Held,
    /// The final response is passed on.
    Body,
    /// The end of the body was read; what is left of it is passed on.
    Ending,
    /// All of it was passed on.
    Whole,
    /// The head of a 101 is passed on.
    Switching,
    /// Both sides have switched protocols.
    Switched,
}

/// What a response is read by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) asked: Asked,
    /// The client's connection may stay open.
    pub(super) stays: bool,
    /// The client asked for a tunnel: success without one would look to it as if it had it.
    pub(super) is_tunnel: bool,
}

impl<B: Loan> Download<B> {
    /// `scratch` is memory for heads.
    pub(super) fn new(scratch: Vec<u8>) -> Self {
        Self {
            stage: Stage::Head,
            interims: 0,
            slot: None,
            head: scratch,
            sent: 0,
            passage: Passage::default(),
            body: Body::new(Framing::None),
            changes: None,
            hold: Hold::Nobody,
            peeks: None,
            tap: None,
            status: 0,
            persistence: Persistence::Close,
            persistent: false,
            count: 0,
            begun: false,
            to_blame: None,
            witness: None,
        }
    }

    /// What the client is to get now.
    pub(super) fn pending(&self) -> [&[u8]; 3] {
        let [piece, closing] = self.passage.slices(self.slot.as_deref());
        [&self.head[self.sent..], piece, closing]
    }

    /// Whether something is to be written.
    pub(super) fn is_busy(&self) -> bool {
        self.sent < self.head.len() || self.passage.len() > 0
    }

    /// Whether what is to be written now is the last of the client's connection.
    pub(super) fn is_last(&self) -> bool {
        self.persistence == Persistence::Close && self.stage == Stage::Ending
    }

    pub(super) fn wrote(&mut self, count: usize, reading: Reading, reuse: &mut Reuse) -> Read {
        let first = count.min(self.head.len() - self.sent);
        self.sent += first;
        self.passage.wrote(count - first);
        self.go_on(reading, reuse)
    }

    /// Whether bytes from the endpoint can be taken.
    pub(super) fn reads(&self) -> bool {
        (matches!(self.stage, Stage::Head | Stage::Body) || self.peeks.is_some())
            && !self.is_busy()
            && self.tap.as_ref().is_none_or(|tap| tap.takes())
    }

    /// Where bytes from the endpoint go.
    pub(super) fn slot(&mut self) -> &mut Option<B> {
        &mut self.slot
    }

    /// The slot has more bytes. Whoever is to `see` a final head sees it.
    pub(super) fn received(
        &mut self,
        reading: Reading,
        reuse: &mut Reuse,
        see: Option<&mut Look<'_>>,
    ) -> Read {
        self.begun = true;
        match self.stage {
            Stage::Head => self.read_head(reading, reuse, see)?,
            Stage::Held => self.peek_on(reading),
            _ => self.read_body(0, false, reuse)?,
        }
        self.go_on(reading, reuse)
    }

    /// The endpoint has closed its side; whether that is a proper end.
    pub(super) fn ended(&mut self, reuse: &mut Reuse) -> bool {
        if self.peeks.take().is_some() {
            // What that means is seen when the body goes on: an end is read again.
            return true;
        }
        let Some(end) = self.body.end().filter(|_| self.stage == Stage::Body) else {
            return false;
        };
        if let Some(tap) = &mut self.tap {
            reuse.see(Seen::Broken);
            tap.is_whole = true;
            return true;
        }
        reuse.see(Seen::Broken);
        self.head.extend_from_slice(end);
        self.stage = if end.is_empty() { Stage::Whole } else { Stage::Ending };
        true
    }

    /// Nothing has come: another endpoint is asked for all of it.
    pub(super) fn begin_anew(&mut self) {
        let scratch = self.take_scratch();
        let (hold, changes, witness) = (self.hold, self.changes.take(), self.witness.take());
        *self = Self { hold, changes, witness, ..Self::new(scratch) };
    }

    /// The memory for heads.
    pub(super) fn take_scratch(&mut self) -> Vec<u8> {
        self.head.clear();
        std::mem::take(&mut self.head)
    }

    /// What comes next when all is written: several heads may have come at once.
    fn go_on(&mut self, reading: Reading, reuse: &mut Reuse) -> Read {
        while !self.is_busy() {
            let consumed = self.passage.consumed();
            self.head.clear();
            (self.sent, self.passage) = (0, Passage::default());
            match self.stage {
                Stage::Head | Stage::Held | Stage::Whole | Stage::Switched => return Ok(()),
                Stage::Body => {
                    release(&mut self.slot, consumed);
                    return Ok(());
                }
                Stage::Interim => {
                    release(&mut self.slot, consumed);
                    self.stage = Stage::Head;
                    self.read_head(reading, reuse, None)?;
                }
                Stage::Ending => (self.slot, self.stage) = (None, Stage::Whole),
                Stage::Switching => (self.slot, self.stage) = (None, Stage::Switched),
            }
        }
        Ok(())
    }

    fn read_head(
        &mut self,
        reading: Reading,
        reuse: &mut Reuse,
        see: Option<&mut Look<'_>>,
    ) -> Read {
        let Some(buffer) = &self.slot else { return Ok(()) };
        let mut slots = Slots::default();
        let parsed = ResponseHead::parse(buffer, &mut slots, reading.asked)
            .inspect_err(|bad| self.to_blame = blame(buffer, *bad).map(Box::new));
        let Some(head) = parsed? else {
            return if buffer.is_full() { Err(BadResponse::HeadTooLarge) } else { Ok(()) };
        };
        let (asked, len) = (reading.asked, head.len);
        if head.is_interim() {
            self.interims += 1;
            if self.interims > MOST_INTERIMS {
                return Err(BadResponse::TooManyInterims);
            }
            let verbatim = head.is_verbatim(Persistence::Implied);
            if !verbatim && !asked.http10 {
                head.forward(Persistence::Implied, None, &mut self.head);
            }
            if head.status == 100 {
                reuse.see(Seen::Continue);
            }
            self.stage = Stage::Interim;
            // Clients of HTTP/1.0 know none.
            self.passage = Passage::head(len, verbatim && !asked.http10);
            return Ok(());
        }
        if reading.is_tunnel && matches!(head.status, 200..300) {
            return Err(BadResponse::NoTunnel);
        }
        if let Some(witness) = &mut self.witness {
            witness.came(&buffer[..len]);
        }
        let own = self.changes.take();
        let (goes_on, changes) = match (self.hold, see) {
            // Many responses share what is changed about them.
            (Hold::Nobody, _) => {
                (true, Cow::Borrowed(own.as_deref().unwrap_or(&UNCHANGED_RESPONSE)))
            }
            (Hold::WhoSees, Some(see)) => {
                let mut changes = own.map(Arc::unwrap_or_clone).unwrap_or_default();
                (see(&head, &mut changes), Cow::Owned(changes))
            }
            (Hold::WhoSees, None) | (Hold::WhoAsks, _) => {
                (false, Cow::Owned(own.map(Arc::unwrap_or_clone).unwrap_or_default()))
            }
        };
        if !goes_on {
            (self.status, self.stage) = (head.status, Stage::Held);
            self.change(changes.into_owned());
            return Ok(());
        }
        let onward = Onward::of(&head, (changes, false), reading, &mut self.head);
        onward.show(buffer, &self.head, self.witness.as_deref_mut());
        self.pass(onward, reuse)
    }

    /// The slot has bytes of the body from `start` on, behind a head that is written as it came or
    /// was rewritten.
    fn read_body(&mut self, start: usize, verbatim: bool, reuse: &mut Reuse) -> Read {
        let Some(buffer) = self.slot.as_mut() else { return Ok(()) };
        let fed = self.body.feed(&mut buffer[start..]).map_err(|bad| {
            self.to_blame = Some(Box::new(Excerpt::line(&buffer[start + bad.at..])));
            BadResponse::Chunk
        })?;
        let over = buffer.len() - start - fed.consumed;
        if let Some(tap) = &mut self.tap {
            tap.came.extend_from_slice(&buffer[start..start + fed.forward]);
            tap.is_whole = self.body.is_done();
            if tap.is_whole {
                tap.trailers = self.body.trailer_lines();
            }
            release(&mut self.slot, start + fed.consumed);
            if self.body.is_done() {
                reuse.see(Seen::ResponseEnds { persistent: self.persistent, over });
            }
            return Ok(());
        }
        self.head.extend_from_slice(&fed.opening);
        self.count += fed.payload as u64;
        self.passage = Passage::new(fed, start, verbatim);
        if self.stage == Stage::Switching {
            reuse.see(Seen::Broken);
        } else if self.body.is_done() {
            self.stage = Stage::Ending;
            reuse.see(Seen::ResponseEnds { persistent: self.persistent, over });
        }
        Ok(())
    }

    /// A rewritten head, and a short body behind it, are one piece.
    fn join(&mut self) {
        if !self.head.is_empty() && self.passage.len() <= COPY_LIMIT {
            for slice in self.passage.slices(self.slot.as_deref()) {
                self.head.extend_from_slice(slice);
            }
            self.passage.wrote(self.passage.len());
        }
    }
}

/// Reading a response may show that it is none.
pub(super) type Read = Result<(), BadResponse>;

impl Reading {
    fn has_end(&self, head: &ResponseHead<'_, '_>) -> bool {
        let is_measured = !matches!(head.framing, Framing::UntilClose | Framing::Chunked);
        is_measured || !self.asked.http10
    }

    fn persistence(&self, head: &ResponseHead<'_, '_>) -> Persistence {
        match (head.is_switch(), self.stays && self.has_end(head)) {
            (true, _) => Persistence::Implied,
            (_, false) => Persistence::Close,
            (_, true) if self.asked.http10 => Persistence::KeepAlive,
            (_, true) => Persistence::Implied,
        }
    }
}
