//! The authority of a request: whose site is meant (RFC 9112 §3.2, RFC 3986 §3.2.2).
//!
//! Host names are compared lower case, without port and without a trailing dot. What is not
//! `host[:port]` is refused rather than guessed at.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use crate::reject::Reject;

/// `host[:port]`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority<'b> {
    /// Lower case, without a trailing dot; IPv6 literals keep their brackets. Empty when the
    /// client named no host.
    pub host: Cow<'b, str>,
    /// The port, where one is written.
    pub port: Option<u16>,
    /// As the client wrote it.
    pub raw: &'b str,
}

impl<'b> Authority<'b> {
    /// No host at all: HTTP/1.0 without a Host header.
    pub const NONE: Self = Self { host: Cow::Borrowed(""), port: None, raw: "" };

    /// Takes `raw` apart.
    pub fn parse(raw: &'b [u8]) -> Result<Self, Reject> {
        let raw = str::from_utf8(raw).map_err(|_| Reject::Host)?;
        if raw.is_empty() {
            return Ok(Self::NONE);
        }
        let (name, port) = if raw.starts_with('[') { split_literal(raw)? } else { split(raw)? };
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.is_empty() {
            return Err(Reject::Host);
        }
        let host = if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(name.to_ascii_lowercase())
        } else {
            Cow::Borrowed(name)
        };
        Ok(Self { host, port: parse_port(port)?, raw })
    }
}

/// Whether an authority is written with the dot of the root.
pub(crate) fn is_rooted(raw: &str) -> bool {
    raw.split(':').next().is_some_and(|name| name.ends_with('.'))
}

fn split(raw: &str) -> Result<(&str, &str), Reject> {
    let end = raw.bytes().position(|byte| !IN_NAMES[usize::from(byte)]).unwrap_or(raw.len());
    let (name, rest) = raw.split_at(end);
    match rest.strip_prefix(':') {
        Some(port) => Ok((name, port)),
        None if rest.is_empty() => Ok((name, "")),
        None => Err(Reject::Host),
    }
}

fn split_literal(raw: &str) -> Result<(&str, &str), Reject> {
    let end = raw.find(']').ok_or(Reject::Host)?;
    raw[1..end].parse::<Ipv6Addr>().map_err(|_| Reject::Host)?;
    let rest = &raw[end + 1..];
    let port = match rest.strip_prefix(':') {
        Some(port) => port,
        None if rest.is_empty() => "",
        None => return Err(Reject::Host),
    };
    Ok((&raw[..=end], port))
}

/// An empty port is allowed (RFC 3986 §3.2.3) and means none.
fn parse_port(port: &str) -> Result<Option<u16>, Reject> {
    if port.is_empty() {
        return Ok(None);
    }
    if port.len() > 5 || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Reject::Host);
    }
    port.parse().map(Some).map_err(|_| Reject::Host)
}

/// reg-name without the comma, which would make a list of it. A table, since every request has
/// a host.
const IN_NAMES: [bool; 256] = {
    let signs = b"-._~!$&'()*+;=%";
    let mut known = [false; 256];
    let mut at = 0;
    while at < signs.len() {
        known[signs[at] as usize] = true;
        at += 1;
    }
    let mut byte = 0_u8;
    while byte.is_ascii() {
        known[byte as usize] |= byte.is_ascii_alphanumeric();
        byte += 1;
    }
    known
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dot_of_the_root_is_seen() {
        for (raw, expected) in
            [("a.b.", true), ("a.b.:80", true), ("a.b", false), ("a.b:80", false), ("[::1]", false)]
        {
            assert_eq!(is_rooted(raw), expected, "{raw}");
        }
    }

    #[test]
    fn hosts() {
        for (raw, host, port) in [
            ("a.example", "a.example", None),
            ("A.Example", "a.example", None),
            ("a.example.", "a.example", None),
            ("a.example.:8080", "a.example", Some(8080)),
            ("a.example:", "a.example", None),
            ("a.example:65535", "a.example", Some(65535)),
            ("a.example:00080", "a.example", Some(80)),
            ("10.0.0.1:80", "10.0.0.1", Some(80)),
            ("[fd00::1]", "[fd00::1]", None),
            ("[FD00::1]:443", "[fd00::1]", Some(443)),
            ("under_score.local", "under_score.local", None),
            ("", "", None),
        ] {
            let parsed = Authority::parse(raw.as_bytes()).unwrap();
            assert_eq!((&*parsed.host, parsed.port), (host, port), "{raw}");
        }
    }

    #[test]
    fn not_hosts() {
        for raw in [
            ".",
            "a b",
            "a,b",
            "a/b",
            "a@b",
            "user@a:80",
            "a:b",
            "a:80:90",
            "a:65536",
            "a:000080",
            "a:-1",
            "a:+1",
            "[::1",
            "[::1]x",
            "[zz]",
            "[]",
            "a\tb",
            "a?b",
            "a#b",
            "a\\b",
            "é",
        ] {
            assert_eq!(Authority::parse(raw.as_bytes()), Err(Reject::Host), "{raw}");
        }
    }
}
