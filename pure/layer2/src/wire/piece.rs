//! A piece of a packet that was too large for one frame (RFC 791 §3.2, RFC 8200 §4.5).

use super::Malformed;

/// Some bytes of a larger packet's payload. Its message can be read when all have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Tells packets of one sender apart; 16 bits in IPv4.
    pub identification: u32,
    /// Where in the payload it begins; a multiple of eight.
    pub offset: u16,
    /// Whether another piece follows behind it.
    pub more: bool,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// Longest payload of an IPv4 packet, and so the longest that is put together in either family.
const LONGEST: usize = 65_515;

impl Fragment<'_> {
    /// Where it ends.
    pub(crate) fn end(&self) -> usize {
        usize::from(self.offset) + self.bytes.len()
    }

    /// All pieces but the last hold a multiple of eight bytes, each holds some, and the whole is
    /// not longer than a packet can be.
    pub(super) fn check(self) -> Result<Self, Malformed> {
        let aligned = !self.more || self.bytes.len().is_multiple_of(8);
        let sound = aligned && !self.bytes.is_empty() && self.end() <= LONGEST;
        if sound { Ok(self) } else { Err(Malformed::Fragment) }
    }

    /// Offset and flag as both families write them, the flag in different places: IPv4 as bit 13,
    /// IPv6 as bit 0 with the offset in bytes.
    pub(super) fn place_v4(&self) -> u16 {
        (u16::from(self.more) << 13) | (self.offset >> 3)
    }

    pub(super) fn place_v6(&self) -> u16 {
        (self.offset & !7) | u16::from(self.more)
    }
}
