//! A request on its way: what is left of the head once it is parsed, routed and rewritten.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Instant;

use steelyard_filters::Recipe;
use steelyard_http::{
    Asked, Body, Framing, Reject, RequestChanges, RequestHead, RequestSubject, Slots, Terms,
    Vouching, release, respell_query, wants_html,
};
use steelyard_route::NearMiss;

use crate::core::Core;
use crate::core::listener::Listener;
use crate::core::live::{Caller, Chosen, Live, Picked, RouteState, Scene, unserved};
use crate::down::h1::answer::Answer;
use crate::exchange::way::{DEEPEST, Found, child, first};
use crate::tell::access_log::{LogBuffer, Note};
use crate::tell::fault::Fault;
use crate::tell::metrics::method_label;
use crate::tell::tracer::Traced;
use crate::wire::buffers::Buffer;
use crate::wire::secured::Secured;

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
    /// Who asks.
    pub(crate) client: IpAddr,
    /// It is part of a trace that is recorded.
    pub(crate) traced: Option<Box<Traced>>,
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
    pub(crate) way: Way,
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
    /// We answer ourselves, perhaps for a route that refuses.
    Answer(Answer, Option<Rc<RouteState>>),
}

impl Inside {
    /// The route that has led there.
    pub(crate) fn route(&self) -> Option<&Rc<RouteState>> {
        match self {
            Self::Route(route) => Some(route),
            Self::Backend(chosen) => Some(&chosen.route),
            Self::Answer(_, route) => route.as_ref(),
        }
    }
}

/// Where a request goes, without its bytes.
enum Direct {
    /// To endpoints, and nothing is on its way.
    Straight(Chosen),
    /// Through filters, or to an answer.
    Done(Inside, Vec<Recipe>),
    Reject(Reject),
}

/// What a decision depends on, apart from the bytes.
pub(crate) struct Context<'a> {
    pub(crate) core: &'a Core,
    pub(crate) listener: &'a Listener,
    pub(crate) client_lines: &'a [u8],
    pub(crate) started: Instant,
    /// What the peer may say of the client.
    pub(crate) vouching: &'a Vouching,
    /// What was agreed on in the handshake.
    pub(crate) tls: Option<&'a Secured>,
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
        let mut head = match parse(buffer, self.listener.largest_head, &mut slots) {
            Ok(head) => head,
            Err(decision) => return *decision,
        };
        if head.is_refused(self.vouching) {
            return Decision::Reject(Reject::Field);
        }
        let len = head.len;
        head.semicolons = self.listener.terms.semicolons;
        let client = head.settle(self.vouching);
        let mut request = Request::new(&head, self.started, client, self.vouching);
        if let Some(tracer) = &self.core.tracer {
            request.traced = tracer.begin(head.header("traceparent"));
        }
        let is_told = self.core.log.is_some() || request.traced.is_some();
        if is_told {
            note.take(&head, self.core.log.as_ref().and_then(LogBuffer::wanted));
        } else {
            note.clear()
        }
        let live = self.core.live();
        let direct = self.direct(&live, &head, &request);
        if request.traced.is_some() && !self.is_traced(&direct) {
            request.traced = None;
        }
        let chosen = match direct {
            Direct::Straight(chosen) => chosen,
            Direct::Done(to, recipes) => {
                // Who passes filters or gets no further is told of, perhaps.
                if !is_told {
                    note.take(&head, None);
                }
                return self.finish((held, len), request, to, recipes, &live);
            }
            Direct::Reject(reject) => return Decision::Reject(reject),
        };
        let hop = self.listener.hop(self.client_lines, chosen.route.manner());
        out.clear();
        head.forward(&hop, request.traced_changes().as_ref(), out);
        match take_body(held, len, &mut request, out) {
            Ok(()) => Decision::Proxy(request, chosen),
            Err(reject) => Decision::Reject(reject),
        }
    }

    /// Whether somebody wants a trace of a request that goes there.
    fn is_traced(&self, direct: &Direct) -> bool {
        let route = match direct {
            Direct::Straight(chosen) => Some(&chosen.route),
            Direct::Done(to, _) => to.route(),
            Direct::Reject(_) => None,
        };
        self.listener.told(route.map(|route| &**route)).tracing != Some(false)
    }

    /// We answer, or it passes filters first, which see the query as endpoints do.
    fn finish(
        &self,
        (held, head_len): (&mut Option<Buffer>, usize),
        request: Request,
        to: Inside,
        recipes: Vec<Recipe>,
        live: &Rc<Live>,
    ) -> Decision {
        let decision = match to {
            Inside::Answer(answer, route) if recipes.is_empty() => {
                Decision::Answer(request, answer, route)
            }
            to => {
                let mut head =
                    held.as_ref().map_or_else(Vec::new, |held| held[..head_len].to_vec());
                let manner = to.route().map(|route| route.manner()).unwrap_or_default();
                respell_query(&mut head, self.listener.hop(self.client_lines, manner).semicolons);
                let way = Way { steps: vec![to], taken: Some(live.clone()) };
                Decision::Filtered(request, Box::new(Filtered { recipes, head, way }))
            }
        };
        release(held, head_len);
        decision
    }

    /// Where a request goes.
    fn direct(&self, live: &Live, head: &RequestHead<'_, '_>, request: &Request) -> Direct {
        let (scene, client, wants_html) =
            (self.core.scene(live), request.client, request.wants_html);
        let subject = RequestSubject::new(head, client);
        let (state, mut recipes) = match self.route(&scene, head, &subject) {
            Ok(found) => found,
            Err(direct) => return *direct,
        };
        let answer =
            |answer, state, recipes| Direct::Done(Inside::Answer(answer, Some(state)), recipes);
        if head.passes(&self.core.shared.pseudonym) >= MAX_PASSES {
            self.core.looped(&state.name);
            // Not by way of filters: it may be one of them that leads back here.
            return answer(Answer::fault(Fault::Loop, wants_html), state, Vec::new());
        }
        if !recipes.is_empty() {
            return Direct::Done(Inside::Route(state), recipes);
        }
        let picked = state.pick(&scene, &Caller::of(head, client), &mut recipes);
        if let Picked::Refused(status, why) = &picked {
            self.core.refused(&state.name, why);
            return answer(Answer::refused(*status, why, wants_html), state, recipes);
        }
        let chosen = Chosen { route: state, picked };
        if recipes.is_empty() {
            Direct::Straight(chosen)
        } else {
            Direct::Done(Inside::Backend(chosen), recipes)
        }
    }

    /// The route of a request, as far as it is known before any filter has seen the request, and
    /// what it passes.
    fn route(
        &self,
        scene: &Scene<'_>,
        head: &RequestHead<'_, '_>,
        subject: &RequestSubject<'_, '_, '_>,
    ) -> Result<(Rc<RouteState>, Vec<Recipe>), Box<Direct>> {
        let config = &scene.live.config;
        let (point, is_tls) = (&self.listener.point, self.tls.is_some());
        let own = |answer| {
            let recipes = scene.own_recipes(point, is_tls).to_vec();
            Err(Box::new(Direct::Done(Inside::Answer(answer, None), recipes)))
        };
        if head.is_asterisk() {
            return own(Answer::empty());
        }
        if let Some(fault) = self.misdirection(scene.live, head) {
            return own(Answer::fault(fault, wants_html(head.accept)));
        }
        let mut state = match first(config, (point, is_tls), subject) {
            Found::Route(route) => scene.route(route),
            Found::Ambiguous => return Err(Box::new(Direct::Reject(Reject::Path))),
            Found::Nothing => {
                let near = || config.table.nearest(point, is_tls, subject);
                return own(self.not_found(head, near));
            }
        };
        let Some(mut recipes) = state.recipes((point, is_tls), head.authority.host.as_ref()) else {
            let (status, why) = unserved();
            self.core.refused(&state.name, &why);
            let answer = Answer::refused(status, &why, wants_html(head.accept));
            return Err(Box::new(Direct::Done(Inside::Answer(answer, Some(state)), Vec::new())));
        };
        let mut depth = 1;
        while state.leads_to_routes() && recipes.is_empty() && depth < DEEPEST {
            depth += 1;
            state = match child(config, &state, subject) {
                Found::Route(route) => scene.route(route),
                Found::Ambiguous => return Err(Box::new(Direct::Reject(Reject::Path))),
                Found::Nothing => {
                    let near = || config.table.nearest_child(&state.id(), subject);
                    let to = Inside::Answer(self.not_found(head, near), Some(state));
                    return Err(Box::new(Direct::Done(to, recipes)));
                }
            };
            recipes = state.own_recipes();
        }
        Ok((state, recipes))
    }
}

impl Context<'_> {
    /// Why a request does not belong on its connection, if so: its host is served by other terms
    /// than those of the handshake (RFC 9110 §15.5.20).
    fn misdirection(&self, live: &Live, head: &RequestHead<'_, '_>) -> Option<Fault> {
        let tls = self.tls?;
        if live.outdates(&self.listener.point, tls) {
            return Some(Fault::Outdated);
        }
        let table = live.config.table.entry_point(&self.listener.point)?;
        let host = head.authority.host.as_ref();
        table.misdirection(&tls.server_name, host).map(|_| Fault::Misdirected)
    }

    /// The answer where no route matches, which tells the nearest ones if clients may know.
    fn not_found<'t>(
        &self,
        head: &RequestHead<'_, '_>,
        near: impl FnOnce() -> Vec<NearMiss<'t>>,
    ) -> Answer {
        Answer::not_found(head, self.core.told(near))
    }
}

impl Request {
    fn new(
        head: &RequestHead<'_, '_>,
        started: Instant,
        client: IpAddr,
        vouching: &Vouching,
    ) -> Self {
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
            expects: head.expects,
            has_body: head.framing != Framing::None,
            framing: head.framing,
            wants_html: wants_html(head.accept),
            body: Body::of_request(head.framing, vouching),
            bytes_in: 0,
            client,
            traced: None,
        }
    }

    /// What endpoints are told of the trace, where there is one.
    fn traced_changes(&self) -> Option<RequestChanges> {
        let traced = self.traced.as_ref()?;
        let mut changes = RequestChanges::default();
        traced.tell(&mut changes.lines);
        Some(changes)
    }
}

/// The head at the start of a buffer, of `most` bytes at most, or what there is to say without one.
fn parse<'h, 'b>(
    buffer: &'b Buffer,
    most: usize,
    slots: &'h mut Slots<'b>,
) -> Result<RequestHead<'h, 'b>, Box<Decision>> {
    let is_full = buffer.filled >= most;
    let decision = match RequestHead::parse(buffer, slots) {
        // What came behind a body is in a larger buffer.
        Ok(Some(head)) if head.len > most => Decision::Reject(too_large(&buffer[..most])),
        Ok(Some(head)) => return Ok(head),
        Ok(None) if is_full => Decision::Reject(too_large(&buffer[..most])),
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
        out.extend_from_slice(&fed.closing);
        request.bytes_in += fed.payload as u64;
        consumed += fed.consumed;
    }
    release(held, consumed);
    Ok(())
}

/// What is wrong with a head that begins so and goes on.
fn too_large(begin: &[u8]) -> Reject {
    if begin.contains(&b'\n') { Reject::HeadTooLarge } else { Reject::TargetTooLong }
}
