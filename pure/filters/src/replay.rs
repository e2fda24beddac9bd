//! A request's body, kept while an attempt may have to be made again.

use bytes::Bytes;

use crate::frame::Piece;

/// What came of a body so far, up to a bound.
#[derive(Debug)]
pub struct Replay {
    max: usize,
    kept: Option<Vec<Piece>>,
    size: usize,
}

impl Replay {
    /// Keeps up to `max` bytes.
    pub fn up_to(max: usize) -> Self {
        Self { max, kept: Some(Vec::new()), size: 0 }
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

    /// What came so far; none if it is not at hand any more.
    pub fn pieces(&self) -> Option<&[Piece]> {
        self.kept.as_deref()
    }

    /// The whole body, once its end has come.
    pub fn whole(&self) -> Option<Bytes> {
        let kept = self.kept.as_ref()?;
        let Some(Piece::End(_)) = kept.last() else { return None };
        let mut all = Vec::with_capacity(self.size);
        for piece in kept {
            if let Piece::Data(bytes) = piece {
                all.extend_from_slice(bytes);
            }
        }
        Some(all.into())
    }
}
