//! Filters' hand in an exchange: bodies pass through it, and responses are looked at.

use std::time::{Duration, Instant};

use bytes::Bytes;
use steelyard_filters::{Answerer, Ask, Flow, Got, Outward, Piece, Response};
use steelyard_http::{Head as _, LetThrough, ResponseChanges, ResponseHead};

use crate::core::Core;
use crate::exchange::asks::{self, Stopped};
use crate::exchange::course::Course;
use crate::exchange::drive::{Exchange, Tap};
use crate::wire::Wire;

/// The filters of one request, at one attempt.
pub(crate) struct Hand<'c> {
    pub(crate) course: &'c mut Course,
    pub(crate) core: &'c Core,
    /// Nothing stands against another attempt.
    pub(crate) is_repeatable: bool,
    /// Until when nothing more of either body is taken.
    pub(crate) request_until: Option<Instant>,
    response_until: Option<Instant>,
    /// Until when the first bytes of a response are waited for that a frame has asked for, and how
    /// many.
    peeks: Option<(Instant, usize)>,
    /// What is answered since a body hook has failed.
    failed: Option<Box<Response>>,
    /// What frames have said of a response that is held.
    said: Option<Outward>,
    /// What becomes of one that does not go on.
    back: Option<Box<Back>>,
    /// A response goes on.
    is_down: bool,
}

/// What comes out of all filters that is no response of an endpoint.
pub(crate) enum Back {
    /// A response.
    Down(Response, ResponseChanges),
    /// Another attempt is to be made, so much later.
    Again(Duration),
    /// The client has gone.
    Gone,
    /// All of it was to be over by now.
    Late,
}

impl From<Stopped> for Back {
    fn from(why: Stopped) -> Self {
        match why {
            Stopped::Gone => Self::Gone,
            Stopped::Late => Self::Late,
        }
    }
}

impl<'c> Hand<'c> {
    pub(crate) fn new(course: &'c mut Course, core: &'c Core, is_repeatable: bool) -> Self {
        Self {
            course,
            core,
            is_repeatable,
            request_until: None,
            response_until: None,
            peeks: None,
            failed: None,
            said: None,
            back: None,
            is_down: false,
        }
    }

    /// What is answered since a body hook has failed, and what becomes of a response that was held
    /// and does not go on.
    pub(crate) fn into_parts(self) -> (Option<Box<Response>>, Option<Box<Back>>) {
        (self.failed, self.back)
    }

    /// Shows a response to the frames as it comes. Whether it goes on at once, with its body as it
    /// is, as most do.
    fn lets_through(&mut self, head: &ResponseHead<'_, '_>, changes: &mut ResponseChanges) -> bool {
        let repeatable = self.is_repeatable && !head.is_switch();
        let cause = Answerer::Backend;
        let said = self.course.leave(head, changes, Got::Nothing, cause, repeatable);
        let goes_on = matches!(said, Outward::Down)
            && fits(head, changes.status)
            && !self.course.stack().changes_response();
        if !goes_on {
            self.said = Some(said);
        } else if head.is_switch() {
            self.course.stack().becomes_tunnel();
        }
        self.is_down = goes_on;
        goes_on
    }

    fn request_goes_on(&mut self, exchange: &mut Exchange<'_>) {
        while let Some(came) = exchange.request_came() {
            let mut out = Vec::new();
            let end = came.is_end.then_some(came.trailers);
            let flow = self.course.bring(Bytes::from(came.payload), end, &mut out);
            for piece in &out {
                match piece {
                    Piece::Data(bytes) => exchange.give_request(bytes, false),
                    // Everything goes on at once.
                    Piece::Flush => {}
                    Piece::End(trailers) => exchange.end_request(trailers),
                }
            }
            match flow {
                Flow::Go => {}
                Flow::WaitUntil(until) => {
                    self.request_until = Some(until);
                    exchange.pause_request(true);
                }
                Flow::Fail(response) => {
                    self.failed = Some(response);
                    return exchange.give_up();
                }
            }
        }
    }

    fn response_goes_on(&mut self, exchange: &mut Exchange<'_>) {
        let mut is_under_way = false;
        while let Some(came) = exchange.response_came() {
            is_under_way = !came.is_end;
            let mut out = Vec::new();
            let end = came.is_end.then_some(came.trailers);
            let flow = self.course.send(Bytes::from(came.payload), end, &mut out);
            if !self.give_out(exchange, &out, flow) {
                return;
            }
        }
        // Nothing more has come by now: what a frame holds back may be all there is for hours.
        if is_under_way {
            let mut out = Vec::new();
            let flow = self.course.send_all(&mut out);
            self.give_out(exchange, &out, flow);
        }
    }

    /// The time has come that a frame has waited for, which may hold back the end of it.
    fn held_goes_on(&mut self, exchange: &mut Exchange<'_>) {
        let mut out = Vec::new();
        let flow = self.course.send_all(&mut out);
        self.give_out(exchange, &out, flow);
    }

    /// Gives the client what frames let out; whether there may be more.
    fn give_out(&mut self, exchange: &mut Exchange<'_>, out: &[Piece], flow: Flow) -> bool {
        for piece in out {
            match piece {
                Piece::Data(bytes) => exchange.give_response(bytes, false),
                // Everything goes on at once.
                Piece::Flush => {}
                Piece::End(trailers) => exchange.end_response(trailers),
            }
        }
        match flow {
            Flow::Go => true,
            Flow::WaitUntil(until) => {
                self.response_until = Some(until);
                exchange.pause_response(true);
                true
            }
            Flow::Fail(response) => {
                if !self.is_down {
                    self.failed = Some(response);
                }
                exchange.give_up();
                false
            }
        }
    }

    /// Whether something is to be done when its time has come.
    fn is_waiting(&self) -> bool {
        self.request_until.is_some() || self.response_until.is_some() || self.peeks.is_some()
    }

    /// The response goes on as frames left it; whether it does.
    fn is_passed(&mut self, exchange: &mut Exchange<'_>) -> bool {
        self.go_on(exchange);
        if let Some(failed) = self.failed.take() {
            self.back = Some(Box::new(Back::Down(*failed, ResponseChanges::default())));
            return false;
        }
        self.is_down = true;
        true
    }
}

impl Tap for Hand<'_> {
    fn endpoint_sent(&mut self, exchange: &mut Exchange<'_>) {
        exchange.endpoint_sent_to(&mut |head, changes| self.lets_through(head, changes));
    }

    fn go_on(&mut self, exchange: &mut Exchange<'_>) {
        if self.is_waiting() {
            let now = Instant::now();
            if self.request_until.take_if(|until| *until <= now).is_some() {
                exchange.pause_request(false);
            }
            if self.response_until.take_if(|until| *until <= now).is_some() {
                exchange.pause_response(false);
                self.held_goes_on(exchange);
            }
            if self.peeks.is_some_and(|(until, _)| until <= now) {
                exchange.stop_peeking();
            }
        }
        if !exchange.is_over() {
            self.request_goes_on(exchange);
        }
        if !exchange.is_over() {
            self.response_goes_on(exchange);
        }
    }

    fn until(&self) -> Option<Instant> {
        if !self.is_waiting() {
            return None;
        }
        let peeks = self.peeks.map(|(until, _)| until);
        [self.request_until, self.response_until, peeks].into_iter().flatten().min()
    }

    async fn look(&mut self, exchange: &mut Exchange<'_>, client: &impl Wire) -> bool {
        let mut changes = exchange.take_changes();
        let mut got = match self.peeks.take() {
            Some((_, max)) => Got::Begin(first(exchange.begin_of_body(), max)),
            None => Got::Nothing,
        };
        loop {
            let repeatable = self.is_repeatable;
            let (course, said) = (&mut *self.course, self.said.take());
            let seen = exchange.look_and_pass(|head| {
                let repeatable = repeatable && !head.is_switch();
                let got = std::mem::replace(&mut got, Got::Nothing);
                let cause = Answerer::Backend;
                let leave = || course.leave(head, &mut changes, got, cause, repeatable);
                match said.unwrap_or_else(leave) {
                    Outward::Down => match bare(head, changes.status) {
                        Some(bare) => (Seen::Bare(bare), None),
                        None => {
                            let changes = std::mem::take(&mut changes);
                            let is_tapped = course.stack().changes_response();
                            if head.is_switch() {
                                course.stack().becomes_tunnel();
                            }
                            (Seen::Passed, Some(LetThrough { changes, is_tapped }))
                        }
                    },
                    other => (Seen::Held(other), None),
                }
            });
            let outward = match seen {
                None => return false,
                Some(Seen::Passed) => return self.is_passed(exchange),
                Some(Seen::Bare(bare)) => {
                    exchange.discard();
                    self.back = Some(Box::new(Back::Down(bare, changes)));
                    return false;
                }
                Some(Seen::Held(outward)) => outward,
            };
            let back: Back = match outward {
                Outward::Down => return false,
                // It is held once more when they are there.
                Outward::Ask(Ask::Begin { max, patience }) => {
                    exchange.change_response(Some(changes.into()));
                    exchange.peek(max);
                    self.peeks = Some((Instant::now() + patience, max));
                    return true;
                }
                Outward::Ask(ask) => {
                    match asks::answer(ask, self.course, self.core, client).await {
                        Ok(answer) => {
                            got = answer;
                            continue;
                        }
                        Err(why) => why.into(),
                    }
                }
                Outward::Again(after) => Back::Again(after),
                Outward::Replaced(response) => {
                    let cause = Answerer::Backend;
                    outward_with(self.course, self.core, client, *response, cause, repeatable).await
                }
            };
            self.back = Some(Box::new(back));
            exchange.discard();
            return false;
        }
    }
}

/// The filters of a request that may pass none.
impl Tap for Option<Hand<'_>> {
    fn endpoint_sent(&mut self, exchange: &mut Exchange<'_>) {
        match self {
            Some(hand) => hand.endpoint_sent(exchange),
            None => exchange.endpoint_sent(),
        }
    }

    fn go_on(&mut self, exchange: &mut Exchange<'_>) {
        if let Some(hand) = self {
            hand.go_on(exchange);
        }
    }

    fn until(&self) -> Option<Instant> {
        self.as_ref()?.until()
    }

    async fn look(&mut self, exchange: &mut Exchange<'_>, client: &impl Wire) -> bool {
        match self {
            // It is rare, and the largest of all.
            Some(hand) => Box::pin(hand.look(exchange, client)).await,
            None => ().look(exchange, client).await,
        }
    }
}

/// Lets a response that no endpoint gave out through the filters.
pub(crate) async fn outward_with(
    course: &mut Course,
    core: &Core,
    client: &impl Wire,
    mut response: Response,
    cause: Answerer,
    is_repeatable: bool,
) -> Back {
    let mut changes = ResponseChanges::default();
    let mut got = Got::Nothing;
    loop {
        let answer = std::mem::replace(&mut got, Got::Nothing);
        match course.leave(&response, &mut changes, answer, cause, is_repeatable) {
            Outward::Down => return Back::Down(response, changes),
            Outward::Again(after) => return Back::Again(after),
            Outward::Replaced(other) => (response, changes) = (*other, ResponseChanges::default()),
            Outward::Ask(Ask::Begin { max, .. }) => {
                got = Got::Begin(first(response.body.clone(), max));
            }
            Outward::Ask(ask) => match asks::answer(ask, course, core, client).await {
                Ok(answer) => got = answer,
                Err(why) => return why.into(),
            },
        }
    }
}

/// What became of a response that was looked at.
enum Seen {
    /// It goes on.
    Passed,
    /// Nothing but this is left of it.
    Bare(Response),
    /// Not yet, or not at all.
    Held(Outward),
}

/// Whether a response can have its body with this status.
fn fits(head: &ResponseHead<'_, '_>, status: Option<u16>) -> bool {
    head.is_switch() || status.is_none_or(|status| head.fits(status))
}

/// A response without its body, where it cannot have this status with it.
fn bare(head: &ResponseHead<'_, '_>, status: Option<u16>) -> Option<Response> {
    if fits(head, status) {
        return None;
    }
    let mut bare = Response::of(head.status);
    head.each(&mut |name, value| bare.lines.push((name.into(), value.into())));
    Some(bare)
}

fn first(bytes: impl Into<Bytes>, max: usize) -> Bytes {
    let mut bytes = bytes.into();
    bytes.truncate(max);
    bytes
}

#[cfg(test)]
mod tests {
    use steelyard_filters::Journey;
    use steelyard_http::{Asked, Body, Framing, Terms, Upgrades};

    use super::*;
    use crate::core::worker::Servants;
    use crate::options::GatewayOptions;
    use crate::shared::Shared;

    /// What waits goes on when its time has come, and not before.
    #[test]
    fn each_body_has_its_own_time() {
        let core =
            Core::new(0, Shared::new(GatewayOptions::default()), None, Servants::of_test(|_| ()));
        let peer = [127, 0, 0, 1].into();
        let journey = Journey::of(peer);
        let mut course = Course::new(Vec::new(), journey, Vec::new(), &core.stock);
        let terms = Terms {
            asked: Asked { head: false, http10: false, upgrade: Upgrades::NONE },
            keep_alive: true,
            idempotent: true,
            expects: false,
            has_body: false,
        };
        let limits = core.limits.clone();
        let body = Body::new(Framing::None);
        let mut exchange = Exchange::new(terms, limits, &b""[..], body, None, Vec::new());
        let now = Instant::now();
        let (past, coming) = (Some(now), now.checked_add(Duration::from_hours(1)));
        for (request, response, left) in [
            (past, coming, (None, coming)),
            (coming, past, (coming, None)),
            (past, past, (None, None)),
            (coming, coming, (coming, coming)),
        ] {
            let mut hand = Hand::new(&mut course, &core, true);
            (hand.request_until, hand.response_until) = (request, response);
            hand.go_on(&mut exchange);
            assert_eq!((hand.request_until, hand.response_until), left);
        }
    }
}
