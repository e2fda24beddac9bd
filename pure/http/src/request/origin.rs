//! What the next hop is told of how the client asked.

use steelyard_model::routing::route::Manner;

use super::{Hop, RequestHead};
use crate::head::push_number;
use crate::view::Scheme;

impl RequestHead<'_, '_> {
    pub(super) fn push_origin(&self, hop: &Hop<'_>, out: &mut Vec<u8>) {
        let scheme = match (self.scheme, hop.manner) {
            (Scheme::Http, Manner::Traefik) if self.is_websocket() => "ws",
            (Scheme::Https, Manner::Traefik) if self.is_websocket() => "wss",
            (scheme, _) => scheme.as_str(),
        };
        push_header(out, "X-Forwarded-Proto", scheme);
        match self.authority.port {
            None if self.scheme == Scheme::Https => {
                out.extend_from_slice(b"X-Forwarded-Port: 443\r\n");
            }
            None => out.extend_from_slice(b"X-Forwarded-Port: 80\r\n"),
            Some(port) => {
                out.extend_from_slice(b"X-Forwarded-Port: ");
                push_number(out, u64::from(port));
                out.extend_from_slice(b"\r\n");
            }
        }
        if hop.manner == Manner::Nginx {
            push_header(out, "X-Forwarded-Scheme", scheme);
            push_header(out, "X-Scheme", scheme);
            self.push_claim("X-Forwarded-For", "X-Original-Forwarded-For", out);
            self.push_claim("X-Forwarded-Host", "X-Original-Forwarded-Host", out);
        }
    }

    /// What the client said as `name`, which is not believed, under another one.
    fn push_claim(&self, name: &str, other: &str, out: &mut Vec<u8>) {
        let mut between: [&[u8]; 2] = [other.as_bytes(), b": "];
        for line in self.lines.headers.iter().filter(|line| line.name.eq_ignore_ascii_case(name)) {
            between.into_iter().for_each(|part| out.extend_from_slice(part));
            out.extend_from_slice(line.value);
            between = [b",", b" "];
        }
        if between[0] == b"," {
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn push_header(out: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}
