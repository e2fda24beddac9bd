//! What becomes of a request: its head is parsed, routed and rewritten.

use std::net::IpAddr;
use std::rc::Rc;

use steelyard_filters::{PassedFolded, sent_plainly, stray};
use steelyard_http::{
    Reject, RequestChanges, RequestEdits, RequestHead, RequestSubject, Semicolons, Slots, release,
    wants_html,
};
use steelyard_model::routing::observability::Observability;
use steelyard_route::{Misdirection, NearMiss};

use super::answer::Answer;
use super::inward::{Came, Entered, Filtered, Inside};
use super::request::{Context, Request, take_body};
use crate::core::live::{Caller, Chosen, Live, Picked, Recipes, RouteState, Scene, unserved};
use crate::exchange::way::{DEEPEST, Found, child, first};
use crate::tell::access_log::{LogBuffer, Note, Wanted};
use crate::tell::fault::Fault;
use crate::tell::tracer::WantedLines;
use crate::wire::buffers::Buffer;

/// What is to be done about a request.
pub(crate) enum Decision {
    /// The head is not complete.
    Partial,
    /// A route takes it. What the client gets may be changed all the same.
    Proxy(Request, Chosen, PassedFolded),
    /// We answer ourselves, perhaps for a route that refuses.
    Answer(Request, Answer, Option<Rc<RouteState>>),
    /// It passes filters first.
    Filtered(Request, Box<Filtered>),
    /// It cannot be understood; the connection ends.
    Reject(Reject),
}

/// Where a request goes, without its bytes.
enum Direct {
    /// To endpoints, and nothing is on its way.
    Straight(Chosen),
    /// The same, but for filters that have been passed: what is changed about its response. What
    /// is changed about the request lies in `Core::edits`.
    Passed(Chosen, PassedFolded),
    /// Through filters, or to an answer.
    Done(Inside, Option<Recipes>),
    Reject(Reject),
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
        let client = match head.begin(self.vouching, self.listener.terms.semicolons) {
            Ok(client) => client,
            Err(reject) => return Decision::Reject(reject),
        };
        let len = head.len;
        let mut request = Request::new(&head, self.started, client, self.vouching);
        if let Some(tracer) = &self.core.tracer {
            request.traced = tracer.begin(head.header("traceparent"));
        }
        let is_told = self.is_told(&request);
        if is_told {
            note.take(&head, self.wanted(request.traced.is_some()));
        } else {
            note.clear()
        }
        let live = self.core.live();
        let direct = self.direct(&live, &head, &request);
        if request.traced.is_some() {
            self.settle_trace(&mut request, &direct);
        }
        let (to, recipes) = match direct {
            Direct::Straight(chosen) => {
                self.go_on(&head, request.traced_changes().as_ref(), &chosen, out);
                return sent(held, len, request, (chosen, None), out);
            }
            Direct::Passed(chosen, said) => {
                if !is_told {
                    note.take(&head, Wanted::default());
                }
                self.go_on_passed(&head, &mut request, &chosen, out);
                return sent(held, len, request, (chosen, said), out);
            }
            Direct::Done(to, recipes) => (to, recipes),
            Direct::Reject(reject) => return Decision::Reject(reject),
        };
        // Who passes filters or gets no further is told of, perhaps.
        if !is_told {
            note.take(&head, Wanted::default());
        }
        if let (Inside::Answer(..), None) = (&to, &recipes)
            && let Inside::Answer(answer, route) = to
        {
            release(held, len);
            return Decision::Answer(request, answer, route);
        }
        head.semicolons = Semicolons::default();
        let asked = (&head, &buffer[..len]);
        let mut filtered = self.begin(asked, &mut request, (to, recipes), &live, out);
        if let Came::To(Entered::Opened { .. }) = filtered.came {
            if let Err(reject) = take_body(held, len, &mut request, out) {
                filtered.came = Came::Failed(reject.into());
            }
        } else {
            release(held, len);
        }
        Decision::Filtered(request, filtered)
    }

    /// Whether somebody is told of a request whatever becomes of it.
    fn is_told(&self, request: &Request) -> bool {
        let core = self.core;
        let is_logged = core.log.is_some() || self.log.is_some();
        is_logged || request.traced.is_some() || core.headed.is_some()
    }

    /// Which lines somebody is told of.
    fn wanted(&self, is_traced: bool) -> Wanted<'_> {
        let log = self.core.log.as_ref().and_then(LogBuffer::wanted);
        let tracer = self.core.tracer.as_ref().filter(|_| is_traced);
        let fields = WantedLines::of(log, tracer, self.core.headed.as_ref());
        Wanted { fields, nginx: self.log }
    }

    /// Writes the head that an endpoint gets.
    fn go_on(
        &self,
        head: &RequestHead<'_, '_>,
        changes: Option<&RequestChanges>,
        chosen: &Chosen,
        out: &mut Vec<u8>,
    ) {
        out.clear();
        let hop = self.hop(chosen.route.manner());
        head.forward(&hop, changes, out);
    }

    /// The same of a request that has passed its filters.
    fn go_on_passed(
        &self,
        head: &RequestHead<'_, '_>,
        request: &mut Request,
        chosen: &Chosen,
        out: &mut Vec<u8>,
    ) {
        let mut changes = self.core.edits.borrow_mut();
        if let Some(traced) = &request.traced {
            traced.tell(&mut changes.lines);
        }
        request.end_bare();
        self.go_on(head, Some(&changes), chosen, out);
    }

    /// Whether somebody wants a trace of a request that goes there, and how much of it.
    fn settle_trace(&self, request: &mut Request, direct: &Direct) {
        let told = self.told(direct);
        request.traced = request.traced.take().filter(|_| told.tracing != Some(false));
        if let Some(traced) = &mut request.traced {
            traced.is_detailed = told.detailed == Some(true);
        }
    }

    /// What is told of a request that goes there.
    fn told(&self, direct: &Direct) -> Observability {
        let route = match direct {
            Direct::Straight(chosen) | Direct::Passed(chosen, ..) => Some(&chosen.route),
            Direct::Done(to, _) => to.route(),
            Direct::Reject(_) => None,
        };
        self.listener.told(route.map(|route| &**route))
    }

    /// Where a request goes.
    fn direct(&self, live: &Live, head: &RequestHead<'_, '_>, request: &Request) -> Direct {
        let (scene, client, wants_html) =
            (self.core.scene(live), request.client, request.wants_html);
        let subject = RequestSubject::new(head, client);
        let (state, recipes) = match self.route(&scene, head, &subject) {
            Ok(found) => found,
            Err(direct) => return *direct,
        };
        let answer =
            |answer, state, recipes| Direct::Done(Inside::Answer(answer, Some(state)), recipes);
        if head.passes(&self.core.shared.pseudonym) >= MAX_PASSES {
            self.core.looped(&state.name);
            // Not by way of filters: it may be one of them that leads back here.
            return answer(Answer::fault(Fault::Loop, wants_html), state, None);
        }
        if let Some(recipes) = recipes {
            let passed = self.passed(&scene, (head, client), &state, &recipes);
            return passed.unwrap_or_else(|| Direct::Done(Inside::Route(state), Some(recipes)));
        }
        let mut recipes = Vec::new();
        let picked = state.pick(&scene, &Caller::of(head, client), &mut recipes);
        let recipes = (!recipes.is_empty()).then(|| recipes.into());
        if let Picked::Refused(status, why) = &picked {
            self.core.refused(&state.name, why);
            return answer(Answer::refused(*status, why, wants_html), state, recipes);
        }
        if let Picked::Fork(fork) = picked {
            return Direct::Done(Inside::Fork(state, fork), recipes);
        }
        let chosen = Chosen { route: state, picked };
        match recipes {
            None => Direct::Straight(chosen),
            some => Direct::Done(Inside::Backend(chosen), some),
        }
    }

    /// Where a request goes that its filters let in at once, as most do that only look at heads.
    /// None where there is more to it: then it passes them one after the other.
    fn passed(
        &self,
        scene: &Scene<'_>,
        (head, client): (&RequestHead<'_, '_>, IpAddr),
        state: &Rc<RouteState>,
        recipes: &Recipes,
    ) -> Option<Direct> {
        let folded = recipes.folded()?;
        // Filters see queries as endpoints do, for which those with semicolons are spelled anew.
        if state.leads_to_routes() || head.query.contains(';') {
            return None;
        }
        let mut changes = self.core.edits.borrow_mut();
        changes.clear();
        let from = (client.to_canonical(), self.tls.is_some());
        let said = folded.pass(head, from, &mut changes)?;
        let edited = RequestEdits::seen(head, &changes);
        let picked = state.pick_plain(scene, &Caller::of(&edited, client))?;
        Some(Direct::Passed(Chosen { route: state.clone(), picked }, said))
    }

    /// The route of a request, as far as it is known before any filter has seen the request, and
    /// what it passes.
    fn route(
        &self,
        scene: &Scene<'_>,
        head: &RequestHead<'_, '_>,
        subject: &RequestSubject<'_, '_, '_>,
    ) -> Result<(Rc<RouteState>, Option<Recipes>), Box<Direct>> {
        let config = &scene.live.config;
        let (point, is_tls) = (&self.listener.point, self.tls.is_some());
        let own = |answer| {
            let recipes = scene.own_recipes(point, is_tls);
            Err(Box::new(Direct::Done(Inside::Answer(answer, None), recipes)))
        };
        if head.is_asterisk() {
            return own(Answer::empty());
        }
        if let Some((strays, true)) = self.strays.filter(|_| self.tls.is_none()) {
            let why = Fault::Filtered("nginx takes no request in plain where TLS is spoken");
            return own(Answer::of(sent_plainly(strays), Some(why), Vec::new()));
        }
        if let Some(fault) = self.misdirection(scene.live, head) {
            return own(Answer::fault(fault, wants_html(head.accept)));
        }
        let mut state = match first(config, (point, is_tls), subject) {
            Found::Route(route) => scene.route(route),
            Found::Ambiguous => return Err(Box::new(Direct::Reject(Reject::Path))),
            Found::Nothing => {
                let near = || config.table.nearest(point, is_tls, subject);
                return own(self.stray(head, near));
            }
        };
        if self.is_unasked(scene.live, &state) {
            return own(Answer::fault(Fault::Misdirected, wants_html(head.accept)));
        }
        let host = head.authority.host.as_ref();
        let Ok(mut recipes) = state.recipes((point, is_tls), host) else {
            let (status, why) = unserved();
            self.core.refused(&state.name, &why);
            let answer = Answer::refused(status, &why, wants_html(head.accept));
            return Err(Box::new(Direct::Done(Inside::Answer(answer, Some(state)), None)));
        };
        let mut depth = 1;
        while state.leads_to_routes() && recipes.is_none() && depth < DEEPEST {
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
        let found = table.misdirection(&tls.server_name, host)?;
        // Who has named no host is answered by who judges certificates there, as with nginx.
        let held = || live.config.terms.of(table.policy(host).ok()?);
        let is_judged = || held().is_some_and(|it| it.examiner.is_some());
        let is_let_in = found == Misdirection::Policy && tls.server_name.is_empty() && is_judged();
        (!is_let_in).then_some(Fault::Misdirected)
    }

    /// Whether a route wants certificates of clients, and this handshake was held by what another
    /// route says of the host: of one that it does not name itself, or not as exactly.
    fn is_unasked(&self, live: &Live, route: &RouteState) -> bool {
        let route = route.made_of();
        let Some(tls) = self.tls.filter(|_| route.tls_policy.is_some()) else { return false };
        let wanted = route.own_terms();
        let policy = live.config.terms.of(wanted).map(|it| &**it.policy);
        let table = live.config.table.entry_point(&self.listener.point);
        table.is_none_or(|it| it.is_unasked(&tls.server_name, wanted, policy))
    }

    /// The answer where no route matches: where ingress-nginx has all that nobody takes, its own.
    fn stray<'t>(
        &self,
        head: &RequestHead<'_, '_>,
        near: impl FnOnce() -> Vec<NearMiss<'t>>,
    ) -> Answer {
        let Some((strays, _)) = self.strays else { return self.not_found(head, near) };
        let response = stray(strays, &head.path, self.tls.is_some());
        let is_found = response.status == 200;
        let near = (!is_found).then(|| self.core.told(near)).flatten();
        Answer::of(response, (!is_found).then_some(Fault::NoRoute), near.unwrap_or_default())
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

/// A request whose head is written goes to endpoints, with what has come of its body.
fn sent(
    held: &mut Option<Buffer>,
    len: usize,
    mut request: Request,
    (chosen, said): (Chosen, PassedFolded),
    out: &mut Vec<u8>,
) -> Decision {
    match take_body(held, len, &mut request, out) {
        Ok(()) => Decision::Proxy(request, chosen, said),
        Err(reject) => Decision::Reject(reject),
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

/// What is wrong with a head that begins so and goes on.
fn too_large(begin: &[u8]) -> Reject {
    if begin.contains(&b'\n') { Reject::HeadTooLarge } else { Reject::TargetTooLong }
}
