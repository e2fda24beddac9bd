//! Asks endpoints whether they are well: one thread for all cores, which keeps connections of its
//! own, so that cores that are busy make nobody look ill.
//!
//! Each endpoint under each way to look after it ([`Spot`]) is one task, from the first
//! configuration that has it to the first that has it no more. It is asked at once, and then at
//! times that are drawn (`steelyard_balance::health::pace`).

mod probe;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steelyard_balance::health::{Fitness, pace};
use steelyard_model::Host;
use steelyard_model::routing::backend::Backend;
use steelyard_model::routing::care::HealthCheck;
use steelyard_model::routing::world::RoutingMap;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use crate::core::Core;
use crate::core::worker::Servants;
use crate::shared::Shared;
use crate::shared::standing::Spot;

/// The thread.
pub(crate) struct Checker {
    /// Tells of a new configuration; the thread ends with it.
    news: watch::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

/// Changes that follow each other faster are taken in together.
const BREATH: Duration = Duration::from_millis(20);

/// What no configuration has any more is looked for so often, where there were changes.
const SWEEP: Duration = Duration::from_secs(10);

impl Checker {
    pub(crate) fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let (news, heard) = watch::channel(());
        let run = move || {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(4)
                .build_local(LocalOptions::default());
            match runtime {
                Ok(runtime) => {
                    let core = Core::new(shared.options.workers, shared, None, Servants::NOBODY);
                    runtime.block_on(run(core, heard));
                    runtime.shutdown_background();
                }
                Err(error) => tracing::error!(%error, "nobody checks endpoints"),
            }
        };
        let thread = std::thread::Builder::new().name("gateway-checks".into()).spawn(run)?;
        Ok(Self { news, thread })
    }

    /// There is a new configuration.
    pub(crate) fn tell(&self) {
        self.news.send_replace(());
    }

    /// Ends it.
    pub(crate) fn end(self) {
        drop(self.news);
        let _ = self.thread.join();
    }
}

async fn run(core: Rc<Core>, mut heard: watch::Receiver<()>) {
    let (began, tasks, asked) = (Instant::now(), JoinSet::new(), BTreeMap::new());
    let mut rounds = Rounds { began, tasks, asked };
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut swept = None;
    let mut is_news = false;
    loop {
        tokio::select! {
            changed = heard.changed() => {
                if changed.is_err() {
                    return;
                }
                rounds.follow(&core);
                is_news = true;
                tokio::time::sleep(BREATH).await;
            }
            _ = ticks.tick() => {
                let now = Instant::now();
                core.prune(now);
                let is_due = swept.is_none_or(|at| now.saturating_duration_since(at) >= SWEEP);
                if is_news && is_due {
                    (swept, is_news) = (Some(now), false);
                    sweep(&core);
                }
            }
        }
    }
}

/// Forgets endpoints that no set has any more.
fn sweep(core: &Core) {
    let live = core.live();
    let sets = live.config.routing.endpoint_sets.values();
    let places = sets.flat_map(|set| &set.endpoints).map(|(it, _)| (it.host.clone(), it.port));
    let places: BTreeSet<(Host, u16)> = places.collect();
    core.shared.standings.prune(|spot| places.contains(&(spot.host.clone(), spot.port)));
}

/// Who is asked.
struct Rounds {
    began: Instant,
    tasks: JoinSet<()>,
    asked: BTreeMap<Spot, AbortHandle>,
}

impl Rounds {
    /// Asks whom the present configuration has, and nobody else.
    fn follow(&mut self, core: &Rc<Core>) {
        let live = core.live();
        let wanted = wanted(&live.config.routing);
        self.asked.retain(|spot, task| {
            let stays = wanted.contains(spot);
            if !stays {
                task.abort();
            }
            stays
        });
        while self.tasks.try_join_next().is_some() {}
        for spot in wanted {
            if !self.asked.contains_key(&spot) {
                let task = self.tasks.spawn_local(ask(core.clone(), spot.clone(), self.began));
                self.asked.insert(spot, task);
            }
        }
    }
}

/// Who is to be asked: endpoints that answer, whether they are ready or not.
fn wanted(routing: &RoutingMap) -> BTreeSet<Spot> {
    let leaves = routing.backends.values().filter_map(|node| match &node.backend {
        Backend::Endpoints(leaf) if leaf.care.check.is_some() => Some(leaf),
        _ => None,
    });
    let mut wanted = BTreeSet::new();
    for leaf in leaves {
        let Some(set) = routing.endpoint_sets.get(&leaf.set) else { continue };
        let answering = set.endpoints.iter().filter(|(endpoint, _)| endpoint.state.serves());
        wanted.extend(answering.map(|(it, _)| Spot::new(it, &leaf.transport, &leaf.care)));
    }
    wanted
}

/// Asks one endpoint again and again. All count time from when they `began`.
async fn ask(core: Rc<Core>, spot: Spot, began: Instant) {
    let care = spot.care.clone();
    let Some(check) = &care.check else { return };
    let standing = core.shared.standings.of(spot);
    let mut is_first = true;
    loop {
        let outcome = probe::probe(&core, &standing.spot, check).await;
        let now = Instant::now();
        standing.checked(now, outcome);
        let is_up = standing.fitness(now) != Fitness::Down;
        let wait = next(check, is_up, is_first);
        let due = pace::due(now.saturating_duration_since(began), wait);
        tokio::time::sleep_until((began + due).into()).await;
        is_first = false;
    }
}

fn next(check: &HealthCheck, is_up: bool, is_first: bool) -> Duration {
    let drawn = RandomState::new().hash_one(0);
    let draw = f64::from(u32::try_from(drawn >> 32).unwrap_or(0)) / f64::from(u32::MAX);
    pace::wait(check, is_up, is_first, draw)
}
