//! What tells keys, and tokens, from others.

use aws_lc_rs::digest::{Context, SHA256};

/// What tells keys from others: whoever was believed by those that are no more is asked anew.
pub(super) type KeyMark = [u8; 32];

/// A digest of all of these together.
pub(super) fn mark(parts: &[&[u8]]) -> KeyMark {
    let mut sum = Context::new(&SHA256);
    parts.iter().for_each(|part| sum.update(part));
    let mut bytes = KeyMark::default();
    bytes.copy_from_slice(sum.finish().as_ref());
    bytes
}
