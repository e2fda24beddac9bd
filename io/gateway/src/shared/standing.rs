//! What all cores share of an endpoint: whether it may be asked, how much it has under way, how
//! soon it answers.
//!
//! Identity is where it is, how it is spoken to and how it is looked after ([`Spot`]): sets and
//! backends that have the same in common share it, and it outlives configurations. Whoever picks
//! holds an `Arc` of it by its target; asking [`EndpointStandings::of`] takes a lock, and is for
//! when targets are made. What requests ask of it are atomics, which are written when something
//! changes only; what is under way and how soon is answered is counted for those who say that they
//! want to know ([`EndpointStanding::enter`]), so that others share no cache line.

#![allow(dead_code, reason = "what picks by load and time asks for more of it")]

mod latency;
mod lineup;
mod seat;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use steelyard_balance::health::{Fitness, Health, Sign, slow_start};
use steelyard_model::routing::care::Care;
use steelyard_model::routing::id::{BackendId, TransportId};
use steelyard_model::{Endpoint, Host};

use latency::Latency;
pub(crate) use lineup::Lineup;
pub(crate) use seat::{Line, Seat};

/// Which endpoint, and by which terms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) host: Host,
    pub(crate) port: u16,
    /// How it is spoken to.
    pub(crate) transport: TransportId,
    /// How it is looked after.
    pub(crate) care: Arc<Care>,
}

/// One endpoint.
pub(crate) struct EndpointStanding {
    pub(crate) spot: Spot,
    /// As it is written.
    pub(crate) label: Arc<str>,
    epoch: Instant,
    /// Of all endpoints: grows with each change of who may be asked.
    changes: Arc<AtomicU64>,
    /// [`FIT`], [`DOWN`], or until when it is shunned.
    mark: AtomicU64,
    /// Since when it is fit; 0 is always.
    fit_since: AtomicU64,
    /// Whether a connection that comes to be is news.
    is_suspect: AtomicBool,
    load: AtomicU32,
    latency: Latency,
    /// Taken where something fails, or a check is over; requests do not wait for it.
    told: Mutex<Told>,
}

/// What is known of it beside.
struct Told {
    health: Health,
    since: Option<Instant>,
    last_failure: Option<(Instant, Arc<str>)>,
    takes_nothing: bool,
}

/// A copy of what is known of an endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) spot: Spot,
    pub(crate) fitness: Fitness,
    /// Since when it is so; none is since it is known.
    pub(crate) since: Option<Instant>,
    /// What failed last, in words.
    pub(crate) last_failure: Option<(Instant, Arc<str>)>,
}

/// All endpoints that somebody has looked at.
pub(crate) struct EndpointStandings {
    epoch: Instant,
    changes: Arc<AtomicU64>,
    known: Mutex<BTreeMap<Spot, Arc<EndpointStanding>>>,
    lines: Mutex<BTreeMap<BackendId, Arc<Line>>>,
}

const FIT: u64 = 0;
const DOWN: u64 = u64::MAX;

impl Spot {
    pub(crate) fn new(endpoint: &Endpoint, transport: &TransportId, care: &Arc<Care>) -> Self {
        let Endpoint { host, port, .. } = endpoint;
        Self { host: host.clone(), port: *port, transport: transport.clone(), care: care.clone() }
    }
}

impl Default for EndpointStandings {
    fn default() -> Self {
        let (changes, known, lines) = Default::default();
        Self { epoch: Instant::now(), changes, known, lines }
    }
}

impl EndpointStandings {
    /// What is known of an endpoint; nothing yet of one that nobody looked at.
    pub(crate) fn of(&self, spot: Spot) -> Arc<EndpointStanding> {
        let mut known = self.lock();
        if let Some(standing) = known.get(&spot) {
            return standing.clone();
        }
        let standing = Arc::new(EndpointStanding::new(spot.clone(), self.epoch, &self.changes));
        known.insert(spot, standing.clone());
        standing
    }

    /// Who waits for a place at an endpoint of this backend.
    pub(crate) fn line(&self, backend: &BackendId) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|id, line| id == backend || Arc::strong_count(line) > 1);
        lines.entry(backend.clone()).or_default().clone()
    }

    /// Grows with each endpoint that becomes fit or is no longer, but for those that were shunned
    /// for a time that is over: one look tells whether what was sorted by fitness still is right.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Forgets those that neither the configuration has nor anybody holds.
    pub(crate) fn prune(&self, is_wanted: impl Fn(&Spot) -> bool) {
        self.lock().retain(|spot, it| Arc::strong_count(it) > 1 || is_wanted(spot));
    }

    /// Endpoints that took no connection when a request last asked for one.
    pub(crate) fn silent(&self) -> BTreeSet<SocketAddr> {
        let known = self.lock();
        let silent = known.values().filter(|it| it.lock().takes_nothing);
        silent.filter_map(|it| it.spot.address()).collect()
    }

    /// All that are known.
    pub(crate) fn all(&self, now: Instant) -> Vec<Known> {
        self.lock().values().map(|it| it.known(now)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Spot, Arc<EndpointStanding>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EndpointStanding {
    fn new(spot: Spot, epoch: Instant, changes: &Arc<AtomicU64>) -> Self {
        let endpoint = match &spot.host {
            Host::Ip(address) => SocketAddr::new(*address, spot.port).to_string(),
            Host::Name(name) => format!("{name}:{}", spot.port),
        };
        Self {
            spot,
            label: endpoint.into(),
            epoch,
            changes: changes.clone(),
            mark: AtomicU64::new(FIT),
            fit_since: AtomicU64::default(),
            is_suspect: AtomicBool::default(),
            load: AtomicU32::default(),
            latency: Latency::default(),
            told: Mutex::new(Told {
                health: Health::new(None),
                since: None,
                last_failure: None,
                takes_nothing: false,
            }),
        }
    }

    /// Whether it may be asked while others are.
    pub(crate) fn is_fit(&self, now: Instant) -> bool {
        self.fitness(now) == Fitness::Fit
    }

    /// Whether it may be asked.
    pub(crate) fn fitness(&self, now: Instant) -> Fitness {
        match self.mark.load(Ordering::Relaxed) {
            FIT => Fitness::Fit,
            DOWN => Fitness::Down,
            until if self.stamp(now) < until => Fitness::Shunned,
            _ => Fitness::Fit,
        }
    }

    /// Until when it is shunned, if it is.
    pub(crate) fn shunned_until(&self, now: Instant) -> Option<Instant> {
        let is_shunned = self.fitness(now) == Fitness::Shunned;
        is_shunned.then(|| self.epoch + Duration::from_millis(self.mark.load(Ordering::Relaxed)))
    }

    /// Requests of those who entered that are under way.
    pub(crate) fn in_flight(&self) -> u32 {
        self.load.load(Ordering::Relaxed)
    }

    /// How soon it answers lately, as far as those who entered said so; less and less is believed
    /// of it when nobody says more. None where nobody has.
    pub(crate) fn latency(&self, now: Instant) -> Option<Duration> {
        self.latency.get(self.stamp(now))
    }

    /// It took so long until it answered.
    pub(crate) fn answered_in(&self, took: Duration, now: Instant) {
        self.latency.add(took, self.stamp(now));
    }

    /// How much of its share it gets, in thousandths: less while it has been fit for a short time.
    pub(crate) fn share(&self, now: Instant) -> u32 {
        let Some(whole) = self.spot.care.slow_start else { return 1_000 };
        match self.fit_since.load(Ordering::Relaxed) {
            0 => 1_000,
            since => {
                let fit_for = self.stamp(now).saturating_sub(since);
                slow_start(Duration::from_millis(fit_for), whole)
            }
        }
    }

    /// Takes one more request, until that is dropped; none where it has as many as it may.
    pub(crate) fn enter(self: &Arc<Self>, line: Option<&Arc<Line>>) -> Option<Seat> {
        Seat::take(self, line)
    }

    /// What came of asking for a connection. Nobody waits here: of many that fail at once it is
    /// enough that some are seen.
    pub(crate) fn connected<T>(&self, now: Instant, outcome: &io::Result<T>) {
        match outcome {
            Ok(_) if !self.is_suspect.load(Ordering::Relaxed) => {}
            Ok(_) => self.see(now, Sign::Reached, || None),
            Err(error) if is_its_own(error.kind()) => {
                self.see(now, Sign::Unreached, || Some(error.to_string()));
            }
            Err(_) => {}
        }
    }

    /// It answered a request with this status.
    pub(crate) fn answered(&self, now: Instant, status: u16) {
        if status >= 500 && self.spot.care.passive.is_some() {
            self.see(now, Sign::Erred, || Some(format!("it answered {status}")));
        }
    }

    /// What came of a check: why it failed, if it did.
    pub(crate) fn checked(&self, now: Instant, outcome: Result<(), String>) {
        let mut told = self.lock();
        let sign = if outcome.is_ok() { Sign::Checked } else { Sign::CheckFailed };
        self.take_in(&mut told, now, sign, || outcome.err());
    }

    fn see(&self, now: Instant, sign: Sign, why: impl FnOnce() -> Option<String>) {
        if let Ok(mut told) = self.told.try_lock() {
            self.take_in(&mut told, now, sign, why);
        }
    }

    fn take_in(
        &self,
        told: &mut Told,
        now: Instant,
        sign: Sign,
        why: impl FnOnce() -> Option<String>,
    ) {
        match sign {
            Sign::Unreached => told.takes_nothing = true,
            Sign::Reached => told.takes_nothing = false,
            Sign::Checked | Sign::CheckFailed | Sign::Erred => {}
        }
        if let Some(why) = why() {
            told.last_failure = Some((now, why.into()));
        }
        let changed = told.health.see(now, sign, &self.spot.care);
        self.mirror(&told.health, told.takes_nothing, now);
        let Some(fitness) = changed else { return };
        told.since = Some(now);
        self.changes.fetch_add(1, Ordering::Relaxed);
        let why = told.last_failure.as_ref().map_or("", |(_, why)| why);
        let endpoint = &self.label;
        match fitness {
            Fitness::Fit => tracing::info!(%endpoint, "the endpoint is well again"),
            Fitness::Shunned => tracing::warn!(%endpoint, why, "the endpoint is asked last"),
            Fitness::Down => tracing::warn!(%endpoint, why, "the endpoint fails its check"),
        }
    }

    /// Puts what requests ask for where they do.
    fn mirror(&self, health: &Health, takes_nothing: bool, now: Instant) {
        let mark = match health.fitness(now) {
            Fitness::Fit => FIT,
            Fitness::Down => DOWN,
            Fitness::Shunned => health.shunned_until().map_or(FIT, |until| self.stamp(until)),
        };
        self.mark.store(mark, Ordering::Relaxed);
        let fit_since = health.fit_since().map_or(0, |since| self.stamp(since).max(1));
        self.fit_since.store(fit_since, Ordering::Relaxed);
        self.is_suspect.store(health.is_suspect() || takes_nothing, Ordering::Relaxed);
    }

    fn known(&self, now: Instant) -> Known {
        let told = self.lock();
        let fitness = told.health.fitness(now);
        let ended = told.health.shunned_until().filter(|until| *until <= now);
        let since = if fitness == Fitness::Fit { told.since.max(ended) } else { told.since };
        Known { spot: self.spot.clone(), fitness, since, last_failure: told.last_failure.clone() }
    }

    /// Milliseconds since the first of all moments.
    fn stamp(&self, at: Instant) -> u64 {
        let passed = at.saturating_duration_since(self.epoch).as_millis();
        u64::try_from(passed).unwrap_or(u64::MAX - 1)
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spot {
    /// Its address, where it is known by one.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self.host {
            Host::Ip(address) => Some(SocketAddr::new(address, self.port)),
            Host::Name(_) => None,
        }
    }
}

/// Whether it is the endpoint that fails, rather than this host.
fn is_its_own(kind: ErrorKind) -> bool {
    use ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut,
    };
    [ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut]
        .contains(&kind)
}

#[cfg(test)]
mod tests;
