//! A request's head as rules and filters see it, and as it goes on when they change it.

use std::borrow::Cow;

use super::{Hop, RequestHead, push_line};
use crate::edits::RequestChanges;
use crate::head::push_framing;
use crate::name::Name;
use crate::path;
use crate::query;
use crate::view::{Head, RequestView, Scheme};

/// The lines that go on, but for Host, of which [`RequestView::authority`] tells more; and what a
/// peer that is believed says of the client, which goes on in our words.
impl Head for RequestHead<'_, '_> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        if name.eq_ignore_ascii_case("host") {
            return None;
        }
        self.lines.kept(name).or_else(|| {
            let mut said = self.believed().filter(|line| line.name.eq_ignore_ascii_case(name));
            said.next().map(|line| line.value)
        })
    }

    fn each(&self, see: &mut dyn FnMut(&str, &[u8])) {
        let named = self.lines.stay().filter(|line| !line.name.eq_ignore_ascii_case("host"));
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

    fn query(&self) -> Option<&str> {
        self.query.strip_prefix('?')
    }
}

impl<'h, 'b> RequestHead<'h, 'b> {
    /// What is said of the client, where its peer may say such things.
    fn believed(&self) -> impl Iterator<Item = &'h httparse::Header<'b>> {
        let is_believed = self.vouched.is_some_and(|it| it.is_believed);
        let headers = if is_believed { self.lines.headers } else { &[] };
        headers.iter().filter(|line| {
            let is_said = Name::of(line.name.as_bytes()) == Name::Forwarded;
            is_said && !line.name.eq_ignore_ascii_case("proxy")
        })
    }

    pub(super) fn forward_changed(
        &self,
        hop: &Hop<'_>,
        changes: &RequestChanges,
        out: &mut Vec<u8>,
    ) {
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
        for part in [method, " ", &*path, mark, query.unwrap_or_default(), " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        let named = changes.authority.as_deref().unwrap_or(self.authority.raw);
        let host = if named.is_empty() { hop.fallback_host } else { named };
        push_line(out, "Host: ", host.as_bytes());
        let is_other_body = changes.framing.is_some();
        let lines = self.lines_for(hop).without(|name| match Name::of(name) {
            Name::Host => true,
            Name::ContentLength => is_other_body,
            _ => changes.lines.removes(name),
        });
        lines.copy_to(out);
        push_framing(changes.framing.or(self.restated), out);
        let own = out.len();
        self.push_own(hop, out);
        if changes.lines.removes_any() {
            let own = out.split_off(own);
            for line in own.split_inclusive(|byte| *byte == b'\n') {
                let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
                if !changes.lines.removes(name) {
                    out.extend_from_slice(line);
                }
            }
        }
        for (name, value) in changes.lines.added() {
            out.extend_from_slice(name.as_bytes());
            push_line(out, ": ", value);
        }
        // Who switches protocols has no answer that would have any.
        let wants = changes.takes_trailers && self.upgrade.is_empty();
        self.push_hop(self.takes_trailers || wants, out);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests;
