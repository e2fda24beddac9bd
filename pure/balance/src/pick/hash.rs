//! Numbers that look random and are the same everywhere.

/// FNV-1a of 64 bits, with its bits mixed.
pub fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    mixed(crate::fnv::one_a(bytes.into_iter()))
}

/// The last step of SplitMix64: each number has one image.
pub fn mixed(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Where a random number falls among `count`.
#[allow(clippy::cast_possible_truncation, reason = "it is less than the count")]
pub(super) fn among(number: u32, count: usize) -> usize {
    ((u64::from(number) * count as u64) >> 32) as usize
}
