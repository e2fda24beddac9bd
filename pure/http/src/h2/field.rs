//! Which fields cross between the versions, and what a field may be (RFC 9113 §8.2).

use crate::name::{Name, is_token_char};
use crate::trailers;

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadField;

/// Whether a line of an HTTP/1 head that goes on says something in HTTP/2 too: what is about a
/// connection does not (RFC 9113 §8.2.2), and Host is `:authority` there.
pub fn crosses(name: &str) -> bool {
    let bytes = name.as_bytes();
    match Name::of(bytes) {
        Name::Host | Name::Connection | Name::TransferEncoding | Name::Upgrade => false,
        Name::HopByHop => is_about_the_client(bytes),
        _ => true,
    }
}

/// Whether a field may stand behind a body: none that would mean something in a head. Names with
/// signs stay, which gRPC has.
pub fn may_trail(name: &str) -> bool {
    is_name(name.as_bytes()) && trailers::may_trail(name.as_bytes())
}

/// Checks a field of HTTP/2, but for what its name means.
pub(super) fn check(name: &[u8], value: &[u8]) -> Result<(), BadField> {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let is_trimmed = !is_blank(value.first()) && !is_blank(value.last());
    if is_name(name) && is_trimmed && is_value(value) { Ok(()) } else { Err(BadField) }
}

/// Whether a value may stand in a line. All of it is looked at, many bytes at a time.
fn is_value(value: &[u8]) -> bool {
    let is_odd = |byte: &u8| matches!(byte, 0..=8 | 10..=31 | 127);
    !value.iter().fold(false, |odd, byte| odd | is_odd(byte))
}

/// A token without capitals: neither empty, nor with the colon of a pseudo-header field.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| IN_NAMES[usize::from(*byte)])
}

/// Proxy-Authenticate of an origin is passed on, as it is over HTTP/1.
fn is_about_the_client(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"proxy-authenticate")
}

/// Characters of tokens but for capitals, looked up once for each of a name.
const IN_NAMES: [bool; 256] = {
    let mut known = [false; 256];
    let mut byte = 0_u8;
    while byte.is_ascii() {
        known[byte as usize] = is_token_char(byte) && !byte.is_ascii_uppercase();
        byte += 1;
    }
    known
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_field_may_be() {
        for (name, value, is_one) in [
            ("a", "b", true),
            ("x-a.b_c~1", "a\tb c", true),
            ("a", "", true),
            ("a", "\u{e9}", true),
            ("", "b", false),
            ("A", "b", false),
            (":path", "/", false),
            ("a b", "c", false),
            ("a:b", "c", false),
            ("a\r\nb", "c", false),
            ("a\0", "c", false),
            ("\u{e9}", "c", false),
            ("a", "b\r\nc: d", false),
            ("a", "b\nc", false),
            ("a", "b\rc", false),
            ("a", "b\0", false),
            ("a", "\x7f", false),
            ("a", " b", false),
            ("a", "b\t", false),
            ("a", " ", false),
        ] {
            assert_eq!(check(name.as_bytes(), value.as_bytes()).is_ok(), is_one, "{name:?}");
        }
    }

    #[test]
    fn what_crosses_and_what_may_trail() {
        for (name, both) in [
            ("grpc-status", (true, true)),
            ("x-checksum", (true, true)),
            ("x_sum.1", (true, true)),
            ("content-length", (true, false)),
            ("content-type", (true, false)),
            ("set-cookie", (true, false)),
            ("x-forwarded-for", (true, false)),
            ("expect", (true, false)),
            ("cdn-loop", (true, false)),
            ("proxy-authenticate", (true, false)),
            ("host", (false, false)),
            ("connection", (false, false)),
            ("keep-alive", (false, false)),
            ("proxy-connection", (false, false)),
            ("transfer-encoding", (false, false)),
            ("upgrade", (false, false)),
            ("te", (false, false)),
            ("trailer", (false, false)),
            ("http2-settings", (false, false)),
            ("content_length", (true, false)),
        ] {
            assert_eq!((crosses(name), may_trail(name)), both, "{name}");
        }
        assert!(!may_trail("Grpc-Status") && !may_trail(":status") && !may_trail(""));
    }
}
