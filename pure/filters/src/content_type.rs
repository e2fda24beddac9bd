//! Says what bodies are that say nothing of it, as Go's servers do.
//!
//! Bodies that come late are let go as they are: their heads wait no longer than Traefik keeps
//! heads back (`responseForwarding.flushInterval`).

mod sniff;

use std::time::Duration;

use steelyard_http::{Head, RequestEdits, RequestView, ResponseEdits, ResponseView};

use crate::ask::{Ask, Got};
use crate::context::Context;
use crate::frame::{Enter, Frame, Leave};
use sniff::{MOST, content_type};

/// How long the first bytes are waited for.
const PATIENCE: Duration = Duration::from_millis(100);

/// Says what bodies are.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContentType {
    /// The request was a HEAD: its response has a type that nobody sees the reason of.
    is_head: bool,
}

impl ContentType {
    /// Whether a response says nothing of its body, and has one that could be looked at.
    fn is_untold(&self, head: &ResponseEdits<'_>) -> bool {
        let is_encoded = head.first("content-encoding").is_some_and(|it| !it.is_empty());
        let has_body = !matches!(head.status(), ..200 | 204 | 304) && !self.is_head;
        has_body && !is_encoded && head.first("content-type").is_none()
    }
}

impl Frame for ContentType {
    fn enter(&mut self, _: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        self.is_head = head.method() == "HEAD";
        Enter::Next
    }

    fn leave(&mut self, _: &mut Context<'_>, head: &mut ResponseEdits<'_>, got: Got) -> Leave {
        match got {
            Got::Begin(begin) => {
                if !begin.is_empty() {
                    // It frames nothing, so it is not refused.
                    _ = head.lines().set("Content-Type", content_type(&begin).as_bytes());
                }
                Leave::Next
            }
            _ if self.is_untold(head) => Leave::Ask(Ask::Begin { max: MOST, patience: PATIENCE }),
            _ => Leave::Next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::Response;
    use crate::tests::{Asked, World};

    fn said(
        method: &'static str,
        status: u16,
        lines: &[(&str, &str)],
        begin: &'static [u8],
    ) -> String {
        let mut world = World::new();
        let mut frame = ContentType::default();
        let asked = Asked::by(method, "http://a.b", "/");
        frame.enter(&mut world.context(), &mut RequestEdits::new(&asked), Got::Nothing);
        let mut answer = Response::of(status);
        let line = |(name, value): &(&str, &str)| ((*name).into(), value.as_bytes().into());
        answer.lines.extend(lines.iter().map(line));
        let mut edits = ResponseEdits::new(&answer);
        match frame.leave(&mut world.context(), &mut edits, Got::Nothing) {
            Leave::Next => "untouched".to_owned(),
            Leave::Ask(Ask::Begin { max: 512, .. }) => {
                let got = Got::Begin(begin.into());
                let left = frame.leave(&mut world.context(), &mut edits, got);
                assert!(matches!(left, Leave::Next));
                let found = edits.first("content-type").unwrap_or(b"none");
                String::from_utf8_lossy(found).into_owned()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_of_what_says_nothing_it_is_said() {
        let html = b"<html>";
        for (method, status, lines, begin, expected) in [
            ("GET", 200, &[][..], &html[..], "text/html; charset=utf-8"),
            ("POST", 500, &[], b"oh", "text/plain; charset=utf-8"),
            ("GET", 200, &[], b"", "none"),
            ("GET", 200, &[("Content-Type", "a/b")], html, "untouched"),
            ("GET", 200, &[("content-type", "")], html, "untouched"),
            ("GET", 200, &[("Content-Encoding", "gzip")], html, "untouched"),
            ("GET", 200, &[("Content-Encoding", "")], html, "text/html; charset=utf-8"),
            ("HEAD", 200, &[], html, "untouched"),
            ("GET", 204, &[], html, "untouched"),
            ("GET", 304, &[], html, "untouched"),
            ("GET", 101, &[], html, "untouched"),
        ] {
            assert_eq!(said(method, status, lines, begin), expected, "{method} {status} {lines:?}");
        }
    }
}
