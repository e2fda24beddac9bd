//! The parts that do: each owns one kind of outside resource.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use anyhow::{Context, Result};
use steelyard_admin::{Admin, AdminOptions, Published, StartError};
use steelyard_forward::{ForwardOptions, Forwarder, Intake, Pass, Passing};
use steelyard_gateway::{AccessLog, Gateway, GatewayOptions, LogFormat};
use steelyard_host::links::{self, Monitor};
use steelyard_metrics::Exposition;
use steelyard_speaker::{
    ConflictPolicy, Former, Formers, Gate, Membership, Sharing, Speaker, SpeakerEvent,
    SpeakerOptions, VipState, VipStatus,
};
use tokio::sync::{broadcast, watch};

use super::descriptors::{Descriptors, Rooms};
use super::{Conflict, Settings, process};

/// How long those are served that have not heard of a handover: well over the time that a client
/// takes to ask again whose address it is.
const STRAGGLERS: Duration = Duration::from_secs(5);
/// How often it is looked whether connections have ended.
const GLANCE: Duration = Duration::from_millis(200);

/// All of them.
pub(super) struct Parts {
    pub(super) gateway: Arc<Gateway>,
    pub(super) forwarder: Forwarder,
    /// None without privileges: then nothing is answered for.
    pub(super) speaker: Option<Arc<Speaker>>,
    pub(super) spoken: Option<broadcast::Receiver<SpeakerEvent>>,
    pub(super) status: Option<watch::Receiver<Arc<[VipStatus]>>>,
    /// The other machines, and who owns what.
    pub(super) shared: Option<watch::Receiver<Arc<Sharing>>>,
    /// Tells when another program changed the kernel's packet filter.
    pub(super) stirred: watch::Receiver<()>,
    /// Tells when interfaces or their addresses change; none where the kernel does not say.
    pub(super) links: Option<Monitor>,
    /// Addresses of this machine, as last seen.
    own: Vec<IpAddr>,
    pub(super) published: Arc<Published>,
    pub(super) admin: Admin,
    pub(super) descriptors: Descriptors,
}

impl Parts {
    /// Starts them, least dangerous first.
    pub(super) async fn start(settings: &Settings) -> Result<Self> {
        let mut descriptors = Descriptors::start();
        let rooms = descriptors.rooms.clone();
        let gateway = Arc::new(Gateway::start(gateway_options(settings, &rooms))?);
        let (speaks, counted) = (Arc::new(OnceLock::<Weak<Speaker>>::new()), gateway.clone());
        let (counts, spreads) = (speaks.clone(), speaks.clone());
        let speaks_now = move || counts.get().and_then(Weak::upgrade);
        let metrics = Arc::new(move || expose(&counted, &rooms, speaks_now().as_deref()));
        let shares = settings.sharing.is_some();
        let rebalance = Arc::new(move || {
            let speaker = spreads.get().and_then(Weak::upgrade).filter(|_| shares);
            speaker.inspect(|speaker| speaker.rebalance()).is_some()
        });
        let published = Published::new(metrics, rebalance);
        // First, since it knows best what to say where another instance runs.
        let forwarder = Forwarder::start(forward_options(settings, &descriptors.rooms)).await?;
        let admin = match admin(settings, &published, &descriptors.rooms) {
            Ok(admin) => admin,
            Err(error) => {
                undo(forwarder).await;
                return Err(error.into());
            }
        };
        tell(&forwarder, settings);
        // Without the guard rules the kernel may answer echo requests itself.
        let echo = forwarder.degraded().is_none();
        let formers = Arc::new(Passes(forwarder.passing()));
        let gate = Arc::new(Takes(forwarder.intake()));
        let speaker = || speaker(settings, echo, formers, gate);
        let speaker = settings.privileges.is_full().then(speaker).transpose();
        let speaker = match speaker {
            Ok(speaker) => speaker.map(Arc::new),
            Err(error) => {
                undo(forwarder).await;
                return Err(error);
            }
        };
        if let Some(speaker) = &speaker {
            let _ = speaks.set(Arc::downgrade(speaker));
        }
        let spoken = speaker.as_ref().map(|speaker| speaker.events());
        let status = speaker.as_ref().map(|speaker| speaker.watch());
        let shared = speaker.as_ref().map(|speaker| speaker.sharing());
        let links = Monitor::open()
            .inspect_err(|error| tracing::warn!(%error, "changes of addresses are noticed late"))
            .ok();
        let (own, stirred) = (Vec::new(), forwarder.stirred());
        descriptors.measure();
        let mut parts = Self {
            gateway,
            forwarder,
            speaker,
            spoken,
            status,
            shared,
            stirred,
            links,
            own,
            published,
            admin,
            descriptors,
        };
        parts.look();
        Ok(parts)
    }

    /// Addresses of this machine.
    pub(super) fn addresses(&self) -> &[IpAddr] {
        &self.own
    }

    /// Looks at the addresses of this machine; whether they are others than before.
    pub(super) fn look(&mut self) -> bool {
        let links = match links::list() {
            Ok(links) => links,
            Err(error) => {
                tracing::warn!(%error, "this machine's addresses are taken to be as they were");
                return false;
            }
        };
        let mut own: Vec<IpAddr> =
            links.iter().flat_map(|link| &link.addresses).map(|net| net.addr()).collect();
        own.sort_unstable();
        let changed = own != self.own;
        self.own = own;
        changed
    }

    /// Others take over first, and those who have not heard of it are served for a while; then
    /// silence, the last requests, and the host as it was. Waits for nobody once `again` is over.
    pub(super) async fn stop(self, drain: Duration, again: impl Future<Output = ()>) {
        let (hurry, hurried) = watch::channel(false);
        let gateway = self.gateway.clone();
        let mut ending = std::pin::pin!(self.end(drain, hurried));
        tokio::select! {
            () = &mut ending => return,
            () = again => {}
        }
        tracing::info!("asked again: what is under way breaks off");
        gateway.hurry();
        hurry.send_replace(true);
        ending.await;
    }

    async fn end(mut self, drain: Duration, mut hurried: watch::Receiver<bool>) {
        let mut speaker = self.speaker.take();
        if let Some(speaks) = &speaker {
            if or_hurried(&mut hurried, gives_away(speaks)).await == Some(true) {
                tracing::info!("handed over: serving stragglers for {} s", STRAGGLERS.as_secs());
                self.gateway.wind_down();
                or_hurried(&mut hurried, tokio::time::sleep(STRAGGLERS)).await;
            }
            // Others pass us packets of our flows until they hear from us that we stop. A machine
            // that is alone falls silent first.
            speaker = speaker.filter(|it| !it.sharing().borrow().members.is_empty());
        }
        if speaker.is_none() {
            self.forwarder.wind_down().await;
        }
        let until = tokio::time::Instant::now() + drain;
        let gateway = self.gateway.clone();
        let drained = tokio::task::spawn_blocking(move || gateway.drain(drain)).await;
        if drained.is_err() {
            tracing::error!("draining broke off");
        }
        let flows = tokio::time::timeout_at(until, end_of_flows(&self.forwarder));
        or_hurried(&mut hurried, flows).await;
        drop(speaker);
        undo(self.forwarder).await;
        drop(self.admin);
    }
}

/// What a scrape gets.
fn expose(gateway: &Gateway, rooms: &Rooms, speaker: Option<&Speaker>) -> String {
    let mut out = Exposition::default();
    gateway.expose(&mut out);
    rooms.expose(&mut out);
    process::expose(&mut out);
    if let Some(speaker) = speaker {
        speaker.expose(&mut out);
    }
    out.into_text()
}

/// What comes of `work`, unless it is broken off.
async fn or_hurried<T>(
    hurried: &mut watch::Receiver<bool>,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        outcome = work => Some(outcome),
        _ = hurried.wait_for(|it| *it) => None,
    }
}

/// Waits until the last connection that is carried on to an endpoint has ended.
async fn end_of_flows(forwarder: &Forwarder) {
    while forwarder.flows().await > 0 {
        tokio::time::sleep(GLANCE).await;
    }
}

/// Has the forwarder pass packets as the speaker says.
#[derive(Debug)]
struct Passes(Passing);

impl Formers for Passes {
    fn pass(&self, all: &[Former]) {
        let pass = |it: &Former| Pass { vip: it.vip, to: it.address, link: it.link };
        self.0.pass(&all.iter().map(pass).collect::<Vec<_>>());
    }

    fn forget(&self, vips: &[IpAddr]) {
        self.0.forget(vips);
    }
}

/// Has the forwarder take packets in as the speaker says.
#[derive(Debug)]
struct Takes(Intake);

impl Gate for Takes {
    fn open(&self, vips: &[IpAddr]) {
        self.0.open(vips);
    }

    fn close(&self, vips: &[IpAddr]) {
        self.0.close(vips);
    }

    fn hand_over(&self, vips: &[IpAddr]) {
        self.0.linger(vips);
    }
}

/// Hands all vips over; whether others have them now.
async fn gives_away(speaker: &Speaker) -> bool {
    let owned = |status: &[VipStatus]| -> BTreeSet<IpAddr> {
        let ours = status.iter().filter(|vip| matches!(vip.state, VipState::Announced { .. }));
        ours.map(|vip| vip.address).collect()
    };
    let before = owned(&speaker.status());
    speaker.leave().await;
    let sharing = speaker.sharing();
    let sharing = sharing.borrow();
    let others = sharing.members.iter().map(|member| &member.status).filter(|it| !it.this);
    let others: BTreeSet<&str> = others.map(|it| &*it.name).collect();
    let is_other = |owner: &Arc<str>| others.contains(&**owner);
    let vips = sharing.vips.iter().map(|it| &it.status);
    let mut taken = vips.filter(|it| it.owner.as_ref().is_some_and(is_other));
    taken.any(|it| before.contains(&it.vip))
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

/// The host as it was.
async fn undo(forwarder: Forwarder) {
    if let Err(why) = forwarder.remove().await {
        tracing::error!(%why, "what was set on this host could not be undone");
    }
}

fn admin(
    settings: &Settings,
    published: &Arc<Published>,
    rooms: &Rooms,
) -> Result<Admin, StartError> {
    let mut options = AdminOptions {
        listen: settings.serve.admin,
        token_file: settings.serve.admin_token_file.clone(),
        places: rooms.admin.clone(),
    };
    let mut admin = steelyard_admin::serve(&options, published.clone());
    if settings.is_demo && matches!(admin, Err(StartError::Bind { .. })) {
        options.listen.set_port(0);
        admin = steelyard_admin::serve(&options, published.clone());
    }
    admin
}

fn speaker(
    settings: &Settings,
    echo: bool,
    formers: Arc<dyn Formers>,
    gate: Arc<dyn Gate>,
) -> Result<Speaker> {
    let interfaces = settings.interfaces.clone();
    let membership = settings.sharing.as_ref().map(|sharing| Membership {
        name: crate::load::node_name(&settings.world),
        kept: Some(settings.state_dir.join("epochs")),
        ..sharing.membership.clone()
    });
    let (formers, gate) = (Some(formers), Some(gate));
    let mut options =
        SpeakerOptions { interfaces, echo, membership, formers, gate, ..SpeakerOptions::default() };
    options.timing.policy = match settings.conflict {
        Conflict::Defend => ConflictPolicy::Defend,
        Conflict::Withdraw => ConflictPolicy::Withdraw,
    };
    Speaker::start(options).context("cannot answer for addresses")
}

fn gateway_options(settings: &Settings, rooms: &Rooms) -> GatewayOptions {
    let fixed = &settings.world.fixed;
    let access_log = fixed.access_log().then(|| AccessLog {
        path: fixed.access_log_path().map(Into::into),
        format: if fixed.access_log_is_json() { LogFormat::Json } else { LogFormat::Common },
    });
    GatewayOptions {
        workers: settings.serve.workers.map_or(0, usize::from),
        error_details: settings.serve.error_details,
        access_log,
        unresolved_paths: fixed.unresolved_paths(),
        places: rooms.gateway.clone(),
        kept: rooms.kept.clone(),
        server_name: crate::load::node_name(&settings.world),
        return_memory: steelyard_host::memory::give_back,
        ..GatewayOptions::default()
    }
}

fn forward_options(settings: &Settings, rooms: &Rooms) -> ForwardOptions {
    ForwardOptions {
        fwmark: settings.fwmark,
        ip_forward: settings.ip_forward,
        shared: settings.sharing.is_some(),
        privileged: settings.privileges.is_full(),
        state_dir: settings.state_dir.clone(),
        flows: rooms.flows.clone(),
        sessions: rooms.sessions.clone(),
        ..ForwardOptions::default()
    }
}
