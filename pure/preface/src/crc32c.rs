//! The checksum of PROXY headers (CRC-32C, RFC 3720 appendix B.4).

/// Castagnoli's polynomial, its bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// The checksum of what `bytes` yields. Bit by bit: a header has few bytes.
pub(crate) fn checksum(bytes: impl Iterator<Item = u8>) -> u32 {
    let of_byte = |crc: u32, byte: u8| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            let carry = if crc & 1 == 1 { POLYNOMIAL } else { 0 };
            (crc >> 1) ^ carry
        })
    };
    !bytes.fold(u32::MAX, of_byte)
}
