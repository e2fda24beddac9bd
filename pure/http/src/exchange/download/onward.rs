//! How a response goes on, once nobody stands in its way.

use std::borrow::Cow;

use super::{Download, Loan, Read, Reading, Reuse, Stage, Tap, Witness};
use crate::body::{Body, Framing, Wrapping};
use crate::edits::ResponseChanges;
use crate::response::{Persistence, ResponseHead};

/// How a response goes on behind its head, which is written as it came or was rewritten.
pub(super) struct Onward {
    status: u16,
    /// Bytes of the head.
    len: usize,
    is_verbatim: bool,
    is_switch: bool,
    /// The endpoint's connection may stay open.
    persistent: bool,
    persistence: Persistence,
    body: Body,
    tap: Option<Box<Tap>>,
}

impl Onward {
    /// Appends the head with its changes to `out`, unless it goes on as it came. Its body may go
    /// through somebody else's hands.
    pub(super) fn of(
        head: &ResponseHead<'_, '_>,
        (mut changes, is_tapped): (Cow<'_, ResponseChanges>, bool),
        reading: Reading,
        out: &mut Vec<u8>,
    ) -> Self {
        let (is_switch, http10) = (head.is_switch(), reading.asked.http10);
        let mut persistence = reading.persistence(head);
        let has_body = head.framing != Framing::None && !is_switch;
        let mut tap = None;
        if is_tapped && has_body {
            let wrapping = if http10 { Wrapping::Plain } else { Wrapping::Chunks };
            let framing = if http10 { Framing::UntilClose } else { Framing::Chunked };
            changes.to_mut().framing = Some(framing);
            if http10 {
                persistence = Persistence::Close;
            }
            let has_trailers = head.framing == Framing::Chunked;
            tap = Some(Box::new(Tap { wrapping, has_trailers, ..Tap::default() }));
        } else if is_tapped && reading.asked.head {
            // Nobody knows how long it would be.
            changes.to_mut().framing = Some(Framing::None);
        }
        let is_changed = !changes.is_empty();
        let is_verbatim = !is_changed && head.is_verbatim(persistence);
        if !is_verbatim {
            head.forward(persistence, is_changed.then_some(&*changes), out);
        }
        // What follows the head of a 101 is the tunnel's.
        let body = match head.framing {
            _ if is_switch => Body::new(Framing::UntilClose),
            framing if tap.is_some() => Body::payload(framing, false),
            framing => Body::answer(framing, http10),
        };
        let status = changes.status.filter(|_| !is_switch).unwrap_or(head.status);
        let (len, persistent) = (head.len, head.keep_alive);
        Self { status, len, is_verbatim, is_switch, persistent, persistence, body, tap }
    }

    /// Shows the head as it goes on to who wants to know.
    pub(super) fn show(&self, came: &[u8], written: &[u8], witness: Option<&mut Witness>) {
        if let Some(witness) = witness {
            witness.went(if self.is_verbatim { &came[..self.len] } else { written });
        }
    }
}

impl<B: Loan> Download<B> {
    /// What has come of the body goes on.
    pub(super) fn pass(&mut self, onward: Onward, reuse: &mut Reuse) -> Read {
        let Onward { status, len, is_verbatim, is_switch, persistent, persistence, body, tap } =
            onward;
        self.peeks = None;
        (self.status, self.persistent, self.persistence) = (status, persistent, persistence);
        (self.body, self.tap) = (body, tap);
        self.stage = if is_switch { Stage::Switching } else { Stage::Body };
        self.read_body(len, is_verbatim, reuse)?;
        self.join();
        Ok(())
    }
}
