//! A response that somebody looks at before it goes on, and perhaps changes.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Download, Loan, Onward, Read, Reading, Reuse, Seen, Stage, Tap, release};
use crate::body::Body;
use crate::edits::ResponseChanges;
use crate::head::Slots;
use crate::response::ResponseHead;
use crate::trailers::TrailerLine;

/// Who looks at a head as it comes, and may change it: whether it goes on at once, with its body as
/// it is. Otherwise it is held.
pub type Look<'l> = dyn FnMut(&ResponseHead<'_, '_>, &mut ResponseChanges) -> bool + 'l;

/// Who looks at the final head before it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exchange) enum Hold {
    Nobody,
    /// Who is shown it as it comes; where nobody is, it is held.
    WhoSees,
    /// Who asks for it: it is held.
    WhoAsks,
}

/// How a response goes on.
#[derive(Debug, Default)]
pub struct LetThrough {
    /// What is changed about its head.
    pub changes: ResponseChanges,
    /// Its body goes through somebody else's hands.
    pub is_tapped: bool,
}

impl<B: Loan> Download<B> {
    /// The head goes on with these changes.
    pub(in crate::exchange) fn change(&mut self, changes: ResponseChanges) {
        let is_changed = !changes.is_empty();
        self.changes = is_changed.then(|| Arc::new(changes));
    }

    /// Shows the head that is held.
    fn look<T>(&self, reading: Reading, see: impl FnOnce(&ResponseHead<'_, '_>) -> T) -> Option<T> {
        let buffer = self.slot.as_ref().filter(|_| self.stage == Stage::Held)?;
        let mut slots = Slots::default();
        let head = ResponseHead::parse(buffer, &mut slots, reading.asked).ok().flatten()?;
        Some(see(&head))
    }

    /// Lets more of the body come behind the head that is held, until its first `max` bytes are
    /// there, or all of it, or as much as there is room for.
    pub(in crate::exchange) fn peek(&mut self, max: usize, reading: Reading) {
        if self.stage == Stage::Held {
            self.peeks = Some(max);
            self.peek_on(reading);
        }
    }

    /// The first bytes of the body behind the head that is held, as far as they have come.
    pub(in crate::exchange) fn begin(&self, reading: Reading) -> Vec<u8> {
        self.begun_body(reading).map_or_else(Vec::new, |(begin, _)| begin)
    }

    /// Sees whether more is to come.
    pub(super) fn peek_on(&mut self, reading: Reading) {
        let Some(max) = self.peeks else { return };
        let is_full = self.slot.as_ref().is_none_or(Loan::is_full);
        // What is no body is found out when it goes on.
        let goes_on = self
            .begun_body(reading)
            .is_some_and(|(begin, is_done)| !is_done && begin.len() < max && !is_full);
        if !goes_on {
            self.peeks = None;
        }
    }

    /// What has come of the body, and whether that is all.
    fn begun_body(&self, reading: Reading) -> Option<(Vec<u8>, bool)> {
        let (len, framing) = self.look(reading, |head| (head.len, head.framing))?;
        let mut body = Body::payload(framing, false);
        let mut rest = self.slot.as_ref()?[len..].to_vec();
        let fed = body.feed(&mut rest).ok()?;
        rest.truncate(fed.forward);
        Some((rest, body.is_done()))
    }

    /// Shows the head that is held, and lets the response go on where `see` says how.
    pub(in crate::exchange) fn look_and_pass<T>(
        &mut self,
        reading: Reading,
        reuse: &mut Reuse,
        see: impl FnOnce(&ResponseHead<'_, '_>) -> (T, Option<LetThrough>),
    ) -> Option<(T, Read)> {
        let buffer = self.slot.as_ref().filter(|_| self.stage == Stage::Held)?;
        let mut slots = Slots::default();
        let head = ResponseHead::parse(buffer, &mut slots, reading.asked).ok().flatten()?;
        let (seen, passing) = see(&head);
        let Some(through) = passing else { return Some((seen, Ok(()))) };
        let LetThrough { changes, is_tapped } = through;
        let changes = (Cow::Owned(changes), is_tapped);
        let onward = Onward::of(&head, changes, reading, &mut self.head);
        onward.show(buffer, &self.head, self.witness.as_deref_mut());
        Some((seen, self.pass(onward, reuse)))
    }

    /// Drops the response that is held.
    pub(in crate::exchange) fn discard(&mut self, reading: Reading, reuse: &mut Reuse) {
        let held = self.look(reading, |head| (head.len, head.framing, head.keep_alive));
        let (Some((len, framing, persistent)), Some(buffer)) = (held, &mut self.slot) else {
            return;
        };
        let mut body = Body::payload(framing, false);
        let rest = &mut buffer[len..];
        match body.feed(rest) {
            Ok(fed) if body.is_done() => {
                let over = rest.len() - fed.consumed;
                reuse.see(Seen::ResponseEnds { persistent, over });
            }
            _ => reuse.see(Seen::Broken),
        }
        let all = buffer.len();
        release(&mut self.slot, all);
    }

    /// The body in somebody else's hands.
    pub(in crate::exchange) fn tapped(&mut self) -> Option<&mut Tap> {
        self.tap.as_deref_mut()
    }

    /// Whether what stands behind it goes through somebody else's hands, or may yet: all of it may
    /// have come before its head is looked at.
    pub(in crate::exchange) fn has_trailers_in_hand(&self) -> bool {
        self.stage == Stage::Held || self.tap.as_ref().is_some_and(|tap| tap.has_trailers)
    }

    /// What somebody else made of the body.
    pub(in crate::exchange) fn give(&mut self, payload: &[u8], end: Option<&[TrailerLine]>) {
        let Some(tap) = self.tap.as_mut().filter(|tap| !tap.is_ended) else { return };
        tap.wrapping.push(payload, &mut self.head);
        self.count += payload.len() as u64;
        if let Some(trailers) = end {
            tap.is_ended = true;
            tap.wrapping.end(trailers, &mut self.head);
            let is_written = self.sent == self.head.len();
            self.stage = if is_written { Stage::Whole } else { Stage::Ending };
        }
    }
}
