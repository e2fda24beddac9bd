//! The start of all parts, least dangerous first; nothing is served yet.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use anyhow::{Context, Result};
use steelyard_admin::{Admin, Published};
use steelyard_forward::Forwarder;
use steelyard_gateway::Gateway;
use steelyard_host::links::Monitor;
use steelyard_speaker::Speaker;

use super::Settings;
use super::all_in_one::{AllHands, AllInOne, Parts};
use super::care::REPAIR;
use super::ending::undo;
use super::options::{admin, forward_options, gateway_options, speaker_options};
use super::senses::{Senses, addresses};
use super::wires::{Passes, Takes, expose};
use crate::hands::announcements::Announcements;
use crate::hands::chronicle::Chronicle;
use crate::hands::descriptors::{Descriptors, Rooms};
use crate::hands::forwarding::Forwarding;
use crate::hands::history::History;
use crate::hands::listeners::EntryPoints;
use crate::hands::lock::Assignments;
use crate::hands::names::Names;
use crate::hands::routes::Routes;
use crate::load;
use crate::mind::{Company, Mind, OwnFacts};
use crate::tell::board::{Board, BoardSources};

impl AllInOne {
    /// Starts all parts.
    ///
    /// # Errors
    /// When one cannot be done without, or the lock file cannot be read.
    pub(crate) async fn start(settings: Settings) -> Result<Self> {
        let own = own_facts(&settings);
        let lock = Assignments::read(settings.lock.clone(), own.follows())?;
        let mut descriptors = Descriptors::start();
        let speaks = Speaks::default();
        let gateway = Gateway::start(gateway_options(&settings, &descriptors.rooms))?;
        let gateway = Arc::new(gateway);
        let published = speaks.publisher(&gateway, &descriptors.rooms, settings.sharing.is_some());
        let parts = start_parts(&settings, gateway, &published, &descriptors.rooms).await?;
        if let Some(speaker) = &parts.speaker {
            let _ = speaks.0.set(Arc::downgrade(speaker));
        }
        let senses = senses(&parts);
        descriptors.measure();
        let options = load::resolve_options(&settings.world, load::PORTS);
        let history = History::default();
        Ok(Self {
            mind: Mind::new(options, lock.held().clone()),
            hands: all_hands(&settings, lock, &parts, (&senses, published), &history),
            own,
            senses,
            history,
            descriptors,
            next_repair: Instant::now() + REPAIR,
            parts,
            settings,
        })
    }
}

fn own_facts(settings: &Settings) -> OwnFacts {
    let company = settings.sharing.as_ref().map(|sharing| Company {
        writes_lock: sharing.lock_writer,
        compat_election: sharing.compat_election,
        ..Company::default()
    });
    let addresses = Arc::new(addresses().unwrap_or_default());
    OwnFacts { named: load::node_name(&settings.world), addresses, company }
}

/// The speaker, for those that start before it.
#[derive(Clone, Default)]
struct Speaks(Arc<OnceLock<Weak<Speaker>>>);

impl Speaks {
    fn now(&self) -> Option<Arc<Speaker>> {
        self.0.get().and_then(Weak::upgrade)
    }

    fn publisher(&self, gateway: &Arc<Gateway>, rooms: &Rooms, is_shared: bool) -> Arc<Published> {
        let (counted, rooms, speaks) = (gateway.clone(), rooms.clone(), self.clone());
        let metrics = Arc::new(move || expose(&counted, &rooms, speaks.now().as_deref()));
        let spreads = self.clone();
        let rebalance = Arc::new(move || {
            let speaker = spreads.now().filter(|_| is_shared);
            speaker.inspect(|speaker| speaker.rebalance()).is_some()
        });
        Published::new(metrics, rebalance)
    }
}

async fn start_parts(
    settings: &Settings,
    gateway: Arc<Gateway>,
    published: &Arc<Published>,
    rooms: &Rooms,
) -> Result<Parts> {
    // First, since it knows best what to say where another instance runs.
    let forwarder = Forwarder::start(forward_options(settings, rooms)).await?;
    match start_others(settings, &forwarder, published, rooms) {
        Ok((admin, speaker)) => {
            Ok(Parts { gateway, forwarder: Arc::new(forwarder), speaker, admin })
        }
        Err(error) => {
            undo(forwarder).await;
            Err(error)
        }
    }
}

fn start_others(
    settings: &Settings,
    forwarder: &Forwarder,
    published: &Arc<Published>,
    rooms: &Rooms,
) -> Result<(Admin, Option<Arc<Speaker>>)> {
    let admin = admin(settings, published, rooms)?;
    tell(forwarder, settings);
    if !settings.privileges.is_full() {
        return Ok((admin, None));
    }
    // Without the guard rules the kernel may answer echo requests itself.
    let echo = forwarder.degraded().is_none();
    let formers = Arc::new(Passes(forwarder.passing()));
    let gate = Arc::new(Takes(forwarder.intake()));
    let speaker = Speaker::start(speaker_options(settings, echo, formers, gate));
    Ok((admin, Some(Arc::new(speaker.context("cannot answer for addresses")?))))
}

fn senses(parts: &Parts) -> Senses {
    let speaker = parts.speaker.as_ref();
    let links = Monitor::open()
        .inspect_err(|error| tracing::warn!(%error, "changes of addresses are noticed late"));
    Senses {
        spoken: speaker.map(|it| it.events()),
        status: speaker.map(|it| it.watch()),
        shared: speaker.map(|it| it.sharing()),
        stirred: parts.forwarder.stirred(),
        links: links.ok(),
    }
}

fn all_hands(
    settings: &Settings,
    lock: Assignments,
    parts: &Parts,
    (senses, published): (&Senses, Arc<Published>),
    history: &History,
) -> AllHands {
    let Parts { gateway, forwarder, speaker, .. } = parts;
    let (answers, is_shared) = (speaker.is_some(), settings.sharing.is_some());
    let sources = BoardSources {
        privileges: settings.privileges.clone(),
        history: history.clone(),
        lock: lock.standing().clone(),
        status: senses.status.clone(),
        sharing: senses.shared.clone().filter(|_| is_shared),
    };
    AllHands {
        lock,
        chronicle: Chronicle::new(history.clone()),
        names: Names::default(),
        routes: Routes::new(gateway.clone()),
        entry_points: EntryPoints::new(
            (gateway.clone(), forwarder.clone()),
            (settings.world.fixed.clone(), settings.ports.0),
            !answers,
            history.clone(),
        ),
        forwarding: Forwarding::new(forwarder.clone(), answers, history.clone()),
        announcements: Announcements::new(speaker.clone(), is_shared, history.clone()),
        board: Board::new(published, sources),
    }
}

/// Says what was set on this host, or why nothing could be.
fn tell(forwarder: &Forwarder, settings: &Settings) {
    for change in forwarder.changes() {
        tracing::info!("set on this host: {change}");
    }
    if let Some(why) = forwarder.degraded().filter(|_| settings.privileges.is_full()) {
        tracing::warn!("the kernel does not forward: {why}; {}", why.help());
    }
}
