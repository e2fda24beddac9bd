//! A client's connection: one request after the other until somebody has had enough.

mod attempt;
mod filtered;
mod record;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use steelyard_filters::PassedFolded;
use steelyard_http::{
    After, Reject, Scheme, USUAL_LIST, Vouching, client_lines, empty_lines, may_be_complete,
    release,
};
use steelyard_model::routing::entry_point::SECURE;
use tokio::task::spawn_local;

use super::super::age::Age;
use super::answer::Answer;
use super::decision::Decision;
use super::request::{Context, Request};
use crate::core::Core;
use crate::core::arrival::{Arrival, Slot};
use crate::core::believed::Believed;
use crate::core::listener::Listener;
use crate::core::live::{Chosen, RouteState};
use crate::core::sheets::LentNote;
use crate::core::waiting::Waiting;
use crate::exchange::dispatch::{Done, Trace};
use crate::exchange::drive::Exchange;
use crate::tell::access_log::Note;
use crate::tell::fault::Fault;
use crate::tell::recent::Recent;
use crate::tell::request_id::RequestId;
use crate::wire::Wire;
use crate::wire::buffers::Buffer;
use crate::wire::link::PREFACE;
use crate::wire::secured::Secured;
use crate::wire::stream::Stream;
use crate::wire::timer::{Timer, within};
use attempt::{Attempted, Filters};

/// Who is connected, and where.
pub(in crate::down) struct Client {
    pub(in crate::down) core: Rc<Core>,
    pub(in crate::down) listener: Rc<Listener>,
    /// Header lines about the client, for every request.
    client_lines: Vec<u8>,
    pub(in crate::down) peer: SocketAddr,
    /// What it has connected to, where a PROXY header says so.
    reached: Option<SocketAddr>,
    /// What was agreed on in its handshake; none where it is plain.
    tls: Option<Rc<Secured>>,
}

/// A connection from a client, or what speaks as one.
pub(in crate::down) struct Connection<C> {
    core: Rc<Core>,
    listener: Rc<Listener>,
    stream: C,
    /// Header lines about the client, for every request.
    client_lines: Vec<u8>,
    timer: Timer,
    /// Bytes that were read and not used yet.
    held: Option<Buffer>,
    /// The rewritten request; lent while there is one.
    out: Vec<u8>,
    /// For the access log and traces; empty without them.
    note: LentNote,
    peer: SocketAddr,
    tls: Option<Rc<Secured>>,
    /// What it has connected to, where a PROXY header says so.
    reached: Option<SocketAddr>,
    /// What it may say of others, and by what that was settled.
    vouching: (Vouching, Option<Rc<Believed>>),
    /// What the request is called in the answer that was made for it.
    id: Option<RequestId>,
    /// More of what went wrong.
    details: Vec<String>,
    /// When the last request was over.
    ended: Instant,
    pub(in crate::down) waiting: Rc<Waiting>,
    /// No request has come yet.
    is_new: bool,
    age: Age,
    /// Its place among all connections, if it is one itself.
    slot: Option<Slot>,
}

/// What a request came to, as it is counted.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// 0: nothing was said.
    status: u16,
    /// Bytes of the answer's body.
    bytes_out: u64,
    /// Why it is not what an endpoint said, or not all of it.
    why: Option<Fault>,
    /// The place of the filter that said it.
    frame: Option<usize>,
}

/// How long a client that was answered for good may be silent, and how long it may go on sending.
const LINGER: Duration = Duration::from_secs(5);
const LINGER_AT_END: Duration = Duration::from_secs(1);
const LINGER_TOTAL: Duration = Duration::from_secs(30);

/// Bytes of a body that are written together with its head, at most.
const MOST_COPIED: usize = 16 * 1024;

/// Bytes of empty lines tolerated before a request.
const MAX_BLANK: usize = 8;

/// Serves a client until its connection ends. One that speaks HTTP/2 is for somebody else, with
/// what was read.
pub(in crate::down) fn serve(arrival: Arrival, otherwise: fn(Arrival)) {
    let mut connection = Connection::new(arrival);
    // It is built where it stays: a future that takes what it is given has it twice.
    spawn_local(async move {
        if connection.serve().await {
            connection.hand_over(otherwise);
        }
    });
}

impl Client {
    pub(in crate::down) fn new(
        core: Rc<Core>,
        listener: Rc<Listener>,
        (peer, reached): (SocketAddr, Option<SocketAddr>),
        tls: Option<Rc<Secured>>,
    ) -> Self {
        let ip = peer.ip().to_canonical();
        let client_lines = client_lines(ip, &core.options().server_name, &core.shared.pseudonym);
        Self { core, listener, client_lines, peer, reached, tls }
    }

    /// Whether its connection was made by terms that hold no more.
    pub(in crate::down) fn is_outdated(&self) -> bool {
        let tls = self.tls.as_deref();
        tls.is_some_and(|tls| self.core.live().outdates(&self.listener.point, tls))
    }

    /// What it may say of others, but for how it is connected.
    pub(in crate::down) fn bare_vouching(&self) -> Vouching {
        self.listener.believed(&self.core).vouching(self.peer)
    }
}

impl Connection<Stream> {
    fn new(arrival: Arrival) -> Self {
        let Arrival { core, listener, stream, peer, reached, held, tls, waiting, slot } = arrival;
        let client = Client::new(core, listener, (peer, reached), tls);
        Self { held, waiting, slot: Some(slot), ..Self::over(stream, &client) }
    }

    fn hand_over(self, to: fn(Arrival)) {
        let Self { core, listener, stream, peer, reached, tls, waiting, slot, held, .. } = self;
        if let Some(slot) = slot {
            to(Arrival { core, listener, stream, peer, reached, held, tls, waiting, slot });
        }
    }
}

impl<C: Wire> Connection<C> {
    /// Something that speaks as a connection of `client`.
    pub(in crate::down) fn over(stream: C, client: &Client) -> Self {
        let now = Instant::now();
        let core = client.core.clone();
        let timer = Timer::new(now + client.listener.head);
        Self {
            core,
            listener: client.listener.clone(),
            stream,
            client_lines: client.client_lines.clone(),
            timer,
            held: None,
            out: Vec::new(),
            note: LentNote::default(),
            peer: client.peer,
            tls: client.tls.clone(),
            reached: client.reached,
            vouching: (client.bare_vouching(), None),
            id: None,
            details: Vec::new(),
            ended: now,
            waiting: Rc::default(),
            is_new: true,
            age: Age::new(now),
            slot: None,
        }
    }

    /// Answers what is no request, and that was it.
    pub(in crate::down) async fn refuse(&mut self, reject: Reject) {
        if matches!(self.reject(Fault::Rejected(reject)).await, After::Linger) {
            self.linger().await;
        }
    }

    /// Serves until the connection ends. Whether it has not, since its client speaks HTTP/2.
    ///
    /// Most connections wait most of their time, and each has memory for whatever it may come to:
    /// what is rare is boxed.
    pub(in crate::down) async fn serve(&mut self) -> bool {
        self.waiting.attend().await;
        let mut deadline = self.ended + self.listener.head;
        let speaks_http2 = loop {
            let Some(mut decision) = self.next(deadline).await else {
                if self.waiting.is_retired() && !self.waiting.is_pressed() {
                    Box::pin(self.linger()).await;
                } else {
                    self.stream.say_farewell();
                }
                break false;
            };
            if matches!(decision, Decision::Reject(Reject::Version)) && self.speaks_http2() {
                break true;
            }
            // What carries streams of HTTP/2 has no age of its own.
            if self.slot.is_some() {
                self.age.is_last(&self.listener.terms);
            }
            match self.act_unless_cut(&mut decision).await {
                // When nothing more is to be served, its next answer says so, or it is retired.
                After::Next if self.stream.turn() => self.held = None,
                After::Next => {}
                After::Close => break false,
                After::Linger => {
                    Box::pin(self.linger()).await;
                    break false;
                }
                After::Reset => {
                    self.stream.reset();
                    break false;
                }
            }
            self.is_new = false;
            deadline = self.ended + self.listener.idle;
        };
        // What it was lent serves others.
        self.core.sheets.take_back(&mut self.out, &mut self.note);
        speaks_http2
    }

    /// Does what was decided, as long as there is time: what says so itself has the chance to.
    async fn act_unless_cut(&mut self, decision: &mut Decision) -> After {
        let (core, listener) = (self.core.clone(), self.listener.clone());
        let _under_way = core.begin();
        let after = {
            let mut acting = pin!(self.act(decision));
            poll_fn(|cx| match acting.as_mut().poll(cx) {
                Poll::Ready(after) => Poll::Ready(Some(after)),
                Poll::Pending if core.is_cut(&listener) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            })
            .await
        };
        if let Some(after) = after {
            return after;
        }
        self.record_cut(decision);
        After::Reset
    }

    /// Does what was decided.
    async fn act(&mut self, decision: &mut Decision) -> After {
        match decision {
            Decision::Partial => Box::pin(self.reject(Fault::RequestTimeout)).await,
            Decision::Proxy(request, chosen, said) => {
                let said = said.take();
                self.proxy(request, chosen, said).await
            }
            Decision::Filtered(request, filtered) => match self.straight(request, filtered).await {
                Ok(after) => after,
                Err(begun) => Box::pin(self.filtered(request, filtered, begun)).await,
            },
            Decision::Answer(request, answer, route) => {
                self.answer(request, answer, route.as_deref()).await
            }
            Decision::Reject(reject) => Box::pin(self.reject(Fault::Rejected(*reject))).await,
        }
    }

    /// Whether what came first is how clients of HTTP/2 begin, as far as it came.
    fn speaks_http2(&self) -> bool {
        let held = self.held.as_deref().unwrap_or_default();
        let count = held.len().min(PREFACE.len());
        self.is_new && !held.is_empty() && held[..count] == PREFACE[..count]
    }

    /// The next request, a part of one that did not come in time, or `None` when there is none.
    async fn next(&mut self, mut deadline: Instant) -> Option<Decision> {
        let mut known = 0;
        let mut blank = 0;
        let mut started = None;
        loop {
            if started.is_none() {
                blank += self.skip_empty_lines(MAX_BLANK - blank);
            }
            // Half of an empty line is no beginning either.
            if let Some(buffer) = self.held.as_ref().filter(|held| ***held != *b"\r") {
                let at = *started.get_or_insert_with(Instant::now);
                let is_long = buffer.filled >= self.listener.largest_head;
                let worth = known == 0 || is_long || may_be_complete(buffer, known);
                known = buffer.filled;
                if worth {
                    match self.decide(at) {
                        Decision::Partial => {}
                        decision => return Some(decision),
                    }
                }
                deadline = at + self.listener.head;
            }
            let from = &self.stream;
            let (core, held, waiting) = (&self.core, &mut self.held, &self.waiting);
            let (out, note) = (&mut self.out, &mut self.note);
            let (closing, ended) = (&self.listener.closing, self.ended);
            let reading = poll_fn(|cx| {
                let polled = from.poll_read(&core.heads, held, cx);
                if polled.is_ready() {
                    waiting.go_on();
                    return polled;
                }
                core.sheets.take_back(out, note);
                let is_over = match started {
                    Some(at) => waiting.wait_for_rest(cx, at),
                    None => waiting.wait(cx, ended, closing.get()),
                };
                if is_over { Poll::Ready(Ok(0)) } else { polled }
            });
            match self.timer.until(deadline, reading).await {
                Some(Ok(1..)) => {}
                Some(_) => return None,
                None if self.held.is_none() => return None,
                None => return Some(Decision::Partial),
            }
        }
    }

    /// Empty lines before a request are no request (RFC 9112 §2.2): who sends one behind a body
    /// waits for the next request all the same.
    fn skip_empty_lines(&mut self, most: usize) -> usize {
        let count = self.held.as_ref().map_or(0, |buffer| empty_lines(buffer).min(most));
        release(&mut self.held, count);
        count
    }

    fn decide(&mut self, started: Instant) -> Decision {
        self.core.sheets.lend(&mut self.out, &mut self.note);
        self.note.protocol = C::PROTOCOL;
        self.vouch();
        let (context, held, out, note) = self.parts(started);
        context.decide(held, out, note)
    }

    /// Settles what the client may say of others, where that is another thing than it was.
    fn vouch(&mut self) {
        let believed = self.listener.believed(&self.core);
        if self.vouching.1.as_ref().is_some_and(|it| Rc::ptr_eq(it, &believed)) {
            return;
        }
        let is_secure = self.tls.is_some() || believed.is_of_tls(self.reached);
        let scheme = if is_secure { Scheme::Https } else { Scheme::Http };
        self.vouching = (believed.vouching(self.peer).over(scheme), Some(believed));
    }

    /// What decides about requests, and what they are read from and written to.
    fn parts(
        &mut self,
        started: Instant,
    ) -> (Context<'_>, &mut Option<Buffer>, &mut Vec<u8>, &mut LentNote) {
        let believed = self.vouching.1.as_ref();
        let context = Context {
            core: &self.core,
            listener: &self.listener,
            client_lines: &self.client_lines,
            list: believed.map_or((USUAL_LIST, false), |it| (&*it.list, it.keeps_underscores)),
            vouching: &self.vouching.0,
            port: self.port(),
            strays: self
                .vouching
                .1
                .as_ref()
                .and_then(|it| Some((&**it.strays.as_ref()?, it.is_secure))),
            log: self.vouching.1.as_ref().and_then(|it| Some(&*it.log.as_ref()?.log)),
            tls: self.tls.as_deref(),
            started,
        };
        (context, &mut self.held, &mut self.out, &mut self.note)
    }

    /// The port that the client has asked at.
    fn port(&self) -> u16 {
        match (self.reached, &self.vouching.1) {
            (Some(reached), _) => reached.port(),
            (None, Some(believed)) if self.tls.is_none() => believed.port,
            (None, _) => SECURE.port,
        }
    }

    async fn proxy(&mut self, request: &mut Request, chosen: &Chosen, said: PassedFolded) -> After {
        let mut trace = Trace::default();
        let filters = Filters::Passed(said.clone());
        let attempted = self.attempt(request, chosen, filters, &mut trace).await;
        let Attempted { done, told, .. } = attempted;
        let is_passed = matches!(done, Done::Passed(_) | Done::Tunnelled(_));
        if !is_passed || Recent::keeps(told.status, None) {
            self.note_rewritten();
        }
        let (after, told) = match (done, said) {
            (Done::Answer(fault, stays), Some(said)) => {
                Box::pin(self.say_passed(fault, request, stays, &said)).await
            }
            (done, _) => self.conclude(done, told, request).await,
        };
        self.record(request, Some(&chosen.route), told, &trace);
        after
    }

    /// Tells an exchange what kind of client it is for, and lends it what is noted of heads.
    fn prepare(shows: bool, note: &mut Note, exchange: &mut Exchange<'_>) {
        if C::IS_DUPLEX {
            exchange.make_duplex();
        }
        if shows {
            exchange.keep_heads(note.heads.take().unwrap_or_default());
        }
    }

    /// Says what is to be said, and what was.
    async fn conclude(&mut self, done: Done, told: Told, request: &Request) -> (After, Told) {
        match done {
            Done::Passed(after) => {
                if matches!(after, After::Close) {
                    self.stream.say_farewell();
                }
                (after, told)
            }
            Done::Tunnelled(bytes) => {
                (After::Close, Told { bytes_out: told.bytes_out + bytes, ..told })
            }
            Done::Answer(fault, stays) => {
                let answer = Answer::fault(fault, request.wants_html);
                let (after, told) = Box::pin(self.send(&answer, request, stays)).await;
                (after, Told { why: Some(fault), ..told })
            }
            // Nobody has a hand in it.
            Done::Withheld => (After::Reset, told),
            Done::TunnelCut(bytes) => {
                let (bytes_out, why) = (told.bytes_out + bytes, Some(Fault::CutOff));
                (After::Reset, Told { bytes_out, why, ..told })
            }
            Done::Cut(fault, after) => {
                let status = if told.status == 0 { fault.status() } else { told.status };
                (after, Told { status, why: Some(fault), ..told })
            }
        }
    }

    async fn answer(
        &mut self,
        request: &Request,
        answer: &Answer,
        route: Option<&RouteState>,
    ) -> After {
        let stays = request.body.is_done() && request.keep_alive;
        self.details.clone_from(&answer.details);
        let (after, told) = self.send(answer, request, stays).await;
        self.record(request, route, told, &Trace::default());
        after
    }

    async fn send(&mut self, answer: &Answer, request: &Request, stays: bool) -> (After, Told) {
        let close = !stays || self.is_closing();
        // HTTP/1.0 would need to be told that the connection stays open.
        let close = close || request.asked.http10;
        self.out.clear();
        let (date, is_head) = (crate::tell::date::http_date(), request.asked.head);
        let id = self.name(answer.status, answer.why);
        let bytes_out = answer.write(&date, is_head, close, id, &mut self.out);
        let told = Told { status: answer.status, bytes_out, why: answer.why, ..Told::default() };
        self.note_answer();
        match self.write_out().await {
            false => (After::Close, told),
            true if close => (After::Linger, told),
            true => (After::Next, told),
        }
    }

    /// Writes an answer of our own; whether all of it was taken.
    async fn write_out(&mut self) -> bool {
        let stall = self.core.options().timeouts.write;
        let writing = self.stream.write_all(&self.out, stall);
        self.waiting.unless_pressed(writing).await.is_some_and(|outcome| outcome.is_ok())
    }

    /// The same with a body behind it. A large one may be what many are sent, and is not copied
    /// for any of them.
    async fn write_response_out(&mut self, body: Bytes) -> bool {
        if body.len() <= MOST_COPIED {
            self.out.extend_from_slice(&body);
            return self.write_out().await;
        }
        let stall = self.core.options().timeouts.write;
        self.write_out().await && {
            let writing = self.stream.write_all(&body, stall);
            self.waiting.unless_pressed(writing).await.is_some_and(|outcome| outcome.is_ok())
        }
    }

    /// What cannot be understood is answered, and that was it.
    async fn reject(&mut self, fault: Fault) -> After {
        let live = self.core.live();
        let scene = self.core.scene(&live);
        if let Some(recipes) = scene.own_recipes(&self.listener.point, self.tls.is_some()) {
            return self.reject_filtered(fault, recipes).await;
        }
        let answer = Answer::fault(fault, false);
        self.note.clear();
        self.out.clear();
        let date = crate::tell::date::http_date();
        let id = self.name(answer.status, answer.why);
        let bytes_out = answer.write(&date, false, true, id, &mut self.out);
        let is_sent = self.write_out().await;
        self.record_rejected(fault, bytes_out);
        if is_sent { After::Linger } else { After::Close }
    }

    /// Closes our side and reads on for a moment: closing with unread bytes would reset the
    /// connection, and the client might never see the answer. Who needs the place comes first.
    async fn linger(&mut self) {
        self.held = None;
        let from = &self.stream;
        if from.close().is_err() {
            return;
        }
        let (pool, waiting, answered) = (&self.core.bulk, &self.waiting, Instant::now());
        let mut slot = None;
        let patience = if self.core.draining.get() { LINGER_AT_END } else { LINGER };
        let _ = within(LINGER_TOTAL, async {
            loop {
                let reading = poll_fn(|cx| match from.poll_read(pool, &mut slot, cx) {
                    Poll::Pending if waiting.wait_for_rest(cx, answered) => Poll::Ready(Ok(0)),
                    polled => polled,
                });
                if within(patience, reading).await? == 0 {
                    return Ok(());
                }
                slot = None;
            }
        })
        .await;
    }

    fn is_closing(&self) -> bool {
        let is_outdated = self.tls.as_deref().is_some_and(Secured::is_outdated);
        is_outdated || self.age.is_over() || self.core.is_closing(&self.listener)
    }
}
