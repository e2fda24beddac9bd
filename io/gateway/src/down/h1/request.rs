//! A request on its way: what is left of the head once it is parsed, routed and rewritten.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use steelyard_filters::Recipe;
use steelyard_http::{
    Asked, Body, Framing, Reject, RequestHead, RequestSubject, Slots, Terms, release, wants_html,
};
use steelyard_model::routing::route::{Manner, Route};
use steelyard_route::RoutingTable;

use crate::core::listener::Listener;
use crate::core::live::{Chosen, Picked, RouteState};
use crate::core::{Core, HEAD_BUFFER};
use crate::down::h1::answer::Answer;
use crate::shared::Config;
use crate::tell::access_log::Note;
use crate::tell::fault::Fault;
use crate::tell::metrics::method_label;
use crate::wire::buffers::Buffer;

/// What the head of a request said, as far as it is needed later.
pub(crate) struct Request {
    pub(crate) started: Instant,
    pub(crate) method: &'static str,
    pub(crate) protocol: &'static str,
    pub(crate) asked: Asked,
    pub(crate) keep_alive: bool,
    pub(crate) is_idempotent: bool,
    /// The endpoint is asked for a 100 before the body.
    pub(crate) expects: bool,
    pub(crate) has_body: bool,
    /// Where the body ends.
    pub(crate) framing: Framing,
    /// The client is a browser: error pages are for people.
    pub(crate) wants_html: bool,
    pub(crate) body: Body,
    pub(crate) bytes_in: u64,
}

/// What is to be done about a request.
pub(crate) enum Decision {
    /// The head is not complete.
    Partial,
    /// A route takes it.
    Proxy(Request, Chosen),
    /// We answer ourselves, perhaps for a route that refuses.
    Answer(Request, Answer, Option<Rc<RouteState>>),
    /// It passes filters first.
    Filtered(Request, Box<Filtered>),
    /// It cannot be understood; the connection ends.
    Reject(Reject),
}

/// A request that passes filters, and where it comes to then.
pub(crate) struct Filtered {
    /// What it passes, outermost first.
    pub(crate) recipes: Vec<Recipe>,
    /// Its head, as it came.
    pub(crate) head: Vec<u8>,
    pub(crate) to: Inside,
}

/// What is inside of all filters.
pub(crate) enum Inside {
    /// A backend, which is sent to in this manner.
    Backend(Chosen, Manner),
    /// We answer ourselves, perhaps for a route that refuses.
    Answer(Answer, Option<Rc<RouteState>>),
}

/// What routes say of a request.
enum Found<'c> {
    Route(&'c Arc<Route>),
    Nothing,
    /// To some servers its path is another route's.
    Ambiguous,
}

/// What a decision depends on, apart from the bytes.
pub(crate) struct Context<'a> {
    pub(crate) core: &'a Core,
    pub(crate) listener: &'a Listener,
    pub(crate) client_lines: &'a [u8],
    pub(crate) started: Instant,
    /// Where the connection comes from.
    pub(crate) client: IpAddr,
}

/// How often a request may pass this gateway. Once more than once is no circle yet: a cache or a
/// login behind it may send requests on through it.
const MAX_PASSES: usize = 3;

impl Context<'_> {
    /// Parses and routes the request at the start of `held`. When a route takes it, `out` is the
    /// head for the backend with what has come of the body; `held` keeps what follows.
    pub(crate) fn decide(
        &self,
        held: &mut Option<Buffer>,
        out: &mut Vec<u8>,
        note: &mut Note,
    ) -> Decision {
        let Some(buffer) = held else { return Decision::Partial };
        let mut slots = Slots::default();
        let head = match parse(buffer, &mut slots) {
            Ok(head) => head,
            Err(decision) => return *decision,
        };
        let len = head.len;
        if self.core.log.is_some() {
            note.take(&head);
        }
        let mut request = Request::new(&head, self.started);
        let live = self.core.live();
        let scene = self.core.scene(&live);
        if head.is_asterisk() {
            let recipes = scene.own_recipes(&self.listener.point).to_vec();
            return finish(held, len, request, Inside::Answer(Answer::empty(), None), recipes);
        }
        let subject = RequestSubject::new(&head, self.client);
        let route = match self.find(&live.config, &subject) {
            Found::Route(route) => route,
            Found::Ambiguous => return Decision::Reject(Reject::Path),
            Found::Nothing => {
                let answer = self.not_found(&live.config.table, &head, &subject);
                let recipes = scene.own_recipes(&self.listener.point).to_vec();
                return finish(held, len, request, Inside::Answer(answer, None), recipes);
            }
        };
        let state = scene.route(route);
        let mut recipes = state.recipes(&self.listener.point, head.authority.host.as_ref());
        let picked = state.pick(&scene, &mut recipes);
        if let Picked::Refused(status, why) = &picked {
            self.core.refused(&state.name, why);
            let answer = Answer::refused(*status, request.wants_html);
            return finish(held, len, request, Inside::Answer(answer, Some(state)), recipes);
        }
        if head.passes(&self.core.shared.pseudonym) >= MAX_PASSES {
            self.core.looped(&state.name);
            let answer = Answer::fault(Fault::Loop, request.wants_html);
            return finish(held, len, request, Inside::Answer(answer, Some(state)), recipes);
        }
        if !recipes.is_empty() {
            let chosen = Chosen { route: state, picked };
            return finish(held, len, request, Inside::Backend(chosen, route.manner), recipes);
        }
        let hop = self.listener.hop(self.client_lines, route.manner);
        out.clear();
        head.forward(&hop, None, out);
        match take_body(held, len, &mut request, out) {
            Ok(()) => Decision::Proxy(request, Chosen { route: state, picked }),
            Err(reject) => Decision::Reject(reject),
        }
    }
}

impl Context<'_> {
    /// The route of a request.
    fn find<'c>(&self, config: &'c Config, subject: &RequestSubject<'_, '_, '_>) -> Found<'c> {
        let Some(point) = config.table.entry_point(&self.listener.point) else {
            return Found::Nothing;
        };
        let Some(choice) = point.choose(false, subject) else { return Found::Nothing };
        let route = choice.candidate;
        // What another route keeps out, or leads elsewhere, would be got at through this one.
        let mut readings = subject.readings();
        let is_other = |other: RequestSubject<'_, '_, '_>| {
            let choice = point.choose(false, &other);
            choice.is_some_and(|other| !config.routing.serves_alike(other.candidate, route))
        };
        if readings.any(is_other) { Found::Ambiguous } else { Found::Route(route) }
    }

    /// The answer where no route matches, which tells the nearest ones if clients may know.
    fn not_found(
        &self,
        table: &RoutingTable,
        head: &RequestHead<'_, '_>,
        subject: &RequestSubject<'_, '_, '_>,
    ) -> Answer {
        let is_told = self.core.options().error_details;
        let near = is_told.then(|| {
            let near = table.nearest(&self.listener.point, false, subject);
            near.iter().map(ToString::to_string).collect()
        });
        Answer::not_found(head, near)
    }
}

impl Request {
    fn new(head: &RequestHead<'_, '_>, started: Instant) -> Self {
        Self {
            started,
            method: method_label(head.method),
            protocol: if head.is_websocket() { "websocket" } else { "http" },
            asked: Asked {
                head: head.method == "HEAD",
                http10: head.is_http10,
                upgrade: head.upgrade,
            },
            keep_alive: head.keep_alive,
            is_idempotent: head.is_idempotent(),
            expects: !head.is_http10 && head.header("expect").is_some(),
            has_body: head.framing != Framing::None,
            framing: head.framing,
            wants_html: wants_html(head.accept),
            body: Body::new(head.framing),
            bytes_in: 0,
        }
    }
}

/// The head at the start of a buffer, or what there is to say without one.
fn parse<'h, 'b>(
    buffer: &'b Buffer,
    slots: &'h mut Slots<'b>,
) -> Result<RequestHead<'h, 'b>, Box<Decision>> {
    let is_full = buffer.filled >= HEAD_BUFFER;
    let decision = match RequestHead::parse(buffer, slots) {
        // What came behind a body is in a larger buffer.
        Ok(Some(head)) if head.len > HEAD_BUFFER => Decision::Reject(too_large(buffer)),
        Ok(Some(head)) => return Ok(head),
        Ok(None) if is_full => Decision::Reject(too_large(buffer)),
        Ok(None) => Decision::Partial,
        Err(reject) => Decision::Reject(reject),
    };
    Err(Box::new(decision))
}

impl From<&Request> for Terms {
    fn from(request: &Request) -> Self {
        Self {
            asked: request.asked,
            keep_alive: request.keep_alive,
            idempotent: request.is_idempotent,
            expects: request.expects,
            has_body: request.has_body,
        }
    }
}

/// Moves what has come of the body behind the head in `out`.
pub(crate) fn take_body(
    held: &mut Option<Buffer>,
    head_len: usize,
    request: &mut Request,
    out: &mut Vec<u8>,
) -> Result<(), Reject> {
    let Some(buffer) = held else { return Ok(()) };
    let mut consumed = head_len;
    if !request.body.is_done() {
        let rest = &mut buffer[head_len..];
        let fed = request.body.feed(rest).map_err(|_| Reject::Chunk)?;
        out.extend_from_slice(&rest[..fed.forward]);
        out.extend_from_slice(fed.closing);
        request.bytes_in += fed.consumed as u64;
        consumed += fed.consumed;
    }
    release(held, consumed);
    Ok(())
}

/// We answer, or it passes filters first.
fn finish(
    held: &mut Option<Buffer>,
    head_len: usize,
    request: Request,
    to: Inside,
    recipes: Vec<Recipe>,
) -> Decision {
    let decision = match to {
        Inside::Answer(answer, route) if recipes.is_empty() => {
            Decision::Answer(request, answer, route)
        }
        to => {
            let head = held.as_ref().map_or_else(Vec::new, |held| held[..head_len].to_vec());
            Decision::Filtered(request, Box::new(Filtered { recipes, head, to }))
        }
    };
    release(held, head_len);
    decision
}

fn too_large(buffer: &[u8]) -> Reject {
    if buffer[..HEAD_BUFFER].contains(&b'\n') {
        Reject::HeadTooLarge
    } else {
        Reject::TargetTooLong
    }
}
