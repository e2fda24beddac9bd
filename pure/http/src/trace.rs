//! The `traceparent` line of W3C Trace Context (level 1, §3.2): which trace a request is part of.

use std::fmt;

/// A trace, and the part of it that a request was sent by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The whole trace; never zero.
    pub trace: u128,
    /// The part that sent the request; never zero.
    pub span: u64,
    /// Whether the sender records it.
    pub is_sampled: bool,
}

/// `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits.
const LENGTH: usize = 55;

impl TraceParent {
    /// Reads the value of a `traceparent` line; none where it is not one. Of a version after 00
    /// what follows its known part is left alone.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = str::from_utf8(value).ok()?;
        let (known, rest) = text.split_at_checked(LENGTH)?;
        let mut parts = known.split('-');
        let mut next = |digits| digits_of(parts.next()?, digits);
        let (version, trace, span, flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
        let is_whole = rest.is_empty() || (version > 0 && rest.starts_with('-'));
        let span = u64::try_from(span).ok()?;
        let is_valid = version != 0xff && trace != 0 && span != 0 && is_whole;
        is_valid.then_some(Self { trace, span, is_sampled: flags & 1 == 1 })
    }
}

/// As a value of version 00.
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, span, is_sampled } = self;
        write!(f, "00-{trace:032x}-{span:016x}-{:02x}", u8::from(*is_sampled))
    }
}

/// So many hexadecimal digits in lower case, and nothing else.
fn digits_of(text: &str, count: usize) -> Option<u128> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_number = text.len() == count && text.bytes().all(is_digit);
    if is_number { u128::from_str_radix(text, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn what_is_read_is_written() {
        for (flags, is_sampled) in [("01", true), ("00", false)] {
            let text = format!("00-{TRACE}-{SPAN}-{flags}");
            let parent = TraceParent::parse(text.as_bytes()).expect("one");
            assert_eq!(parent.is_sampled, is_sampled);
            assert_eq!(
                (parent.trace, parent.span),
                (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, 0x00f0_67aa_0ba9_02b7)
            );
            assert_eq!(parent.to_string(), text);
        }
    }

    #[test]
    fn what_counts_as_one() {
        let zeros = "0".repeat(32);
        for (text, is_one) in [
            (format!("00-{TRACE}-{SPAN}-03"), true),
            (format!("cc-{TRACE}-{SPAN}-01-what-comes-later"), true),
            (format!("cc-{TRACE}-{SPAN}-01"), true),
            (format!("cc-{TRACE}-{SPAN}-01x"), false),
            (format!("00-{TRACE}-{SPAN}-01-x"), false),
            (format!("ff-{TRACE}-{SPAN}-01"), false),
            (format!("00-{zeros}-{SPAN}-01"), false),
            (format!("00-{TRACE}-{}-01", &zeros[..16]), false),
            (format!("00-{}-{SPAN}-01", TRACE.to_uppercase()), false),
            (format!("00-{TRACE}-{SPAN}-0"), false),
            (format!("00-{TRACE}-{SPAN}-+1"), false),
            (format!("00_{TRACE}_{SPAN}_01"), false),
            (format!("00-{SPAN}-{TRACE}-01"), false),
            (String::new(), false),
            (format!("00-{TRACE}-00f067aa0ba902bü-1"), false),
        ] {
            assert_eq!(TraceParent::parse(text.as_bytes()).is_some(), is_one, "{text}");
        }
    }
}
