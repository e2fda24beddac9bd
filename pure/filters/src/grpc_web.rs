//! gRPC for browsers (gRPC's PROTOCOL-WEB), in the manner of the library that Traefik has: what a
//! browser can say and read is translated into gRPC and back.
//!
//! Messages pass as they come, whatever they say of their length. What stands behind a gRPC answer
//! goes into its body, as a frame of its own. In the text form bodies are base64, in parts of any
//! length, each padded for itself.

mod parts;

use std::sync::Arc;

use bytes::Bytes;
use steelyard_http::{Head, RequestEdits, RequestView, ResponseEdits, TrailerLine};

use crate::ask::Got;
use crate::context::{Context, Note};
use crate::frame::{Direction, Enter, Flow, Frame, Leave, Needs, Piece};
use crate::response::Response;
use parts::{Decoder, Encoder};

const GRPC: &str = "application/grpc";
const WEB: &str = "application/grpc-web";
const TEXT: &str = "application/grpc-web-text";

/// Marks a frame of trailers.
const TRAILERS: u8 = 0x80;

/// How long browsers may go by what a preflight was told, in seconds.
const MAX_AGE: &[u8] = b"600";

/// What a preflight's answer depends on.
const ASKED_BY: &[u8] = b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/// Translates for browsers.
#[derive(Clone, Debug)]
pub(crate) struct GrpcWeb {
    /// Pages that may ask; `*` is all.
    origins: Arc<[Arc<str>]>,
    /// The page that asks, if it may.
    origin: Option<Box<str>>,
    /// The request is a browser's, in this form.
    form: Option<Form>,
    decoder: Decoder,
    encoder: Encoder,
    /// The response is gRPC's.
    is_answered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Binary,
    Text,
}

impl GrpcWeb {
    pub(crate) fn new(origins: &[Arc<str>]) -> Self {
        Self {
            origins: origins.into(),
            origin: None,
            form: None,
            decoder: Decoder::default(),
            encoder: Encoder::default(),
            is_answered: false,
        }
    }

    /// The page that asks, if it may.
    fn allowed<'h>(&self, head: &'h RequestEdits<'_>) -> Option<&'h str> {
        let origin = text(head, "origin").filter(|it| !it.is_empty())?;
        let is_it = |known: &Arc<str>| **known == *"*" || **known == *origin;
        self.origins.iter().any(is_it).then_some(origin)
    }

    /// What browsers hear that ask whether they may ask.
    fn preflight(&self, head: &RequestEdits<'_>) -> Response {
        let mut response = Response::of(204);
        let mut line = |name: &str, value: &[u8]| response.lines.push((name.into(), value.into()));
        line("Vary", ASKED_BY);
        let method = text(head, "access-control-request-method").unwrap_or_default();
        let may = matches!(method, "GET" | "POST" | "HEAD");
        if let Some(origin) = self.allowed(head).filter(|_| may) {
            line("Access-Control-Allow-Origin", origin.as_bytes());
            line("Access-Control-Allow-Methods", method.as_bytes());
            if let Some(headers) = head.first("access-control-request-headers") {
                line("Access-Control-Allow-Headers", headers);
            }
            line("Access-Control-Allow-Credentials", b"true");
            line("Access-Control-Max-Age", MAX_AGE);
        }
        response
    }

    /// The answer's head, for a browser. None of these lines frames a message, so none is refused.
    fn tell(&mut self, head: &mut ResponseEdits<'_>, form: Form) {
        _ = head.lines().add("Vary", b"Origin");
        if let Some(origin) = &self.origin {
            _ = head.lines().set("Access-Control-Allow-Origin", origin.as_bytes());
            _ = head.lines().set("Access-Control-Allow-Credentials", b"true");
        }
        let kind = text(head, "content-type").filter(|it| it.starts_with(GRPC));
        if let Some(kind) = kind.map(|it| it[GRPC.len()..].to_owned()) {
            let web = if form == Form::Text { TEXT } else { WEB };
            _ = head.lines().set("Content-Type", format!("{web}{kind}").as_bytes());
            self.is_answered = true;
        }
        let mut names = Vec::new();
        head.each(&mut |name, _| names.push(canonical(name)));
        names.sort_unstable();
        names.dedup();
        names.extend(["grpc-status", "grpc-message"].map(str::to_owned));
        _ = head.lines().set("Access-Control-Expose-Headers", names.join(", ").as_bytes());
    }
}

impl Frame for GrpcWeb {
    fn needs(&self) -> Needs {
        let response = if self.is_answered { Direction::Transform } else { Direction::Untouched };
        Needs { request: Direction::Transform, response }
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        let asked = text(head, "access-control-request-headers").unwrap_or_default();
        let is_preflight = head.method() == "OPTIONS"
            && asked.to_ascii_lowercase().contains("x-grpc-web")
            && head.first("access-control-request-method").is_some_and(|it| !it.is_empty());
        if is_preflight {
            cx.notes.push(Note::Reason("a browser asks whether it may ask"));
            return Enter::Answer(Box::new(self.preflight(head)));
        }
        let kind = text(head, "content-type").filter(|_| head.method() == "POST");
        let Some(rest) = kind.and_then(|it| it.strip_prefix(WEB)) else { return Enter::Next };
        let (form, rest) = match rest.strip_prefix("-text") {
            Some(rest) => (Form::Text, rest),
            None => (Form::Binary, rest),
        };
        let kind = format!("{GRPC}{rest}");
        self.origin = self.allowed(head).map(Into::into);
        self.form = Some(form);
        // It frames nothing, and its value came in a line.
        _ = head.lines().set("Content-Type", kind.as_bytes());
        head.take_trailers();
        Enter::Next
    }

    fn leave(&mut self, _: &mut Context<'_>, head: &mut ResponseEdits<'_>, _: Got) -> Leave {
        if let Some(form) = self.form {
            self.tell(head, form);
        }
        Leave::Next
    }

    fn request(&mut self, cx: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        if self.form != Some(Form::Text) {
            out.push(piece);
            return Flow::Go;
        }
        let decoded = match &piece {
            Piece::Data(bytes) => self.decoder.decode(bytes),
            Piece::Flush => Some(Bytes::new()),
            Piece::End(_) => self.decoder.is_whole().then(Bytes::new),
        };
        let Some(decoded) = decoded else {
            cx.notes.push(Note::Reason("the body is no base64"));
            return Flow::Fail(Box::new(Response::bare(400)));
        };
        if !decoded.is_empty() {
            out.push(Piece::Data(decoded));
        }
        if !matches!(piece, Piece::Data(_)) {
            out.push(piece);
        }
        Flow::Go
    }

    fn response(&mut self, _: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        let is_text = self.form == Some(Form::Text);
        let mut push = |bytes: Bytes| {
            if !bytes.is_empty() {
                out.push(Piece::Data(bytes));
            }
        };
        match piece {
            Piece::Data(bytes) if is_text => push(self.encoder.encode(&bytes)),
            Piece::Data(bytes) => push(bytes),
            Piece::Flush => {
                push(self.encoder.finish());
                out.push(Piece::Flush);
            }
            Piece::End(trailers) => {
                let framed = framed(&trailers);
                push(if is_text { self.encoder.encode(&framed) } else { framed });
                push(self.encoder.finish());
                out.push(Piece::End(Vec::new()));
            }
        }
        Flow::Go
    }
}

/// Trailers as a frame: lines in lower case, by name.
fn framed(trailers: &[TrailerLine]) -> Bytes {
    if trailers.is_empty() {
        return Bytes::new();
    }
    let mut lines: Vec<_> =
        trailers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    let mut text = Vec::new();
    for (name, value) in lines {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            text.extend_from_slice(part);
        }
    }
    // They came in one piece of a few KiB.
    let length = u32::try_from(text.len()).unwrap_or_default();
    [&[TRAILERS][..], &length.to_be_bytes(), &text].concat().into()
}

/// The value of a line, as text.
fn text<'h>(head: &'h dyn Head, name: &str) -> Option<&'h str> {
    str::from_utf8(head.first(name)?).ok()
}

/// A name as Go spells it.
fn canonical(name: &str) -> String {
    let mut is_first = true;
    let spelled = name.chars().map(|letter| {
        let upper = std::mem::replace(&mut is_first, letter == '-');
        if upper { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
    });
    spelled.collect()
}

#[cfg(test)]
mod tests;
