//! Keeps bodies until they are whole, refuses large ones, and asks again where it is told when.
//!
//! Differs from Traefik, which writes what is larger than its part in memory to a disk: here that
//! much is kept, and a larger body goes on as it comes, still counted.

use std::sync::Arc;

use steelyard_http::{Head as _, RequestEdits, RequestView as _, ResponseEdits, ResponseView as _};
use steelyard_model::routing::filter::limit::BodyBuffers;
use steelyard_model::routing::filter::trigger::{Measure, Trigger, TriggerSubject};

use crate::ask::{Ask, Got};
use crate::context::{Answerer, Context, Note};
use crate::frame::{Direction, Enter, Flow, Frame, Leave, Needs, Piece};
use crate::response::Response;

/// How often a request is asked, at most, whatever the expression says.
const MOST_ATTEMPTS: u32 = 10;
/// Bytes that are kept of one body, at most, whatever is asked for.
const MOST_KEPT: u64 = 64 << 20;

/// How large bodies may be.
#[derive(Clone, Debug)]
pub(crate) struct Buffers {
    terms: Arc<BuffersTerms>,
    attempts: u32,
    request: u64,
    response: u64,
    /// What is kept of the response.
    kept: Vec<Piece>,
    /// There is no room for more of it: all goes on with the next piece.
    is_full: bool,
    /// The request is one whose response has no body.
    is_head: bool,
    /// The response says how long it is, or has no body: it goes on as it comes, with its length.
    is_sized: bool,
}

#[derive(Debug)]
struct BuffersTerms {
    request: Bounds,
    response: Bounds,
    again: Option<Trigger>,
}

/// Bytes of a body.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// That it may have; none is any.
    most: Option<u64>,
    /// That are kept.
    kept: u64,
}

impl Bounds {
    fn new(most: u64, kept: u64) -> Self {
        let most = (most > 0).then_some(most);
        Self { most, kept: kept.clamp(1, MOST_KEPT).min(most.unwrap_or(MOST_KEPT)) }
    }

    fn is_more(self, bytes: u64) -> bool {
        self.most.is_some_and(|most| bytes > most)
    }
}

impl Buffers {
    /// None where its expression cannot be read.
    pub(crate) fn new(it: &BodyBuffers) -> Option<Self> {
        let read = |text: &Arc<str>| Trigger::parse(text, TriggerSubject::Response).ok();
        let again = match &it.retry {
            Some(text) => Some(read(text)?),
            None => None,
        };
        let terms = BuffersTerms {
            request: Bounds::new(it.max_request, it.mem_request),
            response: Bounds::new(it.max_response, it.mem_response),
            again,
        };
        let terms = Arc::new(terms);
        Some(Self {
            terms,
            attempts: 0,
            request: 0,
            response: 0,
            kept: Vec::new(),
            is_full: false,
            is_head: false,
            is_sized: false,
        })
    }

    fn wants_again(&self, cause: Answerer, status: u16) -> bool {
        let is_error = matches!(cause, Answerer::Nobody)
            || matches!((cause, status), (Answerer::Gateway, 502 | 504));
        let again = self.terms.again.as_ref().is_some_and(|condition| {
            condition.holds(is_error, &mut |measure| match measure {
                Measure::Attempts => self.attempts.into(),
                Measure::ResponseCode => status.into(),
                _ => f64::NAN,
            })
        });
        again && self.attempts < MOST_ATTEMPTS
    }
}

fn too_large(cx: &mut Context<'_>) -> Box<Response> {
    cx.notes.push(Note::Reason("the request's body is larger than it may be"));
    Box::new(Response::bare(413))
}

fn length(value: Option<&[u8]>) -> Option<u64> {
    str::from_utf8(value?).ok()?.parse().ok()
}

impl Frame for Buffers {
    fn needs(&self) -> Needs {
        let kept = usize::try_from(self.terms.request.kept).unwrap_or(usize::MAX);
        let request = match &self.terms.again {
            Some(_) => Direction::Replay(kept),
            None => Direction::Transform,
        };
        let response = if self.is_sized { Direction::Untouched } else { Direction::Transform };
        Needs { request, response }
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, got: Got) -> Enter {
        let bounds = self.terms.request;
        let told = length(head.first("content-length"));
        self.is_head = head.method() == "HEAD";
        match got {
            Got::Nothing if told.is_some_and(|it| bounds.is_more(it)) => {
                Enter::Answer(too_large(cx))
            }
            Got::Nothing => {
                Enter::Ask(Ask::Body { max: usize::try_from(bounds.kept).unwrap_or(usize::MAX) })
            }
            // What is sent again is not counted: so nobody may send what may be too much.
            Got::TooLarge
                if bounds.is_more(bounds.kept + 1)
                    || bounds.most.is_some() && self.terms.again.is_some() && told.is_none() =>
            {
                Enter::Answer(too_large(cx))
            }
            _ => Enter::Next,
        }
    }

    fn request(&mut self, cx: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        if let Piece::Data(bytes) = &piece {
            self.request += bytes.len() as u64;
        }
        if self.terms.request.is_more(self.request) {
            return Flow::Fail(too_large(cx));
        }
        out.push(piece);
        Flow::Go
    }

    fn leave(&mut self, cx: &mut Context<'_>, head: &mut ResponseEdits<'_>, _: Got) -> Leave {
        self.attempts += 1;
        (self.response, self.kept) = (0, Vec::new());
        if self.wants_again(cx.cause, head.status()) {
            return Leave::Again { after: std::time::Duration::ZERO };
        }
        let is_bare = self.is_head || matches!(head.status(), 204 | 304);
        let told = length(head.first("content-length"));
        self.is_sized = is_bare || told.is_some();
        if !is_bare && told.is_some_and(|it| self.terms.response.is_more(it)) {
            cx.notes.push(Note::Reason("the response's body is larger than it may be"));
            return Leave::Replace(Box::new(Response::bare(500)));
        }
        Leave::Next
    }

    fn response(&mut self, cx: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        let bounds = self.terms.response;
        match piece {
            Piece::Data(bytes) => {
                self.response += bytes.len() as u64;
                if bounds.is_more(self.response) {
                    cx.notes.push(Note::Reason("the response's body is larger than it may be"));
                    return Flow::Fail(Box::new(Response::bare(500)));
                }
                self.kept.push(Piece::Data(bytes));
                if self.is_full || self.response > bounds.kept {
                    out.append(&mut self.kept);
                }
            }
            Piece::Flush if self.is_full || self.response > bounds.kept => out.push(Piece::Flush),
            Piece::Flush => {}
            end @ Piece::End(_) => {
                out.append(&mut self.kept);
                out.push(end);
            }
        }
        Flow::Go
    }

    fn let_go(&mut self) {
        self.is_full = true;
    }

    fn kept(&self) -> usize {
        if self.is_full {
            return 0;
        }
        let data = self.kept.iter().map(|piece| match piece {
            Piece::Data(bytes) => bytes.len(),
            Piece::Flush | Piece::End(_) => 0,
        });
        data.sum()
    }
}

#[cfg(test)]
mod tests;
