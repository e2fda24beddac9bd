//! A response of HTTP/2 as HTTP/1 spells it.

use super::field::check;
use crate::body::Framing;
use crate::head::{parse_length, push_framing, push_number};
use crate::name::Name;
use crate::reject::BadResponse;

/// Appends the head of a response as HTTP/1 has it, which is still to be parsed. `is_end`: nothing
/// follows it; `is_head`: it answers HEAD. Returns how its body is framed.
pub fn response_to_h1<'l>(
    status: u16,
    lines: impl Iterator<Item = (&'l [u8], &'l [u8])>,
    is_end: bool,
    is_head: bool,
    out: &mut Vec<u8>,
) -> Result<Framing, BadResponse> {
    // It switches nothing in HTTP/2 (RFC 9113 §8.6).
    if status == 101 {
        return Err(BadResponse::Upgrade);
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    push_number(out, u64::from(status));
    out.extend_from_slice(b" \r\n");
    let mut length = None;
    for (name, value) in lines {
        check(name, value).map_err(|_| BadResponse::Field)?;
        match Name::of(name) {
            Name::Connection | Name::TransferEncoding | Name::Upgrade => {
                return Err(BadResponse::Field);
            }
            Name::HopByHop if matches!(name, b"keep-alive" | b"proxy-connection") => {
                return Err(BadResponse::Field);
            }
            Name::ContentLength => {
                let value = parse_length(value).ok_or(BadResponse::ContentLength)?;
                if length.replace(value).is_some() {
                    return Err(BadResponse::ContentLength);
                }
            }
            _ => [name, b": ", value, b"\r\n"].into_iter().for_each(|it| out.extend_from_slice(it)),
        }
    }
    let framing = framing(status, length, is_end, is_head)?;
    push_framing(framing, out);
    out.extend_from_slice(b"\r\n");
    let is_bodiless = is_head || is_end || has_no_body(status);
    Ok(if is_bodiless { Framing::None } else { framing.unwrap_or(Framing::None) })
}

/// The line about the body, if there is to be one.
fn framing(
    status: u16,
    length: Option<u64>,
    is_end: bool,
    is_head: bool,
) -> Result<Option<Framing>, BadResponse> {
    match length {
        _ if status < 200 || status == 204 => Ok(None),
        // What there would be.
        _ if is_head || status == 304 => Ok(length.map(Framing::Length)),
        Some(1..) if is_end => Err(BadResponse::ContentLength),
        Some(length) => Ok(Some(Framing::Length(length))),
        None if is_end => Ok(Some(Framing::Length(0))),
        None => Ok(Some(Framing::Chunked)),
    }
}

fn has_no_body(status: u16) -> bool {
    status < 200 || matches!(status, 204 | 304)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Slots;
    use crate::response::{Asked, ResponseHead};
    use crate::upgrade::Upgrades;

    type Spelled = Result<(&'static str, Framing), BadResponse>;

    /// Status, fields, whether nothing follows, whether it answers HEAD, what it comes to.
    type Row = (u16, &'static [(&'static str, &'static str)], bool, bool, Spelled);

    const ROWS: [Row; 21] = [
        (200, &[], false, false, Ok(("200 |Transfer-Encoding: chunked|", Framing::Chunked))),
        (200, &[], true, false, Ok(("200 |Content-Length: 0|", Framing::None))),
        (
            200,
            &[("a", "b"), ("content-length", "3"), ("a", "")],
            false,
            false,
            Ok(("200 |a: b|a: |Content-Length: 3|", Framing::Length(3))),
        ),
        (200, &[("content-length", "3")], true, false, Err(BadResponse::ContentLength)),
        (200, &[("content-length", "x")], false, false, Err(BadResponse::ContentLength)),
        (
            200,
            &[("content-length", "3"), ("content-length", "3")],
            false,
            false,
            Err(BadResponse::ContentLength),
        ),
        (
            200,
            &[("content-length", "3")],
            true,
            true,
            Ok(("200 |Content-Length: 3|", Framing::None)),
        ),
        (200, &[], true, true, Ok(("200 |", Framing::None))),
        (204, &[("content-length", "0")], true, false, Ok(("204 |", Framing::None))),
        (
            304,
            &[("content-length", "9")],
            true,
            false,
            Ok(("304 |Content-Length: 9|", Framing::None)),
        ),
        (103, &[("link", "</a>")], false, false, Ok(("103 |link: </a>|", Framing::None))),
        (101, &[], false, false, Err(BadResponse::Upgrade)),
        (200, &[("connection", "close")], true, false, Err(BadResponse::Field)),
        (200, &[("transfer-encoding", "chunked")], true, false, Err(BadResponse::Field)),
        (200, &[("upgrade", "h2c")], true, false, Err(BadResponse::Field)),
        (200, &[("keep-alive", "1")], true, false, Err(BadResponse::Field)),
        (200, &[("proxy-connection", "close")], true, false, Err(BadResponse::Field)),
        (200, &[("A", "b")], true, false, Err(BadResponse::Field)),
        (200, &[(":status", "200")], true, false, Err(BadResponse::Field)),
        (200, &[("a", "b\r\nc: d")], true, false, Err(BadResponse::Field)),
        (200, &[("a b", "c")], true, false, Err(BadResponse::Field)),
    ];

    #[test]
    fn responses_as_http1_spells_them() {
        for (status, lines, is_end, is_head, expected) in ROWS {
            let mut out = Vec::new();
            let fields = lines.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            let spelled = response_to_h1(status, fields, is_end, is_head, &mut out);
            let Ok((text, framing)) = expected else {
                assert_eq!(spelled, expected.map(|(_, framing)| framing), "{status} {lines:?}");
                continue;
            };
            let head = format!("HTTP/1.1 {}\r\n", text.replace('|', "\r\n"));
            assert_eq!(String::from_utf8(out).unwrap(), head);
            assert_eq!(spelled, Ok(framing), "{status} {lines:?}");
            let mut slots = Slots::default();
            let asked = Asked { head: is_head, http10: false, upgrade: Upgrades::NONE };
            let read = ResponseHead::parse(head.as_bytes(), &mut slots, asked).unwrap().unwrap();
            assert_eq!((read.status, read.framing, read.len), (status, framing, head.len()));
        }
    }
}
