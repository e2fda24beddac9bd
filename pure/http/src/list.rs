//! Fields whose value is a list (RFC 9110 §5.6.1).

/// The elements of a comma-separated list, without the empty ones.
pub(crate) fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}
