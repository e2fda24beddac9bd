//! A request's body on its way in: how far it has come.

use std::time::Instant;

use crate::ask::Got;
use crate::frame::Piece;
use crate::gathered::Gathered;
use crate::replay::Replay;

/// What of a body waits, and where.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    /// It waits before the frame at this place.
    pub(super) level: usize,
    pub(super) waiting: Gathered,
    /// Nothing more is to come before.
    pub(super) until: Option<Instant>,
    /// What a frame waits for that asked for all of it.
    whole: Option<Replay>,
}

impl Inbound {
    pub(super) fn add(&mut self, pieces: Vec<Piece>) {
        if let Some(whole) = &mut self.whole {
            pieces.iter().for_each(|piece| whole.keep(piece));
        }
        pieces.into_iter().for_each(|piece| self.waiting.push(piece));
    }

    /// Watches for the end, over at most `max` bytes.
    pub(super) fn collect(&mut self, max: usize) {
        let mut whole = Replay::up_to(max);
        self.waiting.pieces().iter().for_each(|piece| whole.keep(piece));
        self.whole = Some(whole);
    }

    /// Whether it is watched for, and neither has the end come nor is it too large.
    pub(super) fn is_open(&self) -> bool {
        let whole = self.whole.as_ref();
        whole.is_some_and(|whole| whole.is_at_hand() && !whole.is_whole())
    }

    /// The body, or that it is too large, once that is known.
    pub(super) fn collected(&mut self) -> Option<Got> {
        let whole = self.whole.as_ref()?;
        let got = match whole.whole() {
            _ if !whole.is_at_hand() => Got::TooLarge,
            Some(bytes) => Got::Body(bytes),
            None => return None,
        };
        self.whole = None;
        Some(got)
    }

    /// Bytes that wait, or are kept for a frame that waits for all of them.
    pub(super) fn kept(&self) -> usize {
        self.waiting.size().max(self.whole.as_ref().map_or(0, Replay::kept))
    }

    /// It waits once more, before the frame at `level`.
    pub(super) fn begin_again(&mut self, level: usize, pieces: Vec<Piece>) {
        self.level = level;
        self.waiting = pieces.into();
        self.until = None;
        self.whole = None;
    }
}
