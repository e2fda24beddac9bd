//! What the next hop is told of how the client asked.

use steelyard_model::routing::route::Manner;

use super::{Hop, RequestHead, push_line};
use crate::forwarded::{
    PassedList, SCHEME_LINES, Vouched, first_site, is_port, is_proto, is_scheme, is_site,
    push_element,
};
use crate::head::push_number;
use crate::view::Scheme;

/// What else goes on of a peer that is believed and says it once, in these spellings.
const OTHERS: [&str; 5] = [
    "X-Forwarded-Uri",
    "X-Forwarded-Method",
    "X-Forwarded-Prefix",
    "X-Forwarded-Tls-Client-Cert",
    "X-Forwarded-Tls-Client-Cert-Info",
];

impl RequestHead<'_, '_> {
    pub(super) fn push_origin(&self, hop: &Hop<'_>, out: &mut Vec<u8>) {
        let scheme = match (self.scheme, hop.manner) {
            (Scheme::Http, Manner::Traefik) if self.is_websocket() => "ws",
            (Scheme::Https, Manner::Traefik) if self.is_websocket() => "wss",
            (scheme, _) => scheme.as_str(),
        };
        let means = if hop.manner == Manner::Nginx { is_scheme } else { is_proto };
        let proto = self.claimed("x-forwarded-proto", means).unwrap_or(scheme.as_bytes());
        push_line(out, "X-Forwarded-Proto: ", proto);
        match self.claimed("x-forwarded-port", is_port) {
            Some(port) => push_line(out, "X-Forwarded-Port: ", port),
            None => {
                let usual = if self.scheme == Scheme::Https { 443 } else { 80 };
                let port = match hop.manner {
                    Manner::Traefik => self.authority.port.unwrap_or(usual),
                    Manner::Nginx => hop.port,
                };
                out.extend_from_slice(b"X-Forwarded-Port: ");
                push_number(out, u64::from(port));
                out.extend_from_slice(b"\r\n");
            }
        }
        if hop.manner == Manner::Nginx || self.vouched.is_some_and(|it| it.scheme_lines) {
            for name in SCHEME_LINES {
                out.extend_from_slice(name.as_bytes());
                push_line(out, ": ", proto);
            }
        }
        if hop.manner == Manner::Nginx {
            self.push_claim(hop.list, "X-Original-Forwarded-For", out);
            self.push_claim("X-Forwarded-Host", "X-Original-Forwarded-Host", out);
        }
    }

    /// The same where somebody may speak for others: what is believed goes on, once and in our
    /// spelling, and the peer is added to those it has passed.
    pub(super) fn push_vouched(&self, vouched: Vouched, hop: &Hop<'_>, out: &mut Vec<u8>) {
        let client = vouched.client.to_string();
        let mut peer: &[u8] = client.as_bytes();
        let mut server: &[u8] = b"";
        for line in hop.client_lines.split_inclusive(|byte| *byte == b'\n') {
            let text = line.trim_ascii_end();
            if let Some(address) = text.strip_prefix(b"X-Forwarded-For: ") {
                peer = address;
                self.push_passed(vouched, address, out);
            } else if text.starts_with(b"X-Real-Ip: ") {
                push_line(out, "X-Real-Ip: ", client.as_bytes());
            } else {
                server = text.strip_prefix(b"X-Forwarded-Server: ").unwrap_or(server);
                out.extend_from_slice(line);
            }
        }
        let site = match hop.manner {
            Manner::Traefik => self.claimed("x-forwarded-host", is_site),
            Manner::Nginx => self.best_host(hop).map(str::as_bytes),
        };
        let site = site.unwrap_or(self.authority.raw.as_bytes());
        if !site.is_empty() {
            push_line(out, "X-Forwarded-Host: ", site);
        }
        self.push_origin(hop, out);
        if vouched.is_believed {
            // Of two nobody knows which one is meant.
            for (name, value) in
                OTHERS.iter().filter_map(|it| Some((*it, self.claimed(it, |_| true)?)))
            {
                out.extend_from_slice(name.as_bytes());
                push_line(out, ": ", value);
            }
        }
        if vouched.standard {
            out.extend_from_slice(b"Forwarded: ");
            if vouched.is_believed {
                self.push_all("forwarded", out);
            }
            let peer = str::from_utf8(peer).ok().and_then(|it| it.parse().ok());
            let (raw, proto) = (self.authority.raw, self.scheme.as_str().as_bytes());
            push_element(peer.unwrap_or(vouched.client), proto, raw, server, out);
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Whom the request has passed. Who names the client in another way names nobody here.
    fn push_passed(&self, vouched: Vouched, peer: &[u8], out: &mut Vec<u8>) {
        let begun = out.len();
        out.extend_from_slice(b"X-Forwarded-For: ");
        let before = out.len();
        if vouched.list == PassedList::Client {
            return push_line(out, "", vouched.client.to_string().as_bytes());
        }
        if vouched.is_believed {
            self.push_all("x-forwarded-for", out);
        }
        if vouched.list == PassedList::AsItCame {
            let is_there = out.len() > before;
            out.truncate(if is_there { out.len() - ", ".len() } else { begun });
            out.extend_from_slice(if is_there { b"\r\n" } else { b"" });
            return;
        }
        let client = vouched.client.to_string();
        if out.len() == before && client.as_bytes() != peer {
            out.extend_from_slice(client.as_bytes());
            out.extend_from_slice(b", ");
        }
        push_line(out, "", peer);
    }

    /// All lines of a name as one list, with a comma behind it; nothing where there is none.
    fn push_all(&self, name: &str, out: &mut Vec<u8>) {
        for line in self.lines.headers.iter().filter(|line| line.name.eq_ignore_ascii_case(name)) {
            if !line.value.is_empty() {
                out.extend_from_slice(line.value);
                out.extend_from_slice(b", ");
            }
        }
    }

    /// What a peer that is believed says once as `name`, and means something.
    pub(super) fn claimed(&self, name: &str, means: fn(&[u8]) -> bool) -> Option<&[u8]> {
        self.vouched.filter(|vouched| vouched.is_believed)?;
        let mut named =
            self.lines.headers.iter().filter(|line| line.name.eq_ignore_ascii_case(name));
        let value = named.next()?.value;
        (named.next().is_none() && means(value)).then_some(value)
    }

    /// Whose site is asked for, as a peer that is believed says it: backends of ingress-nginx are
    /// asked for that one.
    pub(super) fn best_host(&self, hop: &Hop<'_>) -> Option<&str> {
        if hop.manner == Manner::Traefik {
            return None;
        }
        first_site(self.claimed("x-forwarded-host", |it| first_site(it).is_some())?)
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
