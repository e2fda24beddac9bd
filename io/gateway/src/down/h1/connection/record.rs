//! What is told of a request that is over: to the access log, to counters, to a trace.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use steelyard_http::{AttemptSpan, Authority, InnerSpan, RequestSpan};
use steelyard_model::routing::id::FilterId;
use steelyard_model::routing::route::{Destination, Manner};

use super::{Connection, Told};
use crate::core::Core;
use crate::core::live::{BackendState, Live, RouteState};
use crate::down::h1::decision::Decision;
use crate::down::h1::request::Request;
use crate::exchange::dispatch::Trace;
use crate::tell::access_log::{Entry, NginxEntry, NginxLogging};
use crate::tell::fault::Fault;
use crate::tell::metrics::{Finished, LabelsRef};
use crate::tell::nginx_totals::{AskedTimes, NginxFinished};
use crate::tell::recent::{Recent, Unkept};
use crate::tell::request_id::RequestId;
use crate::tell::tracer::{Passed, Traced, Tracer, captured, part_of};
use crate::wire::Wire;

/// What a request is called that was not answered with success, and more of what went wrong.
struct Called {
    id: Option<RequestId>,
    /// The trace it is part of, and our part of it.
    traced: Option<(u128, u64)>,
    details: Vec<String>,
    client: IpAddr,
    /// The place of the filter that answered.
    frame: Option<usize>,
}

/// Whether the log or traces show lines of heads.
fn shows_headers(core: &Core) -> bool {
    core.log.as_ref().is_some_and(|log| log.wanted().is_some())
        || core.tracer.as_ref().is_some_and(|tracer| !tracer.lines[1].is_empty())
}

/// What a request that began at `started` went through on its way to `route`, as a trace that tells
/// all of it does: the route, what it passed, and the backend.
fn inner(
    traced: &Traced,
    tracer: &Tracer,
    started: Instant,
    route: Option<&RouteState>,
    (live, labels): (&Live, &LabelsRef<'_>),
) -> Vec<InnerSpan> {
    let filters = &live.config.routing.filters;
    let part = |name, about, at: Instant| {
        let after = at.saturating_duration_since(started);
        InnerSpan { span: tracer.number(), name, about, after }
    };
    let service = labels.service.map(|name| ("traefik.service.name", name.to_string()));
    let router = labels.router.map(|name| {
        let name = ("traefik.router.name", name.to_string());
        part("Router", [name].into_iter().chain(service.clone()).collect(), started)
    });
    let filter = |id: &FilterId, at: Instant| {
        let name = filters.get(id).map_or("Middleware", |node| part_of(&node.filter));
        part(name, vec![("traefik.middleware.name", id.to_string())], at)
    };
    let mut all = Vec::from_iter(router);
    let Passed { filters: passed, inside } = &traced.passed;
    let was_at_once = passed.is_empty() && inside.is_none();
    if let Some(route) = route.filter(|_| was_at_once) {
        // All of it was one walk, which takes no time that anybody could measure.
        let made_of = route.made_of();
        let listeners = made_of.listeners.first();
        let shared = listeners.and_then(|id| live.config.routing.listeners.get(id));
        let shared = shared.into_iter().flat_map(|it| &it.uses);
        let uses = shared.chain(&made_of.uses).flat_map(|it| it.expanded(filters));
        all.extend(uses.flatten().map(|it| filter(&it.filter, started)));
    }
    all.extend(passed.iter().map(|(id, at)| filter(id, *at)));
    let inside = inside.or(was_at_once.then_some(started));
    all.extend(inside.zip(service).map(|(at, service)| part("Service", vec![service], at)));
    all
}

impl<C: Wire> Connection<C> {
    pub(super) fn record(
        &mut self,
        request: &Request,
        route: Option<&RouteState>,
        told: Told,
        trace: &Trace,
    ) {
        self.ended = Instant::now();
        let mut called = self.called(told.status, told.why, request.client);
        called.frame = told.frame;
        called.traced = request.traced.as_ref().map(|it| (it.trace, it.span));
        let duration = self.ended.saturating_duration_since(request.started);
        let finished = Finished {
            duration,
            bucket: self.core.options().buckets.bucket(duration),
            bytes_in: request.bytes_in,
            bytes_out: told.bytes_out,
        };
        let taken = (route, trace.service.as_deref());
        // What is gone meanwhile is counted for the entry point alone.
        let told_of = self.listener.told(route);
        let live = self.core.live();
        let route = route.filter(|route| route.is_known(&live));
        let service = trace.service.as_ref().filter(|service| service.is_known());
        let labels = LabelsRef {
            entry_point: &self.listener.entry_point,
            router: route.map(|route| &route.name),
            service: service.map(|service| &service.name),
            code: told.status,
            method: request.method,
            protocol: request.protocol,
        };
        if told_of.access_logs != Some(false) {
            self.log(&labels, finished, trace, told.why, (&called, taken));
        }
        self.keep(called, &labels, finished, trace, told.why);
        self.tell_trace(request, (route, &live, &labels), finished, trace, told.why);
        match told.why {
            Some(fault) => self.core.counters.count_fault(labels.entry_point, fault.cause()),
            None => {
                if let Some(endpoint) = &trace.endpoint {
                    endpoint.tally.answered(finished.duration, finished.bucket);
                }
            }
        }
        if told_of.metrics == Some(false) {
            return;
        }
        if let Some(tls) = &self.tls {
            self.core.counters.count_secured(&labels, tls);
        }
        self.count_headed(&labels);
        match route {
            Some(route) => {
                let is_its = route.manner() == Manner::Nginx;
                let nginx = is_its.then(|| self.in_its_words(finished, trace));
                let counters = &self.core.counters;
                counters.count_routed(&route.series, &labels, finished, nginx.as_ref());
            }
            None => {
                self.core.counters.count(&labels, finished);
                if self.core.options().nginx.counts_strays {
                    self.count_stray(&labels, finished, trace);
                }
            }
        }
    }

    /// What ingress-nginx counts of it.
    fn in_its_words(&self, finished: Finished, trace: &Trace) -> NginxFinished {
        let asked = trace.sent.map(|sent| AskedTimes {
            connect: trace.connecting,
            header: trace.heard.map(|it| it.saturating_duration_since(sent)),
            response: self.ended.saturating_duration_since(sent),
        });
        let bytes = (self.note.head_length + finished.bytes_in, finished.bytes_out);
        NginxFinished::new(&self.core.options().nginx, finished.duration, asked, bytes)
    }

    /// Counts a request by its lines too, where counts are told apart by some.
    fn count_headed(&self, labels: &LabelsRef<'_>) {
        if let Some(headed) = &self.core.headed {
            self.core.counters.count_headed(labels, headed.of(self.note.kept_lines()));
        }
    }

    /// What had all the time it gets, of which nothing more is known.
    pub(super) fn record_cut(&mut self, decision: &Decision) {
        let why = Some(Fault::CutOff);
        let (request, route) = match decision {
            Decision::Proxy(request, chosen, _) => (request, Some(&chosen.route)),
            Decision::Filtered(request, filtered) => (request, filtered.way.route()),
            Decision::Answer(request, _, route) => (request, route.as_ref()),
            Decision::Partial | Decision::Reject(_) => return,
        };
        self.note_rewritten();
        let told = Told { status: Fault::CutOff.status(), why, ..Told::default() };
        self.record(request, route.map(|route| &**route), told, &Trace::default());
    }

    /// What could not be understood counts as well, without method and route.
    pub(super) fn record_rejected(&mut self, fault: Fault, bytes_out: u64) {
        self.note.clear();
        self.note.protocol = C::PROTOCOL;
        self.note_answer();
        let (trace, why) = (Trace::default(), Some(fault));
        let called = self.called(fault.status(), why, self.vouching.0.peer());
        let labels = LabelsRef {
            entry_point: &self.listener.entry_point,
            router: None,
            service: None,
            code: fault.status(),
            method: "EXTENSION_METHOD",
            protocol: "http",
        };
        let (duration, bucket) = (Duration::ZERO, Some(0));
        let finished = Finished { duration, bucket, bytes_in: 0, bytes_out };
        let told_of = self.listener.told(None);
        if told_of.access_logs != Some(false) {
            self.log(&labels, finished, &trace, why, (&called, (None, None)));
        }
        self.keep(called, &labels, finished, &trace, why);
        if told_of.metrics != Some(false) {
            self.count_headed(&labels);
            self.core.counters.count(&labels, finished);
        }
        self.core.counters.count_fault(labels.entry_point, fault.cause());
    }

    /// What a request is called that comes to this: its first name stays. None where nothing is
    /// kept of it.
    pub(super) fn name(&mut self, status: u16, why: Option<Fault>) -> Option<RequestId> {
        if self.id.is_none() && Recent::keeps(status, why) {
            self.id = Some(self.core.recent.name());
        }
        self.id
    }

    /// The same once it is over, with more of what went wrong; the next one is another.
    fn called(&mut self, status: u16, why: Option<Fault>, client: IpAddr) -> Called {
        let id = self.name(status, why);
        self.id = None;
        let details = std::mem::take(&mut self.details);
        Called { id, traced: None, details, client, frame: None }
    }

    /// What was asked, of a request that is on its way to endpoints.
    pub(super) fn note_rewritten(&mut self) {
        if self.note.method.is_empty() {
            self.note.take_rewritten(&self.out);
        }
    }

    /// Whether anything tells of lines of answers.
    pub(super) fn shows_answers(&self) -> bool {
        let log = self.vouching.1.as_ref().and_then(|it| it.log.as_ref());
        shows_headers(&self.core) || log.is_some_and(|it| it.log.text.has_answers)
    }

    /// What the client is answered by nobody but us.
    pub(super) fn note_answer(&mut self) {
        if self.shows_answers() {
            self.note.heads.get_or_insert_default().went(&self.out);
        }
    }

    /// For whoever asks what became of a request that was not answered with success.
    fn keep(
        &self,
        called: Called,
        labels: &LabelsRef<'_>,
        finished: Finished,
        trace: &Trace,
        why: Option<Fault>,
    ) {
        let Called { id: Some(id), mut details, client, frame, .. } = called else { return };
        details.extend(trace.failed.iter().map(ToString::to_string));
        self.core.recent.keep(Unkept {
            id,
            note: &self.note,
            client,
            entry_point: labels.entry_point,
            is_tls: self.tls.is_some(),
            status: labels.code,
            duration: finished.duration,
            router: labels.router,
            service: labels.service,
            endpoint: trace.endpoint.as_ref().map(|upstream| &upstream.label),
            retries: trace.retries,
            frame,
            why,
            details,
        });
    }

    /// Tells of a request that is traced.
    fn tell_trace(
        &self,
        request: &Request,
        (route, live, labels): (Option<&RouteState>, &Live, &LabelsRef<'_>),
        finished: Finished,
        trace: &Trace,
        why: Option<Fault>,
    ) {
        let (Some(traced), Some(tracer)) = (&request.traced, &self.core.tracer) else { return };
        let mut span = self.span(traced, labels, finished, trace, (why, request.client));
        if traced.is_detailed {
            span.inner = inner(traced, tracer, request.started, route, (live, labels));
        }
        tracer.sink.take(span);
    }

    /// What a trace has of a request that began `finished.duration` ago.
    fn span(
        &self,
        traced: &Traced,
        labels: &LabelsRef<'_>,
        finished: Finished,
        trace: &Trace,
        (why, client): (Option<Fault>, IpAddr),
    ) -> RequestSpan {
        let asked = trace.sent.zip(trace.endpoint.as_ref());
        let owned = |name: &Arc<str>| name.to_string();
        RequestSpan {
            trace: traced.trace,
            span: traced.span,
            parent: traced.parent.map(|parent| parent.span),
            started: SystemTime::now() - finished.duration,
            duration: finished.duration,
            client: SocketAddr::new(client, self.peer.port()),
            entry_point: labels.entry_point.to_string(),
            router: labels.router.map(owned),
            status: labels.code,
            bytes: (finished.bytes_in, finished.bytes_out),
            why: why.map(Fault::reason),
            attempt: asked.map(|(sent, endpoint)| AttemptSpan {
                span: traced.attempt,
                service: labels.service.map(owned),
                endpoint: endpoint.label.to_string(),
                after: finished.duration.saturating_sub(self.ended.saturating_duration_since(sent)),
                retries: trace.retries,
            }),
            method: self.note.method.clone(),
            target: self.note.target.clone(),
            host: self.note.host.clone(),
            user_agent: String::from_utf8_lossy(&self.note.user_agent).into_owned(),
            captured: self.captured(),
            inner: Vec::new(),
        }
    }

    /// Counts it by the host that it is for, as far as it names one.
    fn count_stray(&self, labels: &LabelsRef<'_>, finished: Finished, trace: &Trace) {
        let named = Authority::parse(self.note.host.as_bytes());
        let host = named.ok().map(|it| it.host).filter(|it| !it.is_empty());
        let (host, more) = (host.as_deref().unwrap_or("_"), self.in_its_words(finished, trace));
        self.core.counters.count_stray(host, labels, finished, &more);
    }

    /// Lines of heads that traces tell of.
    fn captured(&self) -> Vec<(String, Vec<String>)> {
        let Some(tracer) = &self.core.tracer else { return Vec::new() };
        let [of_requests, of_responses] = &tracer.lines;
        let mut all = captured("request", of_requests, self.note.kept_lines());
        if let Some(heads) = &self.note.heads {
            all.extend(captured("response", of_responses, heads.went_lines()));
        }
        all
    }

    fn log(
        &self,
        labels: &LabelsRef<'_>,
        finished: Finished,
        trace: &Trace,
        why: Option<Fault>,
        (called, taken): (&Called, (Option<&RouteState>, Option<&BackendState>)),
    ) {
        let nginx = self.logging(taken.0);
        if self.core.log.is_none() && nginx.is_none() {
            return;
        }
        let entry = Entry {
            note: &self.note,
            client: called.client,
            peer: self.peer,
            entry_point: labels.entry_point,
            status: labels.code,
            bytes_in: finished.bytes_in,
            bytes_out: finished.bytes_out,
            duration: finished.duration,
            origin: trace
                .sent
                .map(|sent| self.ended.saturating_duration_since(sent))
                .unwrap_or_default(),
            router: labels.router.map(|name| &**name),
            service: labels.service.map(|name| &**name),
            endpoint: trace.endpoint.as_ref().map(|upstream| &*upstream.label),
            retries: trace.retries,
            why: why.map(Fault::reason),
            traced: called.traced,
            tls: self.tls.as_deref(),
            id: called.id,
        };
        match (nginx, &self.core.log) {
            (Some(log), _) if self.note.is_skipped(log) => {}
            (Some(log), _) => self.log_as_nginx(log, &entry, taken),
            (None, Some(log)) => log.write(&entry, self.ended),
            (None, None) => {}
        }
    }

    /// The log of ingress-nginx's ConfigMap, where it has a request that `route` takes.
    fn logging(&self, route: Option<&RouteState>) -> Option<&NginxLogging> {
        let log = self.vouching.1.as_ref()?.log.as_ref()?;
        let is_its = match route {
            Some(route) => route.manner() == Manner::Nginx,
            None => log.log.has_strays,
        };
        is_its.then_some(log)
    }

    fn log_as_nginx(
        &self,
        log: &NginxLogging,
        entry: &Entry<'_>,
        (route, backend): (Option<&RouteState>, Option<&BackendState>),
    ) {
        let node = backend.and_then(BackendState::node);
        let live = self.core.live();
        // Where nobody was asked, who would have been.
        let of_route = || match &route?.made_of().to {
            Destination::Backend(id) => live.config.routing.backends.get(id)?.service.as_ref(),
            Destination::Routes(_) => None,
        };
        let service = node.as_ref().and_then(|node| node.service.as_ref()).or_else(of_route);
        let entry = NginxEntry {
            entry,
            route: route.map(RouteState::made_of),
            service: service.map(|(id, port)| (id, *port)),
            port: self.port(),
            machine: &self.core.options().server_name,
        };
        log.request(&entry, self.ended);
    }
}
