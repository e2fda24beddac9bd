//! What tells keys from others.

use crate::found_out::{Digest, DigestParts};

/// What tells keys from others: whoever was believed by those that are no more is asked anew.
pub(super) type KeyMark = Digest;

/// A digest of what kind of keys they are, and of these.
pub(super) fn mark(kind: &str, keys: &[u8]) -> KeyMark {
    DigestParts::by(kind.as_bytes()).and(keys).digest()
}
