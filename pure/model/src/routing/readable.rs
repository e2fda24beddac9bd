//! Paths as Traefik compares them, and as people read them.

use std::borrow::Cow;

/// What stays encoded in a path that is [`readable`]: what is reserved (RFC 3986 §2.2), and `%`.
pub const RESERVED: &[u8] = b":/?#[]@!$&'()*+,;=%";

/// A path in normal form, decoded but for reserved characters, as Traefik compares it: `/a%20b` is
/// `/a b` here, and `/a%2Fb` stays.
pub fn readable(normal: &str) -> Cow<'_, str> {
    if !normal.contains('%') {
        return Cow::Borrowed(normal);
    }
    let (mut out, mut rest) = (Vec::with_capacity(normal.len()), normal.as_bytes());
    while let Some((&byte, tail)) = rest.split_first() {
        let encoded = tail.get(..2).filter(|_| byte == b'%').and_then(decode);
        match encoded.filter(|it| !RESERVED.contains(it)) {
            Some(decoded) => {
                out.push(decoded);
                rest = &tail[2..];
            }
            None => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

fn decode(digits: &[u8]) -> Option<u8> {
    let digits = str::from_utf8(digits).ok().filter(|it| !it.starts_with('+'))?;
    u8::from_str_radix(digits, 16).ok()
}
