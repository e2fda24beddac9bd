//! Pings that come in pieces are put together (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! Invariants: no more than [`AT_ONCE`] packets are waited for, of [`PIECES`] pieces each and no
//! longer than a packet can be, so what strangers send costs a bounded amount of memory; a packet
//! whose pieces overlap is dropped as a whole (RFC 5722 §4).

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::counters::Unused;
use crate::wire::{Fragment, Malformed};

/// Packets that are put together at the same time. Of more, the oldest is given up.
const AT_ONCE: usize = 32;
/// Pieces of one packet: the largest in pieces of 576 bytes.
const PIECES: usize = 128;
/// How long pieces are waited for. They were sent within a moment; RFC 8200's minute is for routers
/// that go astray.
const PATIENCE: Duration = Duration::from_secs(5);

/// Packets of which some pieces have come, in the order of their first ones.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    unfinished: VecDeque<Unfinished>,
}

/// Whose piece it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) identification: u32,
}

/// A payload put together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) message: Vec<u8>,
    /// How many bytes of it the largest piece had: what the way between us carries.
    pub(crate) largest: usize,
}

#[derive(Debug)]
struct Unfinished {
    key: Key,
    until: Instant,
    pieces: BTreeMap<usize, Vec<u8>>,
    /// How long it is, once its last piece has come.
    length: Option<usize>,
    /// Its pieces contradict each other: the rest of them is waited for, and dropped.
    is_spoilt: bool,
}

impl Reassembly {
    /// Takes a piece; the whole when it was the last that was missing.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        key: Key,
        piece: &Fragment<'_>,
    ) -> Result<Option<Whole>, Unused> {
        while self.unfinished.front().is_some_and(|it| it.until <= now) {
            self.unfinished.pop_front();
        }
        let at = self.unfinished.iter().position(|it| it.key == key).unwrap_or_else(|| {
            if self.unfinished.len() == AT_ONCE {
                self.unfinished.pop_front();
            }
            self.unfinished.push_back(Unfinished::new(key, now + PATIENCE));
            self.unfinished.len() - 1
        });
        let it = &mut self.unfinished[at];
        it.take(piece)?;
        if !it.is_whole() {
            return Ok(None);
        }
        Ok(self.unfinished.remove(at).map(Unfinished::whole))
    }
}

impl Unfinished {
    fn new(key: Key, until: Instant) -> Self {
        Self { key, until, pieces: BTreeMap::new(), length: None, is_spoilt: false }
    }

    fn take(&mut self, piece: &Fragment<'_>) -> Result<(), Unused> {
        if self.is_spoilt {
            return Err(Unused::Malformed(Malformed::Fragment));
        }
        let (from, end) = (usize::from(piece.offset), piece.end());
        if self.pieces.get(&from).is_some_and(|known| known == piece.bytes) {
            return Ok(());
        }
        if self.contradicts(from, end, piece.more) {
            self.is_spoilt = true;
            self.pieces.clear();
            return Err(Unused::Malformed(Malformed::Fragment));
        }
        if self.pieces.len() == PIECES {
            self.is_spoilt = true;
            self.pieces.clear();
            return Err(Unused::TooLarge);
        }
        if !piece.more {
            self.length = Some(end);
        }
        self.pieces.insert(from, piece.bytes.to_vec());
        Ok(())
    }

    fn contradicts(&self, from: usize, end: usize, more: bool) -> bool {
        let before = self.pieces.range(..end).next_back();
        let overlaps = before.is_some_and(|(at, bytes)| at + bytes.len() > from);
        let last = self.pieces.last_key_value().map_or(0, |(at, bytes)| at + bytes.len());
        let ends_otherwise = match self.length {
            Some(length) => end > length || !more,
            None => !more && last > end,
        };
        overlaps || ends_otherwise
    }

    fn is_whole(&self) -> bool {
        // They do not overlap, so they fill it when they are as long together.
        self.length == Some(self.pieces.values().map(Vec::len).sum())
    }

    fn whole(self) -> Whole {
        let largest = self.pieces.values().map(Vec::len).max().unwrap_or_default();
        Whole { message: self.pieces.into_values().flatten().collect(), largest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    const KEY: Key = Key {
        source: IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 1, 5)),
        destination: IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 1, 100)),
        identification: 7,
    };

    fn piece(offset: u16, bytes: &[u8], more: bool) -> Fragment<'_> {
        Fragment { identification: 7, offset, more, bytes }
    }

    /// Where it begins, how long it is, whether more follow.
    type Cut = (u16, usize, bool);

    /// What comes of pieces of `abcdefghABCDEFGH1234`.
    fn put_together(pieces: &[Cut]) -> Option<Whole> {
        let all = b"abcdefghABCDEFGH1234";
        let mut it = Reassembly::default();
        let mut last = None;
        for &(offset, length, more) in pieces {
            let from = usize::from(offset);
            let bytes = all.get(from..from + length).unwrap_or(&all[..length]);
            last = it.take(start(), KEY, &piece(offset, bytes, more)).ok().flatten().or(last);
        }
        last
    }

    #[test]
    fn pieces_make_a_whole_in_any_order_but_none_that_overlap() {
        let (a, b, c) = ((0, 8, true), (8, 8, true), (16, 4, false));
        #[rustfmt::skip]
        let table: &[(&str, &[Cut], bool)] = &[
            ("in order", &[a, b, c], true),
            ("backwards", &[c, b, a], true),
            ("one twice", &[c, b, b, a], true),
            ("one missing", &[a, c], false),
            ("no end", &[a, b], false),
            ("overlapping", &[a, (0, 16, true), b, c], false),
            ("overlapping from within", &[b, (8, 12, false), a, c], false),
            ("two ends", &[c, (8, 8, false), b, a], false),
            ("beyond its end", &[(8, 8, false), c, a], false),
            ("an end before what came", &[c, (0, 16, false), (0, 16, true)], false),
        ];
        for (what, pieces, want) in table {
            let got = put_together(pieces);
            assert_eq!(got.is_some(), *want, "{what}");
            if let Some(whole) = got {
                assert_eq!(whole.message, b"abcdefghABCDEFGH1234", "{what}");
                assert_eq!(whole.largest, 8, "{what}");
            }
        }
    }

    #[test]
    fn what_is_waited_for_is_bounded_in_number_size_and_time() {
        let mut it = Reassembly::default();
        let first = piece(0, b"abcdefgh", true);
        for identification in 0..1000 {
            let key = Key { identification, ..KEY };
            assert_eq!(it.take(start(), key, &first), Ok(None));
        }
        assert_eq!(it.unfinished.len(), AT_ONCE);
        let late = start() + PATIENCE;
        let key = Key { identification: 999, ..KEY };
        assert_eq!(it.take(late, key, &piece(8, b"end", false)), Ok(None), "too late");
        assert_eq!(it.unfinished.len(), 1);

        let mut it = Reassembly::default();
        let taken =
            (0..1000).filter(|n| it.take(start(), KEY, &piece(n * 8, b"abcdefgh", true)).is_ok());
        assert_eq!(taken.count(), PIECES);
        assert!(it.unfinished[0].pieces.is_empty(), "given up");
    }
}
