//! Frames as bytes and as values: Ethernet, ARP (RFC 826), IPv4 and IPv6 headers, ICMP and ICMPv6
//! echo (RFC 792, RFC 4443) whole and in pieces, neighbor solicitation and advertisement
//! (RFC 4861).
//!
//! Only what a speaker hears and says; everything else is [`Malformed::Foreign`]. Reading checks
//! all that the RFCs demand (lengths, checksums, hop limit 255), never panics and never reads past
//! the frame. Writing then reading gives the same value back.

mod arp;
pub(crate) mod checksum;
mod echo;
mod frame;
mod ip;
mod mac;
mod mark;
mod neighbor;
mod piece;
#[cfg(test)]
pub(crate) mod tests;

pub use arp::{Arp, Operation};
pub use echo::{Echo, EchoKind};
pub use frame::{EtherFrame, FrameBody};
pub use ip::solicited_node;
pub use mac::Mac;
pub use mark::{MARK, Mark};
pub use neighbor::{Advertisement, NeighborMessage, Solicitation};
pub use piece::Fragment;

/// Why a frame is not one that we can use. Counted by reason, never answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Malformed {
    /// Another protocol or message type: well formed as far as we know, and none of ours.
    Foreign,
    /// Shorter than its own headers say.
    Truncated,
    /// A header field that the RFC does not allow.
    Field,
    /// A checksum does not match.
    Checksum,
    /// Neighbor discovery from beyond the link: the hop limit is not 255 (RFC 4861 §7.1).
    HopLimit,
    /// A piece that cannot be one of a larger packet.
    Fragment,
    /// Addresses that such a message may not come from or go to.
    Address,
    /// Neighbor discovery options that do not add up.
    Options,
}

impl Malformed {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Foreign,
        Self::Truncated,
        Self::Field,
        Self::Checksum,
        Self::HopLimit,
        Self::Fragment,
        Self::Address,
        Self::Options,
    ];

    /// The reason as a metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::Truncated => "truncated",
            Self::Field => "field",
            Self::Checksum => "checksum",
            Self::HopLimit => "hop-limit",
            Self::Fragment => "fragment",
            Self::Address => "address",
            Self::Options => "options",
        }
    }
}

/// Cuts `N` bytes off the front.
fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Result<&'a [u8; N], Malformed> {
    let (head, rest) = bytes.split_first_chunk::<N>().ok_or(Malformed::Truncated)?;
    *bytes = rest;
    Ok(head)
}

/// Cuts a big-endian number off the front.
fn take_u16(bytes: &mut &[u8]) -> Result<u16, Malformed> {
    take::<2>(bytes).map(|pair| u16::from_be_bytes(*pair))
}
