//! One exchange: a request from a client to an endpoint, and its response back.
//!
//! What it is: the machine that decides everything about it: what is written to whom and when who
//! is read, what the client hears about its connection, when an attempt may be repeated, how long
//! who may take, and what becomes of both connections. What it is not: it picks no endpoint and
//! touches no socket; who drives it reports what sockets did (`wrote_…`, `…_sent`, `…_ended`) and
//! asks what to do next.
//!
//! Invariants: what was not reported counts as not done; an endpoint's connection is given back by
//! [`Exchange::settle`] alone; what the client sent beyond the request is never lost while its
//! connection stays; every exchange comes to a [`Verdict`].

mod download;
mod hands;
mod limits;
mod passage;
mod reuse;
mod tap;
mod upload;
mod witness;

use std::rc::Rc;
use std::time::Instant;

use self::download::{Download, Hold, Reading, Stage};
use self::limits::{Wait, Waits};
use self::upload::Upload;
use crate::body::Body;
use crate::excerpt::Excerpt;
use crate::reject::{BadResponse, Reject};
use crate::response::{Asked, Persistence};
use crate::upgrade::Upgrades;
pub use download::{LetThrough, Look};
pub use limits::Limits;
pub use passage::{Loan, release};
pub use reuse::{Clean, Reuse, Seen};
pub use tap::Came;
pub use witness::Witness;

/// One request and its response, over one attempt or several.
pub struct Exchange<O, B> {
    terms: Terms,
    upload: Upload<O, B>,
    download: Download<B>,
    reuse: Reuse,
    waits: Waits,
    /// All of it is to be over by then.
    due: Option<Instant>,
    /// The client has closed its side: it waits for its answer and says nothing more.
    half_closed: bool,
    /// The client's connection is to end with this exchange.
    closing: bool,
    /// The endpoint's is, as the request says.
    is_last: bool,
    broken: Option<Break>,
    /// The endpoint has not looked at the request, as it says.
    is_declined: bool,
    /// A client that is being answered may be silent in the middle of its request.
    is_duplex: bool,
}

/// What the head of a request says about its exchange.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// What the response's meaning depends on.
    pub asked: Asked,
    /// The client wants its connection to stay open.
    pub keep_alive: bool,
    /// Doing it twice is as good as once.
    pub idempotent: bool,
    /// The endpoint is asked for a 100 (RFC 9110 §10.1.1).
    pub expects: bool,
    /// It has a body: some clients send an empty line behind it (RFC 9112 §2.2).
    pub has_body: bool,
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// The client went away, or takes no more.
    ClientGone,
    /// The client does not go on with its body.
    RequestTimeout,
    /// The client sends or takes nothing, and others need its place.
    MadeRoom,
    /// Nobody waits for it any more: who serves it ends.
    CutOff,
    /// The client's body is none, or its request cannot go on.
    Rejected(Reject),
    /// The endpoint closed the connection, or it broke.
    EndpointClosed,
    /// The endpoint takes no more, or does not respond in time.
    EndpointTimeout,
    /// The response is none.
    BadResponse(BadResponse),
    /// A filter that has a body in hand cannot go on.
    GivenUp,
}

/// What is to be noticed about the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Its next bytes.
    Bytes,
    /// That it closes its side, or breaks; its bytes stay where they are.
    End,
    /// That it breaks.
    Break,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The response was passed on.
    Passed(After),
    /// Both connections are a tunnel now.
    Switched,
    /// Another connection may be tried; without one the client gets an answer.
    Retry(Break),
    /// The client is to be told.
    Answer {
        /// What.
        why: Break,
        /// Its connection may stay open afterwards.
        stays: bool,
    },
    /// Nothing can be said any more.
    Cut(Break, After),
}

/// What becomes of a client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It waits for the next request.
    Next,
    /// It is closed.
    Close,
    /// Our side is closed, and what the client still sends is read for a moment: closing with
    /// unread bytes resets the connection, and the client might never see its answer.
    Linger,
    /// It is reset: an orderly end would look like the end of the response.
    Reset,
}

impl<O: AsRef<[u8]>, B: Loan> Exchange<O, B> {
    /// `opening` is the head for the endpoint with what had come of the body, which `body` has
    /// followed; `held` is what the client sent beyond that. `scratch` is memory.
    pub fn new(
        terms: Terms,
        limits: impl Into<Rc<Limits>>,
        opening: O,
        body: Body,
        held: Option<B>,
        scratch: Vec<u8>,
    ) -> Self {
        Self {
            terms,
            upload: Upload::new(opening, body, held),
            download: Download::new(scratch),
            reuse: Reuse::new(terms.expects),
            waits: Waits::new(limits.into()),
            due: None,
            half_closed: false,
            closing: false,
            is_last: false,
            broken: None,
            is_declined: false,
            is_duplex: false,
        }
    }

    /// Whether the request may be sent again when an attempt came to nothing.
    pub fn is_repeatable(&self) -> bool {
        self.terms.idempotent && self.upload.is_at_hand()
    }

    /// Both ways go on at their own pace, as those of a stream of HTTP/2 do: who is being answered
    /// is not waited for to go on asking, which may be for hours. Who asks for another protocol
    /// there wants nothing but that (RFC 8441 §5).
    pub fn make_duplex(&mut self) {
        self.is_duplex = true;
    }

    /// Keeps the heads of the final response.
    pub fn keep_heads(&mut self, witness: Box<Witness>) {
        self.download.witness = Some(witness);
    }

    /// The heads that were kept.
    pub fn take_heads(&mut self) -> Option<Box<Witness>> {
        self.download.witness.take()
    }

    /// Begins an attempt, on a connection nothing was written to.
    pub fn begin(&mut self) {
        self.broken = None;
        self.is_declined = false;
        self.reuse = Reuse::new(self.terms.expects);
        self.waits.forget_all();
        self.upload.begin(&mut self.reuse);
    }

    /// The attempt, and the response with it, is to be over by then, whatever moves. What becomes a
    /// tunnel has no such end.
    pub fn end_by(&mut self, due: Option<Instant>) {
        self.due = due;
    }

    /// The client's connection is to end with this exchange.
    pub fn close_client(&mut self) {
        self.closing = true;
    }

    /// What the endpoint is to get now.
    pub fn to_endpoint(&self) -> [&[u8]; 3] {
        if self.is_over() { [b""; 3] } else { self.upload.pending() }
    }

    /// The endpoint's socket took so many bytes.
    pub fn wrote_to_endpoint(&mut self, count: usize) {
        self.waits.forget(Wait::EndpointTakes);
        self.upload.wrote(count, &mut self.reuse);
    }

    /// The endpoint's socket takes no more. Its response says why, if there is one.
    pub fn endpoint_refuses(&mut self) {
        self.reuse.see(Seen::Broken);
        self.upload.refuse();
    }

    /// What the client is to get now.
    pub fn to_client(&self) -> [&[u8]; 3] {
        if self.is_over() { [b""; 3] } else { self.download.pending() }
    }

    /// Whether that is the last the client gets on its connection.
    pub fn is_last(&self) -> bool {
        self.download.is_last()
    }

    /// The client's socket took so many bytes.
    pub fn wrote_to_client(&mut self, count: usize) {
        self.waits.client_moved(Wait::ClientTakes);
        self.waits.forget(Wait::Silence);
        let read = self.download.wrote(count, self.reading(), &mut self.reuse);
        self.note(read);
    }

    /// What is to be noticed about the client.
    pub fn watch(&self) -> Watch {
        match (self.half_closed, self.upload.reads()) {
            (false, true) => Watch::Bytes,
            (false, false) if self.upload.is_read() => Watch::End,
            _ => Watch::Break,
        }
    }

    /// Whether what the client sends next is a piece of a body, and probably large.
    pub fn client_sends_body(&self) -> bool {
        !self.upload.is_read()
    }

    /// Where the client's next bytes go.
    pub fn client_slot(&mut self) -> &mut Option<B> {
        self.upload.slot()
    }

    /// The client's slot has more bytes.
    pub fn client_sent(&mut self) {
        self.waits.client_moved(Wait::ClientSends);
        if self.upload.received(&mut self.reuse).is_err() {
            self.fail(Break::Rejected(Reject::Chunk));
        }
    }

    /// The client has closed its side. Who asked for all it wants still gets its answer.
    pub fn client_ended(&mut self) {
        self.half_closed = true;
        if !self.upload.is_read() {
            self.fail(Break::ClientGone);
        }
    }

    /// The client's connection broke.
    pub fn client_broke(&mut self) {
        self.fail(Break::ClientGone);
    }

    /// Whether the endpoint is to be read.
    pub fn reads_endpoint(&self) -> bool {
        !self.is_over() && self.download.reads()
    }

    /// Whether what it sends next is a piece of a body, and probably large.
    pub fn endpoint_sends_body(&self) -> bool {
        self.download.stage == Stage::Body
    }

    /// Where the endpoint's next bytes go.
    pub fn endpoint_slot(&mut self) -> &mut Option<B> {
        self.download.slot()
    }

    /// The endpoint's slot has more bytes.
    pub fn endpoint_sent(&mut self) {
        self.endpoint_sent_more(None);
    }

    /// The same, for who looks at the head of the final response ([`Exchange::show`]).
    pub fn endpoint_sent_to(&mut self, see: &mut Look<'_>) {
        self.endpoint_sent_more(Some(see));
    }

    fn endpoint_sent_more(&mut self, see: Option<&mut Look<'_>>) {
        self.waits.forget(Wait::EndpointSpeaks);
        self.waits.forget(Wait::EndpointGoesOn);
        self.waits.forget(Wait::Silence);
        let read = self.download.received(self.reading(), &mut self.reuse, see);
        self.note(read);
    }

    /// The endpoint has closed its side.
    pub fn endpoint_ended(&mut self) {
        if !self.download.ended(&mut self.reuse) {
            self.fail(Break::EndpointClosed);
        }
    }

    /// The endpoint's connection broke.
    pub fn endpoint_broke(&mut self) {
        self.fail(Break::EndpointClosed);
    }

    /// The endpoint says that it has not looked at the request (RFC 9113 §8.7): another one may,
    /// whatever it asks for.
    pub fn endpoint_declined(&mut self) {
        self.is_declined = true;
        self.fail(Break::EndpointClosed);
    }

    /// Whether that is how the last attempt ended.
    pub fn is_declined(&self) -> bool {
        self.is_declined
    }

    /// What the client asked to switch to.
    pub fn upgrade(&self) -> Upgrades {
        self.terms.asked.upgrade
    }

    /// Whether anything is limited in time now; if so, [`Exchange::wait`] is to be asked.
    pub fn is_limited(&self) -> bool {
        self.due.is_some() || Wait::ALL.into_iter().any(|wait| self.limit_counts(wait))
    }

    /// Nothing can be done at `now`: until when to wait at most. What took too long by then is the
    /// end of the exchange.
    pub fn wait(&mut self, now: Instant) -> Option<Instant> {
        let mut first = self.due;
        if first.is_some_and(|due| due <= now) {
            self.fail(Break::EndpointTimeout);
            return None;
        }
        for wait in Wait::ALL {
            if !self.limit_counts(wait) {
                self.waits.forget(wait);
                continue;
            }
            let Some(until) = self.waits.until(wait, now) else { continue };
            if until <= now {
                self.fail(wait.is_over());
                return None;
            }
            first = Some(first.map_or(until, |first: Instant| first.min(until)));
        }
        let client_alone = [Wait::ClientSends, Wait::ClientTakes].map(|it| self.limit_counts(it));
        self.waits.stall(client_alone.contains(&true), now);
        first
    }

    /// Since when the client alone is waited for, and neither sends nor takes anything; as of the
    /// last [`Exchange::wait`].
    pub fn stalled(&self) -> Option<Instant> {
        self.waits.stalled()
    }

    /// Others need the place of a client that sends or takes nothing.
    pub fn make_room(&mut self) {
        self.fail(Break::MadeRoom);
    }

    /// The endpoint's protocol has no spelling for what the client asks.
    pub fn reject(&mut self, why: Reject) {
        self.fail(Break::Rejected(why));
    }

    /// It has had all the time it gets.
    pub fn cut_off(&mut self) {
        self.fail(Break::CutOff);
    }

    /// Whether it has come to an end.
    pub fn is_over(&self) -> bool {
        self.broken.is_some() || matches!(self.download.stage, Stage::Whole | Stage::Switched)
    }

    /// How it ended. One that has not is cut off.
    pub fn verdict(&self) -> Verdict {
        match (self.broken, self.download.stage) {
            (None, Stage::Whole) => Verdict::Passed(self.after()),
            (None, Stage::Switched) => Verdict::Switched,
            (broken, _) => self.failure(broken.unwrap_or(Break::ClientGone)),
        }
    }

    /// The endpoint's connection, if another exchange may follow on it.
    pub fn settle<S>(&mut self, connection: S) -> Option<Clean<S>> {
        let reuse = std::mem::replace(&mut self.reuse, Reuse::new(false));
        // Who has said that it is the last one asks for nothing more (RFC 9112 §9.6).
        reuse.settle(connection).filter(|_| !self.is_last)
    }

    /// The request says that the endpoint's connection ends behind its answer.
    pub fn close_endpoint(&mut self) {
        self.is_last = true;
    }

    /// Whether the client's connection may stay open after an answer that no endpoint gave.
    pub fn may_stay(&self) -> bool {
        self.terms.keep_alive && self.upload.is_read()
    }

    /// Status of the final response, 0 before it came.
    pub fn status(&self) -> u16 {
        self.download.status
    }

    /// The line of the response that made it none, as far as it is one line.
    pub fn to_blame(&self) -> Option<Excerpt> {
        self.download.to_blame.as_deref().copied()
    }

    /// Bytes of the request's body that came during the exchange, and of the response's body.
    pub fn bytes(&self) -> (u64, u64) {
        (self.upload.count, self.download.count)
    }

    /// What the client sent ahead of a tunnel.
    pub fn take_ahead(&mut self) -> Option<B> {
        self.upload.slot().take()
    }

    /// What the client sent beyond the request, and the memory.
    pub fn take_parts(&mut self) -> (Option<B>, Vec<u8>) {
        (self.upload.take_held(), self.download.take_scratch())
    }

    fn reading(&self) -> Reading {
        // Who has not read all of the request when its answer begins does not know whether it will.
        let stays = self.terms.keep_alive && !self.closing && self.upload.is_read();
        let asked = self.terms.asked;
        Reading { asked, stays, is_tunnel: self.is_duplex && !asked.upgrade.is_empty() }
    }

    fn note(&mut self, read: Result<(), BadResponse>) {
        if let Err(bad) = read {
            self.fail(Break::BadResponse(bad));
        }
    }

    /// The first reason counts.
    fn fail(&mut self, why: Break) {
        if !self.is_over() {
            self.reuse.see(Seen::Broken);
            self.broken = Some(why);
        }
    }

    fn after(&self) -> After {
        match self.download.persistence {
            Persistence::Implied | Persistence::KeepAlive => After::Next,
            Persistence::Close if self.is_silent() => After::Close,
            Persistence::Close => After::Linger,
        }
    }

    /// Whether the client said itself that nothing follows, and nothing can.
    fn is_silent(&self) -> bool {
        !self.terms.keep_alive && !self.terms.has_body && self.upload.reads()
    }

    fn failure(&self, why: Break) -> Verdict {
        // Of one that is held nothing has gone on.
        let final_head = self.download.status != 0 && self.download.stage != Stage::Held;
        let within_interim = self.download.stage == Stage::Interim;
        if why == Break::ClientGone {
            Verdict::Cut(why, After::Close)
        } else if final_head || within_interim {
            Verdict::Cut(why, After::Reset)
        } else if why == Break::EndpointClosed
            && !self.download.begun
            && self.upload.may_repeat(self.terms.idempotent || self.is_declined)
        {
            Verdict::Retry(why)
        } else {
            let theirs = matches!(
                why,
                Break::RequestTimeout
                    | Break::MadeRoom
                    | Break::CutOff
                    | Break::Rejected(_)
                    | Break::GivenUp
            );
            Verdict::Answer { why, stays: !theirs && self.may_stay() }
        }
    }

    fn limit_counts(&self, wait: Wait) -> bool {
        let head = self.download.stage == Stage::Head;
        match wait {
            Wait::EndpointTakes => self.upload.is_busy(),
            Wait::ClientTakes => self.download.is_busy(),
            Wait::ClientSends => {
                let is_awaited = head || !self.is_duplex;
                is_awaited && !self.upload.is_read() && self.upload.reads()
            }
            Wait::EndpointSpeaks => {
                head && self.upload.is_written() && self.waits.response_head().is_some()
            }
            Wait::EndpointGoesOn => {
                let has_begun = self.download.stage == Stage::Body;
                has_begun && self.download.reads() && self.waits.limits().response_body.is_some()
            }
            // A connection that is broken one way says soon that it is the other way too.
            Wait::EndpointEnds => head && self.upload.is_refused(),
            Wait::Silence => self.half_closed,
        }
    }
}

#[cfg(test)]
mod tests;
