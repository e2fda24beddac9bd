//! A request's body, kept while an attempt may have to be made again.

use bytes::Bytes;

use crate::frame::Piece;
use crate::gathered::Gathered;

/// What came of a body so far, up to a bound.
#[derive(Debug)]
pub struct Replay {
    max: usize,
    kept: Option<Gathered>,
    size: usize,
}

impl Replay {
    /// Keeps up to `max` bytes.
    pub fn up_to(max: usize) -> Self {
        Self { max, kept: Some(Gathered::default()), size: 0 }
    }

    /// Takes a piece in. A body that is larger cannot be sent again, and nothing is kept of it.
    pub fn keep(&mut self, piece: &Piece) {
        let Some(kept) = &mut self.kept else { return };
        if let Piece::Data(bytes) = piece {
            self.size = self.size.saturating_add(bytes.len());
        }
        if self.size > self.max {
            self.kept = None;
        } else {
            kept.push(piece.clone());
        }
    }

    /// Bytes that are kept.
    pub(crate) fn kept(&self) -> usize {
        self.kept.as_ref().map_or(0, Gathered::size)
    }

    /// There is no room for more: the body passes on, and nothing is kept of it.
    pub(crate) fn let_go(&mut self) {
        self.kept = None;
    }

    /// Whether all that came is at hand.
    pub fn is_at_hand(&self) -> bool {
        self.kept.is_some()
    }

    /// Whether the end has come, and all before it is at hand.
    pub fn is_whole(&self) -> bool {
        self.kept.as_ref().is_some_and(Gathered::is_whole)
    }

    /// What came so far; none if it is not at hand any more.
    pub fn pieces(&mut self) -> Option<&[Piece]> {
        self.kept.as_mut().map(Gathered::pieces)
    }

    /// The whole body, once its end has come.
    pub fn whole(&self) -> Option<Bytes> {
        self.kept.as_ref().filter(|kept| kept.is_whole()).map(Gathered::data)
    }
}
