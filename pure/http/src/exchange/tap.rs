//! A body that goes through somebody else's hands between who sends it and who gets it.

use crate::body::Wrapping;
use crate::trailers::TrailerLine;

/// A body in somebody else's hands.
#[derive(Debug, Default)]
pub(super) struct Tap {
    /// Came, and was not taken yet.
    pub(super) came: Vec<u8>,
    /// What stood behind it.
    pub(super) trailers: Vec<TrailerLine>,
    /// What comes has room for that.
    pub(super) has_trailers: bool,
    /// All of it has come.
    pub(super) is_whole: bool,
    /// Whoever takes it knows that.
    pub(super) is_told: bool,
    /// Nothing more will be given back.
    pub(super) is_ended: bool,
    /// Nothing more is taken for the moment.
    pub(super) is_paused: bool,
    /// How what is given back goes on.
    pub(super) wrapping: Wrapping,
}

/// What came of a body: payload, and whether that was the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Came {
    /// Payload.
    pub payload: Vec<u8>,
    /// Nothing follows.
    pub is_end: bool,
    /// What stood behind it, at the end.
    pub trailers: Vec<TrailerLine>,
}

impl Tap {
    /// Whether more may come.
    pub(super) fn takes(&self) -> bool {
        !self.is_whole && !self.is_paused && self.came.is_empty()
    }

    pub(super) fn take(&mut self) -> Option<Came> {
        let is_news = !self.came.is_empty() || (self.is_whole && !self.is_told);
        if self.is_paused || !is_news {
            return None;
        }
        self.is_told = self.is_whole;
        let payload = std::mem::take(&mut self.came);
        let trailers = std::mem::take(&mut self.trailers);
        Some(Came { payload, is_end: self.is_whole, trailers })
    }
}
