//! What all connections of one core share. Nothing here is touched by another thread, except the
//! configuration's version, which is read once per request.

pub(crate) mod arrival;
mod askings;
pub(crate) mod believed;
mod chance;
pub(crate) mod datagrams;
mod ebb;
pub(crate) mod listener;
pub(crate) mod live;
pub(crate) mod openings;
pub(crate) mod sheets;
pub(crate) mod spares;
pub(crate) mod stock;
pub(crate) mod waiting;
mod warnings;
pub(crate) mod worker;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use steelyard_http::{Limits, RequestChanges};
use steelyard_model::routing::nginx_log::NginxLog;
use steelyard_route::NearMiss;

use crate::options::GatewayOptions;
use crate::shared::Shared;
use crate::tell::access_log::{LogBuffer, NginxLogging, NginxSink};
use crate::tell::fault::{Failed, Fault};
use crate::tell::headed::Headed;
use crate::tell::metrics::{ConnectionCounts, Counters, Sample};
use crate::tell::recent::Recent;
use crate::tell::tracer::Tracer;
use crate::up::counting::Counting;
use crate::up::upstream::Upstreams;
use crate::wire::buffers::BufferPool;
use askings::Askings;
use chance::Chance;
use listener::Listener;
use live::{Live, Scene, States};
use openings::Openings;
use sheets::Sheets;
use stock::Stock;
use waiting::Registry;
use warnings::Warnings;
use worker::Servants;

/// Heads, and bodies that come with them: large enough that 16 KiB answers go out in one write.
/// No head of a request may be longer, wherever it was read to.
pub(crate) const HEAD_BUFFER: usize = 64 * 1024;

/// Bulk transfer wants it large, above all under BBR.
const BULK_BUFFER: usize = 256 * 1024;

/// One core.
pub(crate) struct Core {
    /// Its number.
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) heads: Rc<BufferPool>,
    pub(crate) bulk: Rc<BufferPool>,
    pub(crate) sheets: Sheets,
    /// How long exchanges wait for what.
    pub(crate) limits: Rc<Limits>,
    /// Rewritten heads are put together here; empty between uses.
    pub(crate) scratch: Cell<Vec<u8>>,
    /// What filters change about a request is put together here, while it is decided about.
    pub(crate) edits: RefCell<RequestChanges>,
    pub(crate) upstreams: Upstreams,
    pub(crate) states: States,
    pub(crate) counters: Counters,
    pub(crate) log: Option<LogBuffer>,
    /// Where lines of ingress-nginx's logs go, by place.
    sinks: RefCell<Vec<PlacedSink>>,
    pub(crate) tracer: Option<Tracer>,
    /// What counts of requests are told apart by, besides, if by anything.
    pub(crate) headed: Option<Headed>,
    /// Requests that were not answered with success.
    pub(crate) recent: Recent,
    pub(crate) connections: RefCell<Registry>,
    /// How many connections have not come to their first request.
    pub(crate) openings: Openings,
    pub(crate) draining: Cell<bool>,
    /// Another process takes datagrams.
    pub(crate) has_handed_on: Cell<bool>,
    /// What is under way ends now.
    pub(crate) cut: Cell<bool>,
    /// Requests that are being answered, and connections that are carried.
    under_way: Cell<usize>,
    /// Sessions of UDP.
    pub(crate) sessions: Cell<usize>,
    /// Ports that have such.
    pub(crate) datagram_ports: Cell<usize>,
    /// Serves who comes in.
    pub(crate) servants: Servants,
    /// The time, at most a second ago: good enough for what is kept for minutes.
    pub(crate) tick: Cell<Instant>,
    chance: Chance,
    /// What is kept of requests, and copies of them.
    pub(crate) stock: Stock,
    /// Requests of filters' own.
    pub(crate) askings: Askings,
    /// Who counts for many replicas.
    pub(crate) counting: Counting,
    live: RefCell<Rc<Live>>,
    warnings: Warnings,
}

/// A file, or standard output where there is none, and where lines for it go.
type PlacedSink = (Option<Arc<str>>, Rc<NginxSink>);

/// Counts as something that is under way until it is dropped.
pub(crate) struct UnderWay<'c>(&'c Cell<usize>);

impl Core {
    /// The core `index` of all.
    pub(crate) fn new(
        index: usize,
        shared: Arc<Shared>,
        log: Option<LogBuffer>,
        servants: Servants,
    ) -> Rc<Self> {
        let version = shared.version();
        let live = Live::new(version, shared.config());
        let kept = shared.options.kept.clone();
        let tracer = shared.options.tracing.as_ref().map(Tracer::new);
        let labels = &shared.options.header_labels;
        let headed =
            (!labels.is_empty()).then(|| Headed::new(labels.clone(), shared.headed.clone()));
        let own = shared.options.own_sockets.clone();
        let upstreams = Upstreams::new((index, shared.options.workers), kept, own);
        let recent = Recent::new(index, shared.options.workers, shared.seed);
        let chance = shared.seed.wrapping_add(index as u64);
        let limits = Rc::new(Limits::from(&shared.options.timeouts));
        let heads = BufferPool::new(HEAD_BUFFER, 64);
        let counting = Counting::new(heads.clone(), shared.options.workers);
        Rc::new(Self {
            index,
            shared,
            heads,
            bulk: BufferPool::new(BULK_BUFFER, 16),
            sheets: Sheets::default(),
            limits,
            scratch: Cell::default(),
            edits: RefCell::default(),
            upstreams,
            states: States::default(),
            counters: Counters::default(),
            log,
            sinks: RefCell::default(),
            tracer,
            headed,
            recent,
            connections: RefCell::default(),
            openings: Openings::default(),
            has_handed_on: Cell::default(),
            draining: Cell::new(false),
            cut: Cell::new(false),
            under_way: Cell::new(0),
            sessions: Cell::new(0),
            datagram_ports: Cell::new(0),
            servants,
            tick: Cell::new(Instant::now()),
            chance: Chance::new(chance),
            stock: Stock::default(),
            askings: Askings::default(),
            counting,
            live: RefCell::new(live),
            warnings: Warnings::default(),
        })
    }

    pub(crate) fn options(&self) -> &GatewayOptions {
        &self.shared.options
    }

    /// The configuration of now: one atomic load when it has not changed.
    pub(crate) fn live(&self) -> Rc<Live> {
        let version = self.shared.version();
        let mut live = self.live.borrow_mut();
        if live.version != version {
            let before = std::mem::replace(&mut *live, Live::new(version, self.shared.config()));
            self.follow(&before, &live);
        }
        live.clone()
    }

    /// Keeps what the configuration still has, and touches what differs.
    fn follow(&self, before: &Live, live: &Live) {
        let delta = live.config.routing.since(&before.config.routing);
        self.scene(live).follow(&delta);
        let gone = |names: &mut dyn Iterator<Item = String>| names.collect::<HashSet<String>>();
        let mut routes = delta.routes.iter().filter(|(_, now)| now.is_none());
        let mut backends = delta.backends.iter().filter(|(_, now)| now.is_none());
        self.counters.forget(
            &gone(&mut routes.by_ref().map(|(id, _)| id.traefik_name())),
            &gone(&mut backends.by_ref().map(|(id, _)| id.traefik_name())),
        );
    }

    /// What states of a configuration are made of.
    pub(crate) fn scene<'a>(&'a self, live: &'a Live) -> Scene<'a> {
        let Self { states, upstreams, shared, chance, .. } = self;
        Scene { live, states, upstreams, shared, chance }
    }

    /// A request, or a connection that is carried, is under way.
    pub(crate) fn begin(&self) -> UnderWay<'_> {
        self.under_way.set(self.under_way.get() + 1);
        UnderWay(&self.under_way)
    }

    /// Whether the connections of `listener` end after the request they are at.
    pub(crate) fn is_closing(&self, listener: &Listener) -> bool {
        listener.closing.get() || self.draining.get()
    }

    /// Whether what is under way at `listener` ends now.
    pub(crate) fn is_cut(&self, listener: &Listener) -> bool {
        self.cut.get() || listener.is_cut()
    }

    /// Hands the lines of the access log to its writer.
    pub(crate) fn flush_log(&self) {
        if let Some(log) = &self.log {
            log.flush();
        }
        let mut sinks = self.sinks.borrow_mut();
        sinks.iter().for_each(|(_, sink)| sink.flush());
        // Those that no listener goes by any more.
        sinks.retain(|(_, sink)| Rc::strong_count(sink) > 1);
    }

    /// Whether requests are told of in a log.
    pub(crate) fn logs(&self) -> bool {
        self.log.is_some() || !self.sinks.borrow().is_empty()
    }

    /// A log of ingress-nginx's, where its place can be written to.
    pub(crate) fn logging(&self, log: &Arc<NginxLog>) -> Option<NginxLogging> {
        let lines = self.shared.log(log)?;
        let mut sinks = self.sinks.borrow_mut();
        let known = sinks.iter().position(|(place, _)| *place == log.path);
        let known = known.map(|at| (at, sinks[at].1.clone()));
        let sink = match known {
            Some((_, sink)) if sink.goes_to(&lines) => sink,
            known => {
                if let Some((at, former)) = known {
                    former.flush();
                    sinks.swap_remove(at);
                }
                let sink = NginxSink::new(lines);
                sinks.push((log.path.clone(), sink.clone()));
                sink
            }
        };
        Some(NginxLogging::new(log.clone(), sink))
    }

    /// Says why a backend failed, but not for every request.
    pub(crate) fn warn(&self, failed: &Failed, backend: &Arc<str>, endpoint: &str) {
        let reason = failed.fault.reason();
        if let Some(times) = self.is_worth_saying(reason, backend) {
            // Escaped already, where it is somebody else's text.
            let detail = failed.detail.as_ref().map(tracing::field::display);
            tracing::warn!(%backend, endpoint, times, detail, "{reason}");
        }
    }

    /// Says that a route answers 503 on purpose, but not for every request.
    pub(crate) fn refused(&self, route: &Arc<str>, setting: &str) {
        let reason = Fault::Refused.reason();
        if let Some(times) = self.is_worth_saying(reason, route) {
            tracing::warn!(%route, setting, times, "{reason}");
        }
    }

    /// Says that a route leads back here, but not for every request.
    pub(crate) fn looped(&self, route: &Arc<str>) {
        let reason = Fault::Loop.reason();
        if let Some(times) = self.is_worth_saying(reason, route) {
            tracing::warn!(%route, times, "{reason}");
        }
    }

    /// How often it happened since it was said last, when it is time to say it again.
    fn is_worth_saying(&self, reason: &'static str, about: &Arc<str>) -> Option<u64> {
        self.warnings.note(reason, about, Instant::now())
    }

    /// The nearest routes, if clients may know of them.
    pub(crate) fn told<'t>(&self, near: impl FnOnce() -> Vec<NearMiss<'t>>) -> Option<Vec<String>> {
        self.options().error_details.then(|| near().iter().map(ToString::to_string).collect())
    }

    /// What was counted.
    pub(crate) fn sample(&self) -> Sample {
        let counted = self.counters.sample();
        let (reading, writing, waiting) = self.connections.borrow().standing();
        let connections = ConnectionCounts { reading, writing, waiting, ..counted.connections };
        Sample { endpoints: self.upstreams.totals(), connections, ..counted }
    }

    /// Ends connections that wait for their clients, the longest first, so that others get a place.
    pub(crate) fn make_room(&self) {
        self.connections.borrow().retire_longest(Instant::now(), |listener, awaited| {
            self.counters.count_room(&listener.entry_point, awaited.label());
        });
    }

    /// The same for those alone who have not come to their first request.
    fn make_room_for_openings(&self) {
        self.connections.borrow().retire_openings(Instant::now(), |listener, awaited| {
            self.counters.count_room(&listener.entry_point, awaited.label());
        });
    }

    /// Once a second. Returns how many bytes of what is kept for requests were given up.
    pub(crate) fn prune(&self, now: Instant) -> usize {
        self.tick.set(now);
        // What nobody asks for is given up all the same.
        self.live();
        if self.options().places.waiting() > 0 {
            self.make_room(); // for who waits on another core
        }
        self.upstreams.prune(now, self.options().timeouts.upstream_idle);
        self.warnings.prune(now);
        self.counting.prune(now);
        self.sheets.trim() + self.heads.trim() + self.bulk.trim()
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};
    use std::time::Duration;

    use steelyard_host::places::Places;

    use super::*;
    use waiting::Waiting;

    fn core(options: GatewayOptions) -> Rc<Core> {
        Core::new(0, Shared::new(options), None, Servants::of_test(|_| ()))
    }

    #[test]
    fn who_waits_for_a_client_makes_room_where_others_wait_for_a_place() {
        let places = Places::new(0);
        let core = core(GatewayOptions { places: places.clone(), ..GatewayOptions::default() });
        let mut cx = Context::from_waker(Waker::noop());
        let (now, waiting) = (Instant::now(), Rc::new(Waiting::default()));
        let since = now.checked_sub(Duration::from_secs(9)).expect("it is later than that");
        waiting.wait_for_rest(&cx, since);
        core.connections.borrow_mut().insert(waiting.clone(), Listener::of_test());
        core.prune(now);
        assert!(!waiting.is_pressed(), "nobody else is there");
        let mut place = std::pin::pin!(places.take());
        assert!(place.as_mut().poll(&mut cx).is_pending());
        core.prune(now);
        assert!(waiting.is_pressed());
    }

    #[test]
    fn what_is_given_up_of_all_buffers_is_told() {
        let core = core(GatewayOptions::default());
        drop((0..20).map(|_| core.heads.take()).collect::<Vec<_>>());
        drop((0..16).map(|_| core.bulk.take()).collect::<Vec<_>>());
        let now = Instant::now();
        let given_up = [core.prune(now), core.prune(now)];
        assert_eq!(given_up, [0, 10 * HEAD_BUFFER + 8 * BULK_BUFFER]);
    }
}
