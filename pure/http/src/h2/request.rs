//! A request of HTTP/2 as HTTP/1 spells it.

use super::field::check;
use crate::body::Framing;
use crate::head::{parse_length, push_framing};
use crate::host::Authority;
use crate::name::Name;
use crate::name::is_token;
use crate::reject::Reject;

/// The pseudo-header fields of a request (RFC 9113 §8.3.1, RFC 8441 §4), and whether it has a body.
#[derive(Clone, Copy, Debug, Default)]
pub struct H2Request<'a> {
    /// `:method`
    pub method: &'a str,
    /// `:scheme`
    pub scheme: Option<&'a str>,
    /// `:authority`
    pub authority: Option<&'a str>,
    /// `:path`, with its query.
    pub path: Option<&'a str>,
    /// `:protocol`
    pub protocol: Option<&'a str>,
    /// Its head is all of it.
    pub is_end: bool,
}

/// What the fields of a head come to together.
#[derive(Default)]
struct Seen<'l> {
    host: Option<&'l [u8]>,
    length: Option<u64>,
    has_cookie: bool,
}

/// Appends the request as HTTP/1 has it, which is still to be parsed: what is said here is how
/// HTTP/2 is to be read, and not what a request may ask for. `lines` are its fields; `key` is the
/// `Sec-WebSocket-Key` of one that asks for WebSocket. Returns how its body is framed.
pub fn request_to_h1<'l, L: Iterator<Item = (&'l [u8], &'l [u8])>>(
    request: &H2Request<'_>,
    lines: impl Fn() -> L,
    key: &str,
    out: &mut Vec<u8>,
) -> Result<Framing, Reject> {
    let is_websocket = request.asks_for_websocket()?;
    if !is_token(request.method) {
        return Err(Reject::Pseudo);
    }
    let method = if is_websocket { "GET" } else { request.method };
    for part in [method, " ", request.target()?, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    let mut seen = Seen::default();
    for (name, value) in lines() {
        seen.read(name, value, is_websocket, out)?;
    }
    push(out, b"Host", seen.host(request.authority)?);
    if seen.has_cookie {
        push_cookie(lines(), out);
    }
    if is_websocket {
        for part in ["Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: ", key] {
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
    let framing = seen.framing(request, is_websocket)?;
    push_framing(framing, out);
    out.extend_from_slice(b"\r\n");
    Ok(framing.unwrap_or(Framing::None))
}

impl<'a> H2Request<'a> {
    /// An extended CONNECT (RFC 8441) for what may pass; any other CONNECT is none of ours.
    fn asks_for_websocket(&self) -> Result<bool, Reject> {
        match (self.method, self.protocol) {
            ("CONNECT", Some("websocket")) => Ok(true),
            ("CONNECT", _) => Err(Reject::Connect),
            (_, Some(_)) => Err(Reject::Pseudo),
            (_, None) => Ok(false),
        }
    }

    /// Path and query, where everything that must be there is.
    fn target(&self) -> Result<&'a str, Reject> {
        let (Some("http" | "https"), Some(path)) = (self.scheme, self.path) else {
            return Err(Reject::Pseudo);
        };
        let is_one = path.starts_with('/') || (path == "*" && self.method == "OPTIONS");
        if is_one && path.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(path)
        } else {
            Err(Reject::Target)
        }
    }
}

impl<'l> Seen<'l> {
    fn read(
        &mut self,
        name: &'l [u8],
        value: &'l [u8],
        is_websocket: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Reject> {
        check(name, value).map_err(|_| Reject::Field)?;
        match Name::of(name) {
            Name::Host if self.host.replace(value).is_some() => return Err(Reject::Host),
            Name::Host => return Ok(()),
            Name::ContentLength => {
                let length = parse_length(value).ok_or(Reject::ContentLength)?;
                let again = self.length.replace(length).is_some();
                return if again { Err(Reject::ContentLength) } else { Ok(()) };
            }
            Name::Connection | Name::TransferEncoding | Name::Upgrade => {
                return Err(Reject::Field);
            }
            Name::HopByHop => match name {
                // Whoever forwards the head says it anew, of this client.
                b"te" if value == b"trailers" => {}
                b"te" | b"keep-alive" | b"proxy-connection" => return Err(Reject::Field),
                _ => {}
            },
            Name::Other if name == b"cookie" => {
                self.has_cookie = true;
                return Ok(());
            }
            // It has another one here.
            Name::Other if is_websocket && name == b"sec-websocket-key" => return Ok(()),
            _ => {}
        }
        push(out, name, value);
        Ok(())
    }

    /// Whose site is meant: where both say so, it is the same one (RFC 9113 §8.3.1).
    fn host(&self, authority: Option<&'l str>) -> Result<&'l [u8], Reject> {
        match (authority, self.host) {
            (Some(authority), Some(host)) => {
                let [a, b] = [authority.as_bytes(), host].map(Authority::parse);
                let (a, b) = (a?, b?);
                let is_same = a.host == b.host && a.port == b.port;
                if is_same { Ok(authority.as_bytes()) } else { Err(Reject::Host) }
            }
            (Some(authority), None) => Ok(authority.as_bytes()),
            (None, Some(host)) => Ok(host),
            (None, None) => Err(Reject::Host),
        }
    }

    /// The line about the body, if there is to be one. A method that means a body is told that
    /// there is none, which some servers ask for.
    fn framing(
        &self,
        request: &H2Request<'_>,
        is_websocket: bool,
    ) -> Result<Option<Framing>, Reject> {
        let means_body = matches!(request.method, "POST" | "PUT" | "PATCH");
        match self.length {
            Some(1..) if request.is_end || is_websocket => Err(Reject::ContentLength),
            _ if is_websocket => Ok(None),
            Some(length) => Ok(Some(Framing::Length(length))),
            None if !request.is_end => Ok(Some(Framing::Chunked)),
            None => Ok(means_body.then_some(Framing::Length(0))),
        }
    }
}

/// One line of all crumbs (RFC 9113 §8.2.3).
fn push_cookie<'l>(lines: impl Iterator<Item = (&'l [u8], &'l [u8])>, out: &mut Vec<u8>) {
    let mut before: &[u8] = b"cookie: ";
    for (_, crumb) in lines.filter(|(name, _)| *name == b"cookie") {
        out.extend_from_slice(before);
        out.extend_from_slice(crumb);
        before = b"; ";
    }
    out.extend_from_slice(b"\r\n");
}

fn push(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests;
