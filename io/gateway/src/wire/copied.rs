//! A copy of a head, of which all that is taken out of it is a part: one piece of memory for all.

use bytes::Bytes;

/// Bytes, and a copy of them.
pub(crate) struct Copied<'b> {
    bytes: &'b [u8],
    copy: Bytes,
}

impl<'b> Copied<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, copy: Bytes::copy_from_slice(bytes) }
    }

    /// What the copy has where the bytes have `part`. What is none of them is copied by itself.
    pub(crate) fn part(&self, part: &[u8]) -> Bytes {
        let at = part.as_ptr().addr().wrapping_sub(self.bytes.as_ptr().addr());
        match at.checked_add(part.len()) {
            Some(end) if end <= self.copy.len() => self.copy.slice(at..end),
            _ => Bytes::copy_from_slice(part),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Copied;

    #[test]
    fn parts_are_those_of_the_copy() {
        let bytes = b"GET /a".to_vec();
        let copied = Copied::new(&bytes);
        for part in [&bytes[..], &bytes[4..], &bytes[3..3], &bytes[6..]] {
            let of_copy = copied.part(part);
            assert_eq!(of_copy, part);
            assert_eq!(
                of_copy.as_ptr().addr() - copied.copy.as_ptr().addr(),
                part.as_ptr().addr() - bytes.as_ptr().addr()
            );
        }
        assert_eq!(copied.part(b"*"), &b"*"[..], "what is none of it");
    }
}
