//! What all cores share: atomics, and locks that no request waits for.

pub(crate) mod absent;
mod anchors;
pub(crate) mod clients;
pub(crate) mod crowd;
pub(crate) mod flights;
mod keyed;
mod labour;
pub(crate) mod origins;
mod pair;
mod policies;
mod provider;
pub(crate) mod standing;
pub(crate) mod staples;
pub(crate) mod terms;
pub(crate) mod texts;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use steelyard_filters::Memory;
use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::nginx_log::NginxLog;
use steelyard_model::routing::world::{RoutingDelta, RoutingMap};
use steelyard_route::RoutingTable;

use crate::options::GatewayOptions;
use crate::wire::secured::Secured;
use crate::wire::writer::{Lines, LogWays};
use absent::Absent;
use crowd::Crowd;
use flights::Flights;
use labour::Labour;
use standing::EndpointStandings;
use staples::Staples;
use terms::Terms;
use texts::KnownTexts;

/// A configuration as it is handed to the cores.
#[derive(Default)]
pub(crate) struct Config {
    pub(crate) generation: u64,
    pub(crate) routing: RoutingMap,
    pub(crate) table: RoutingTable,
    pub(crate) terms: Arc<Terms>,
}

impl Config {
    /// Whether handshakes for the name of a connection ask for something else than the one that it
    /// was made by, or are held no more.
    pub(crate) fn outdates(&self, point: &EntryPointId, tls: &Secured) -> bool {
        self.table.entry_point(point).is_some_and(|table| {
            let policy = table.policy(&tls.server_name);
            let held = policy.ok().and_then(|policy| self.terms.of(policy));
            !held.is_some_and(|held| held.policy.demands_what(&tls.policy))
        })
    }
}

/// What all cores share.
pub(crate) struct Shared {
    pub(crate) options: GatewayOptions,
    config: ArcSwap<Config>,
    /// Grows with every swap.
    version: AtomicU64,
    /// What this gateway calls itself in CDN-Loop, unlike any other.
    pub(crate) pseudonym: String,
    /// What names of requests are mixed with.
    pub(crate) seed: u64,
    /// Draining ends now.
    pub(crate) hurry: AtomicBool,
    pub(crate) standings: EndpointStandings,
    pub(crate) crowd: Crowd,
    pub(crate) flights: Arc<Flights>,
    /// Whom filters ask without an answer.
    pub(crate) absent: Absent,
    /// What lines of requests said that counts are told apart by.
    pub(crate) headed: Arc<KnownTexts>,
    /// What filters keep. Asked where what a route passes is made, and not by requests.
    memory: Mutex<Memory>,
    labour: OnceLock<Option<Labour>>,
    /// What signers say of certificates.
    pub(crate) staples: Staples,
    /// The ways to writers of ingress-nginx's logs. Asked where a listener takes a configuration
    /// up, and not by requests.
    logs: Mutex<LogWays>,
}

impl Shared {
    pub(crate) fn new(options: GatewayOptions) -> Arc<Self> {
        let crowd = Crowd::new(options.workers);
        let staples = Staples::new(options.own_sockets.clone());
        Arc::new(Self {
            options,
            config: ArcSwap::from_pointee(Config::default()),
            version: AtomicU64::new(0),
            pseudonym: pseudonym(),
            seed: RandomState::new().hash_one(0),
            hurry: AtomicBool::new(false),
            standings: EndpointStandings::default(),
            crowd,
            flights: Arc::default(),
            absent: Absent::default(),
            headed: Arc::default(),
            memory: Mutex::new(Memory::seeded(RandomState::new().hash_one(0))),
            labour: OnceLock::new(),
            staples,
            logs: Mutex::default(),
        })
    }

    /// `delta` is how it differs from the present one.
    pub(crate) fn swap(&self, config: Config, delta: &RoutingDelta) {
        let lapsing = self.memory().change(&self.config().routing, &config.routing, delta);
        self.config.store(Arc::new(config));
        self.version.fetch_add(1, Ordering::Release);
        self.memory().forget(lapsing);
    }

    /// The way to the writer of a log.
    pub(crate) fn log(&self, log: &NginxLog) -> Option<Lines> {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.get(&log.path).cloned()
    }

    /// Lines go there from the next configuration on.
    pub(crate) fn lead_logs(&self, ways: LogWays) {
        *self.logs.lock().unwrap_or_else(PoisonError::into_inner) = ways;
    }

    /// What filters keep.
    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Threads for work, from the first that there is; none where the system gives none.
    pub(crate) fn labour(&self) -> Option<&Labour> {
        let start = || Labour::start().inspect_err(|error| tracing::error!(%error, "no threads"));
        self.labour.get_or_init(|| start().ok()).as_ref()
    }

    /// How often that happened.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The configuration that was handed over last.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }
}

/// Random, so that of two gateways in a circle each knows its own.
fn pseudonym() -> String {
    format!("steelyard-{:016x}", RandomState::new().hash_one(std::process::id()))
}
