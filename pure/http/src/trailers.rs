//! Lines behind a chunked body (RFC 9110 §6.5, RFC 9112 §7.1.2): which of them go on.
//!
//! Whoever reads a message may put its trailers among its headers, so nothing goes on that would
//! mean something there: no framing, routing, credentials, conditions or words about the content
//! (§6.5.1), nothing that only a gateway may say, and no name that some servers read as another.
//! What is refused is so with other signs for its hyphens too.

use crate::forwarded::ForwardedPolicy;
use crate::name::{Name, is_folded};

/// How names begin that mean something in a head and nothing behind a body.
const REFUSED_STARTS: [&str; 8] = [
    "accept",
    "access-control-",
    "content-",
    "if-",
    "sec-",
    "x-forwarded-",
    "x-original-",
    "x-http-method",
];

/// Others that do.
const REFUSED: [&str; 34] = [
    "age",
    "allow",
    "alt-svc",
    "authorization",
    "cache-control",
    "clear-site-data",
    "cookie",
    "date",
    "early-data",
    "expires",
    "from",
    "location",
    "max-forwards",
    "method",
    "origin",
    "path",
    "pragma",
    "priority",
    "proxy-authentication-info",
    "range",
    "referer",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "strict-transport-security",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-method-override",
    "x-rewrite-url",
    "x-scheme",
];

/// A line behind a body, as somebody has it in hand: its name and its value.
pub type TrailerLine = (Box<str>, Box<[u8]>);

/// Appends those of `lines` that may stand behind a chunked body, as we write them.
pub(crate) fn push(lines: &[TrailerLine], out: &mut Vec<u8>) {
    let ends_line = |byte: &u8| matches!(byte, 0..=8 | 10..=31 | 127);
    let fits =
        |(name, value): &&TrailerLine| is_kept(name.as_bytes()) && !value.iter().any(ends_line);
    for (name, value) in lines.iter().filter(fits) {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
}

/// The lines of `section`, each with its line end, that go on, as we write them; of a request,
/// those of them that name no client by this `policy`.
pub(crate) fn kept(section: &[u8], policy: Option<&ForwardedPolicy>) -> Vec<u8> {
    let mut out = Vec::new();
    let is_free = |name: &[u8]| !policy.is_some_and(|policy| policy.names_client(name));
    for (name, value) in fields(section).filter(|(name, _)| is_free(name)) {
        for part in [name, b": ", value, b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    out
}

/// Names and values of the lines of `section` that go on.
pub(crate) fn fields(section: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    section.split(|byte| *byte == b'\n').filter_map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let at = memchr::memchr(b':', line)?;
        let (name, value) = (&line[..at], line[at + 1..].trim_ascii());
        is_kept(name).then_some((name, value))
    })
}

fn is_kept(name: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    !name.is_empty() && name.iter().all(is_plain) && may_trail(name)
}

/// Whether a name means nothing in a head, where readers might put it.
pub(crate) fn may_trail(name: &[u8]) -> bool {
    let begins =
        |with: &&str| name.get(..with.len()).is_some_and(|start| is_folded(start, with.as_bytes()));
    let is = |other: &&str| name.len() == other.len() && is_folded(name, other.as_bytes());
    Name::of(name) == Name::Other && !REFUSED_STARTS.iter().any(begins) && !REFUSED.iter().any(is)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on() {
        for (section, expected) in [
            ("Server-Timing: a\r\n", "Server-Timing: a\r\n"),
            ("x-checksum:  1 2 \r\nGrpc-Status:0\r\n", "x-checksum: 1 2\r\nGrpc-Status: 0\r\n"),
            ("Digest:\r\n", "Digest: \r\n"),
            ("Host: b\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", ""),
            ("content_length: 5\r\nX_Y: 1\r\nX.Y: 1\r\n", ""),
            ("Authorization: x\r\nCookie: a=b\r\nSet-Cookie: a=b\r\nIf-Match: x\r\n", ""),
            ("X-Forwarded-For: 1.1.1.1\r\nX-Real-Ip: 1.1.1.1\r\nForwarded: for=a\r\n", ""),
            ("Connection: close\r\nTE: trailers\r\nUpgrade: h2c\r\nTrailer: x\r\n", ""),
            ("no colon\r\n: x\r\na b: c\r\nA : b\r\n", ""),
            ("Access-Control-Allow-Origin: *\r\nContent-Encoding: gzip\r\n", ""),
            ("X-Scheme: https\r\nX-Forwarded-User: a\r\nX-Original-Method: DELETE\r\n", ""),
            ("Accept-Language: a\r\nSec-Fetch-Site: none\r\nEarly-Data: 1\r\n", ""),
        ] {
            let out = kept(section.as_bytes(), None);
            assert_eq!(String::from_utf8(out.clone()).expect("ASCII"), expected, "{section:?}");
            assert_eq!(kept(&out, None), out, "what goes on goes on again");
        }
    }

    #[test]
    fn what_somebody_made_goes_on_by_the_same_rules() {
        let line = |name: &str, value: &[u8]| (name.into(), value.into());
        let lines: [TrailerLine; 6] = [
            line("grpc-status", b"0"),
            line("Set-Cookie", b"a=b"),
            line("x-a", b"b\r\nHost: c"),
            line("x b", b"1"),
            line("content_length", b"1"),
            line("x-c", b"\xff d"),
        ];
        let mut out = Vec::new();
        push(&lines, &mut out);
        assert_eq!(out, b"grpc-status: 0\r\nx-c: \xff d\r\n");
    }

    #[test]
    fn no_sign_makes_another_name_of_it() {
        for refused in REFUSED_STARTS.iter().chain(&REFUSED) {
            for sign in ["-", "_", ".", "~"] {
                let name = refused.replace('-', sign);
                assert!(!may_trail(name.as_bytes()), "{name}");
                assert!(!may_trail(name.to_ascii_uppercase().as_bytes()), "{name}");
            }
        }
        assert!(may_trail(b"x_sum.1") && may_trail(b"grpc-status") && may_trail(b"ag-e"));
    }

    #[test]
    fn nobody_is_named_behind_a_body() {
        let client_header = Some("CF-Connecting-IP".into());
        let policy = ForwardedPolicy { client_header, ..ForwardedPolicy::default() };
        let section = b"cf-connecting-ip: 9.9.9.9\r\nX-Sum: 1\r\n";
        assert_eq!(kept(section, Some(&policy)), b"X-Sum: 1\r\n");
        assert_eq!(kept(section, None), section);
    }
}
