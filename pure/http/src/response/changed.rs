//! A response's head as filters see it, and as it goes on when they change it.

use super::{Persistence, ResponseHead};
use crate::body::Framing;
use crate::edits::ResponseChanges;
use crate::head::push_framing;
use crate::name::Name;
use crate::view::{Head, ResponseView};

/// The lines that go on.
impl Head for ResponseHead<'_, '_> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.lines.kept(name)
    }

    fn each(&self, see: &mut dyn FnMut(&str, &[u8])) {
        self.lines.stay().for_each(|line| see(line.name, line.value));
    }
}

impl ResponseView for ResponseHead<'_, '_> {
    fn status(&self) -> u16 {
        self.status
    }
}

impl ResponseHead<'_, '_> {
    /// Whether the body can go on under another status: some never have one.
    pub fn fits(&self, status: u16) -> bool {
        self.framing == Framing::None || !has_no_body(status)
    }

    pub(super) fn forward_changed(
        &self,
        persistence: Persistence,
        changes: &ResponseChanges,
        out: &mut Vec<u8>,
    ) {
        out.reserve(self.len + ADDED);
        let status = changes.status.filter(|it| *it != self.status && !self.is_switch());
        match status {
            Some(status) => self.push_status(status, "", out),
            None => self.push_status(self.status, self.reason, out),
        }
        let framing = changes.framing.or_else(|| self.reframed(status?));
        let mut lines = self.lines;
        if framing.is_some() || changes.lines.removes_any() {
            lines = lines.without(|name| {
                let frames = framing.is_some()
                    && matches!(Name::of(name), Name::ContentLength | Name::TransferEncoding);
                frames || changes.lines.removes(name)
            });
        }
        lines.push_to(self.is_plain, out);
        push_framing(framing.or(self.restated), out);
        changes.lines.push_added(out);
        self.push_end(persistence, out);
    }

    /// How the end of no body is told under another status, where that is told differently.
    fn reframed(&self, status: u16) -> Option<Framing> {
        match (has_no_body(self.status), has_no_body(status)) {
            (_, true) => Some(Framing::None),
            (true, false) => Some(Framing::Length(0)),
            (false, false) => None,
        }
    }
}

/// Room for what is usually added, so that it is made once.
const ADDED: usize = 512;

/// Statuses of final responses that never have a body (RFC 9110 §15.3.5, §15.4.5).
fn has_no_body(status: u16) -> bool {
    matches!(status, 204 | 304)
}

#[cfg(test)]
mod tests;
