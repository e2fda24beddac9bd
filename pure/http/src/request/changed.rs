//! A request's head as rules and filters see it, and as it goes on when they change it.

use std::borrow::Cow;

use steelyard_model::routing::transport::HopSpeech;

use super::{Hop, RequestHead, push_line};
use crate::edits::{LineEdits, RequestChanges};
use crate::head::{Lines, push_framing};
use crate::name::Name;
use crate::path;
use crate::query;
use crate::view::{Head, RequestView, Scheme};

/// The lines that go on, but for Host, of which [`RequestView::authority`] tells more; those that
/// Connection names and that are seen here; and what a peer that is believed says of the client,
/// which goes on in our words.
impl Head for RequestHead<'_, '_> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        if name.eq_ignore_ascii_case("host") {
            return None;
        }
        let mut all = self.lines.seen().chain(self.believed());
        all.find(|line| line.name.eq_ignore_ascii_case(name)).map(|line| line.value)
    }

    fn each(&self, see: &mut dyn FnMut(&str, &[u8])) {
        let named = self.lines.seen().filter(|line| !line.name.eq_ignore_ascii_case("host"));
        named.chain(self.believed()).for_each(|line| see(line.name, line.value));
    }
}

impl RequestView for RequestHead<'_, '_> {
    fn method(&self) -> &str {
        self.method
    }

    fn scheme(&self) -> Scheme {
        self.scheme
    }

    fn authority(&self) -> &str {
        self.authority.raw
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn asked_path(&self) -> &str {
        self.asked()
    }

    fn query(&self) -> Option<&str> {
        self.query.strip_prefix('?')
    }
}

impl<'h, 'b> RequestHead<'h, 'b> {
    /// Appends a head that was written for the next hop already: as it is, but for `changes`.
    pub fn rewrite(&self, changes: &RequestChanges, out: &mut Vec<u8>) {
        let method = changes.method.as_deref().unwrap_or(self.method);
        let path = changes.path.as_deref().unwrap_or(self.asked);
        let (mark, query) = match &changes.query {
            Some(query) => (query.as_ref().map_or("", |_| "?"), query.as_deref()),
            None => ("", Some(self.query)),
        };
        for part in [method, " ", path, mark, query.unwrap_or_default(), " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        let host = changes.authority.as_deref().unwrap_or(self.authority.raw);
        push_line(out, "Host: ", host.as_bytes());
        let is_other_body = changes.framing.is_some();
        for line in self.lines.headers {
            let goes = match Name::of(line.name.as_bytes()) {
                Name::Host => false,
                Name::ContentLength | Name::TransferEncoding => !is_other_body,
                _ => !changes.lines.hides(line.name.as_bytes()),
            };
            if goes {
                out.extend_from_slice(line.name.as_bytes());
                push_line(out, ": ", line.value);
            }
        }
        push_framing(changes.framing, out);
        for (name, value) in changes.lines.added() {
            out.extend_from_slice(name.as_bytes());
            push_line(out, ": ", value);
        }
        out.extend_from_slice(b"\r\n");
    }

    /// What is said of the client, where its peer may say such things.
    fn believed(&self) -> impl Iterator<Item = &'h httparse::Header<'b>> {
        let is_believed = self.vouched.is_some_and(|it| it.is_believed);
        let headers = if is_believed { self.lines.headers } else { &[] };
        headers.iter().filter(|line| {
            let is_said = Name::of(line.name.as_bytes()) == Name::Forwarded;
            is_said && !line.name.eq_ignore_ascii_case("proxy")
        })
    }

    /// The first line.
    pub(super) fn push_target(&self, hop: &Hop<'_>, changes: &RequestChanges, out: &mut Vec<u8>) {
        let path = match &changes.path {
            Some(path) => Cow::Borrowed(&**path),
            None => path::spell(self.asked, &self.path, hop.path),
        };
        let method = changes.method.as_deref().unwrap_or(self.method);
        let own = query::spell(self.query, hop.semicolons);
        let (mark, query) = match &changes.query {
            Some(query) => (query.as_ref().map_or("", |_| "?"), query.as_deref()),
            None => ("", Some(&*own)),
        };
        let version = self.speech(changes).version();
        for part in [method, " ", &*path, mark, query.unwrap_or_default(), " ", version, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }

    /// How it is spoken. What switches protocols says of the connection that it does.
    pub(super) fn speech(&self, changes: &RequestChanges) -> HopSpeech {
        if self.upgrade.is_empty() { changes.speech } else { HopSpeech::Usual }
    }

    /// The lines that came and go on.
    pub(super) fn lines_with(
        &self,
        hop: &Hop<'_>,
        changes: &RequestChanges,
        is_other_site: bool,
    ) -> Lines<'h, 'b> {
        let lines = self.lines_for(hop);
        let is_other_body = changes.framing.is_some();
        if !is_other_site && !is_other_body && !changes.lines.removes_any() {
            return lines;
        }
        lines.without(|name| {
            is_other_site && name.eq_ignore_ascii_case(b"host")
                || is_other_body && name.eq_ignore_ascii_case(b"content-length")
                || changes.lines.hides(name)
        })
    }
}

/// Whether a line that the gateway writes itself may have this name.
pub(super) fn may_be_own(name: &[u8]) -> bool {
    const OWN: [&[u8]; 6] =
        [b"x-forwarded-", b"x-real-ip", b"x-scheme", b"x-original-", b"forwarded", b"cdn-loop"];
    OWN.iter().any(|own| name.get(..own.len()).is_some_and(|it| it.eq_ignore_ascii_case(own)))
}

/// Takes the lines from `start` on away that are to be left out.
pub(super) fn leave_out(lines: &LineEdits, start: usize, out: &mut Vec<u8>) {
    let own = out.split_off(start);
    for line in own.split_inclusive(|byte| *byte == b'\n') {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        if !lines.hides(name) {
            out.extend_from_slice(line);
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
