//! The start of all parts, least dangerous first; nothing is served yet.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use anyhow::{Context, Result};
use steelyard_admin::{Admin, LiveParts, Metrics, Published};
use steelyard_forward::{
    ForwardOptions, Forwarder, Leftovers, Meter, Passer, Passing, undo_leftovers,
};
use steelyard_gateway::{Gateway, NginxConnections};
use steelyard_host::links::Monitor;
use steelyard_host::own_sockets::OwnSockets;
use steelyard_lending::{Borrower, Lender};
use steelyard_pipeline::ResolveOptions;
use steelyard_sources::SourceRoots;
use steelyard_speaker::{Expectation, Formers, Gate, Speaker};
use tokio::sync::watch;

use super::all_hands::AllHands;
use super::care::REPAIR;
use super::ending::undo;
use super::options::{admin, forward_options, gateway_options, health, speaker_options};
use super::passage::Waiting;
use super::senses::{Senses, addresses};
use super::wires::{Passes, Takes, expose};
use super::{Instance, Meeting, Parts, Settings};
use crate::hands::announcements::{Announcements, Manner};
use crate::hands::chronicle::Chronicle;
use crate::hands::descriptors::{Descriptors, Rooms};
use crate::hands::forwarding::Forwarding;
use crate::hands::history::History;
use crate::hands::lending::Lending;
use crate::hands::listeners::{EntryPoints, Site};
use crate::hands::lock::Assignments;
use crate::hands::names::Names;
use crate::hands::routes::Routes;
use crate::load;
use crate::mind::{Company, Mind, OwnFacts};
use crate::own::Own;
use crate::tell::board::{Board, BoardSources};
use crate::tell::endpoints::endpoints;
use crate::tell::requests::{explained, requests};

impl Instance {
    /// Starts all parts.
    ///
    /// # Errors
    /// When one cannot be done without, or the lock file cannot be read.
    pub(crate) async fn start(settings: Settings) -> Result<Self> {
        let own = own_facts(&settings);
        let lock = Assignments::read(settings.lock.clone(), own.follows())?;
        let mut descriptors = Descriptors::start();
        let late = LateParts::default();
        let own_services = Arc::new(Own::new(&settings.world.fixed));
        let own_sockets = OwnSockets::default();
        let gateway = match settings.duties.routes {
            true => {
                let told = (&own_services, &own_sockets);
                let options = gateway_options(&settings, &descriptors.rooms, told)?;
                Some(Arc::new(Gateway::start(options)?))
            }
            false => None,
        };
        let published =
            late.publisher(gateway.clone(), &descriptors.rooms, &settings, &own_services);
        let (waiting, expects, waits) = Waiting::of(&settings);
        let late_parts = LateStart { published: &published, expects, waits };
        let rooms = (&descriptors.rooms, &own_sockets);
        let parts = start_parts(&settings, gateway, late_parts, rooms).await?;
        // Before anybody is served: whoever may write a Service is nobody on this machine.
        own_sockets.tell(parts.admin_sockets());
        if let Some(speaker) = &parts.speaker {
            let _ = late.speaker.set(Arc::downgrade(speaker));
        }
        if let Some(forwarder) = &parts.forwarder {
            let _ = late.meter.set(forwarder.meter());
        }
        let lends = Lends::start(&settings);
        let senses = senses(&parts, &lends);
        descriptors.measure();
        let options = ResolveOptions {
            gateway: settings.gateway,
            reads_routes: settings.duties.routes,
            ..load::resolve_options(&settings.world, load::PORTS)
        };
        let mind = match &settings.awaited {
            None => {
                let dynamic = settings.world.fixed.dynamic_files();
                let names = SourceRoots { dynamic, ..SourceRoots::default() }.dynamic_names();
                Mind::new(options, lock.held().clone(), names)
            }
            Some(awaited) => {
                Mind::of_cluster(options, lock.held().clone(), awaited.iter().cloned())
            }
        };
        let history = History::default();
        Ok(Self {
            mind,
            hands: all_hands(
                &settings,
                lock,
                &parts,
                (&senses, published),
                (lends, &history),
                &own_services,
            ),
            own,
            senses,
            history,
            descriptors,
            next_repair: Instant::now() + REPAIR,
            is_informed: false,
            parts,
            own_services,
            waiting,
            settings,
        })
    }
}

fn own_facts(settings: &Settings) -> OwnFacts {
    let company = settings.sharing.as_ref().map(|sharing| Company {
        compat_election: sharing.compat_election,
        ignore_exclude_lb: settings.ignore_exclude_lb,
        peers: sharing.membership.peers.iter().map(|it| it.ip().to_canonical()).collect(),
        ..Company::default()
    });
    let addresses = Arc::new(addresses().unwrap_or_default());
    let (named, author) = (load::node_name(&settings.world), settings.author);
    let leaves_forwarding = !settings.duties.carries;
    OwnFacts { named, addresses, author, company, leaves_forwarding, ..OwnFacts::default() }
}

/// What starts last, for those that start before it.
#[derive(Clone, Default)]
struct LateParts {
    speaker: Arc<OnceLock<Weak<Speaker>>>,
    meter: Arc<OnceLock<Meter>>,
}

impl LateParts {
    fn speaker(&self) -> Option<Arc<Speaker>> {
        self.speaker.get().and_then(Weak::upgrade)
    }

    fn publisher(
        &self,
        gateway: Option<Arc<Gateway>>,
        rooms: &Rooms,
        settings: &Settings,
        own: &Arc<Own>,
    ) -> Arc<Published> {
        let (serves, stands) = (gateway.clone(), gateway.clone());
        let (asked, in_force) = (gateway.clone(), own.clone());
        let request = Arc::new(move |id: &str| {
            explained(asked.as_deref(), in_force.decided().as_deref(), id)
        });
        let asked = gateway.clone();
        let requests = Arc::new(move || requests(asked.as_deref()));
        let asked = gateway.clone();
        let endpoints = Arc::new(move || endpoints(asked.as_deref()));
        let (rooms, late, standings) = (rooms.clone(), self.clone(), settings.standings.clone());
        let metrics: Metrics = Arc::new(move || {
            let (speaker, meter) = (late.speaker(), late.meter.get());
            expose((gateway.as_deref(), meter), &rooms, speaker.as_deref(), standings.as_ref())
        });
        if let Some(gateway) = &serves {
            own.begin(gateway, &metrics);
        }
        let status = Arc::new(move || {
            stands.as_deref().and_then(Gateway::nginx_connections).map(stub_status)
        });
        let is_shared = settings.sharing.is_some();
        let spreads = self.clone();
        let rebalance = Arc::new(move || {
            let speaker = spreads.speaker().filter(|_| is_shared);
            speaker.inspect(|speaker| speaker.rebalance()).is_some()
        });
        Published::new(LiveParts { metrics, status, rebalance, requests, request, endpoints })
    }
}

/// As nginx writes it.
fn stub_status(of: NginxConnections) -> String {
    let NginxConnections { active, accepted, requests, reading, writing, waiting } = of;
    format!(
        "Active connections: {active} \nserver accepts handled requests\n \
         {accepted} {accepted} {requests} \n\
         Reading: {reading} Writing: {writing} Waiting: {waiting} \n"
    )
}

/// What parts are told that others see.
struct LateStart<'s> {
    published: &'s Arc<Published>,
    /// Until when they are silent.
    expects: Option<Expectation>,
    waits: Option<watch::Receiver<()>>,
}

async fn start_parts(
    settings: &Settings,
    gateway: Option<Arc<Gateway>>,
    late: LateStart<'_>,
    (rooms, own_sockets): (&Rooms, &OwnSockets),
) -> Result<Parts> {
    let options = || forward_options(settings, rooms, own_sockets);
    // First, since it knows best what to say where another instance runs.
    let forwarder = match settings.duties.carries {
        true => Some(Forwarder::start(options()).await?),
        false => None,
    };
    // Who carries packets undoes what is left of them, and a pod of the gateway is no node.
    if forwarder.is_none() && settings.duties.announces {
        tell_leftovers(undo_leftovers(&options()).await);
    }
    let passer = settings.duties.passes.then(start_passer).flatten();
    let passing = passer.as_ref().map(Passer::passing);
    let passing = passing.or_else(|| Some(forwarder.as_ref()?.passing()));
    match start_others(settings, (forwarder.as_ref(), passing), late, rooms) {
        Ok(((admin, health), speaker)) => {
            let forwarder = forwarder.map(Arc::new);
            Ok(Parts { gateway, forwarder, passer, speaker, admin, health })
        }
        Err(error) => {
            if let Some(forwarder) = forwarder {
                undo(forwarder).await;
            }
            Err(error)
        }
    }
}

/// Says what an earlier process left on this host that carried packets and was killed.
fn tell_leftovers(leftovers: Option<Leftovers>) {
    let Some(Leftovers { what, stays }) = leftovers else { return };
    for what in what {
        match &stays {
            None => tracing::info!("undone on this host, as an earlier process left it: {what}"),
            Some(why) => tracing::warn!("an earlier process left on this host: {what}: {why}"),
        }
    }
}

/// Without it flows break, and everything else works.
fn start_passer() -> Option<Passer> {
    let table = ForwardOptions::default().table;
    let started = Passer::start(&table).inspect_err(|why| {
        tracing::warn!(
            "open connections break when their address goes to another node: {why}; it takes \
             CAP_NET_ADMIN and the kernel's nft_dup_ipv4 and nft_dup_ipv6 (--forget-flows does \
             without)"
        );
    });
    let passer = started.ok()?;
    tracing::info!("set on this host: {} (undone at exit)", passer.change());
    Some(passer)
}

/// Where it is asked about itself, and about its health alone.
type Told = (Admin, Option<Admin>);

fn start_others(
    settings: &Settings,
    (forwarder, passing): (Option<&Forwarder>, Option<Passing>),
    late: LateStart<'_>,
    rooms: &Rooms,
) -> Result<(Told, Option<Arc<Speaker>>)> {
    let LateStart { published, expects, waits } = late;
    let health = health(settings, published, rooms, waits.clone())?;
    let admin = (admin(settings, published, rooms, waits)?, health);
    forwarder.into_iter().for_each(|it| tell(it, settings));
    if !settings.duties.announces || !settings.privileges.is_full() {
        return Ok((admin, None));
    }
    // Without the guard rules the kernel may answer echo requests itself.
    let echo = forwarder.is_some_and(|it| it.degraded().is_none());
    let formers = passing.map(|it| Arc::new(Passes(it)) as Arc<dyn Formers>);
    let gate = forwarder.map(|it| Arc::new(Takes(it.intake())) as Arc<dyn Gate>);
    let speaker = Speaker::start(speaker_options(settings, echo, formers, gate, expects));
    Ok((admin, Some(Arc::new(speaker.context("cannot answer for addresses")?))))
}

/// Listeners that one process opens, and another one serves.
#[derive(Default)]
struct Lends {
    lender: Option<Lender>,
    borrower: Option<Borrower>,
}

impl Lends {
    /// Who has routes serves them. Inside a runtime.
    fn start(settings: &Settings) -> Self {
        let Some(Meeting { path, other }) = &settings.listeners else { return Self::default() };
        if settings.duties.routes {
            return Self { borrower: Some(Borrower::new(path, *other)), lender: None };
        }
        // The other vips need nothing of it.
        let lender = Lender::start(path, *other).inspect_err(|error| {
            tracing::error!(%error, "{}: no listener can be lent to a gateway", path.display());
        });
        Self { lender: lender.ok(), borrower: None }
    }

    fn news(&self) -> Option<watch::Receiver<()>> {
        let borrower = self.borrower.as_ref().map(Borrower::news);
        borrower.or_else(|| self.lender.as_ref().map(Lender::news))
    }
}

fn senses(parts: &Parts, lends: &Lends) -> Senses {
    let speaker = parts.speaker.as_ref();
    let links = Monitor::open()
        .inspect_err(|error| tracing::warn!(%error, "changes of addresses are noticed late"));
    Senses {
        spoken: speaker.map(|it| it.events()),
        status: speaker.map(|it| it.watch()),
        shared: speaker.map(|it| it.sharing()),
        stirred: parts.forwarder.as_ref().map(|it| it.stirred()),
        lent: lends.news(),
        links: links.ok(),
    }
}

fn all_hands(
    settings: &Settings,
    lock: Assignments,
    parts: &Parts,
    (senses, published): (&Senses, Arc<Published>),
    (lends, history): (Lends, &History),
    own: &Arc<Own>,
) -> AllHands {
    let Parts { gateway, forwarder, speaker, .. } = parts;
    let Lends { lender, mut borrower } = lends;
    let (answers, is_shared) = (speaker.is_some(), settings.sharing.is_some());
    let sources = BoardSources {
        privileges: settings.privileges.clone(),
        accepts_broken: settings.accepts_broken,
        history: history.clone(),
        lock: lock.standing().clone(),
        status: senses.status.clone(),
        sharing: senses.shared.clone().filter(|_| is_shared),
    };
    let mut entry_points = |gateway: &Arc<Gateway>| {
        EntryPoints::new(
            (gateway.clone(), forwarder.clone()),
            (settings.world.fixed.clone(), settings.ports),
            site(settings, answers),
            (borrower.take(), settings.inheritance.sockets.clone()),
            history.clone(),
        )
    };
    let forwarding =
        |forwarder: &Arc<Forwarder>| Forwarding::new(forwarder.clone(), answers, history.clone());
    let announcements = || {
        let how = Manner {
            is_shared,
            is_carrier: settings.duties.carries,
            is_shadow: settings.is_shadow,
        };
        Announcements::new(speaker.clone(), how, history.clone())
    };
    AllHands {
        lock,
        chronicle: Chronicle::new(history.clone()),
        names: Names::default(),
        routes: gateway.clone().map(|it| Routes::new(it, Arc::clone(own))),
        entry_points: gateway.as_ref().map(&mut entry_points),
        lending: lender.map(|it| Lending::new(it, forwarder.clone(), history.clone())),
        forwarding: forwarder.as_ref().map(forwarding),
        announcements: settings.duties.announces.then(announcements),
        board: Board::new(published, sources),
    }
}

fn site(settings: &Settings, answers: bool) -> Site {
    match (settings.duties.announces, answers) {
        (false, _) => Site::Host,
        (true, true) => Site::Vips,
        (true, false) => Site::Loopback,
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
