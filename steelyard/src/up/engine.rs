//! One change through all stages: sources → world → plan → lock → applied → published.
//!
//! What happens to be wrong never stops it: the data path keeps its last good plan.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use steelyard_gateway::Bind;
use steelyard_host::links::LinkError;
use steelyard_manifest::Sight;
use steelyard_model::routing::entry_point::PLAIN;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{Diagnostic, Holdings, Item, Node, Severity, Snapshot};
use steelyard_pipeline::Known;
use steelyard_plan::{Facts, Plan, Planner, ServiceEventKind, ServiceRow};
use steelyard_speaker::SpeakerEvent;
use tokio::sync::broadcast::error::RecvError;

use super::Settings;
use super::binds;
use super::history::History;
use super::names::Names;
use super::parts::Parts;
use super::sharing::{self, Others};
use super::vips::Vips;
use crate::lock_file::Stamp;
use crate::pipeline::Pipeline;
use crate::{load, lock_file, plan};
use apply::{Applied, Last};

mod apply;
mod lock;
mod view;

pub(super) use view::carried;
pub(crate) use view::explain_services;

/// Most files that one line of the log names.
const MOST_NAMED: usize = 5;

/// The running whole.
pub(crate) struct Engine {
    pub(super) settings: Settings,
    pub(super) parts: Parts,
    pipeline: Pipeline,
    planner: Planner,
    held: Holdings,
    pub(super) names: Names,
    pub(super) history: History,
    pub(super) current: Option<Arc<Current>>,
    pub(super) vips: Vips,
    pub(super) last: Last,
    pub(super) started: u64,
    next_repair: Instant,
    /// Listeners that failed last time, and why: told once.
    pub(super) failing: BTreeMap<Bind, String>,
    /// What was last seen of the files.
    sight: Sight,
    /// When what was seen comes to something else: a loss is believed then.
    due: Option<Instant>,
    /// The lock file, as we left it or as it was when we last read it.
    lock: Option<Stamp>,
    /// The last edit waits for the lock file to be writable.
    pub(super) is_waiting: bool,
    /// Why the lock file is not followed; the one of before stays in force. Told once.
    pub(super) lock_trouble: Option<String>,
    others: Others,
    /// Endpoints that the gateway's requests got no connection to.
    pub(super) silent: Arc<BTreeSet<SocketAddr>>,
}

/// Something that happened by itself.
pub(crate) enum News {
    /// The speaker tells what happened.
    Spoken(Result<SpeakerEvent, RecvError>),
    /// How vips stand has changed.
    Status,
    /// Other machines, or who owns what, have changed.
    Shared,
    /// A name has another address.
    Names,
    /// Another program changed the kernel's packet filter.
    Filter,
    /// Interfaces or their addresses have changed, or are no longer told about.
    Links(Result<(), LinkError>),
}

/// The plan is applied again this long after the last time: it repairs what others removed.
const REPAIR: Duration = Duration::from_secs(5);
/// With many Services it takes a while, so it is also this many times as rare as it is long.
const RARITY: u32 = 50;

/// What is in force.
#[derive(Clone)]
pub(super) struct Current {
    pub(super) node: String,
    pub(super) generation: u64,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) plan: Arc<Plan>,
    /// What is there, for advice about what is not.
    pub(super) known: Known,
    pub(super) applied: Applied,
    /// From the change seen to everything applied.
    pub(super) took: Duration,
}

impl Engine {
    /// Starts all parts; nothing is served yet.
    pub(crate) async fn start(settings: Settings) -> Result<Self> {
        let held = match &settings.lock {
            Some(path) => lock_file::read(path)?.map_err(|found| {
                anyhow::anyhow!(
                    "{}: {}; {}",
                    found.location.as_ref().map(ToString::to_string).unwrap_or_default(),
                    found.message,
                    found.help
                )
            })?,
            None => Holdings::default(),
        };
        let parts = Parts::start(&settings).await?;
        let mut pipeline = Pipeline::new(load::resolve_options(&settings.world, load::PORTS));
        if !held.0.is_empty() {
            pipeline.expect_manifests();
        }
        Ok(Self {
            settings,
            parts,
            pipeline,
            planner: Planner::default(),
            held,
            names: Names::default(),
            history: History::default(),
            current: None,
            vips: Vips::default(),
            last: Last::default(),
            started: super::history::now(),
            next_repair: Instant::now() + REPAIR,
            failing: BTreeMap::new(),
            sight: Sight::default(),
            due: None,
            lock: None,
            is_waiting: false,
            lock_trouble: None,
            others: Others::new(),
            silent: Arc::default(),
        })
    }

    /// Adds items that do not come from files.
    pub(crate) fn set_own(&mut self, items: Vec<Item>) {
        self.pipeline.set_own(items);
    }

    /// Takes what was seen of the files through all stages.
    ///
    /// # Errors
    /// When the lock file cannot be written at the start. Later, what is in force stays in force,
    /// nothing new is announced, and it is tried again.
    pub(crate) async fn take(&mut self, sight: Sight) -> Result<()> {
        self.sight = sight;
        self.follow_lock();
        self.take_again().await
    }

    async fn take_again(&mut self) -> Result<()> {
        let seen = Instant::now();
        if let Err(error) = self.recall_lock() {
            return self.wait_for_lock(error);
        }
        let (world, awaited) = self.pipeline.follow(&self.sight, seen);
        self.due = awaited.due;
        let known = world.known.clone();
        let facts = self.facts(&world.snapshot);
        let generation = world.generation;
        let read = seen.elapsed();
        let (snapshot, plan) = plan::again(&mut self.planner, world, &self.held, &facts);
        let planned = Instant::now();
        self.is_waiting = false;
        if let Err(error) = self.write_lock(&plan.held) {
            if self.current.is_none() || plan.held != self.held {
                return self.wait_for_lock(error);
            }
            // Nothing changes hands, so nothing waits: its folder may be out of sight.
            self.miss_lock(format!("{error:#}"));
        }
        if !self.follows() {
            self.held.clone_from(&plan.held);
        }
        self.tell(&plan);
        self.ask_names(&plan);
        let applied = self.apply(&snapshot, &plan, generation).await;
        let took = seen.elapsed();
        tell_taken(generation, took, &awaited.files);
        let (snapshot, plan) = (Arc::new(snapshot), Arc::new(plan));
        let node = facts.node;
        let current = Current { node, generation, snapshot, plan, known, applied, took };
        self.current = Some(Arc::new(current));
        self.publish();
        let (plan, then) = (planned - seen - read, planned.elapsed());
        tracing::debug!(generation, ?read, ?plan, ?then, "an edit took");
        self.planner.look_ahead();
        Ok(())
    }

    /// What is in force stays in force until the lock file is as it should be.
    fn wait_for_lock(&mut self, error: anyhow::Error) -> Result<()> {
        if self.current.is_none() {
            return Err(error);
        }
        let message = format!("{error:#}: the edit waits until that is mended");
        self.history.note(false, "LockNotWritten", "File/steelyard.lock", &message);
        self.is_waiting = true;
        self.publish();
        Ok(())
    }

    /// Who this node is, which nodes answer, and which machines are no Node objects.
    fn facts(&self, snapshot: &Snapshot) -> Facts {
        let named = load::node_name(&self.settings.world);
        let Some(sharing) = &self.settings.sharing else {
            let own = self.parts.addresses();
            let node = known_as(&named, own, snapshot).unwrap_or(named);
            let is_beside = !snapshot.nodes.is_empty();
            return Facts {
                alive: Some([node.clone()].into()),
                beside: is_beside.then(|| node.clone()).into_iter().collect(),
                node,
                ..Facts::default()
            };
        };
        Facts {
            beside: self.others.iter().chain([&named]).cloned().collect(),
            node: named,
            held_only: !sharing.lock_writer,
            compat_election: sharing.compat_election,
            ..Facts::default()
        }
    }

    /// Notes what changed for Services, and logs what is wrong, once.
    fn tell(&mut self, plan: &Plan) {
        let before = self.current.as_ref().map(|it| Arc::clone(&it.plan)).unwrap_or_default();
        for id in plan.services.differing(&before.services) {
            let Some(service) = plan.services.get(id) else { continue };
            if before.services.get(id).is_some_and(|before| outcome(before) == outcome(service)) {
                continue;
            }
            for event in &service.events {
                let object = format!("Service/{id}");
                let normal = event.kind == ServiceEventKind::Normal;
                self.history.note(normal, event.reason, &object, &event.message);
            }
        }
        let identity = |it: &Diagnostic| (it.code, it.object.clone(), it.message.clone());
        let known: BTreeSet<_> = match before.diagnostics == plan.diagnostics {
            true => return,
            false => before.diagnostics.iter().map(identity).collect(),
        };
        for found in plan.diagnostics.iter().filter(|it| !known.contains(&identity(it))) {
            let at = found.location.as_ref().map(ToString::to_string).unwrap_or_default();
            match found.severity {
                Severity::Error => tracing::error!(code = %found.code, %at, "{}", found.message),
                Severity::Warning => tracing::warn!(code = %found.code, %at, "{}", found.message),
                Severity::Info => tracing::debug!(code = %found.code, %at, "{}", found.message),
            }
        }
    }

    /// Waits until something happened by itself: the speaker has news, or a name has another
    /// address.
    pub(crate) async fn news(&mut self) -> News {
        let spoken = async {
            match &mut self.parts.spoken {
                Some(events) => events.recv().await,
                None => std::future::pending().await,
            }
        };
        let status = async {
            let Some(status) = &mut self.parts.status else { return std::future::pending().await };
            if status.changed().await.is_err() {
                std::future::pending().await
            }
        };
        let shared = async {
            let Some(shared) = &mut self.parts.shared else { return std::future::pending().await };
            if shared.changed().await.is_err() {
                std::future::pending().await
            }
        };
        let links = async {
            match &self.parts.links {
                Some(links) => links.changed().await.map(drop),
                None => std::future::pending().await,
            }
        };
        let stirred = &mut self.parts.stirred;
        let filter = async {
            if stirred.changed().await.is_err() {
                std::future::pending().await
            }
        };
        tokio::select! {
            () = filter => News::Filter,
            () = self.names.changed() => News::Names,
            links = links => News::Links(links),
            event = spoken => News::Spoken(event),
            () = status => News::Status,
            () = shared => News::Shared,
        }
    }

    /// Answers to news.
    pub(crate) async fn hear(&mut self, news: News) {
        match news {
            News::Names => return self.apply_again().await,
            News::Links(told) => {
                // Routes and what else follows are there a moment later.
                self.next_repair = Instant::now();
                return self.look(told).await;
            }
            // At the next tick: such changes come in swarms.
            News::Filter => return self.next_repair = Instant::now(),
            News::Status => {}
            News::Shared => self.meet().await,
            News::Spoken(Ok(event)) => {
                let object = match event.address {
                    Some(vip) => format!("Vip/{vip}"),
                    None => format!("Node/{}", self.node()),
                };
                let normal = !event.kind.is_warning();
                let help = event.kind.help().map(|help| format!("; {help}")).unwrap_or_default();
                self.history.keep(normal, event.kind.as_str(), &object, &format!("{event}{help}"));
            }
            News::Spoken(Err(RecvError::Lagged(missed))) => {
                tracing::warn!(missed, "too many events at once");
            }
            News::Spoken(Err(RecvError::Closed)) => {
                self.parts.spoken = None;
                tracing::error!("the speaker ended: nothing is answered for");
            }
        }
        self.publish();
    }

    /// Looks names up again where it is time, follows what other machines and people change, and
    /// repairs what others removed.
    pub(crate) async fn tick(&mut self) {
        let Some(current) = self.current.clone() else { return };
        self.ask_names(&current.plan);
        self.follow_keys();
        self.count_descriptors(&current);
        self.follow_endpoints();
        let is_due = self.due.is_some_and(|due| due <= Instant::now());
        if self.follow_lock() || is_due {
            // Only the start fails for want of the lock.
            let _ = self.take_again().await;
        }
        if self.next_repair <= Instant::now() {
            self.repair().await;
        }
    }

    /// Says once that a part has no place for more connections, and once that it has again.
    fn count_descriptors(&mut self, current: &Current) {
        let Applied { listeners, forwarded, .. } = &current.applied;
        let workers = self.settings.serve.workers.map_or_else(cores, usize::from);
        if !self.parts.descriptors.look(listeners.len() * workers + forwarded.ports.len()) {
            return;
        }
        for crowded in self.parts.descriptors.crowded() {
            let message = crowded.to_string();
            self.history.note(false, "ConnectionsCrowded", "Node/descriptors", &message);
        }
        if self.parts.descriptors.crowded().is_empty() {
            let message = "connections have places again";
            self.history.note(true, "ConnectionsFit", "Node/descriptors", message);
        }
        self.publish();
    }

    /// Which endpoints requests get no connection to.
    fn follow_endpoints(&mut self) {
        let silent = self.parts.gateway.silent();
        if silent != *self.silent {
            self.silent = Arc::new(silent);
            self.publish();
        }
    }

    async fn repair(&mut self) {
        let begun = Instant::now();
        self.look(Ok(())).await;
        self.apply_again().await;
        self.next_repair = Instant::now() + REPAIR.max(begun.elapsed() * RARITY);
        // Somebody may have removed it. When it cannot be written, the next edit says so.
        let _ = self.write_lock(&self.held.clone());
        if self.is_waiting {
            // Only the start fails for want of the lock.
            let _ = self.take_again().await;
        }
    }

    /// Looks at this machine's addresses: a vip that became one of them is the machine's.
    async fn look(&mut self, told: Result<(), LinkError>) {
        if let Err(error) = told {
            tracing::warn!(%error, "changes of addresses are noticed late");
            self.parts.links = None;
        }
        if self.parts.look() && self.current.is_some() {
            // Which endpoints are here, and which elsewhere, may be otherwise now.
            self.last.forget();
            // Only the start fails for want of the lock.
            let _ = self.take_again().await;
        }
    }

    fn follow_keys(&mut self) {
        let Some(sharing) = &mut self.settings.sharing else { return };
        if sharing.has_new_keys() {
            tracing::info!("the key file has a new key: {:?}", sharing.membership.keys);
            let keys = sharing.membership.keys.clone();
            self.parts.speaker.iter().for_each(|speaker| speaker.set_keys(keys.clone()));
        }
    }

    /// Machines that were never heard before may own vips as well.
    async fn meet(&mut self) {
        let Some(shared) = &mut self.parts.shared else { return };
        let shared = Arc::clone(&shared.borrow_and_update());
        if sharing::meet(&mut self.others, &shared) && self.current.is_some() {
            // Only the start fails for want of the lock.
            let _ = self.take_again().await;
        }
    }

    /// Whether another machine writes the lock file.
    fn follows(&self) -> bool {
        self.settings.sharing.as_ref().is_some_and(|sharing| !sharing.lock_writer)
    }

    /// Applies what is in force once more.
    async fn apply_again(&mut self) {
        let Some(current) = self.current.clone() else { return };
        self.last.forget();
        let applied = self.apply(&current.snapshot, &current.plan, current.generation).await;
        if applied != current.applied {
            self.current = Some(Arc::new(Current { applied, ..Current::clone(&current) }));
            self.publish();
        }
    }

    fn ask_names(&mut self, plan: &Plan) {
        let ports = plan.node.forward.values().flat_map(|vip| &vip.ports);
        self.names.ask(ports.flat_map(|port| &port.endpoints));
    }

    /// What requests are routed by.
    pub(crate) fn routing(&self) -> Option<&RoutingMap> {
        self.current.as_ref().map(|current| &current.snapshot.routing)
    }

    /// The name of this node.
    pub(super) fn node(&self) -> String {
        self.current.as_ref().map_or_else(String::new, |current| current.node.clone())
    }

    /// The port the entry point `web` listens on; none while it cannot listen on each address it
    /// should: somebody else has the port there.
    pub(crate) fn web_port(&self) -> Option<u16> {
        let listeners = &self.current.as_ref()?.applied.listeners;
        let web = listeners.iter().filter(|(bind, _)| bind.entry_point == PLAIN.name);
        let ports: Option<Vec<u16>> =
            web.map(|(bind, at)| Some(binds::reached(bind, *at.as_ref().ok()?).port())).collect();
        ports?.first().copied()
    }

    /// Lets the entry point `web` listen on another port.
    pub(crate) async fn move_web(&mut self, port: u16) {
        self.settings.ports.0 = port;
        self.apply_again().await;
    }

    /// Where the admin page is.
    pub(crate) fn admin_address(&self) -> std::net::SocketAddr {
        self.parts.admin.address()
    }

    /// Opens log files again, after they were moved away.
    pub(crate) fn reopen_logs(&self) {
        self.parts.gateway.reopen_log();
    }

    /// Withdraws, finishes requests, and undoes what was set on the host. Waits for nobody once
    /// `again` is over.
    pub(crate) async fn stop(self, drain: Duration, again: impl Future<Output = ()>) {
        self.parts.stop(drain, again).await;
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What came of a Service.
fn outcome(service: &ServiceRow) -> impl PartialEq {
    (&service.addresses, &service.pool, &service.events)
}

/// What the Node object is called that is this machine.
fn known_as(named: &str, own: &[IpAddr], snapshot: &Snapshot) -> Option<String> {
    let by_name = snapshot.nodes.iter().find(|node| *node.name == *named);
    let by_address = || {
        let holds = |node: &&Node| node.internal_ips.iter().any(|ip| own.contains(ip));
        snapshot.nodes.iter().find(holds)
    };
    by_name.or_else(by_address).map(|node| node.name.to_string())
}

/// Says that an edit was taken in; not so of files that stand as they were before it.
fn tell_taken(generation: u64, took: Duration, waiting: &[Arc<str>]) {
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    if waiting.is_empty() {
        tracing::info!(generation, took_ms, "in force");
        return;
    }
    let mut files =
        waiting.iter().take(MOST_NAMED).map(|name| &**name).collect::<Vec<_>>().join(", ");
    if waiting.len() > MOST_NAMED {
        files += ", …";
    }
    tracing::info!(
        generation,
        took_ms,
        files,
        "in force, but for files with less in them than before: each stands as it was until that \
         has lasted a moment"
    );
}
