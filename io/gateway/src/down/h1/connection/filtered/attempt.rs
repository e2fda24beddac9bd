//! One attempt at the backend, with the filters' hand in it.

use std::borrow::Cow;
use std::time::Instant;

use steelyard_filters::{Ending, Flow, Piece, Response};
use steelyard_http::{After, Framing, RequestChanges, ResponseChanges, Terms, Wrapping};
use steelyard_model::routing::route::Manner;

use super::body::have_body;
use super::{Connection, Inner, Leaving, Over, Told};
use crate::core::live::Chosen;
use crate::down::h1::answer::Answer;
use crate::down::h1::request::{Request, take_body};
use crate::exchange::aside::Aside;
use crate::exchange::course::Course;
use crate::exchange::dispatch::{Dispatch, Done, Trace};
use crate::exchange::drive::{Exchange, Place};
use crate::exchange::hand::{Back, Hand};
use crate::tell::fault::Fault;
use crate::wire::Wire;

impl<C: Wire> Connection<C> {
    /// One attempt at the backend.
    pub(super) async fn attempt(
        &mut self,
        course: &mut Course<'_>,
        request: &mut Request,
        chosen: &Chosen,
        trace: &mut Trace,
    ) -> Inner {
        let core = self.core.clone();
        let opening = match self.open(course, request, chosen.route.manner()) {
            Ok(opening) => opening,
            Err(inner) => return *inner,
        };
        let is_repeatable = !request.has_body || course.has_body;
        let mut terms = Terms::from(&*request);
        terms.idempotent &= opening.is_as_asked;
        let (body, held) = (request.body.clone(), self.held.take());
        let limits = chosen.route.limits(&self.listener.limits);
        let scratch = core.scratch.take();
        let mut exchange = Exchange::new(terms, limits, &self.out, body, held, scratch);
        Self::prepare(&core, &mut self.note, &mut exchange);
        if self.age.is_over() {
            exchange.close_client();
        }
        exchange.hold();
        if course.has_body {
            exchange.tap_request(opening.wrapping, opening.is_ended);
        }
        let mut tap = Hand::new(course, &core, is_repeatable);
        tap.request_until = opening.until;
        exchange.pause_request(opening.until.is_some());
        let place = Place {
            core: &core,
            listener: &self.listener,
            timer: &mut self.timer,
            waiting: &self.waiting,
        };
        let so_far = std::mem::take(trace);
        let started = request.started;
        let client = &self.stream;
        let aside = Aside::of(chosen, request.client, request.bytes_in);
        let times = chosen.route.times(started, self.listener.terms.answer);
        let mut dispatch = Dispatch {
            place,
            client,
            exchange,
            started,
            times,
            attempt_due: None,
            trace: so_far,
            tap,
            aside,
        };
        let done = dispatch.serve(chosen).await;
        let Dispatch { mut exchange, trace: traced, tap, .. } = dispatch;
        let Hand { failed, back, .. } = tap;
        *trace = traced;
        request.body = exchange.request_body();
        let (came, bytes_out) = exchange.bytes();
        request.bytes_in += came;
        let told = Told { status: exchange.status(), bytes_out, ..Told::default() };
        let may_stay = exchange.may_stay();
        self.note.keep_heads(exchange.take_heads());
        let (held, scratch) = exchange.take_parts();
        self.held = held;
        core.scratch.set(scratch);
        let attempted = Attempted { told, failed, back, may_stay, is_repeatable };
        attempted.conclude(done, request)
    }

    /// Puts together what the endpoint gets first; or what becomes of the request without one.
    fn open(
        &mut self,
        course: &mut Course<'_>,
        request: &mut Request,
        manner: Manner,
    ) -> Result<Opened, Box<Inner>> {
        if request.has_body && course.stack().has_hand_in_request() {
            have_body(course, request);
        }
        let mut pieces = Vec::new();
        let mut until = None;
        if course.has_body {
            let flushed = course.flush(&mut pieces);
            let taken = match flushed {
                Flow::Fail(_) => Ok(Flow::Go),
                _ => self.take_in(course, request, &mut pieces),
            };
            let taken = taken.map_err(|fault| self.fault(fault, request))?;
            for flow in [flushed, taken] {
                match flow {
                    Flow::Go => {}
                    Flow::WaitUntil(then) => until = until.max(Some(then)),
                    Flow::Fail(response) => {
                        let mut leaving = self.leaving(*response, request, None);
                        leaving.is_repeatable = false;
                        return Err(Box::new(Inner::Leaving(leaving)));
                    }
                }
            }
        }
        let mut opened = Opened::of(course, request, &pieces);
        opened.until = until;
        self.out.clear();
        let (lines, out, listener) = (&self.client_lines, &mut self.out, &self.listener);
        let is_head = request.asked.head;
        let is_written = course.with_head(|head, changes| {
            let method = changes.method.as_deref();
            if method.is_some_and(|method| (method == "HEAD") != is_head) {
                return false;
            }
            opened.is_as_asked = method.is_none();
            let changes = told(changes, opened.framing, request);
            let is_changed = *changes != RequestChanges::default();
            head.forward(&listener.hop(lines, manner), is_changed.then_some(&*changes), out);
            true
        });
        if is_written != Some(true) {
            // The response would be read as one to another method than the client's.
            return Err(self.fault(Fault::GivenUp, request));
        }
        for piece in &pieces {
            match piece {
                Piece::Data(bytes) => opened.wrapping.push(bytes, &mut self.out),
                Piece::Flush => {}
                Piece::End(trailers) => opened.wrapping.end(trailers, &mut self.out),
            }
        }
        if !course.has_body {
            let taken = take_body(&mut self.held, 0, request, &mut self.out);
            taken.map_err(|reject| self.fault(reject.into(), request))?;
        }
        Ok(opened)
    }
}

/// What is changed about a request, with how its body ends where that is told otherwise, and whose
/// trace it belongs to. Most have neither, and nothing is copied for them.
fn told<'c>(
    changes: &'c RequestChanges,
    framing: Option<Framing>,
    request: &Request,
) -> Cow<'c, RequestChanges> {
    if framing.is_none() && request.traced.is_none() {
        return Cow::Borrowed(changes);
    }
    let mut changes = RequestChanges { framing, ..changes.clone() };
    if let Some(traced) = &request.traced {
        traced.tell(&mut changes.lines);
    }
    Cow::Owned(changes)
}

/// An attempt that is over.
struct Attempted {
    told: Told,
    /// What a body hook answers.
    failed: Option<Box<Response>>,
    /// What came out of all filters instead of a response.
    back: Option<Back>,
    may_stay: bool,
    is_repeatable: bool,
}

impl Attempted {
    fn conclude(self, done: Done, request: &Request) -> Inner {
        match done {
            Done::Passed(after) => {
                Inner::Over(Over { after, told: self.told, ending: Ending::Finished })
            }
            Done::Tunnelled(bytes) => {
                let told = Told { bytes_out: self.told.bytes_out + bytes, ..self.told };
                Inner::Over(Over { after: After::Close, told, ending: Ending::Closed })
            }
            Done::TunnelCut(bytes) => {
                let told = Told {
                    bytes_out: self.told.bytes_out + bytes,
                    why: Some(Fault::CutOff),
                    ..self.told
                };
                Inner::Over(Over { after: After::Reset, told, ending: Ending::Aborted })
            }
            Done::Cut(fault, after) => {
                let status = if self.told.status == 0 { fault.status() } else { self.told.status };
                let told = Told { status, why: Some(fault), ..self.told };
                Inner::Over(Over { after, told, ending: Ending::Aborted })
            }
            Done::Withheld => {
                let back = self.back.unwrap_or_else(|| {
                    let answer = Answer::fault(Fault::GivenUp, request.wants_html);
                    Back::Down(answer.to_response(), ResponseChanges::default())
                });
                Inner::Out(back, self.may_stay)
            }
            Done::Answer(fault, stays) => {
                let theirs = matches!(
                    fault,
                    Fault::RequestTimeout
                        | Fault::MadeRoom
                        | Fault::CutOff
                        | Fault::Rejected(_)
                        | Fault::GivenUp
                );
                let response = self.failed.map_or_else(
                    || Answer::fault(fault, request.wants_html).to_response(),
                    |response| *response,
                );
                let is_repeatable = self.is_repeatable && !theirs;
                let why = Some(fault);
                Inner::Leaving(Leaving { response, stays, is_repeatable, why })
            }
        }
    }
}

/// What the endpoint gets first.
struct Opened {
    /// How the body's end is told, where it is not as it came.
    framing: Option<Framing>,
    wrapping: Wrapping,
    /// All of the body is in it.
    is_ended: bool,
    /// The method is the client's.
    is_as_asked: bool,
    /// When the body goes on.
    until: Option<Instant>,
}

impl Opened {
    fn of(course: &mut Course<'_>, request: &Request, pieces: &[Piece]) -> Self {
        let is_ended = matches!(pieces.last(), Some(Piece::End(_)));
        let has_trailers = matches!(pieces.last(), Some(Piece::End(it)) if !it.is_empty());
        let is_chunked = course.stack().changes_request() || request.framing == Framing::Chunked;
        let length = |piece: &Piece| match piece {
            Piece::Data(bytes) => bytes.len() as u64,
            Piece::Flush | Piece::End(_) => 0,
        };
        let (framing, wrapping) = match course.has_body {
            false => (None, Wrapping::Plain),
            true if is_ended && !has_trailers => {
                let length = pieces.iter().map(length).sum();
                (Some(Framing::Length(length)), Wrapping::Plain)
            }
            true if is_chunked || has_trailers => (Some(Framing::Chunked), Wrapping::Chunks),
            true => (None, Wrapping::Plain),
        };
        Self { framing, wrapping, is_ended, is_as_asked: true, until: None }
    }
}

#[cfg(test)]
mod tests {
    use steelyard_http::{Asked, Body, Upgrades};

    use super::*;

    #[test]
    fn another_attempt_is_for_what_the_client_has_no_part_in() {
        let request = Request {
            started: Instant::now(),
            method: "GET",
            protocol: "http",
            asked: Asked { head: false, http10: false, upgrade: Upgrades::NONE },
            keep_alive: true,
            is_idempotent: true,
            expects: false,
            has_body: false,
            framing: Framing::None,
            wants_html: false,
            body: Body::new(Framing::None),
            bytes_in: 0,
            client: [127, 0, 0, 1].into(),
            traced: None,
        };
        for (is_repeatable, fault, expected) in [
            (true, Fault::UpstreamClosed, true),
            (false, Fault::UpstreamClosed, false),
            (true, Fault::RequestTimeout, false),
            (false, Fault::RequestTimeout, false),
        ] {
            let told = Told::default();
            let over = Attempted { told, failed: None, back: None, may_stay: true, is_repeatable };
            let Inner::Leaving(leaving) = over.conclude(Done::Answer(fault, true), &request) else {
                panic!("the client is to be told");
            };
            assert_eq!(leaving.is_repeatable, expected, "{is_repeatable} {fault:?}");
        }
    }
}
