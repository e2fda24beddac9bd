//! Pieces of a body that are kept or wait.

use bytes::{Bytes, BytesMut};

use crate::frame::Piece;

/// Data of less than this is put together: who sends a body byte by byte is not to have each of
/// them kept with the room that a piece takes.
const SMALL: usize = 4 * 1024;

/// Pieces in order. Small ones beside each other become one.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pieces: Vec<Piece>,
    /// What is put together, behind them.
    open: BytesMut,
    /// Bytes of all data.
    size: usize,
}

impl Gathered {
    pub(crate) fn push(&mut self, piece: Piece) {
        let Piece::Data(bytes) = &piece else {
            self.close();
            return self.pieces.push(piece);
        };
        self.size += bytes.len();
        if bytes.len() >= SMALL {
            self.close();
            return self.pieces.push(piece);
        }
        if self.open.is_empty() {
            // One alone is kept as it is.
            match self.pieces.pop_if(|last| matches!(last, Piece::Data(it) if it.len() < SMALL)) {
                Some(Piece::Data(last)) => self.open.extend_from_slice(&last),
                _ => return self.pieces.push(piece),
            }
        }
        self.open.extend_from_slice(bytes);
        if self.open.len() >= SMALL {
            self.close();
        }
    }

    /// All of them; nothing is left.
    pub(crate) fn take(&mut self) -> Vec<Piece> {
        self.close();
        self.size = 0;
        std::mem::take(&mut self.pieces)
    }

    /// Bytes of their data.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The same, and they stay.
    pub(crate) fn pieces(&mut self) -> &[Piece] {
        self.close();
        &self.pieces
    }

    /// Whether the end is among them.
    pub(crate) fn is_whole(&self) -> bool {
        self.open.is_empty() && matches!(self.pieces.last(), Some(Piece::End(_)))
    }

    /// Their data.
    pub(crate) fn data(&self) -> Bytes {
        let parts = self.pieces.iter().map(|piece| match piece {
            Piece::Data(bytes) => &bytes[..],
            Piece::Flush | Piece::End(_) => &[],
        });
        parts.chain([&self.open[..]]).collect::<Vec<_>>().concat().into()
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            // No larger than it is, since it may stay for long.
            self.pieces.push(Piece::Data(Bytes::copy_from_slice(&self.open)));
            self.open.clear();
        }
    }
}

impl From<Vec<Piece>> for Gathered {
    fn from(pieces: Vec<Piece>) -> Self {
        let size = pieces.iter().map(|piece| match piece {
            Piece::Data(bytes) => bytes.len(),
            Piece::Flush | Piece::End(_) => 0,
        });
        Self { size: size.sum(), pieces, open: BytesMut::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &[u8]) -> Piece {
        Piece::Data(Bytes::copy_from_slice(text))
    }

    #[test]
    fn bytes_alone_take_no_more_room_than_bytes() {
        let mut gathered = Gathered::default();
        let body: Vec<u8> = (0..100_000_u32).map(|at| at.to_be_bytes()[3]).collect();
        for byte in body.chunks(1) {
            gathered.push(data(byte));
        }
        gathered.push(Piece::End(Vec::new()));
        assert!(gathered.is_whole() && gathered.size() == body.len());
        assert!(gathered.pieces().len() <= 100_000 / SMALL + 2, "{}", gathered.pieces().len());
        assert_eq!(gathered.data(), body);
    }

    #[test]
    fn what_is_large_or_alone_is_kept_as_it_is_and_in_order() {
        let large = vec![b'x'; SMALL];
        let mut gathered = Gathered::default();
        let first = Bytes::from_static(b"ab");
        gathered.push(Piece::Data(first.clone()));
        let [Piece::Data(kept)] = gathered.pieces() else { panic!("one piece") };
        assert_eq!(kept.as_ptr(), first.as_ptr(), "no copy");
        for piece in [data(b"c"), data(&large), data(b"d"), Piece::Flush, data(b"e"), data(b"f")] {
            gathered.push(piece);
        }
        assert!(!gathered.is_whole());
        let expected = [data(b"abc"), data(&large), data(b"d"), Piece::Flush, data(b"ef")];
        assert_eq!(gathered.size(), SMALL + 6);
        assert_eq!(gathered.take(), expected);
        assert!(gathered.take().is_empty() && gathered.size() == 0);
        assert_eq!(Gathered::from(expected.to_vec()).size(), SMALL + 6);
    }
}
