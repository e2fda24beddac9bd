//! Makes responses smaller, as the client takes them.
//!
//! Differs from Traefik: a response without `Content-Length` is made smaller however small it turns
//! out; `Cache-Control: no-transform` is heeded (RFC 9110 §7.7), and a strong `ETag` becomes a weak
//! one, since other bytes stand for it now. What would be made smaller for others says so (`Vary`)
//! also to who takes nothing or has not said what, or a cache would give it to all (§12.5.5).

mod accepted;
mod encoder;

use std::sync::Arc;

use steelyard_http::{Head, RequestEdits, RequestView as _, ResponseEdits, ResponseView as _};
use steelyard_model::routing::filter::content::{Compression, ContentCoding};

use crate::ask::Got;
use crate::context::{Answerer, Context, Ending, Note};
use crate::frame::{Direction, Enter, Flow, Frame, Leave, Needs, Piece};
use encoder::Encoder;

/// What is made smaller, and how.
#[derive(Debug)]
pub(crate) struct Compress {
    terms: Arc<Compression>,
    /// How, as the client takes it.
    coding: Option<ContentCoding>,
    encoder: Option<Box<Encoder>>,
    /// It might be made smaller, if the client took that.
    is_asked: bool,
    /// Nobody knows how long it will be: what has come goes on.
    is_stream: bool,
    before: u64,
    after: u64,
}

impl Clone for Compress {
    /// For another request.
    fn clone(&self) -> Self {
        Self::of(self.terms.clone())
    }
}

impl Compress {
    pub(crate) fn new(terms: &Compression) -> Self {
        Self::of(Arc::new(terms.clone()))
    }

    fn of(terms: Arc<Compression>) -> Self {
        Self {
            terms,
            coding: None,
            encoder: None,
            is_asked: false,
            is_stream: false,
            before: 0,
            after: 0,
        }
    }

    fn is_excluded(&self, media_type: &str) -> bool {
        let is_in = |list: &[Arc<str>]| list.iter().any(|it| it.eq_ignore_ascii_case(media_type));
        media_type.eq_ignore_ascii_case("application/grpc") || is_in(&self.terms.excluded)
    }

    fn is_included(&self, media_type: &str) -> bool {
        let all = &self.terms.included;
        let is_in = all.iter().any(|it| it.eq_ignore_ascii_case(media_type));
        (all.is_empty() || is_in) && !self.is_excluded(media_type)
    }

    /// Whether a response is to be made smaller.
    fn is_worth_it(&self, head: &ResponseEdits<'_>) -> bool {
        let length = text(head, "content-length").and_then(|it| it.trim().parse::<u64>().ok());
        let kind = media_type(head);
        let no_transform = |value: &[u8]| {
            let mut directives = value.split(|byte| *byte == b',');
            directives.any(|it| it.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
        };
        let has_body = match self.terms.is_nginx {
            true => matches!(head.status(), 200 | 403 | 404),
            false => !matches!(head.status(), 0..200 | 204 | 206 | 304),
        };
        has_body
            && length.is_none_or(|length| length >= self.terms.smallest && length > 0)
            && head.first("content-encoding").is_none_or(|it| it.trim_ascii().is_empty())
            && head.first("content-range").is_none()
            && !head.first("cache-control").is_some_and(no_transform)
            && kind != Some("")
            && self.is_included(kind.unwrap_or_default())
    }
}

/// The value of a line, as text.
fn text<'h>(head: &'h dyn Head, name: &str) -> Option<&'h str> {
    str::from_utf8(head.first(name)?).ok()
}

/// The media type without its parameters.
fn media_type(head: &dyn Head) -> Option<&str> {
    Some(text(head, "content-type")?.split(';').next()?.trim())
}

impl Frame for Compress {
    fn needs(&self) -> Needs {
        let response =
            if self.encoder.is_some() { Direction::Transform } else { Direction::Untouched };
        Needs { response, ..Needs::default() }
    }

    fn writes(&self) -> bool {
        false
    }

    fn enter(&mut self, _: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        let is_excluded = media_type(head).is_some_and(|it| self.is_excluded(it));
        self.is_asked = head.method() != "HEAD" && !is_excluded;
        if self.is_asked {
            self.coding = accepted::coding(head, &self.terms);
        }
        Enter::Next
    }

    fn leave(&mut self, cx: &mut Context<'_>, head: &mut ResponseEdits<'_>, _: Got) -> Leave {
        let is_nginx = self.terms.is_nginx;
        // How long what is made here will be is not known yet.
        let is_said = self.is_asked && cx.cause == Answerer::Backend;
        if self.coding.is_none() && !is_said {
            return Leave::Next;
        }
        let is_worth_it = self.is_worth_it(head);
        // None of these lines frames a message, so none is refused.
        if is_worth_it || self.coding.is_some() && !is_nginx {
            _ = head.lines().add("Vary", b"Accept-Encoding");
        }
        if let Some(coding) = self.coding.filter(|_| is_worth_it) {
            let strong = head.first("etag").filter(|it| it.starts_with(b"\""));
            let weak = strong.map(|it| [b"W/", it].concat());
            self.encoder = Some(Box::new(Encoder::new(coding)));
            self.is_stream = head.first("content-length").is_none();
            _ = head.lines().set("Content-Encoding", coding.as_str().as_bytes());
            _ = head.lines().remove("Accept-Ranges");
            _ = weak.map(|it| head.lines().set("ETag", &it));
        }
        Leave::Next
    }

    fn response(&mut self, cx: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        let Some(encoder) = &mut self.encoder else {
            out.push(piece);
            return Flow::Go;
        };
        let begin = out.len();
        match piece {
            Piece::Data(bytes) => {
                self.before += bytes.len() as u64;
                out.extend(encoder.write(&bytes).map(Piece::Data));
            }
            Piece::Flush if !self.is_stream => {}
            Piece::Flush => {
                out.extend(encoder.flush().map(Piece::Data));
                out.push(Piece::Flush);
            }
            end @ Piece::End(_) => {
                out.extend(encoder.finish().map(Piece::Data));
                out.push(end);
            }
        }
        let sizes = out[begin..].iter().map(|piece| match piece {
            Piece::Data(bytes) => bytes.len() as u64,
            Piece::Flush | Piece::End(_) => 0,
        });
        self.after += sizes.sum::<u64>();
        if let Some(Piece::End(_)) = out.last() {
            cx.notes.push(Note::Ratio(self.before, self.after));
        }
        Flow::Go
    }

    fn done(&mut self, _: &mut Context<'_>, _: Ending) {
        self.encoder = None;
    }
}

#[cfg(test)]
mod tests;
