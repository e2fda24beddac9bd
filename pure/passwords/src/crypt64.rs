//! The base 64 of crypt(3): `./0-9A-Za-z`, the low bits first.

const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The first byte first, in groups of three.
pub(crate) fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().rev().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        text.extend((0..=group.len()).map(|at| DIGITS[bits >> (6 * at) & 63]));
    }
    text
}

/// None where it is no text of these digits, or stands for no bytes.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: &u8| DIGITS.iter().position(|it| it == digit);
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.chunks(4) {
        let digits: Vec<usize> = group.iter().map(value).collect::<Option<_>>()?;
        let bits = digits.iter().rev().fold(0, |bits, digit| bits << 6 | digit);
        let count = digits.len() * 6 / 8;
        if count == 0 || bits >> (8 * count) != 0 {
            return None;
        }
        bytes.extend_from_slice(&bits.to_le_bytes()[..count]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for length in 0..70 {
            let bytes: Vec<u8> = (0..length).map(|at: u8| at.wrapping_mul(37) ^ 0xa5).collect();
            assert_eq!(decode(&encode(&bytes)).as_deref(), Some(&bytes[..]), "{length}");
        }
        for text in [&b"a"[..], b"zz", b"a b.", b"zzz"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
