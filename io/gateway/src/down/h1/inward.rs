//! A request's way in, through the filters that it passes to where it goes then, as far as it
//! leads without waiting for anybody. What a frame asks for is waited for elsewhere, and then it
//! goes on here.

use std::borrow::Cow;
use std::rc::Rc;

use steelyard_filters::{Ask, Got, Inward, Journey, Response};
use steelyard_http::{Framing, Reject, RequestChanges, RequestHead, RequestSlots, respell_query};
use steelyard_model::routing::id::RouteId;
use steelyard_model::routing::route::Manner;

use super::answer::Answer;
use super::request::{Context, Request};
use crate::core::live::{Chosen, Fork, Live, Recipes, RouteState};
use crate::exchange::course::Course;
use crate::exchange::way::{DEEPEST, Made, Onward, beyond, onward};
use crate::tell::fault::Fault;

/// A request that passes filters, and where it comes to then.
pub(crate) struct Filtered {
    pub(crate) course: Course,
    pub(crate) way: Way,
    /// Its head, as it came but for its query, which filters see as endpoints do.
    pub(crate) head: Vec<u8>,
    /// How far it has come.
    pub(crate) came: Came,
}

/// How far a request has come.
pub(crate) enum Came {
    To(Entered),
    /// A frame has to get this first.
    Ask(Ask),
    /// No further.
    Failed(Fault),
}

/// Where the way in has led.
pub(crate) enum Entered {
    /// Inside of all filters.
    Inside,
    /// The same, at a backend, and no filter has a hand in the request's body: what the endpoint
    /// gets first is written.
    Opened {
        /// The method is the client's.
        is_as_asked: bool,
    },
    /// A frame answers.
    Answer(Box<Response>),
}

/// A request's way from the route that takes it, as far as it is decided.
pub(crate) struct Way {
    /// Each but the last is a route that leads to the next.
    pub(crate) steps: Vec<Inside>,
    /// The configuration that it was taken by, until it is at a backend.
    pub(crate) taken: Option<Rc<Live>>,
}

/// What is inside of all filters.
pub(crate) enum Inside {
    /// Where this route leads: that is asked once its filters have let the request in.
    Route(Rc<RouteState>),
    /// A backend.
    Backend(Chosen),
    /// A backend with two ways: which one is gone is asked once more when the first has answered.
    Fork(Rc<RouteState>, Box<Fork>),
    /// We answer ourselves, perhaps for a route that refuses.
    Answer(Answer, Option<Rc<RouteState>>),
}

impl Inside {
    /// The route that has led there.
    pub(crate) fn route(&self) -> Option<&Rc<RouteState>> {
        match self {
            Self::Route(route) | Self::Fork(route, _) => Some(route),
            Self::Backend(chosen) => Some(&chosen.route),
            Self::Answer(_, route) => route.as_ref(),
        }
    }
}

impl Way {
    /// The route that has led to where it is by now.
    pub(crate) fn route(&self) -> Option<&Rc<RouteState>> {
        self.steps.last().and_then(Inside::route)
    }

    /// The backend that it has come to.
    pub(crate) fn backend(&self) -> Option<&Chosen> {
        match self.steps.last() {
            Some(Inside::Backend(chosen)) => Some(chosen),
            _ => None,
        }
    }
}

impl Context<'_> {
    /// Sends a request in, whose head stands in `text`.
    pub(super) fn begin(
        &self,
        (head, text): (&RequestHead<'_, '_>, &[u8]),
        request: &mut Request,
        (to, recipes): (Inside, Option<Recipes>),
        live: &Rc<Live>,
        out: &mut Vec<u8>,
    ) -> Box<Filtered> {
        request.end_bare();
        let manner = to.route().map(|route| route.manner()).unwrap_or_default();
        let semicolons = self.hop(manner).semicolons;
        let journey = self.journey(to.route().map(|route| route.id()), request.client);
        let recipes = recipes.unwrap_or_default();
        let mut course = Course::new(recipes, journey, head.passed(), &self.core.stock);
        if request.traced.as_ref().is_some_and(|it| it.is_detailed) {
            course.stack().note_times();
        }
        let mut room = std::mem::take(course.text());
        room.extend_from_slice(text);
        let is_respelled = !head.query.is_empty() && respell_query(&mut room, semicolons);
        let limit = self.listener.terms.answer;
        course.due = to.route().and_then(|route| route.times(request.started, limit).due);
        let mut steps = Vec::with_capacity(2);
        steps.push(to);
        let way = Way { steps, taken: Some(live.clone()) };
        let came = Came::To(Entered::Inside);
        let mut filtered = Box::new(Filtered { course, way, head: room, came });
        filtered.came = if is_respelled {
            self.resume(&mut filtered, request, Got::Nothing, out)
        } else {
            self.advance(Some(head), &mut filtered, request, Got::Nothing, out)
        };
        filtered
    }

    /// Goes on with what a frame has got.
    pub(super) fn resume(
        &self,
        filtered: &mut Filtered,
        request: &Request,
        got: Got,
        out: &mut Vec<u8>,
    ) -> Came {
        let mut slots = RequestSlots::default();
        let text = std::mem::take(&mut filtered.head);
        let head = RequestHead::again(&text, &mut slots, self.vouching);
        let came = self.advance(head.as_ref(), filtered, request, got, out);
        filtered.head = text;
        came
    }

    /// Goes on inwards. What an endpoint gets first is written to `out`, without what has come of
    /// the body.
    fn advance(
        &self,
        head: Option<&RequestHead<'_, '_>>,
        Filtered { course, way, .. }: &mut Filtered,
        request: &Request,
        mut got: Got,
        out: &mut Vec<u8>,
    ) -> Came {
        loop {
            match course.enter(head, std::mem::replace(&mut got, Got::Nothing)) {
                Inward::Inside => {}
                Inward::Answer(response) => return Came::To(Entered::Answer(response)),
                Inward::Ask(ask) => return Came::Ask(ask),
            }
            while course.stack().entering().is_none() && self.goes_on(head, course, request, way) {}
            if course.stack().entering().is_none() {
                break;
            }
        }
        // Who is answered for hours keeps no configuration.
        way.taken = None;
        let has_hand = course.has_body || request.has_body && course.stack().has_hand_in_request();
        match (way.backend(), head) {
            (Some(chosen), Some(head)) if !has_hand => {
                let manner = chosen.route.manner();
                match self.write(head, course.changes(), request, (manner, None), out) {
                    Ok(is_as_asked) => Came::To(Entered::Opened { is_as_asked }),
                    Err(fault) => Came::Failed(fault),
                }
            }
            _ => Came::To(Entered::Inside),
        }
    }

    /// Writes the head that an endpoint gets. Whether its method is the client's.
    pub(super) fn write(
        &self,
        head: &RequestHead<'_, '_>,
        changes: &RequestChanges,
        request: &Request,
        (manner, framing): (Manner, Option<Framing>),
        out: &mut Vec<u8>,
    ) -> Result<bool, Fault> {
        let method = changes.method.as_deref();
        if method.is_some_and(|method| (method == "HEAD") != request.asked.head) {
            // The response would be read as one to another method than the client's.
            return Err(Fault::GivenUp);
        }
        out.clear();
        let was_asked = head.expects && !request.expects;
        let changes = told(changes, framing, request, was_asked);
        head.forward(&self.hop(manner), Some(&changes), out);
        Ok(method.is_none())
    }

    /// Asks where the request goes that is inside of all filters so far. Whether it goes anywhere.
    fn goes_on(
        &self,
        head: Option<&RequestHead<'_, '_>>,
        course: &mut Course,
        request: &Request,
        way: &mut Way,
    ) -> bool {
        // What was decided inside of a filter that wants another attempt is decided anew.
        way.steps.truncate(course.stack().depth() + 1);
        let made = Made { head, changes: course.changes(), client: request.client };
        let (route, (onward, recipes)) = match way.steps.last() {
            Some(Inside::Route(route)) if way.steps.len() >= DEEPEST && route.leads_to_routes() => {
                self.core.refused(&route.name, "it leads to routes without end");
                let refused = Onward::Refused(503, "it leads to routes without end".into());
                (route, (refused, Vec::new()))
            }
            Some(Inside::Route(route)) => {
                (route, onward(self.core, way.taken.as_ref(), route, made))
            }
            Some(Inside::Fork(route, fork)) => {
                (route, beyond(self.core, (route, fork), course.takes_detour(), made))
            }
            _ => return false,
        };
        let answer = |answer| Inside::Answer(answer, Some(route.clone()));
        let html = request.wants_html;
        let step = match onward {
            Onward::Route(route) => Inside::Route(route),
            Onward::Backend(chosen) => Inside::Backend(chosen),
            Onward::Fork(route, fork) => Inside::Fork(route, fork),
            Onward::Refused(status, why) => answer(Answer::refused(status, &why, html)),
            Onward::Nothing(near) => {
                let not_found = head.map(|head| Answer::not_found(head, near));
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

    /// What filters are told of whom a request is of, and how it came.
    pub(super) fn journey(&self, route: Option<RouteId>, client: std::net::IpAddr) -> Journey {
        let peer = client.to_canonical();
        let server_name = self.tls.map(|tls| &tls.server_name).filter(|name| !name.is_empty());
        Journey {
            peer,
            is_tls: self.tls.is_some(),
            tls: self.tls.map(|tls| (tls.protocol(), tls.cipher)),
            port: Some(self.port),
            server_name: server_name.cloned(),
            certificates: self.tls.and_then(|tls| tls.certificates.clone()),
            route,
        }
    }
}

/// What is changed about a request, with how its body ends where that is told otherwise, whose
/// trace it belongs to, and that nobody waits to be asked for the body who was asked for it here.
/// Most have nothing of it, and nothing is copied for them.
fn told<'c>(
    changes: &'c RequestChanges,
    framing: Option<Framing>,
    request: &Request,
    was_asked: bool,
) -> Cow<'c, RequestChanges> {
    if framing.is_none() && request.traced.is_none() && !was_asked {
        return Cow::Borrowed(changes);
    }
    let mut changes = RequestChanges { framing, ..changes.clone() };
    if was_asked {
        _ = changes.lines.remove("Expect");
    }
    if let Some(traced) = &request.traced {
        traced.tell(&mut changes.lines);
    }
    Cow::Owned(changes)
}

#[cfg(test)]
mod tests;
