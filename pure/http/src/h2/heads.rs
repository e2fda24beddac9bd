//! What is odd about the heads of a client's requests and cannot be seen in the messages that are
//! made of them: a fragment is cut off its path there, and pseudo-header fields behind a body are
//! left out (RFC 9113 §8.1, §8.3).

use super::frames::FrameHead;
use super::hpack::{Dictionary, SeenHead};

/// What is odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddHead {
    /// The path of the request on this stream has a `#`.
    Fragment(u32),
    /// There are pseudo-header fields behind a body: the message is malformed (§8.1.1).
    Trailers,
}

/// Follows what comes from a client, in pieces of any sizes.
///
/// Invariant: it keeps one head at most, of [`MOST`] bytes, and sizes of what others may refer to.
#[derive(Clone, Debug)]
pub struct RequestHeads {
    dictionary: Dictionary,
    /// Bytes until the next frame.
    skip: usize,
    /// The frame that is coming.
    frame: [u8; FRAME],
    have: usize,
    /// Bytes of its payload that are still to come, if it is looked at.
    wanted: usize,
    payload: Vec<u8>,
    /// What came of the head in frames before.
    block: Vec<u8>,
    /// The stream that was begun last.
    last: u32,
    /// Nothing can be read any more; whoever reads the messages ends the connection.
    is_lost: bool,
}

/// Bytes of a frame's head.
const FRAME: usize = 9;

/// Bytes of a head as it is compressed: larger ones are a flood.
const MOST: usize = 192 * 1024;

const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

impl RequestHeads {
    /// Those behind so many bytes of a preface, of a client that may use so many bytes of table.
    pub fn after(preface: usize, table: Option<u32>) -> Self {
        Self {
            dictionary: Dictionary::new(table),
            skip: preface,
            frame: [0; FRAME],
            have: 0,
            wanted: 0,
            payload: Vec::new(),
            block: Vec::new(),
            last: 0,
            is_lost: false,
        }
    }

    /// Calls `see` with what is odd about heads that end in `bytes`.
    pub fn walk(&mut self, mut bytes: &[u8], mut see: impl FnMut(OddHead)) {
        while !bytes.is_empty() && !self.is_lost {
            if self.skip > 0 {
                let run = self.skip.min(bytes.len());
                self.skip -= run;
                bytes = &bytes[run..];
            } else if self.have < FRAME {
                let run = (FRAME - self.have).min(bytes.len());
                self.frame[self.have..self.have + run].copy_from_slice(&bytes[..run]);
                self.have += run;
                bytes = &bytes[run..];
                if self.have == FRAME {
                    self.begin(&mut see);
                }
            } else {
                let run = self.wanted.min(bytes.len());
                let (piece, rest) = bytes.split_at(run);
                bytes = rest;
                self.wanted -= run;
                if self.wanted > 0 {
                    self.payload.extend_from_slice(piece);
                } else if self.payload.is_empty() {
                    // Nearly all come in one piece.
                    self.end(piece, &mut see);
                } else {
                    let mut payload = std::mem::take(&mut self.payload);
                    payload.extend_from_slice(piece);
                    self.end(&payload, &mut see);
                }
            }
        }
    }

    /// The head of a frame has come.
    fn begin(&mut self, see: &mut impl FnMut(OddHead)) {
        let [a, b, c, kind, ..] = self.frame;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        if !matches!(kind, FrameHead::HEADERS | FrameHead::CONTINUATION) {
            (self.skip, self.have) = (length, 0);
            return;
        }
        self.wanted = length;
        self.is_lost = self.block.len() + length > MOST;
        if length == 0 {
            self.end(&[], see);
        }
    }

    /// All of a frame has come that is a head, or a part of one.
    fn end(&mut self, payload: &[u8], see: &mut impl FnMut(OddHead)) {
        self.have = 0;
        let [_, _, _, kind, flags, ..] = self.frame;
        let fragment =
            if kind == FrameHead::HEADERS { bare(payload, flags) } else { Some(payload) };
        let Some(fragment) = fragment else {
            self.is_lost = true;
            return;
        };
        if flags & END_HEADERS == 0 {
            self.block.extend_from_slice(fragment);
            return;
        }
        let seen = if self.block.is_empty() {
            self.dictionary.read(fragment)
        } else {
            let mut block = std::mem::take(&mut self.block);
            block.extend_from_slice(fragment);
            self.dictionary.read(&block)
        };
        match seen {
            Ok(seen) => self.judge(seen, see),
            Err(_) => self.is_lost = true,
        }
    }

    fn judge(&mut self, seen: SeenHead, see: &mut impl FnMut(OddHead)) {
        let [.., a, b, c, d] = self.frame;
        let stream = u32::from_be_bytes([a & 0x7f, b, c, d]);
        // Streams are begun in order (§5.1.1): one that was is ended by this.
        let is_request = stream > self.last;
        self.last = self.last.max(stream);
        if is_request && seen.has_fragment {
            see(OddHead::Fragment(stream));
        }
        if !is_request && seen.has_pseudo {
            see(OddHead::Trailers);
        }
    }
}

/// The payload of HEADERS without padding and priority (§6.2).
fn bare(payload: &[u8], flags: u8) -> Option<&[u8]> {
    let mut rest = payload;
    let mut padding = 0;
    if flags & PADDED != 0 {
        let (first, behind) = rest.split_first()?;
        (padding, rest) = (usize::from(*first), behind);
    }
    if flags & PRIORITY != 0 {
        rest = rest.get(5..)?;
    }
    rest.get(..rest.len().checked_sub(padding)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    fn seen(bytes: &[u8], size: usize) -> Vec<OddHead> {
        let (mut heads, mut all) = (RequestHeads::after(3, None), Vec::new());
        bytes.chunks(size).for_each(|piece| heads.walk(piece, |odd| all.push(odd)));
        all
    }

    const GET: &[u8] = b"\x82\x86\x84\x41\x01a";
    const ODD: &[u8] = b"\x82\x86\x41\x01a\x44\x04/a#b";
    const POST: &[u8] = b"\x83\x86\x84\x41\x01a";

    /// Requests as they are, odd ones, and those whose heads come in parts; whatever is between.
    fn conversation() -> (Vec<u8>, Vec<OddHead>) {
        let padded = [&b"\x03"[..], ODD, b"\0\0\0"].concat();
        let both = [&b"\x02\0\0\0\0\x10"[..], ODD, b"\0\0"].concat();
        let bytes = [
            b"PRE".to_vec(),
            frame(4, 0, 0, b"123456"),
            frame(1, 5, 1, GET),
            frame(1, 5, 3, ODD),
            frame(1, 5, 5, GET),
            // By what was kept of the one before.
            frame(1, 5, 7, b"\x82\x86\x84\xbf\xbe"),
            frame(1, 13, 9, &padded),
            frame(1, 0x2d, 11, &both),
            frame(1, 1, 13, &ODD[..7]),
            frame(9, 0, 13, &ODD[7..9]),
            frame(9, 4, 13, &ODD[9..]),
            frame(1, 4, 15, POST),
            frame(0, 0, 15, b"body"),
            frame(1, 5, 15, b"\x00\x01x\x01#"),
            frame(1, 4, 17, POST),
            frame(0, 0, 17, b"body"),
            frame(1, 5, 17, b"\x00\x01x\x01y\x88"),
            frame(1, 4, 19, POST),
            frame(1, 1, 19, b""),
            frame(9, 4, 19, b"\x00\x02:a\x01b"),
        ];
        let fragments = [3, 7, 9, 11, 13].map(OddHead::Fragment);
        (bytes.concat(), [&fragments[..], &[OddHead::Trailers; 2]].concat())
    }

    #[test]
    fn pieces_of_every_size() {
        let (bytes, expected) = conversation();
        for size in 1..=bytes.len() {
            assert_eq!(seen(&bytes, size), expected, "by {size}");
        }
    }

    #[test]
    fn who_cannot_be_read_is_left_to_others() {
        for bytes in [
            frame(1, 13, 1, b"\xffshort"),
            frame(1, 0x2c, 1, b"\0\0"),
            frame(1, 4, 1, b"\xff\xff\xff\xff\xff\xff"),
            [frame(1, 0, 1, &[0; 16_000]), frame(9, 0, 1, &[0; 16_000]).repeat(12)].concat(),
        ] {
            let bytes = [b"PRE", &bytes[..], &frame(1, 5, 3, ODD)].concat();
            assert_eq!(seen(&bytes, 1_000), []);
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_walked(bytes in prop::collection::vec(any::<u8>(), 0..600), size in 1..50_usize) {
            prop_assert_eq!(seen(&bytes, size), seen(&bytes, bytes.len().max(1)));
        }
    }
}
