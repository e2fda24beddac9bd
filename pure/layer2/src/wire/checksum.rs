//! The Internet checksum (RFC 1071).

use std::net::Ipv6Addr;

/// One's complement of the one's complement sum. Over data that holds its own checksum: 0.
pub(super) fn internet(parts: &[&[u8]]) -> u16 {
    fold(parts.iter().map(|part| sum(part)).sum())
}

/// The same over an ICMPv6 message with its pseudo-header (RFC 8200 §8.1).
pub(crate) fn icmpv6(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let length = u64::try_from(message.len()).expect("a frame's length fits 64 bits");
    let pseudo = sum(&source.octets()) + sum(&destination.octets()) + length + 58;
    fold(pseudo + sum(message))
}

/// Sum of 16-bit words; an odd last byte counts as a word with a zero after it. The callers' parts
/// are of even length, all but the last.
fn sum(bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(2);
    let whole: u64 = words.by_ref().map(|word| u64::from(word[0]) << 8 | u64::from(word[1])).sum();
    whole + words.remainder().first().map_or(0, |last| u64::from(*last) << 8)
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded to 16 bits")
}
