//! The heads of frames in a stream of bytes (RFC 9113 §4.1). Nothing of payloads is looked at, but
//! for why a stream is reset.

/// The head of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Which kind of frame it is.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Bytes of its payload.
    pub length: u32,
    /// Why the stream is reset, of a RST_STREAM.
    pub reason: u32,
}

/// Follows a stream of frames, in pieces of any sizes.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    head: [u8; WITH_REASON],
    have: usize,
    /// Bytes until the next head.
    skip: u64,
}

/// Bytes of a frame's head, and with the reason of a RST_STREAM.
const HEAD: usize = 9;
const WITH_REASON: usize = HEAD + 4;

impl FrameHead {
    /// DATA.
    pub const DATA: u8 = 0;
    /// HEADERS.
    pub const HEADERS: u8 = 1;
    /// RST_STREAM.
    pub const RST_STREAM: u8 = 3;
    /// SETTINGS.
    pub const SETTINGS: u8 = 4;
    /// PING.
    pub const PING: u8 = 6;
    /// WINDOW_UPDATE.
    pub const WINDOW_UPDATE: u8 = 8;
    /// CONTINUATION.
    pub const CONTINUATION: u8 = 9;

    /// Whether the stream ends with it, of DATA and HEADERS.
    pub fn ends_stream(&self) -> bool {
        self.kind <= Self::HEADERS && self.flags & 1 != 0
    }

    /// Whether it says that a stream was not begun (RFC 9113 §8.7).
    pub fn refuses_stream(&self) -> bool {
        const REFUSED_STREAM: u32 = 7;
        self.kind == Self::RST_STREAM && self.reason == REFUSED_STREAM
    }

    /// Whether it acknowledges one of ours, of SETTINGS and PING.
    pub fn is_ack(&self) -> bool {
        self.flags & 1 != 0
    }
}

impl Frames {
    /// What comes first is no frame: so many bytes of a preface.
    pub fn after(preface: usize) -> Self {
        Self { skip: preface as u64, ..Self::default() }
    }

    /// Calls `see` with each frame whose head ends in `bytes`, until it fails.
    pub fn walk<E>(
        &mut self,
        mut bytes: &[u8],
        mut see: impl FnMut(FrameHead) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            let run = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            self.skip -= run as u64;
            bytes = &bytes[run..];
            let count = (self.wanted() - self.have).min(bytes.len());
            self.head[self.have..self.have + count].copy_from_slice(&bytes[..count]);
            self.have += count;
            bytes = &bytes[count..];
            if self.have == self.wanted() {
                let head = self.take();
                see(head)?;
            }
        }
        Ok(())
    }

    fn wanted(&self) -> usize {
        let is_reset = self.have >= HEAD && self.head[3] == FrameHead::RST_STREAM;
        // Another length is an error of the connection.
        if is_reset && self.length() == 4 { WITH_REASON } else { HEAD }
    }

    fn length(&self) -> u32 {
        u32::from_be_bytes([0, self.head[0], self.head[1], self.head[2]])
    }

    fn take(&mut self) -> FrameHead {
        let length = self.length();
        let has_reason = self.have == WITH_REASON;
        let reason = [self.head[9], self.head[10], self.head[11], self.head[12]];
        let reason = if has_reason { u32::from_be_bytes(reason) } else { 0 };
        self.skip = if has_reason { 0 } else { u64::from(length) };
        self.have = 0;
        FrameHead { kind: self.head[3], flags: self.head[4], length, reason }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    fn walked(frames: &mut Frames, bytes: &[u8], size: usize) -> Vec<FrameHead> {
        let mut seen = Vec::new();
        for piece in bytes.chunks(size) {
            let walked = frames.walk(piece, |head| {
                seen.push(head);
                Ok::<_, ()>(())
            });
            walked.unwrap();
        }
        seen
    }

    #[test]
    fn frames_in_pieces_of_every_size() {
        let bytes = [
            b"PREFACE".to_vec(),
            frame(4, 0, b"123456"),
            frame(3, 0, &[0, 0, 0, 8]),
            frame(3, 0, b"ab"),
            frame(1, 5, b""),
            frame(0, 1, &[7; 300]),
            frame(6, 1, &[1; 8]),
        ]
        .concat();
        let head = |kind, flags, length, reason| FrameHead { kind, flags, length, reason };
        let expected = [
            head(4, 0, 6, 0),
            head(3, 0, 4, 8),
            head(3, 0, 2, 0),
            head(1, 5, 0, 0),
            head(0, 1, 300, 0),
            head(6, 1, 8, 0),
        ];
        for size in 1..=bytes.len() {
            assert_eq!(walked(&mut Frames::after(7), &bytes, size), expected, "by {size}");
        }
        let seen = expected.map(|it| (it.ends_stream(), it.is_ack()));
        assert_eq!(seen[3..], [(true, true), (true, true), (false, true)]);
    }

    #[test]
    fn who_has_seen_enough_stops() {
        let bytes = [frame(6, 0, &[0; 8]), frame(6, 0, &[0; 8])].concat();
        let mut count = 0;
        let walked = Frames::default().walk(&bytes, |_| {
            count += 1;
            Err(())
        });
        assert_eq!((walked, count), (Err(()), 1));
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(bytes in prop::collection::vec(any::<u8>(), 0..400), size in 1..40_usize) {
            let whole = walked(&mut Frames::default(), &bytes, bytes.len().max(1));
            prop_assert_eq!(walked(&mut Frames::default(), &bytes, size), whole);
        }
    }
}
