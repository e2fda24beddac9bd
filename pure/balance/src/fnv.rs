//! Fowler, Noll and Vo's hashes of 64 bits.

const START: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// FNV-1a.
pub(crate) fn one_a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(START, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

/// FNV-1.
pub(crate) fn one(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(START, |hash, byte| hash.wrapping_mul(PRIME) ^ u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the authors' own list of vectors.
    #[test]
    fn vectors() {
        assert_eq!(one_a("foobar".bytes()), 0x8594_4171_f739_67e8);
        assert_eq!(one("foobar".bytes()), 0x340d_8765_a4dd_a9c2);
        assert_eq!(one_a("".bytes()), one("".bytes()));
    }
}
