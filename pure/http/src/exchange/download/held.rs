//! A response that somebody looks at before it goes on, and perhaps changes.

use super::{Download, Loan, Read, Reading, Reuse, Seen, Stage, Tap, release};
use crate::body::{Body, Framing, Wrapping};
use crate::edits::ResponseChanges;
use crate::head::Slots;
use crate::response::{Persistence, ResponseHead};

impl<B: Loan> Download<B> {
    /// Shows the head that is held.
    pub(in crate::exchange) fn look<T>(
        &self,
        reading: Reading,
        see: impl FnOnce(&ResponseHead<'_, '_>) -> T,
    ) -> Option<T> {
        let buffer = self.slot.as_ref().filter(|_| self.stage == Stage::Held)?;
        let mut slots = Slots::default();
        let head = ResponseHead::parse(buffer, &mut slots, reading.asked).ok().flatten()?;
        Some(see(&head))
    }

    /// Lets the response go on with `changes`, its body through somebody else's hands if it
    /// `is_tapped`.
    pub(in crate::exchange) fn pass(
        &mut self,
        mut changes: ResponseChanges,
        is_tapped: bool,
        reading: Reading,
        reuse: &mut Reuse,
    ) -> Read {
        let Some(buffer) = self.slot.as_ref().filter(|_| self.stage == Stage::Held) else {
            return Ok(());
        };
        let mut slots = Slots::default();
        let Some(head) = ResponseHead::parse(buffer, &mut slots, reading.asked)? else {
            return Ok(());
        };
        let (len, switches, http10) = (head.len, head.is_switch(), reading.asked.http10);
        let mut persistence = reading.persistence(&head);
        let has_body = head.framing != Framing::None && !switches;
        if is_tapped && has_body {
            let wrapping = if http10 { Wrapping::Plain } else { Wrapping::Chunks };
            changes.framing = Some(if http10 { Framing::UntilClose } else { Framing::Chunked });
            if http10 {
                persistence = Persistence::Close;
            }
            self.tap = Some(Box::new(Tap { wrapping, ..Tap::default() }));
        } else if is_tapped && reading.asked.head {
            // Nobody knows how long it would be.
            changes.framing = Some(Framing::None);
        }
        let is_changed = changes != ResponseChanges::default();
        let verbatim = !is_changed && head.is_verbatim(persistence);
        if !verbatim {
            head.forward(persistence, is_changed.then_some(&changes), &mut self.head);
        }
        if let Some(witness) = &mut self.witness {
            witness.went(if verbatim { &buffer[..len] } else { &self.head });
        }
        self.status = changes.status.filter(|_| !switches).unwrap_or(head.status);
        (self.persistent, self.persistence) = (head.keep_alive, persistence);
        self.body = match head.framing {
            _ if switches => Body::new(Framing::UntilClose),
            framing if self.tap.is_some() => Body::payload(framing, false),
            framing => Body::answer(framing, http10),
        };
        self.stage = if switches { Stage::Switching } else { Stage::Body };
        self.read_body(len, verbatim, reuse)?;
        self.join();
        Ok(())
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

    /// What somebody else made of the body.
    pub(in crate::exchange) fn give(&mut self, payload: &[u8], is_end: bool) {
        let Some(tap) = self.tap.as_mut().filter(|tap| !tap.is_ended) else { return };
        tap.wrapping.push(payload, &mut self.head);
        self.count += payload.len() as u64;
        if is_end {
            tap.is_ended = true;
            tap.wrapping.end(&mut self.head);
            let is_written = self.sent == self.head.len();
            self.stage = if is_written { Stage::Whole } else { Stage::Ending };
        }
    }
}
