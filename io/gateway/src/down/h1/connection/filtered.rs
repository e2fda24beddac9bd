//! Requests that pass filters on their way, and what has no route and passes them all the same.

mod body;
mod opening;

use std::mem::replace;

use bytes::Bytes;
use steelyard_filters::{Answerer, Ask, Ending, Flow, Got, Inward, Piece, Response};
use steelyard_http::{After, Asked, ResponseChanges, Upgrades};

use super::attempt::{Attempted, Filters, Opened};
use super::{Connection, Told};
use crate::core::live::Recipes;
use crate::down::h1::answer::{Answer, write_response};
use crate::down::h1::inward::{Came, Entered, Filtered, Inside};
use crate::down::h1::request::{Request, take_body};
use crate::exchange::asks::{self, Stopped};
use crate::exchange::course::Course;
use crate::exchange::dispatch::{Done, Trace};
use crate::exchange::hand::{Back, outward_with};
use crate::tell::fault::Fault;
use crate::wire::Wire;

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

/// An attempt was made, and it is not over.
pub(super) struct Begun {
    inner: Inner,
    trace: Trace,
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

impl Inner {
    fn failed(fault: Fault, request: &Request) -> Self {
        let response = Answer::fault(fault, request.wants_html).to_response();
        let why = Some(fault);
        Self::Leaving(Leaving { response, stays: false, is_repeatable: false, why })
    }
}

fn leaving(response: Response, request: &Request, why: Option<Fault>) -> Leaving {
    let stays = request.keep_alive && request.body.is_done();
    Leaving { response, stays, is_repeatable: true, why }
}

impl<C: Wire> Connection<C> {
    /// Serves a request that has passed filters to a backend without waiting for anything, as most
    /// do; or what it came to that is not over.
    pub(super) async fn straight(
        &mut self,
        request: &mut Request,
        filtered: &mut Filtered,
    ) -> Result<After, Option<Box<Begun>>> {
        let Filtered { course, way, came, .. } = &mut *filtered;
        let (Came::To(Entered::Opened { is_as_asked }), Some(chosen)) = (came, way.backend())
        else {
            return Err(None);
        };
        let opened = Opened::untouched(*is_as_asked);
        let mut trace = Trace::default();
        let filters = Filters::Course(course, opened);
        let attempted = self.attempt(request, chosen, filters, &mut trace).await;
        match attempted.conclude(request) {
            Inner::Over(over) => Ok(self.end(request, filtered, over, &trace)),
            inner => Err(Some(Box::new(Begun { inner, trace }))),
        }
    }

    /// Serves a request that passes filters, of which an attempt may have been made.
    pub(super) async fn filtered(
        &mut self,
        request: &mut Request,
        filtered: &mut Filtered,
        begun: Option<Box<Begun>>,
    ) -> After {
        let (inner, mut trace) =
            begun.map_or_else(Default::default, |it| (Some(it.inner), it.trace));
        let over = self.travel(request, filtered, inner, &mut trace).await;
        self.end(request, filtered, over, &trace)
    }

    /// It is over.
    fn end(
        &mut self,
        request: &mut Request,
        Filtered { course, way, head, .. }: &mut Filtered,
        mut over: Over,
        trace: &Trace,
    ) -> After {
        *course.text() = std::mem::take(head);
        over.told.frame = course.answered();
        if let Some(traced) = request.traced.as_mut().filter(|it| it.is_detailed) {
            traced.passed = course.came_to();
        }
        course.finish(over.ending);
        self.note.user.push_str(course.user().unwrap_or_default());
        self.note.name.push_str(course.name().unwrap_or_default());
        self.note.shrunk = course.shrunk();
        self.record(request, way.route().map(|route| &**route), over.told, trace);
        if over.ending == Ending::Finished && matches!(over.after, After::Close) {
            self.stream.say_farewell();
        }
        over.after
    }

    /// Answers what cannot be understood, through filters.
    pub(super) async fn reject_filtered(&mut self, fault: Fault, recipes: Recipes) -> After {
        let mut course = self.course_of_none(recipes);
        let core = self.core.clone();
        let mut got = Got::Nothing;
        let response = loop {
            got = match course.enter(None, got) {
                Inward::Inside => break Answer::fault(fault, false).to_response(),
                Inward::Answer(response) => break *response,
                Inward::Ask(Ask::Body { .. }) => Got::Body(Bytes::new()),
                Inward::Ask(ask) => match asks::answer(ask, &mut course, &core, &self.stream).await
                {
                    Ok(got) => got,
                    Err(_) => return After::Close,
                },
            };
        };
        let cause = Answerer::Gateway;
        let back = outward_with(&mut course, &core, &self.stream, response, cause, false).await;
        let Back::Down(response, changes) = back else { return After::Close };
        let asked = Asked { head: false, http10: false, upgrade: Upgrades::NONE };
        let over = self.say(&mut course, response, changes, asked, true).await;
        course.finish(over.ending);
        self.record_rejected(fault, over.told.bytes_out);
        over.after
    }

    /// Answers a request that has passed filters, of whose response so much is changed.
    pub(super) async fn say_passed(
        &mut self,
        fault: Fault,
        request: &Request,
        stays: bool,
        said: &ResponseChanges,
    ) -> (After, Told) {
        let mut course = self.course_of_none(Recipes::default());
        let response = Answer::fault(fault, request.wants_html).to_response();
        let over = self.say(&mut course, response, said.clone(), request.asked, !stays).await;
        (over.after, Told { why: Some(fault), ..over.told })
    }

    /// For what is no request.
    fn course_of_none(&mut self, recipes: Recipes) -> Course {
        let (peer, ended) = (self.peer.ip(), self.ended);
        let journey = self.parts(ended).0.journey(None, peer);
        Course::new(recipes, journey, Vec::new(), &self.core.stock)
    }

    /// In, to what is inside, and out again, as often as frames want it; from `inner` on where that
    /// is known.
    async fn travel(
        &mut self,
        request: &mut Request,
        filtered: &mut Filtered,
        mut inner: Option<Inner>,
        trace: &mut Trace,
    ) -> Over {
        let core = self.core.clone();
        loop {
            let inner = match inner.take() {
                Some(inner) => inner,
                None => self.once(request, filtered, trace).await,
            };
            let course = &mut filtered.course;
            let (back, stays, why) = match inner {
                Inner::Over(over) => return over,
                Inner::Out(back, stays) => (back, stays, course.reason().map(Fault::Filtered)),
                Inner::Leaving(Leaving { response, stays, is_repeatable, why }) => {
                    let client = &self.stream;
                    let cause = why.map_or(Answerer::Gateway, Fault::answerer);
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
                Back::Late => return self.late(course, request).await,
                Back::Again(after) => {
                    let pause = Ask::Sleep(after);
                    match asks::answer(pause, course, &core, &self.stream).await {
                        Ok(got) => filtered.came = self.resume(request, filtered, got),
                        Err(Stopped::Gone) => return Over::cut(Fault::ClientGone),
                        Err(Stopped::Late) => return self.late(course, request).await,
                    }
                }
            }
        }
    }

    /// In, and to what is inside.
    async fn once(
        &mut self,
        request: &mut Request,
        filtered: &mut Filtered,
        trace: &mut Trace,
    ) -> Inner {
        let entered = self.enter(request, filtered).await;
        let Filtered { course, way, .. } = &mut *filtered;
        let fault = match entered {
            Ok(Entered::Answer(response)) => {
                if response.status >= 400
                    && let Some(by) = course.stack().answerer()
                {
                    self.core.counters.count_refused(by.kind());
                }
                let why = course.reason().map(Fault::Filtered);
                return Inner::Leaving(leaving(*response, request, why));
            }
            Ok(entered) => match way.steps.last() {
                Some(Inside::Backend(_)) => {
                    return self.inside(request, filtered, entered, trace).await;
                }
                Some(Inside::Answer(answer, _)) => {
                    self.details.clone_from(&answer.details);
                    return Inner::Leaving(leaving(answer.to_response(), request, answer.why));
                }
                Some(Inside::Route(_) | Inside::Fork(..)) | None => Fault::GivenUp,
            },
            Err(Fault::ClientGone) => return Inner::Over(Over::cut(Fault::ClientGone)),
            Err(fault) => fault,
        };
        course.stack().turn_back();
        Inner::failed(fault, request)
    }

    /// At a backend.
    async fn inside(
        &mut self,
        request: &mut Request,
        filtered: &mut Filtered,
        entered: Entered,
        trace: &mut Trace,
    ) -> Inner {
        let opened = match entered {
            Entered::Opened { is_as_asked } => Ok(Opened::untouched(is_as_asked)),
            _ => self.open(request, filtered),
        };
        let Filtered { course, way, .. } = filtered;
        match (opened, way.backend()) {
            (Err(inner), _) => *inner,
            (_, None) => Inner::failed(Fault::GivenUp, request),
            (Ok(opened), Some(chosen)) => {
                let filters = Filters::Course(course, opened);
                self.attempt(request, chosen, filters, trace).await.conclude(request)
            }
        }
    }

    /// All of it was to be over by now: no filter is waited for any more.
    async fn late(&mut self, course: &mut Course, request: &Request) -> Over {
        let fault = Fault::UpstreamTimeout;
        let response = Answer::fault(fault, request.wants_html).to_response();
        let changes = ResponseChanges::default();
        let mut over = self.say(course, response, changes, request.asked, true).await;
        over.told.why = Some(fault);
        over
    }

    /// The way in, to its end.
    async fn enter(
        &mut self,
        request: &mut Request,
        filtered: &mut Filtered,
    ) -> Result<Entered, Fault> {
        let core = self.core.clone();
        loop {
            let ask = match replace(&mut filtered.came, Came::To(Entered::Inside)) {
                Came::To(entered) => return Ok(entered),
                Came::Failed(fault) => return Err(fault),
                Came::Ask(ask) => ask,
            };
            let got = match ask {
                Ask::Body { .. } => match self.collect(&mut filtered.course, request).await? {
                    Ok(got) => got,
                    Err(response) => return Ok(Entered::Answer(response)),
                },
                ask => {
                    let asked = asks::answer(ask, &mut filtered.course, &core, &self.stream);
                    asked.await.map_err(|why| match why {
                        Stopped::Gone => Fault::ClientGone,
                        Stopped::Late => Fault::UpstreamTimeout,
                    })?
                }
            };
            filtered.came = self.resume(request, filtered, got);
        }
    }

    /// Goes on inwards with what a frame has got.
    fn resume(&mut self, request: &mut Request, filtered: &mut Filtered, got: Got) -> Came {
        let (context, held, out, _) = self.parts(request.started);
        match context.resume(filtered, request, got, out) {
            opened @ Came::To(Entered::Opened { .. }) => match take_body(held, 0, request, out) {
                Ok(()) => opened,
                Err(reject) => Came::Failed(reject.into()),
            },
            came => came,
        }
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
            let end = Some(Vec::new());
            if let Flow::Fail(other) = course.send(response.body.clone(), end, &mut out) {
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
        self.out.clear();
        let date = crate::tell::date::http_date();
        let id = self.name(status, None);
        let body = write_response(&response, changes, &date, asked, close, id, &mut self.out);
        let told = Told { status, bytes_out: body.len() as u64, ..Told::default() };
        self.note_answer();
        let (after, ending) = match self.write_response_out(body).await {
            false => (After::Close, Ending::Aborted),
            true if close => (After::Linger, Ending::Finished),
            true => (After::Next, Ending::Finished),
        };
        Over { after, told, ending }
    }
}

impl Attempted {
    /// What that is to filters.
    fn conclude(self, request: &Request) -> Inner {
        match self.done {
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
                let back = self.back.map_or_else(
                    || {
                        let answer = Answer::fault(Fault::GivenUp, request.wants_html);
                        Back::Down(answer.to_response(), ResponseChanges::default())
                    },
                    |back| *back,
                );
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use steelyard_http::{Body, Framing};

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
            let (done, may_stay) = (Done::Answer(fault, true), true);
            let over = Attempted { done, told, failed: None, back: None, may_stay, is_repeatable };
            let Inner::Leaving(leaving) = over.conclude(&request) else {
                panic!("the client is to be told");
            };
            assert_eq!(leaving.is_repeatable, expected, "{is_repeatable} {fault:?}");
        }
    }
}
