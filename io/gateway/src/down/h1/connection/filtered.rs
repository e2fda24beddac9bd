//! Requests that pass filters on their way, and what has no route and passes them all the same.

mod attempt;
mod body;

use std::mem::{replace, take};
use std::net::IpAddr;

use bytes::Bytes;
use steelyard_filters::{
    Answerer, Ask, Ending, Flow, Got, Inward, Journey, Piece, Recipe, Response,
};
use steelyard_http::{
    After, Asked, Body, Framing, Reject, RequestHead, RequestSlots, ResponseChanges, Upgrades,
};
use steelyard_model::routing::id::RouteId;

use super::{Connection, Told};
use crate::down::h1::answer::{Answer, write_response};
use crate::down::h1::request::{Filtered, Inside, Request, Way};
use crate::exchange::asks::{self, Stopped};
use crate::exchange::course::Course;
use crate::exchange::dispatch::Trace;
use crate::exchange::hand::{Back, outward_with};
use crate::exchange::way::{DEEPEST, Onward, onward};
use crate::tell::fault::Fault;
use crate::wire::Wire;

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

impl<C: Wire> Connection<C> {
    /// Serves a request that passes filters.
    ///
    /// Filters tell endpoints by lines of its head what its client may not: so nothing goes on that
    /// its client has written behind its body, where some endpoints read lines too.
    pub(super) async fn filtered(&mut self, request: &mut Request, plan: &mut Filtered) -> After {
        let body = replace(&mut request.body, Body::new(Framing::None));
        request.body = body.ending_bare();
        let Filtered { recipes, head, way } = plan;
        let route = way.steps.first().and_then(Inside::route).map(|it| it.id());
        let journey = self.journey(route, request.client);
        let (head, mut slots) = (take(head), RequestSlots::default());
        let head = RequestHead::again(&head, &mut slots, &self.vouching);
        let mut course = Course::new(take(recipes), journey, head.as_ref(), &self.core.stock);
        let route = way.steps.last().and_then(Inside::route);
        let limit = self.listener.terms.answer;
        course.due = route.and_then(|route| route.times(request.started, limit).due);
        let mut trace = Trace::default();
        let mut over = self.travel(&mut course, request, way, &mut trace).await;
        over.told.frame = course.answered();
        let route = way.steps.last().and_then(Inside::route).cloned();
        course.finish(over.ending);
        self.note.user.push_str(course.user().unwrap_or_default());
        self.note.shrunk = course.shrunk();
        self.record(request, route.as_deref(), over.told, &trace);
        if over.ending == Ending::Finished && matches!(over.after, After::Close) {
            self.stream.say_farewell();
        }
        over.after
    }

    /// Answers what cannot be understood, through filters.
    pub(super) async fn reject_filtered(&mut self, fault: Fault, recipes: Vec<Recipe>) -> After {
        let mut course = self.course_of_none(recipes);
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

    /// For what is no request.
    fn course_of_none(&self, recipes: Vec<Recipe>) -> Course<'static> {
        let journey = self.journey(None, self.peer.ip());
        Course::new(recipes, journey, None, &self.core.stock)
    }

    fn journey(&self, route: Option<RouteId>, client: IpAddr) -> Journey {
        let peer = client.to_canonical();
        let tls = self.tls.as_deref();
        let server_name = tls.map(|tls| &*tls.server_name).filter(|name| !name.is_empty());
        Journey {
            peer,
            is_tls: tls.is_some(),
            server_name: server_name.map(Into::into),
            certificates: tls.and_then(|tls| tls.certificates.clone()),
            route,
        }
    }

    /// In, to what is inside, and out again, as often as frames want it.
    async fn travel(
        &mut self,
        course: &mut Course<'_>,
        request: &mut Request,
        way: &mut Way,
        trace: &mut Trace,
    ) -> Over {
        let core = self.core.clone();
        loop {
            let inner = match self.enter(course, request, way).await {
                Ok(Entered::Inside) => self.inside(course, request, way, trace).await,
                Ok(Entered::Answer(response)) => {
                    if response.status >= 400
                        && let Some(by) = course.stack().answerer()
                    {
                        core.counters.count_refused(by.kind());
                    }
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
                        Ok(_) => {}
                        Err(Stopped::Gone) => return Over::cut(Fault::ClientGone),
                        Err(Stopped::Late) => return self.late(course, request).await,
                    }
                }
            }
        }
    }

    /// All of it was to be over by now: no filter is waited for any more.
    async fn late(&mut self, course: &mut Course<'_>, request: &Request) -> Over {
        let fault = Fault::UpstreamTimeout;
        let response = Answer::fault(fault, request.wants_html).to_response();
        let changes = ResponseChanges::default();
        let mut over = self.say(course, response, changes, request.asked, true).await;
        over.told.why = Some(fault);
        over
    }

    fn leaving(&self, response: Response, request: &Request, why: Option<Fault>) -> Leaving {
        let stays = request.keep_alive && request.body.is_done();
        Leaving { response, stays, is_repeatable: true, why }
    }

    /// The way in, as far as it leads.
    async fn enter(
        &mut self,
        course: &mut Course<'_>,
        request: &mut Request,
        way: &mut Way,
    ) -> Result<Entered, Fault> {
        let core = self.core.clone();
        let mut got = Got::Nothing;
        loop {
            got = match course.enter(got) {
                Inward::Inside if self.goes_on(course, request, way) => Got::Nothing,
                Inward::Inside => return Ok(Entered::Inside),
                Inward::Answer(response) => return Ok(Entered::Answer(response)),
                Inward::Ask(Ask::Body { .. }) => match self.collect(course, request).await? {
                    Ok(got) => got,
                    Err(response) => return Ok(Entered::Answer(response)),
                },
                Inward::Ask(ask) => asks::answer(ask, course, &core, &self.stream).await.map_err(
                    |why| match why {
                        Stopped::Gone => Fault::ClientGone,
                        Stopped::Late => Fault::UpstreamTimeout,
                    },
                )?,
            };
        }
    }

    /// Asks where the request goes that is inside of all filters so far. Whether there are more.
    fn goes_on(&self, course: &mut Course<'_>, request: &Request, way: &mut Way) -> bool {
        // What was decided inside of a filter that wants another attempt is decided anew.
        way.steps.truncate(course.stack().depth() + 1);
        let Some(Inside::Route(route)) = way.steps.last() else { return false };
        let answer = |answer| Inside::Answer(answer, Some(route.clone()));
        let html = request.wants_html;
        let client = request.client;
        let (onward, recipes) = match way.steps.len() {
            DEEPEST.. if route.leads_to_routes() => {
                self.core.refused(&route.name, "it leads to routes without end");
                (Onward::Refused(503, "it leads to routes without end".into()), Vec::new())
            }
            _ => onward(&self.core, way.taken.as_ref(), route, course, client),
        };
        let step = match onward {
            Onward::Route(route) => Inside::Route(route),
            Onward::Backend(chosen) => Inside::Backend(chosen),
            Onward::Refused(status, why) => answer(Answer::refused(status, &why, html)),
            Onward::Nothing(near) => {
                let not_found = course.with_head(|head, _| Answer::not_found(head, near));
                answer(not_found.unwrap_or_else(|| Answer::fault(Fault::NoRoute, html)))
            }
            Onward::Ambiguous => answer(Answer::fault(Fault::Rejected(Reject::Path), html)),
        };
        let limit = self.listener.terms.answer;
        let due = step.route().and_then(|route| route.times(request.started, limit).due);
        course.due = course.due.into_iter().chain(due).min();
        course.deepen(recipes, step.route().map(|route| route.id()));
        way.steps.push(step);
        true
    }

    async fn inside(
        &mut self,
        course: &mut Course<'_>,
        request: &mut Request,
        way: &mut Way,
        trace: &mut Trace,
    ) -> Inner {
        // Who is answered for hours keeps no configuration.
        way.taken = None;
        match way.steps.last() {
            Some(Inside::Backend(chosen)) => self.attempt(course, request, chosen, trace).await,
            Some(Inside::Answer(answer, _)) => {
                self.details.clone_from(&answer.details);
                Inner::Leaving(self.leaving(answer.to_response(), request, answer.why))
            }
            Some(Inside::Route(_)) | None => *self.fault(Fault::GivenUp, request),
        }
    }

    fn fault(&self, fault: Fault, request: &Request) -> Box<Inner> {
        let response = Answer::fault(fault, request.wants_html).to_response();
        let why = Some(fault);
        Box::new(Inner::Leaving(Leaving { response, stays: false, is_repeatable: false, why }))
    }

    /// Sends a response that no endpoint gave, or that nothing is left of.
    async fn say(
        &mut self,
        course: &mut Course<'_>,
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
