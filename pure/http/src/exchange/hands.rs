//! What passes through somebody else's hands: filters look at heads and have bodies.

use std::sync::Arc;
use std::time::Duration;

use super::passage::Loan;
use super::tap::Came;
use super::{Break, Exchange, Hold, LetThrough, Stage};
use crate::body::{Body, Wrapping};
use crate::edits::ResponseChanges;
use crate::response::ResponseHead;
use crate::trailers::TrailerLine;

impl<O: AsRef<[u8]>, B: Loan> Exchange<O, B> {
    /// The head of the final response is held until it is passed on or dropped.
    pub fn hold(&mut self) {
        self.download.hold = Hold::WhoAsks;
    }

    /// The same, but for what is let go on as it comes ([`Exchange::endpoint_sent_to`]).
    pub fn show(&mut self) {
        if self.download.hold == Hold::Nobody {
            self.download.hold = Hold::WhoSees;
        }
    }

    /// Whether a response is held, and nothing more of it is awaited.
    pub fn is_held(&self) -> bool {
        let is_held = self.download.stage == Stage::Held && self.download.peeks.is_none();
        is_held && self.broken.is_none()
    }

    /// Lets more come behind the head that is held: it is held again once the first `max` bytes of
    /// the body are there, all of it, or as much as there is room for.
    pub fn peek(&mut self, max: usize) {
        self.download.peek(max, self.reading());
    }

    /// Nothing more of it is waited for.
    pub fn stop_peeking(&mut self) {
        self.download.peeks = None;
    }

    /// The first bytes of the body behind the head that is held, as far as they have come.
    pub fn begin_of_body(&self) -> Vec<u8> {
        self.download.begin(self.reading())
    }

    /// Lets the response go on with `changes`, its body through somebody else's hands if it
    /// `is_tapped`.
    pub fn pass(&mut self, changes: ResponseChanges, is_tapped: bool) {
        self.look_and_pass(|_| ((), Some(LetThrough { changes, is_tapped })));
    }

    /// Shows the head that is held, and lets the response go on where `see` says how: it is read
    /// once for both.
    pub fn look_and_pass<T>(
        &mut self,
        see: impl FnOnce(&ResponseHead<'_, '_>) -> (T, Option<LetThrough>),
    ) -> Option<T> {
        let reading = self.reading();
        let (seen, read) = self.download.look_and_pass(reading, &mut self.reuse, see)?;
        self.note(read);
        Some(seen)
    }

    /// The final response goes on with these changes, unless it is held.
    pub fn change_response(&mut self, changes: Option<Arc<ResponseChanges>>) {
        self.download.changes = changes;
    }

    /// The changes that it would go on with.
    pub fn take_changes(&mut self) -> ResponseChanges {
        self.download.changes.take().map(Arc::unwrap_or_clone).unwrap_or_default()
    }

    /// All of the request is kept as it goes on, up to `max` bytes of payload behind its opening.
    pub fn keep_request(&mut self, max: usize) {
        self.upload.keep(max);
    }

    /// Bytes of payload that are kept behind the opening.
    pub fn kept(&self) -> usize {
        self.upload.kept()
    }

    /// The opening, and what was kept behind it, where that is all of the request.
    pub fn whole_request(&self) -> Option<[&[u8]; 2]> {
        self.upload.whole()
    }

    /// The head for the endpoint, with what had come of the body.
    pub fn opening(&self) -> &[u8] {
        self.upload.opening()
    }

    /// The attempts that follow are asked by this name, and by the one that the client asks for
    /// where there is none; for what is `below` another path, where there is one. What is copied
    /// or kept of the request stays as the client asks.
    pub fn ask_by(&mut self, host: Option<&str>, below: Option<&str>) {
        self.upload.rename(host, below);
    }

    /// Of the attempts that follow each is over where the head of its response takes longer than
    /// this, once all of the request was sent.
    pub fn answer_within(&mut self, limit: Option<Duration>) {
        self.waits.answer_within(limit);
    }

    /// Whether another endpoint may be asked though this one has had its say: nothing of the
    /// response has gone on, and nothing of the request is lost.
    pub fn may_begin_anew(&self) -> bool {
        let is_answered = matches!(self.download.stage, Stage::Head | Stage::Held);
        is_answered && self.upload.is_kept()
    }

    /// What an endpoint said is forgotten: another one is asked.
    pub fn begin_anew(&mut self) {
        self.broken = None;
        self.download.begin_anew();
    }

    /// Drops the response that is held: the client is to get another one.
    pub fn discard(&mut self) {
        let reading = self.reading();
        self.download.discard(reading, &mut self.reuse);
    }

    /// The request's body goes through somebody else's hands; its pieces go on in a `wrapping`.
    /// `is_ended`: what is in the opening is all that will be.
    pub fn tap_request(&mut self, wrapping: Wrapping, is_ended: bool) {
        self.upload.tap(wrapping, is_ended);
    }

    /// How far the request's body has come.
    pub fn request_body(&self) -> Body {
        self.upload.body()
    }

    /// What came of the request's body since.
    pub fn request_came(&mut self) -> Option<Came> {
        self.upload.tapped()?.take()
    }

    /// What is to go on of the request's body.
    pub fn give_request(&mut self, payload: &[u8], is_end: bool) {
        self.upload.give(payload, is_end.then_some(&[]), &mut self.reuse);
    }

    /// Nothing more is to go on of it but this, behind it.
    pub fn end_request(&mut self, trailers: &[TrailerLine]) {
        self.upload.give(b"", Some(trailers), &mut self.reuse);
    }

    /// Whether what stands behind the request's body, and behind the response's, goes through
    /// somebody else's hands with it, or nowhere.
    pub fn trailers_in_hand(&self) -> (bool, bool) {
        (self.upload.has_trailers_in_hand(), self.download.has_trailers_in_hand())
    }

    /// Nothing more of the request's body is taken for the moment, or more is again.
    pub fn pause_request(&mut self, is_paused: bool) {
        self.upload.tapped().into_iter().for_each(|tap| tap.is_paused = is_paused);
    }

    /// What came of the response's body since.
    pub fn response_came(&mut self) -> Option<Came> {
        self.download.tapped()?.take()
    }

    /// What is to go on of the response's body.
    pub fn give_response(&mut self, payload: &[u8], is_end: bool) {
        self.download.give(payload, is_end.then_some(&[]));
    }

    /// Nothing more is to go on of it but this, behind it.
    pub fn end_response(&mut self, trailers: &[TrailerLine]) {
        self.download.give(b"", Some(trailers));
    }

    /// Nothing more of the response's body is taken for the moment, or more is again.
    pub fn pause_response(&mut self, is_paused: bool) {
        self.download.tapped().into_iter().for_each(|tap| tap.is_paused = is_paused);
    }

    /// Who has a body in hand gives up.
    pub fn give_up(&mut self) {
        self.fail(Break::GivenUp);
    }
}
