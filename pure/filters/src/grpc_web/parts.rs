//! Base64 (RFC 4648 §4) in pieces: parts that are padded each for itself may follow each other, and
//! lines may end anywhere (gRPC's PROTOCOL-WEB).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

/// Takes base64 apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Decoder {
    /// Came of a group of four.
    group: [u8; 4],
    count: usize,
}

/// Makes base64.
#[derive(Clone, Debug, Default)]
pub(super) struct Encoder {
    /// What is less than a group of three.
    rest: Vec<u8>,
}

impl Decoder {
    /// What some of it says; none where it is none. What is left of a group waits for more.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Option<Bytes> {
        let mut out = Vec::with_capacity(bytes.len() / 4 * 3 + 3);
        for byte in bytes.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')) {
            self.group[self.count] = *byte;
            self.count += 1;
            if self.count == self.group.len() {
                self.count = 0;
                STANDARD.decode_vec(self.group, &mut out).ok()?;
            }
        }
        Some(out.into())
    }

    /// Whether no group is begun.
    pub(super) fn is_whole(&self) -> bool {
        self.count == 0
    }
}

impl Encoder {
    /// Some more of it, as far as it makes whole groups.
    pub(super) fn encode(&mut self, bytes: &[u8]) -> Bytes {
        self.rest.extend_from_slice(bytes);
        let whole = self.rest.len() / 3 * 3;
        let encoded = STANDARD.encode(&self.rest[..whole]);
        self.rest.drain(..whole);
        encoded.into()
    }

    /// What is left, padded: the end of a part.
    pub(super) fn finish(&mut self) -> Bytes {
        STANDARD.encode(std::mem::take(&mut self.rest)).into()
    }
}
