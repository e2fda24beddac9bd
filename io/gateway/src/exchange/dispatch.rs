//! One request at its backends: an endpoint is picked, a connection taken or made, and another
//! one tried where that loses nothing.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steelyard_filters::PassedFolded;
use steelyard_http::{After, Break, Clean, Verdict};
use steelyard_model::routing::route::Manner;

use crate::core::Core;
use crate::core::listener::Listener;
use crate::core::live::{BackendState, Chosen, Leaf, PastAttempts, Picked, RequestTimes, Target};
use crate::exchange::aside::Aside;
use crate::exchange::drive::{Exchange, Place, Tap};
use crate::exchange::tunnel::tunnel;
use crate::shared::standing::EndpointStanding;
use crate::tell::fault::{Detail, Failed, Fault};
use crate::up::Origin;
use crate::up::h2::Errand;
use crate::up::reach::Reached;
use crate::up::upstream::{Doubt, Upstream};
use crate::wire::Wire;

/// One request at its backends.
pub(crate) struct Dispatch<'c, 'r, T, C> {
    pub(crate) place: Place<'c>,
    pub(crate) client: &'c C,
    pub(crate) exchange: Exchange<'r>,
    pub(crate) started: Instant,
    /// How long what may take, and when the present attempt is to be over.
    pub(crate) times: RequestTimes,
    pub(crate) attempt_due: Option<Instant>,
    pub(crate) trace: Trace,
    /// Who has a hand in it.
    pub(crate) tap: T,
    /// What filters change about the response that need not see it; nobody else does then.
    pub(crate) said: PassedFolded,
    /// What is done beside it, if anything is.
    pub(crate) aside: Option<Box<Aside>>,
}

/// How often one endpoint may say that it has not looked at a request.
const MOST_DECLINED: usize = 8;

/// The endpoint that is tried.
#[derive(Clone, Copy)]
struct Tried<'t> {
    service: &'t BackendState,
    /// What all cores share of it.
    standing: &'t EndpointStanding,
}

/// Where a request went, for the log.
#[derive(Default)]
pub(crate) struct Trace {
    /// The backend whose endpoints were tried.
    pub(crate) service: Option<Rc<BackendState>>,
    pub(crate) endpoint: Option<Rc<Upstream>>,
    pub(crate) retries: u32,
    /// Where it came to nothing.
    pub(crate) past: Option<Rc<PastAttempts>>,
    /// What became of attempts that failed: the first few of them.
    pub(crate) failed: Vec<FailedAttempt>,
    /// When the request was sent to the endpoint; known when it is logged.
    pub(crate) sent: Option<Instant>,
    /// How long connecting took, of what is told in ingress-nginx's words.
    pub(crate) connecting: Duration,
    /// When something of the answer came first, of the same.
    pub(crate) heard: Option<Instant>,
    /// Whether it is told in ingress-nginx's words.
    is_of_nginx: bool,
}

/// An attempt that came to nothing.
#[derive(Debug)]
pub(crate) struct FailedAttempt {
    endpoint: Arc<str>,
    fault: Fault,
    detail: Option<String>,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Done {
    /// It was answered, and the client's connection goes on or ends so.
    Passed(After),
    /// It became a tunnel, which has ended; so many bytes went to the client.
    Tunnelled(u64),
    /// The same, which had all the time it gets.
    TunnelCut(u64),
    /// The client is to be told; its connection may stay open afterwards.
    Answer(Fault, bool),
    /// Nothing can be said any more.
    Cut(Fault, After),
    /// The response does not go on: who has a hand in it knows what does.
    Withheld,
}

/// An attempt that is over: the request's end, or why another one may be made.
type Attempt = Result<Done, Failed>;

impl<T: Tap, C: Wire> Dispatch<'_, '_, T, C> {
    /// Tries the endpoints that were picked until one answers.
    pub(crate) async fn run(&mut self, Chosen { route, picked }: &Chosen) -> Done {
        let core = self.place.core;
        let Picked::Leaf(leaf) = picked else {
            let failed = Failed::new(Fault::NoEndpoints);
            core.warn(&failed, &route.name, "");
            return Done::Answer(failed.fault, self.exchange.may_stay());
        };
        let service = &leaf.backend;
        self.trace.service = Some(service.clone());
        self.trace.is_of_nginx = route.manner() == Manner::Nginx;
        service.budget.earn();
        match self.at_any(leaf).await {
            Err(failed) if failed.fault == Fault::Full => {
                Box::pin(self.when_there_is_room(leaf, failed)).await
            }
            Err(failed) => Done::Answer(failed.fault, self.exchange.may_stay()),
            Ok(done) => done,
        }
    }

    /// Nobody has got anything, since all have as much as they may: there may be a place soon.
    async fn when_there_is_room(&mut self, leaf: &Leaf, mut failed: Failed) -> Done {
        let service = &leaf.backend;
        let began = Instant::now();
        let mut waiting = None;
        loop {
            let most = service.care().most.filter(|most| since(began) < most.patience);
            if let (Some(most), Some(line), None) = (most, service.line(), &waiting) {
                waiting = line.join(most);
            }
            let Some(waiter) = waiting.as_ref().filter(|_| most.is_some()) else {
                self.place.core.warn(&failed, &service.name, "");
                return Done::Answer(failed.fault, self.exchange.may_stay());
            };
            if let Some(due) = self.times.due {
                if tokio::time::timeout_at(due.into(), waiter.wait()).await.is_err() {
                    return Done::Answer(Fault::UpstreamTimeout, self.exchange.may_stay());
                }
            } else {
                waiter.wait().await;
            }
            failed = match self.at_any(leaf).await {
                Err(failed) if failed.fault == Fault::Full => failed,
                Err(failed) => return Done::Answer(failed.fault, self.exchange.may_stay()),
                Ok(done) => return done,
            };
        }
    }

    /// Tries those of the endpoints that may be asked, each once at most.
    async fn at_any(&mut self, leaf: &Leaf) -> Attempt {
        let (mut last, mut attempts) = (None, 0_u32);
        let past = self.trace.past.clone();
        for index in leaf.attempts_after(past.as_deref()) {
            let Some(seat) = leaf.seat(index) else {
                last = last.or_else(|| Some(Failed::new(Fault::Full)));
                continue;
            };
            if attempts > 0 && !self.may_go_on(&leaf.backend) {
                break;
            }
            attempts += 1;
            self.exchange.change_response(self.said.clone().or_else(|| leaf.changes(index)));
            self.exchange.ask_by(leaf.host(index).as_deref(), leaf.backend.below().as_deref());
            self.exchange.answer_within(leaf.backend.times().answer);
            let began = seat.is_some().then(Instant::now);
            let tried = Tried { service: &leaf.backend, standing: leaf.standing(index) };
            let attempt = match leaf.target(index) {
                Target::Address(upstream) => self.at(tried, upstream, None).await,
                Target::Name(name, port) => Box::pin(self.at_name(tried, name, *port)).await,
            };
            if let (Some(began), Ok(Done::Passed(_))) = (began, &attempt) {
                let now = Instant::now();
                let took = now.saturating_duration_since(began);
                leaf.standing(index).answered_in(took, now);
            }
            drop(seat);
            if !matches!(&attempt, Ok(Done::Passed(_) | Done::Tunnelled(_))) {
                leaf.note(index, &mut self.trace.past);
            }
            match attempt {
                Err(failed) => last = Some(failed),
                done => return done,
            }
        }
        Err(last.unwrap_or_else(|| {
            let failed = Failed::new(Fault::NoneFit);
            self.place.core.warn(&failed, &leaf.backend.name, "");
            failed
        }))
    }

    /// Whether one more endpoint may be tried.
    fn may_go_on(&mut self, service: &BackendState) -> bool {
        let (core, now) = (self.place.core, Instant::now());
        let limit = core.options().timeouts.connect_all;
        if now.saturating_duration_since(self.started) > limit || self.times.is_over(now) {
            return false;
        }
        if !service.budget.spend(now) {
            core.counters.count_unspent(&service.name);
            return false;
        }
        self.trace.retries += 1;
        if service.is_known() {
            core.counters.count_retry(&service.name);
        }
        true
    }

    /// How long connecting may take.
    fn connect_limit(&self, service: &BackendState) -> Duration {
        let usual = self.place.core.options().timeouts.connect;
        self.times.connect(service.times().connect.unwrap_or(usual), self.attempt_due)
    }

    async fn at_name(&mut self, tried: Tried<'_>, name: &Arc<str>, port: u16) -> Attempt {
        let core = self.place.core;
        let limit = self.connect_limit(tried.service);
        let addresses = match core.upstreams.resolve(name, port, Instant::now(), limit).await {
            Ok(addresses) => addresses,
            Err(error) => {
                let failed = Failed { fault: Fault::Unresolved, detail: Some(error.into()) };
                core.warn(&failed, &tried.service.name, name);
                self.trace.note(name, &failed);
                return Err(failed);
            }
        };
        let mut last = Failed::new(Fault::Unresolved);
        for address in addresses.iter() {
            match self.at(tried, &core.upstreams.at(*address), Some(name)).await {
                Err(failed) => last = failed,
                done => return done,
            }
        }
        Err(last)
    }

    /// `host` is what the endpoint is known as, where that is no address.
    #[allow(clippy::manual_async_fn, reason = "a future has what an async fn takes twice")]
    fn at(
        &mut self,
        tried: Tried<'_>,
        upstream: &Rc<Upstream>,
        host: Option<&str>,
    ) -> impl Future<Output = Attempt> {
        async move {
            self.attempt_due = self.times.attempt();
            let upstream = tried.service.origin(upstream, host);
            self.trace.endpoint = Some(upstream.clone());
            // What switches protocols needs a connection of its own.
            let may_share = tried.service.may_share() && self.exchange.upgrade().is_empty();
            if may_share && !upstream.is_alone() {
                return Box::pin(self.at_sessions(tried, &upstream)).await;
            }
            let core = self.place.core;
            let doubt = Doubt {
                is_repeatable: self.exchange.is_repeatable(),
                now: core.tick.get(),
                terms: self.times.reuse(tried.service.times().idle),
            };
            let mut kept = upstream.checkout(doubt).map(Clean::into_inner);
            loop {
                let (stream, is_fresh) = match kept.take() {
                    Some(kept) => (kept, false),
                    None => {
                        let limit = self.connect_limit(tried.service);
                        let begun = self.trace.is_of_nginx.then(Instant::now);
                        let connected = Box::pin(upstream.connect(limit)).await;
                        self.trace.connecting = begun.map(since).unwrap_or_default();
                        match self.met(connected, tried) {
                            Ok(stream) => (stream, true),
                            Err(failed) => return self.told(Err(failed), tried, &upstream),
                        }
                    }
                };
                let attempt = self.over(stream, tried, &upstream).await;
                if is_fresh {
                    return self.told(attempt, tried, &upstream);
                }
                // It may have been closed in the moment it was taken: a fresh one tells.
                if attempt.is_ok() {
                    return attempt;
                }
            }
        }
    }

    /// The same over connections that requests share. What was not looked at may be sent again, and
    /// again: an endpoint that goes away says so to all that came too late.
    async fn at_sessions(&mut self, tried: Tried<'_>, upstream: &Upstream) -> Attempt {
        let limit = self.connect_limit(tried.service);
        for _ in 0..MOST_DECLINED {
            let now = self.place.core.tick.get();
            let most_idle = self.times.reuse(tried.service.times().idle).idle;
            let errand = match upstream.place(now, most_idle) {
                Some(errand) => errand,
                None => match upstream.reach(limit).await {
                    Ok(Reached::Shared(errand)) => errand,
                    reached => return self.reached(reached, tried, upstream).await,
                },
            };
            match self.over(errand, tried, upstream).await {
                Err(_) if self.exchange.is_declined() => {}
                // It may have been closed in the moment it was taken: a fresh one tells.
                Err(_) => break,
                done => return done,
            }
        }
        let reached = upstream.reach(limit).await;
        self.reached(reached, tried, upstream).await
    }

    /// Sends the request over what was made for it, whatever that came to be.
    async fn reached(
        &mut self,
        reached: io::Result<Reached>,
        tried: Tried<'_>,
        upstream: &Upstream,
    ) -> Attempt {
        match reached {
            Ok(Reached::Shared(errand)) => self.fresh(Ok(errand), tried, upstream).await,
            Ok(Reached::Alone(stream)) => self.fresh(Ok(stream), tried, upstream).await,
            Err(error) => self.fresh::<Errand>(Err(error), tried, upstream).await,
        }
    }

    /// Sends the request over what was made for it.
    async fn fresh<E: Origin>(
        &mut self,
        connected: io::Result<E>,
        tried: Tried<'_>,
        upstream: &Upstream,
    ) -> Attempt {
        let attempt = match self.met(connected, tried) {
            Ok(origin) => self.over(origin, tried, upstream).await,
            Err(failed) => Err(failed),
        };
        self.told(attempt, tried, upstream)
    }

    /// What was made for the request, if it was.
    fn met<E>(&self, connected: io::Result<E>, tried: Tried<'_>) -> Result<E, Failed> {
        tried.standing.connected(Instant::now(), &connected);
        connected.map_err(Failed::connect)
    }

    /// Says why an attempt failed.
    fn told(&mut self, attempt: Attempt, tried: Tried<'_>, upstream: &Upstream) -> Attempt {
        attempt.inspect_err(|failed| {
            self.place.core.warn(failed, &tried.service.name, &upstream.label);
            self.trace.note(&upstream.label, failed);
        })
    }

    /// Sends the request over `stream` and passes the response on.
    #[allow(clippy::manual_async_fn, reason = "a future has what an async fn takes twice")]
    fn over<E: Origin>(
        &mut self,
        stream: E,
        tried: Tried<'_>,
        upstream: &Upstream,
    ) -> impl Future<Output = Attempt> {
        async move {
            let core = self.place.core;
            let _has_it = upstream.tally.begin();
            let is_of_nginx = self.trace.is_of_nginx;
            let is_told = is_of_nginx || core.logs() || core.tracer.is_some();
            self.trace.sent = is_told.then(Instant::now);
            self.place.heard.begin(is_of_nginx);
            self.exchange.begin();
            self.exchange.end_by(self.attempt_due);
            let said = loop {
                let (exchange, client, tap) = (&mut self.exchange, self.client, &mut self.tap);
                let said = self.place.drive(exchange, client, &stream, tap).await;
                if !exchange.is_held() {
                    break said;
                }
                let goes_on = if self.is_rescued() {
                    self.exchange.discard();
                    false
                } else {
                    self.tap.look(&mut self.exchange, client).await
                };
                if !goes_on {
                    let exchange = &mut self.exchange;
                    if let Some(clean) = exchange.settle(stream) {
                        E::give_back(clean, upstream, core.tick.get());
                    }
                    return Ok(Done::Withheld);
                }
            };
            self.trace.heard = self.place.heard.at();
            let line = self.exchange.to_blame().map(Box::new).map(Detail::Line);
            let detail = line.or_else(|| said.map(Detail::from));
            let verdict = self.exchange.verdict();
            if verdict == Verdict::Switched {
                let ahead = self.exchange.take_ahead();
                let at: (&Core, &Listener) = (core, self.place.listener);
                let tunnel = Box::pin(tunnel(at, self.client, stream, ahead, self.times.idle()));
                return Ok(match tunnel.await {
                    (bytes, true) => Done::TunnelCut(bytes),
                    (bytes, false) => Done::Tunnelled(bytes),
                });
            }
            if let Some(clean) = self.exchange.settle(stream) {
                E::give_back(clean, upstream, core.tick.get());
            }
            let done = match verdict {
                Verdict::Passed(after) => {
                    tried.standing.answered(core.tick.get(), self.exchange.status());
                    return Ok(Done::Passed(after));
                }
                Verdict::Switched => return Ok(Done::Passed(After::Close)),
                Verdict::Retry(why) => return Err(Failed::over(why.into(), detail)),
                Verdict::Answer { why, stays } => {
                    let failed = Failed::over(why.into(), detail);
                    let done = Done::Answer(failed.fault, stays);
                    self.warn(&done, failed.detail, tried, upstream);
                    return Ok(done);
                }
                Verdict::Cut(why, after) => Done::Cut(why.into(), after),
            };
            self.warn(&done, detail, tried, upstream);
            Ok(done)
        }
    }

    fn warn(&mut self, done: &Done, detail: Option<Detail>, tried: Tried<'_>, upstream: &Upstream) {
        if let Done::Answer(fault, _) | Done::Cut(fault, _) = done
            && fault.is_ours()
        {
            let failed = Failed { fault: *fault, detail };
            self.place.core.warn(&failed, &tried.service.name, &upstream.label);
            self.trace.note(&upstream.label, &failed);
        }
    }
}

/// Most attempts that are told of one by one.
const MOST_TOLD: usize = 4;

impl Trace {
    fn note(&mut self, endpoint: &Arc<str>, failed: &Failed) {
        if self.failed.len() < MOST_TOLD {
            let (endpoint, fault) = (endpoint.clone(), failed.fault);
            let detail = failed.detail.as_ref().map(ToString::to_string);
            self.failed.push(FailedAttempt { endpoint, fault, detail });
        }
    }
}

impl fmt::Display for FailedAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, fault, detail } = self;
        write!(f, "{endpoint}: {}", fault.reason())?;
        match detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl From<Break> for Fault {
    fn from(why: Break) -> Self {
        match why {
            Break::ClientGone => Self::ClientGone,
            Break::RequestTimeout => Self::RequestTimeout,
            Break::MadeRoom => Self::MadeRoom,
            Break::CutOff => Self::CutOff,
            Break::Rejected(reject) => Self::Rejected(reject),
            Break::EndpointClosed => Self::UpstreamClosed,
            Break::EndpointTimeout => Self::UpstreamTimeout,
            Break::BadResponse(bad) => Self::BadResponse(bad),
            Break::GivenUp => Self::GivenUp,
        }
    }
}

/// Time since the request came in.
fn since(started: Instant) -> Duration {
    Instant::now().saturating_duration_since(started)
}
