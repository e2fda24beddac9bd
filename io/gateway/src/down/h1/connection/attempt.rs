//! One attempt at a backend, with the filters' hand in it if the request has passed any.

use std::time::Instant;

use steelyard_filters::{PassedFolded, Response};
use steelyard_http::{Framing, Terms, Wrapping};

use super::{Connection, Told};
use crate::core::live::Chosen;
use crate::down::h1::request::Request;
use crate::exchange::aside::Aside;
use crate::exchange::course::Course;
use crate::exchange::dispatch::{Dispatch, Done, Trace};
use crate::exchange::drive::{Exchange, Heard, Place};
use crate::exchange::hand::{Back, Hand};
use crate::wire::Wire;

/// What the endpoint gets first, which stands written.
pub(super) struct Opened {
    /// How the body's end is told, where it is not as it came.
    pub(super) framing: Option<Framing>,
    pub(super) wrapping: Wrapping,
    /// All of the body is in it.
    pub(super) is_ended: bool,
    /// The method is the client's.
    pub(super) is_as_asked: bool,
    /// When the body goes on.
    pub(super) until: Option<Instant>,
}

/// An attempt that is over.
pub(super) struct Attempted {
    pub(super) done: Done,
    pub(super) told: Told,
    /// What a body hook answers.
    pub(super) failed: Option<Box<Response>>,
    /// What came out of all filters instead of a response.
    pub(super) back: Option<Box<Back>>,
    pub(super) may_stay: bool,
    pub(super) is_repeatable: bool,
}

impl Opened {
    /// No filter has a hand in the body.
    pub(super) fn untouched(is_as_asked: bool) -> Self {
        let (framing, wrapping) = (None, Wrapping::Plain);
        Self { framing, wrapping, is_ended: false, is_as_asked, until: None }
    }
}

/// What has a hand in an attempt.
pub(super) enum Filters<'c> {
    /// Nothing that is left; what the client gets may be changed.
    Passed(PassedFolded),
    Course(&'c mut Course, Opened),
}

impl<'c> Filters<'c> {
    fn parts(self) -> (PassedFolded, Option<(&'c mut Course, Opened)>) {
        match self {
            Self::Passed(said) => (said, None),
            Self::Course(course, opened) => (None, Some((course, opened))),
        }
    }
}

/// Whether who tries endpoints may send a request to another one: not where a filter says how
/// often it is sent, which would be that many times for each.
fn may_repeat((course, opened): &(&mut Course, Opened)) -> bool {
    opened.is_as_asked && !course.repeats()
}

impl<C: Wire> Connection<C> {
    /// One attempt at the backend, of a request that passes filters or none.
    pub(super) async fn attempt(
        &mut self,
        request: &mut Request,
        chosen: &Chosen,
        filters: Filters<'_>,
        trace: &mut Trace,
    ) -> Attempted {
        let (core, shows) = (self.core.clone(), self.shows_answers());
        let (body, held) = (request.body.clone(), self.held.take());
        let place = Place {
            core: &core,
            listener: &self.listener,
            timer: &mut self.timer,
            waiting: &self.waiting,
            heard: Heard::default(),
        };
        let limits = chosen.route.limits(&self.listener.limits);
        let mut terms = Terms::from(&*request);
        let (said, filters) = filters.parts();
        terms.idempotent &= filters.as_ref().is_none_or(may_repeat);
        let mut dispatch = Dispatch {
            place,
            client: &self.stream,
            // It is large, and made where it stays.
            exchange: Exchange::new(terms, limits, &self.out, body, held, core.scratch.take()),
            started: request.started,
            times: chosen.route.times(request.started, self.listener.terms.answer),
            attempt_due: None,
            trace: std::mem::take(trace),
            tap: None,
            said,
            aside: Aside::of(chosen, request.client, request.bytes_in),
        };
        Self::prepare(shows, &mut self.note, &mut dispatch.exchange);
        if self.age.is_over() {
            dispatch.exchange.close_client();
        }
        if let Some((course, opened)) = filters {
            let is_repeatable = !request.has_body || course.has_body;
            let exchange = &mut dispatch.exchange;
            exchange.show();
            if course.has_body {
                exchange.tap_request(opened.wrapping, opened.is_ended);
            }
            if course.changes().speech.ends() {
                exchange.close_endpoint();
            }
            exchange.pause_request(opened.until.is_some());
            let mut hand = Hand::new(course, &core, is_repeatable);
            hand.request_until = opened.until;
            dispatch.tap = Some(hand);
        }
        let done = dispatch.serve(chosen).await;
        let Dispatch { exchange, trace: traced, tap, .. } = &mut dispatch;
        *trace = std::mem::take(traced);
        let hand = tap.take();
        hand.is_some().then(|| request.body = exchange.request_body());
        let (came, bytes_out) = exchange.bytes();
        request.bytes_in += came;
        let (status, may_stay) = (exchange.status(), exchange.may_stay());
        let told = Told { status, bytes_out, ..Told::default() };
        self.note.keep_heads(exchange.take_heads());
        let (held, scratch) = exchange.take_parts();
        let is_repeatable = hand.as_ref().is_some_and(|hand| hand.is_repeatable);
        let (failed, back) = hand.map(Hand::into_parts).unwrap_or_default();
        self.held = held;
        core.scratch.set(scratch);
        Attempted { done, told, failed, back, may_stay, is_repeatable }
    }
}
