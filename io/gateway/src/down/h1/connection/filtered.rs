//! Requests that pass filters on their way, and what has no route and passes them all the same.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use steelyard_filters::{
    Answerer, Ask, Ending, Flow, Got, Inward, Journey, Piece, Recipe, Response,
};
use steelyard_http::{
    After, Asked, Body, Exchange, Framing, Limits, Reject, RequestChanges, ResponseChanges, Terms,
    Upgrades, Wrapping, release,
};
use steelyard_model::routing::id::RouteId;
use steelyard_model::routing::route::Manner;

use super::{Connection, Told};
use crate::core::live::{Chosen, RouteState};
use crate::down::h1::answer::{Answer, write_response};
use crate::down::h1::request::{Filtered, Inside, Request, take_body};
use crate::exchange::asks::{self, unless_gone};
use crate::exchange::course::Course;
use crate::exchange::dispatch::{Dispatch, Done, Trace};
use crate::exchange::drive::Place;
use crate::exchange::hand::{Back, Hand, outward_with};
use crate::tell::fault::Fault;

/// How far a request came on its way in.
enum Entered {
    Inside,
    /// A frame answers.
    Answer(Box<Response>),
}

/// What a request came to inside of all filters.
enum Inner {
    /// A response to be let out.
    Leaving(Leaving),
    /// What came out already.
    Out(Back, bool),
    /// It is over, and nothing more is to be said.
    Over(Over),
}

/// A response that no endpoint gave, on its way out.
struct Leaving {
    response: Response,
    /// The client's connection may stay open.
    stays: bool,
    is_repeatable: bool,
    why: Option<Fault>,
}

/// How it ended.
struct Over {
    after: After,
    told: Told,
    ending: Ending,
}

impl Over {
    fn cut(fault: Fault) -> Self {
        let told = Told { status: fault.status(), why: Some(fault), ..Told::default() };
        Self { after: After::Close, told, ending: Ending::Aborted }
    }
}

impl Connection {
    /// Serves a request that passes filters.
    pub(super) async fn filtered(&mut self, mut request: Request, plan: Filtered) -> After {
        let Filtered { recipes, head, to } = plan;
        let route = match &to {
            Inside::Backend(chosen, _) => Some(chosen.route.clone()),
            Inside::Answer(_, route) => route.clone(),
        };
        let journey = self.journey(route.as_deref().map(RouteState::id));
        let mut course = Course::new(recipes, journey, head);
        let mut trace = Trace::default();
        let over = self.travel(&mut course, &mut request, &to, &mut trace).await;
        course.finish(over.ending);
        self.record(&request, route.as_deref(), over.told, &trace);
        over.after
    }

    /// Answers what cannot be understood, through filters.
    pub(super) async fn reject_filtered(&mut self, fault: Fault, recipes: Vec<Recipe>) -> After {
        let mut course = Course::new(recipes, self.journey(None), Vec::new());
        let core = self.core.clone();
        let mut got = Got::Nothing;
        let response = loop {
            got = match course.enter(got) {
                Inward::Inside => break Answer::fault(fault, false).to_response(),
                Inward::Answer(response) => break *response,
                Inward::Ask(Ask::Body { .. }) => Got::Body(Bytes::new()),
                Inward::Ask(ask) => match asks::answer(ask, &mut course, &core, &self.stream).await
                {
                    Ok(got) => got,
                    Err(asks::Gone) => return After::Close,
                },
            };
        };
        let cause = Answerer::Gateway;
        let back = outward_with(&mut course, &core, &self.stream, response, cause, false).await;
        let Back::Down(response, changes) = back else { return After::Close };
        let asked = Asked { head: false, http10: false, upgrade: Upgrades::NONE };
        let length = response.body.len() as u64;
        let over = self.say(&mut course, response, changes, asked, true).await;
        course.finish(over.ending);
        self.record_rejected(fault, length);
        over.after
    }

    fn journey(&self, route: Option<RouteId>) -> Journey {
        let peer = self.peer.ip().to_canonical();
        Journey { peer, is_tls: false, server_name: None, route }
    }

    /// In, to what is inside, and out again, as often as frames want it.
    async fn travel(
        &mut self,
        course: &mut Course,
        request: &mut Request,
        to: &Inside,
        trace: &mut Trace,
    ) -> Over {
        let core = self.core.clone();
        loop {
            let inner = match self.enter(course, request).await {
                Ok(Entered::Inside) => self.inside(course, request, to, trace).await,
                Ok(Entered::Answer(response)) => {
                    let why = course.reason().map(Fault::Filtered);
                    Inner::Leaving(self.leaving(*response, request, why))
                }
                Err(Fault::ClientGone) => Inner::Over(Over::cut(Fault::ClientGone)),
                Err(fault) => {
                    course.stack().turn_back();
                    let response = Answer::fault(fault, request.wants_html).to_response();
                    let stays = false;
                    let why = Some(fault);
                    Inner::Leaving(Leaving { response, stays, is_repeatable: false, why })
                }
            };
            let (back, stays, why) = match inner {
                Inner::Over(over) => return over,
                Inner::Out(back, stays) => (back, stays, course.reason().map(Fault::Filtered)),
                Inner::Leaving(Leaving { response, stays, is_repeatable, why }) => {
                    let client = &self.stream;
                    let cause = Answerer::Gateway;
                    let repeats = is_repeatable;
                    let back = outward_with(course, &core, client, response, cause, repeats).await;
                    (back, stays, why)
                }
            };
            match back {
                Back::Down(response, changes) => {
                    let mut over = self.say(course, response, changes, request.asked, !stays).await;
                    over.told.why = why;
                    return over;
                }
                Back::Gone => return Over::cut(Fault::ClientGone),
                Back::Again(after) => {
                    let pause = tokio::time::sleep(after);
                    if unless_gone(&core, &self.stream, pause).await.is_err() {
                        return Over::cut(Fault::ClientGone);
                    }
                }
            }
        }
    }

    fn leaving(&self, response: Response, request: &Request, why: Option<Fault>) -> Leaving {
        let stays = request.keep_alive && request.body.is_done();
        Leaving { response, stays, is_repeatable: true, why }
    }

    /// The way in.
    async fn enter(
        &mut self,
        course: &mut Course,
        request: &mut Request,
    ) -> Result<Entered, Fault> {
        let core = self.core.clone();
        let mut got = Got::Nothing;
        loop {
            got = match course.enter(got) {
                Inward::Inside => return Ok(Entered::Inside),
                Inward::Answer(response) => return Ok(Entered::Answer(response)),
                Inward::Ask(Ask::Body { .. }) => match self.collect(course, request).await? {
                    Ok(got) => got,
                    Err(response) => return Ok(Entered::Answer(response)),
                },
                Inward::Ask(ask) => asks::answer(ask, course, &core, &self.stream)
                    .await
                    .map_err(|asks::Gone| Fault::ClientGone)?,
            };
        }
    }

    /// Has the request's body come, as far as a frame wants it; or what a frame answers to it.
    async fn collect(
        &mut self,
        course: &mut Course,
        request: &mut Request,
    ) -> Result<Result<Got, Box<Response>>, Fault> {
        if !request.has_body {
            return Ok(Ok(Got::Body(Bytes::new())));
        }
        have_body(course, request);
        if request.expects && self.held.is_none() && !request.body.is_done() {
            self.ask_for_body().await?;
        }
        let mut none = Vec::new();
        loop {
            if let Some(got) = course.stack().body() {
                return Ok(Ok(got));
            }
            if request.body.is_done() {
                return Ok(Ok(Got::TooLarge));
            }
            match self.take_in(course, request, &mut none)? {
                Flow::Go => {}
                Flow::WaitUntil(until) => {
                    let pause = tokio::time::sleep_until(until.into());
                    let passed = unless_gone(&self.core, &self.stream, pause).await;
                    passed.map_err(|asks::Gone| Fault::ClientGone)?;
                }
                Flow::Fail(response) => return Ok(Err(response)),
            }
            if course.stack().is_collecting() && !request.body.is_done() {
                self.read_body().await?;
            }
        }
    }

    /// The client waits to be asked for the body (RFC 9110 §10.1.1).
    async fn ask_for_body(&mut self) -> Result<(), Fault> {
        let stall = self.core.options().timeouts.write;
        let writing = self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n", stall);
        let written = self.waiting.unless_pressed(writing).await.ok_or(Fault::MadeRoom)?;
        written.map_err(|_| Fault::ClientGone)
    }

    /// Takes in what is held of the body.
    fn take_in(
        &mut self,
        course: &mut Course,
        request: &mut Request,
        out: &mut Vec<Piece>,
    ) -> Result<Flow, Fault> {
        let Some(buffer) = self.held.as_mut().filter(|_| !request.body.is_done()) else {
            return Ok(Flow::Go);
        };
        let fed = request.body.feed(buffer).map_err(|_| Fault::Rejected(Reject::Chunk))?;
        let payload = Bytes::copy_from_slice(&buffer[..fed.forward]);
        request.bytes_in += fed.consumed as u64;
        release(&mut self.held, fed.consumed);
        Ok(course.bring(payload, request.body.is_done(), out))
    }

    /// The next bytes of a body.
    async fn read_body(&mut self) -> Result<(), Fault> {
        let began = Instant::now();
        let deadline = began + self.core.options().timeouts.request_body;
        let from = &self.stream;
        let (pool, held, waiting) = (&self.core.bulk, &mut self.held, &self.waiting);
        let reading = poll_fn(|cx| match from.poll_read(pool, held, cx) {
            Poll::Ready(read) => {
                waiting.go_on();
                Poll::Ready(read.ok().filter(|count| *count > 0).ok_or(Fault::ClientGone))
            }
            Poll::Pending if waiting.wait_for_progress(cx, began) => {
                waiting.go_on();
                Poll::Ready(Err(Fault::MadeRoom))
            }
            Poll::Pending => Poll::Pending,
        });
        let read = self.timer.until(deadline, reading).await;
        self.waiting.go_on();
        read.unwrap_or(Err(Fault::RequestTimeout)).map(|_| ())
    }

    async fn inside(
        &mut self,
        course: &mut Course,
        request: &mut Request,
        to: &Inside,
        trace: &mut Trace,
    ) -> Inner {
        match to {
            Inside::Answer(answer, _) => {
                Inner::Leaving(self.leaving(answer.to_response(), request, None))
            }
            Inside::Backend(chosen, manner) => {
                self.attempt(course, request, chosen, *manner, trace).await
            }
        }
    }

    /// One attempt at the backend.
    async fn attempt(
        &mut self,
        course: &mut Course,
        request: &mut Request,
        chosen: &Chosen,
        manner: Manner,
        trace: &mut Trace,
    ) -> Inner {
        let core = self.core.clone();
        let opening = match self.open(course, request, manner) {
            Ok(opening) => opening,
            Err(inner) => return *inner,
        };
        let is_repeatable = !request.has_body || course.has_body;
        let limits = Limits::from(&core.options().timeouts);
        let (held, scratch) = (self.held.take(), core.scratch.take());
        let mut terms = Terms::from(&*request);
        terms.idempotent &= opening.is_as_asked;
        let mut exchange = Exchange::new(terms, limits, &self.out[..], request.body, held, scratch);
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
        let trace_so_far = std::mem::take(trace);
        let started = request.started;
        let client = &self.stream;
        let mut dispatch = Dispatch { place, client, exchange, started, trace: trace_so_far, tap };
        let done = dispatch.run(chosen).await;
        let Dispatch { exchange, trace: traced, tap, .. } = dispatch;
        let Hand { failed, back, .. } = tap;
        *trace = traced;
        request.body = exchange.request_body();
        let (came, bytes_out) = exchange.bytes();
        request.bytes_in += came;
        let told = Told { status: exchange.status(), bytes_out, why: None };
        let may_stay = exchange.may_stay();
        let (held, scratch) = exchange.into_parts();
        self.held = held;
        core.scratch.set(scratch);
        let attempted = Attempted { told, failed, back, may_stay, is_repeatable };
        attempted.conclude(done, request)
    }

    /// Puts together what the endpoint gets first; or what becomes of the request without one.
    fn open(
        &mut self,
        course: &mut Course,
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
            let changes = RequestChanges { framing: opened.framing, ..changes.clone() };
            let is_changed = changes != RequestChanges::default();
            let hop = listener.hop(lines, manner);
            head.forward(&hop, is_changed.then_some(&changes), out);
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
                Piece::End(_) => opened.wrapping.end(&mut self.out),
            }
        }
        if !course.has_body {
            let taken = take_body(&mut self.held, 0, request, &mut self.out);
            taken.map_err(|reject| self.fault(reject.into(), request))?;
        }
        Ok(opened)
    }

    fn fault(&self, fault: Fault, request: &Request) -> Box<Inner> {
        let response = Answer::fault(fault, request.wants_html).to_response();
        let why = Some(fault);
        Box::new(Inner::Leaving(Leaving { response, stays: false, is_repeatable: false, why }))
    }

    /// Sends a response that no endpoint gave, or that nothing is left of.
    async fn say(
        &mut self,
        course: &mut Course,
        mut response: Response,
        mut changes: ResponseChanges,
        asked: Asked,
        ends: bool,
    ) -> Over {
        let status = changes.status.unwrap_or(response.status);
        if course.stack().changes_response() && !matches!(status, 204 | 304) {
            let mut out = Vec::new();
            if let Flow::Fail(other) = course.send(response.body.clone(), true, &mut out) {
                (response, changes) = (*other, ResponseChanges::default());
            } else {
                let bytes = out.iter().filter_map(|piece| match piece {
                    Piece::Data(bytes) => Some(&**bytes),
                    Piece::Flush | Piece::End(_) => None,
                });
                response.body = bytes.collect::<Vec<_>>().concat().into();
            }
        }
        // HTTP/1.0 would need to be told that the connection stays open.
        let close = ends || self.is_closing() || asked.http10;
        let status = changes.status.unwrap_or(response.status);
        let bytes_out = response.body.len() as u64;
        self.out.clear();
        let date = crate::tell::date::http_date();
        write_response(&response, changes, &date, asked, close, &mut self.out);
        let told = Told { status, bytes_out, why: None };
        let (after, ending) = match self.write_out().await {
            false => (After::Close, Ending::Aborted),
            true if close => (After::Linger, Ending::Finished),
            true => (After::Next, Ending::Finished),
        };
        Over { after, told, ending }
    }
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
                    Fault::RequestTimeout | Fault::MadeRoom | Fault::Rejected(_) | Fault::GivenUp
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
    fn of(course: &mut Course, request: &Request, pieces: &[Piece]) -> Self {
        let is_ended = matches!(pieces.last(), Some(Piece::End(_)));
        let is_chunked = course.stack().changes_request() || request.framing == Framing::Chunked;
        let length = |piece: &Piece| match piece {
            Piece::Data(bytes) => bytes.len() as u64,
            Piece::Flush | Piece::End(_) => 0,
        };
        let (framing, wrapping) = match course.has_body {
            false => (None, Wrapping::Plain),
            true if is_ended => {
                let length = pieces.iter().map(length).sum();
                (Some(Framing::Length(length)), Wrapping::Plain)
            }
            true if is_chunked => (Some(Framing::Chunked), Wrapping::Chunks),
            true => (None, Wrapping::Plain),
        };
        Self { framing, wrapping, is_ended, is_as_asked: true, until: None }
    }
}

/// From now on frames have the body in hand.
fn have_body(course: &mut Course, request: &mut Request) {
    if !std::mem::replace(&mut course.has_body, true) {
        request.body = Body::payload(request.framing, true);
    }
}
