//! The gateway: what `io/gateway` does with sockets, done with pipes. All that is decided, the real
//! machines decide.

use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::time::{Duration, Instant};

use steelyard_model::routing::route::Manner;

use super::Broken;
use super::ask::Ask;
use super::endpoint::{Plan, Surplus, Then};
use super::pipe::End;
use super::world::{World, limits};
use crate::{
    After, Asked, Body, Clean, Exchange, Framing, Hop, Loan, RequestHead, Semicolons, Slots,
    Spelling, Terms, USUAL_LIST, Verdict, Watch, client_lines, empty_lines, release,
};

/// A client's connection, as the gateway has it.
pub(super) struct Connection {
    pipe: usize,
    held: Option<Buffer>,
    state: State,
    /// Until when it waits for something.
    pub(super) deadline: Option<Instant>,
    blank: usize,
}

enum State {
    /// For the next request, of which something came at this moment.
    Waiting(Option<Instant>),
    Exchanging(Box<Running>),
    /// Bytes of our own, how many were written, and what comes then.
    Answering(Vec<u8>, usize, After),
    /// Since it began, and since it was not silent.
    Lingering(Instant, Instant),
    Closed,
}

struct Running {
    exchange: Exchange<Rc<[u8]>, Buffer>,
    id: usize,
    endpoint: usize,
    /// The connection was in the pool.
    pooled: bool,
    /// When the client closed its side.
    closed: Option<Instant>,
}

/// A buffer of few bytes.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    size: usize,
}

/// Heads fit, if barely.
const HEADS: usize = 1200;
const LINGER: Duration = Duration::from_secs(5);

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Loan for Buffer {
    fn consume(&mut self, count: usize) {
        self.bytes.drain(..count);
    }

    fn is_full(&self) -> bool {
        self.bytes.len() == self.size
    }
}

/// What reading brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Got {
    Nothing,
    Bytes,
    End,
    Break,
}

fn read(slot: &mut Option<Buffer>, size: usize, pipe: usize, at: End, world: &mut World) -> Got {
    let room = slot.as_ref().map_or(size, |buffer| buffer.size - buffer.len());
    match world.stage.pipes[pipe].read(at, room, &mut world.stage.chance) {
        None => Got::Nothing,
        Some(Err(())) => Got::Break,
        Some(Ok(bytes)) if bytes.is_empty() => Got::End,
        Some(Ok(bytes)) => {
            slot.get_or_insert(Buffer { bytes: Vec::new(), size }).bytes.extend(bytes);
            Got::Bytes
        }
    }
}

impl Connection {
    pub(super) fn new(pipe: usize) -> Self {
        Self { pipe, held: None, state: State::Waiting(None), deadline: None, blank: 0 }
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// What it is at, for the story.
    pub(super) fn at(&self) -> String {
        match &self.state {
            State::Waiting(_) => "waits".to_owned(),
            State::Exchanging(running) => format!("is at {}", running.id),
            State::Answering(..) => "answers".to_owned(),
            State::Lingering(..) => "lingers".to_owned(),
            State::Closed => "is closed".to_owned(),
        }
    }

    /// Does something; whether it could.
    pub(super) fn turn(&mut self, world: &mut World) -> bool {
        self.deadline = None;
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Waiting(since) => self.wait(since, world),
            State::Exchanging(running) => self.exchange(running, world),
            State::Answering(bytes, wrote, after) => self.answer(bytes, wrote, after, world),
            State::Lingering(began, heard) => self.linger(began, heard, world),
            State::Closed => false,
        }
    }

    fn wait(&mut self, since: Option<Instant>, world: &mut World) -> bool {
        self.state = State::Waiting(since);
        if since.is_none() && world.stage.broken != Some(Broken::BlankIsRequest) {
            let blank = self.held.as_ref().map_or(0, |it| empty_lines(it).min(8 - self.blank));
            self.blank += blank;
            release(&mut self.held, blank);
        }
        let begun = self.held.as_ref().is_some_and(|it| **it != *b"\r");
        if begun || world.stage.broken == Some(Broken::BlankIsRequest) && self.held.is_some() {
            let since = since.unwrap_or(world.stage.now);
            self.state = State::Waiting(Some(since));
            if self.parse(world) {
                self.blank = 0;
                return true;
            }
            if since + HEAD_LIMIT <= world.stage.now {
                return self.refuse(408, world);
            }
            self.deadline = Some(since + HEAD_LIMIT);
        }
        match read(&mut self.held, HEADS, self.pipe, End::Far, world) {
            Got::Nothing => false,
            Got::Bytes => true,
            Got::End | Got::Break => self.then(After::Close, world),
        }
    }

    /// Takes a whole head, if there is one.
    fn parse(&mut self, world: &mut World) -> bool {
        let Some(buffer) = &mut self.held else { return false };
        let mut slots = Slots::default();
        let head = match RequestHead::parse(buffer, &mut slots) {
            Ok(Some(head)) => head,
            Ok(None) if !buffer.is_full() => return false,
            Ok(None) => return self.refuse(431, world),
            Err(reject) => return self.refuse(reject.status(), world),
        };
        let lines = client_lines([192, 0, 2, 1].into(), "sim", "sim");
        let hop = Hop {
            client_lines: &lines,
            list: USUAL_LIST,
            keeps_underscores: false,
            fallback_host: "sim",
            path: Spelling::Normal,
            semicolons: Semicolons::Split,
            manner: Manner::Traefik,
            port: 80,
        };
        let mut opening = Vec::new();
        head.forward(&hop, None, &mut opening);
        let asked =
            Asked { head: head.method == "HEAD", http10: head.is_http10, upgrade: head.upgrade };
        let terms = Terms {
            asked,
            keep_alive: head.keep_alive,
            idempotent: head.is_idempotent(),
            has_body: head.framing != Framing::None,
            expects: !head.is_http10 && head.header("expect").is_some(),
        };
        let id = head.header("x-id").and_then(|id| str::from_utf8(id).ok()?.parse().ok());
        let Some(id) = id else {
            world.stage.fail("the gateway reads a request that nobody made".to_owned());
            return true;
        };
        let (mut body, mut consumed) = (Body::new(head.framing), head.len);
        if !body.is_done() {
            let Ok(fed) = body.feed(&mut buffer[consumed..]) else {
                return self.refuse(400, world);
            };
            opening.extend_from_slice(&buffer[consumed..consumed + fed.forward]);
            opening.extend_from_slice(&fed.closing);
            consumed += fed.consumed;
        }
        release(&mut self.held, consumed);
        let held = self.held.take();
        let exchange = Exchange::new(terms, limits(), opening.into(), body, held, Vec::new());
        let running = Running { exchange, id, endpoint: 0, pooled: false, closed: None };
        self.attempt(Box::new(running), true, world);
        true
    }

    fn attempt(&mut self, mut running: Box<Running>, pooled: bool, world: &mut World) {
        let known = if pooled { world.checkout() } else { None };
        running.pooled = known.is_some();
        running.endpoint = known.map_or_else(|| world.dial(), Clean::into_inner);
        world.stage.asks[running.id].pipes.push(running.endpoint);
        world.stage.note(|| format!("{} goes over pipe {}", running.id, running.endpoint));
        running.exchange.begin();
        self.state = State::Exchanging(running);
    }

    fn exchange(&mut self, mut running: Box<Running>, world: &mut World) -> bool {
        let mut moved = running.step(self.pipe, world);
        if !moved && !running.exchange.is_over() && running.exchange.is_limited() {
            self.deadline = running.exchange.wait(world.stage.now);
            moved = running.exchange.is_over();
        }
        if running.exchange.is_over() {
            self.conclude(running, world);
            return true;
        }
        self.state = State::Exchanging(running);
        moved
    }

    fn conclude(&mut self, mut running: Box<Running>, world: &mut World) {
        let verdict = running.exchange.verdict();
        world.stage.note(|| format!("{} over pipe {}: {verdict:?}", running.id, running.endpoint));
        let clean = running.exchange.settle(running.endpoint);
        running.settle(clean, verdict, world);
        let mut verdict = verdict;
        if world.stage.broken == Some(Broken::SentTwice)
            && matches!(verdict, Verdict::Answer { why: crate::Break::EndpointClosed, .. })
        {
            verdict = Verdict::Retry(crate::Break::EndpointClosed);
        }
        let (pooled, stays) = (running.pooled, running.exchange.may_stay());
        match verdict {
            Verdict::Retry(_) if pooled => self.attempt(running, false, world),
            Verdict::Retry(_) | Verdict::Answer { .. } => {
                let stays = match verdict {
                    Verdict::Answer { stays, .. } => stays,
                    _ => stays,
                };
                let stays = stays && !world.stage.asks[running.id].http10;
                self.held = running.exchange.take_parts().0;
                self.say(502, stays, world);
            }
            Verdict::Passed(after) | Verdict::Cut(_, after) => {
                self.held = running.exchange.take_parts().0;
                if world.stage.broken == Some(Broken::LosesAhead) {
                    self.held = None;
                }
                self.then(after, world);
            }
            Verdict::Switched => world.stage.fail("nobody asked to switch".to_owned()),
        }
    }

    fn refuse(&mut self, status: u16, world: &mut World) -> bool {
        self.say(status, false, world);
        true
    }

    fn say(&mut self, status: u16, stays: bool, world: &World) {
        let close = if stays { "" } else { "Connection: close\r\n" };
        let answer =
            format!("HTTP/1.1 {status} X\r\nX-Gateway: 1\r\nContent-Length: 0\r\n{close}\r\n");
        let after = if stays { After::Next } else { After::Linger };
        world.stage.note(|| format!("the gateway says {status}"));
        self.state = State::Answering(answer.into_bytes(), 0, after);
    }

    fn answer(&mut self, bytes: Vec<u8>, wrote: usize, after: After, world: &mut World) -> bool {
        let pipe = &mut world.stage.pipes[self.pipe];
        let (moved, wrote) = match pipe.write(End::Far, &bytes[wrote..], &mut world.stage.chance) {
            None => (false, wrote),
            Some(Err(())) => return self.then(After::Close, world),
            Some(Ok(count)) => (true, wrote + count),
        };
        if wrote == bytes.len() {
            return self.then(after, world);
        }
        self.state = State::Answering(bytes, wrote, after);
        moved
    }

    fn then(&mut self, after: After, world: &mut World) -> bool {
        let pipe = &mut world.stage.pipes[self.pipe];
        let after = match (after, world.stage.broken) {
            (After::Linger, Some(Broken::NoLinger)) => After::Close,
            (after, _) => after,
        };
        self.state = match after {
            After::Next => State::Waiting(None),
            After::Close => {
                pipe.close(End::Far);
                State::Closed
            }
            After::Reset => {
                pipe.reset_by(End::Far);
                State::Closed
            }
            After::Linger => {
                self.held = None;
                pipe.shut(End::Far);
                State::Lingering(world.stage.now, world.stage.now)
            }
        };
        true
    }

    fn linger(&mut self, began: Instant, heard: Instant, world: &mut World) -> bool {
        let until = (heard + LINGER).min(began + LINGER * 6);
        self.held = None;
        match read(&mut self.held, HEADS, self.pipe, End::Far, world) {
            Got::Bytes => self.state = State::Lingering(began, world.stage.now),
            Got::End | Got::Break => return self.then(After::Close, world),
            Got::Nothing if until <= world.stage.now => return self.then(After::Close, world),
            Got::Nothing => {
                self.state = State::Lingering(began, heard);
                self.deadline = Some(until);
                return false;
            }
        }
        true
    }
}

/// For a request's head.
const HEAD_LIMIT: Duration = Duration::from_secs(60);

impl Running {
    /// What is possible, in the order in which `io/gateway` does it.
    fn step(&mut self, client: usize, world: &mut World) -> bool {
        let mut moved = false;
        moved |= self.write_endpoint(world);
        moved |= self.write_client(client, world);
        moved |= self.read_endpoint(world);
        moved |= self.read_client(client, world);
        moved
    }

    fn write_endpoint(&mut self, world: &mut World) -> bool {
        let bytes = self.exchange.to_endpoint().concat();
        if bytes.is_empty() {
            return false;
        }
        match world.stage.pipes[self.endpoint].write(End::Near, &bytes, &mut world.stage.chance) {
            None => return false,
            Some(Ok(count)) => self.exchange.wrote_to_endpoint(count),
            Some(Err(())) => self.exchange.endpoint_refuses(),
        }
        true
    }

    fn write_client(&mut self, client: usize, world: &mut World) -> bool {
        let mut bytes = self.exchange.to_client().concat();
        if bytes.is_empty() {
            return false;
        }
        if world.stage.broken == Some(Broken::SilentClose) {
            let line = b"Connection: close";
            if let Some(at) = bytes.windows(line.len()).position(|it| it == line) {
                bytes[at..at + 10].copy_from_slice(b"X-onection");
            }
        }
        match world.stage.pipes[client].write(End::Far, &bytes, &mut world.stage.chance) {
            None => return false,
            Some(Ok(count)) => self.exchange.wrote_to_client(count),
            Some(Err(())) => self.exchange.client_broke(),
        }
        true
    }

    fn read_endpoint(&mut self, world: &mut World) -> bool {
        if !self.exchange.reads_endpoint() {
            return false;
        }
        let size = if self.exchange.endpoint_sends_body() { world.stage.bulk } else { HEADS };
        match read(self.exchange.endpoint_slot(), size, self.endpoint, End::Near, world) {
            Got::Nothing => return false,
            Got::Bytes => self.exchange.endpoint_sent(),
            Got::End => self.exchange.endpoint_ended(),
            Got::Break => self.exchange.endpoint_broke(),
        }
        true
    }

    fn read_client(&mut self, client: usize, world: &mut World) -> bool {
        if self.exchange.is_over() {
            return false;
        }
        let limit = limits().half_closed;
        let late = self.closed.is_some_and(|at| at + limit <= world.stage.now);
        if world.stage.broken == Some(Broken::CutsHalfClosed) && late {
            self.exchange.client_broke();
            return true;
        }
        let watch = self.exchange.watch();
        let (reset, ended) =
            (world.stage.pipes[client].reset, world.stage.pipes[client].is_ended(End::Far));
        let got = match watch {
            Watch::Bytes => {
                let size = if self.exchange.client_sends_body() { world.stage.bulk } else { HEADS };
                read(self.exchange.client_slot(), size, client, End::Far, world)
            }
            _ if world.stage.broken == Some(Broken::DeafWhenAhead) => Got::Nothing,
            _ if reset => Got::Break,
            Watch::End if ended => Got::End,
            _ => Got::Nothing,
        };
        match got {
            Got::Nothing => return false,
            Got::Bytes => self.exchange.client_sent(),
            Got::End => {
                self.closed = Some(world.stage.now);
                self.exchange.client_ended();
            }
            Got::Break => self.exchange.client_broke(),
        }
        true
    }

    /// Gives the connection back if the machine does, and holds that against what the endpoint
    /// knows.
    fn settle(&self, clean: Option<Clean<usize>>, verdict: Verdict, world: &mut World) {
        let pipe = self.endpoint;
        let ask = world.stage.asks[self.id].clone();
        let plan = world.plan_at(pipe, self.id);
        let passed = matches!(verdict, Verdict::Passed(_));
        let clean = self.break_rule(clean, passed, &ask, plan, world);
        match clean {
            Some(clean) => world.stage.pool.push(clean),
            None => {
                if passed && world.is_untouched(pipe, self.id) {
                    world
                        .stage
                        .fail(format!("pipe {pipe} could have been used again after {}", self.id));
                }
                world.stage.pipes[pipe].close(End::Near);
            }
        }
        let stays = !ask.close;
        let late = plan.is_some_and(|it| it.answers_late() && it.has_end(ask.http10));
        if let Verdict::Passed(after) = verdict
            && stays
            && late
            && after != After::Next
        {
            world.stage.fail(format!("the client of {} is sent away without a reason", self.id));
        }
    }

    /// What the rule that is broken would have done.
    fn break_rule(
        &self,
        clean: Option<Clean<usize>>,
        passed: bool,
        ask: &Ask,
        plan: Option<Plan>,
        world: &mut World,
    ) -> Option<Clean<usize>> {
        let (pipe, Some(rule)) = (self.endpoint, world.stage.broken.filter(|_| passed)) else {
            return clean;
        };
        let stays = plan.is_none_or(|it| it.then == Then::Stay);
        let surplus = plan.is_some_and(|it| it.surplus == Surplus::With);
        let forge = match rule {
            Broken::NeverReuse => return None,
            Broken::ReuseHalfWritten => stays && !surplus && !world.has_whole(pipe),
            Broken::ReuseWithSurplus if surplus && stays => {
                let most = usize::MAX;
                let _ = world.stage.pipes[pipe].read(End::Near, most, &mut world.stage.chance);
                true
            }
            Broken::ReusePending => stays && ask.expects && !surplus && world.has_whole(pipe),
            _ => false,
        };
        if forge { Some(Clean::forged(pipe)) } else { clean }
    }
}
