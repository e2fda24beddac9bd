//! What each part is told at its start, by the settings.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use steelyard_admin::{Admin, AdminOptions, HealthOptions, Published, StartError};
use steelyard_filters::OwnServices;
use steelyard_forward::ForwardOptions;
use steelyard_gateway::{GatewayOptions, OwnAnswers};
use steelyard_host::own_sockets::OwnSockets;
use steelyard_speaker::{ConflictPolicy, Expectation, Formers, Gate, Membership, SpeakerOptions};

use super::Settings;
use super::sharing::Conflict;
use super::traces::tracing;
use crate::hands::descriptors::Rooms;
use crate::own::Own;
use tokio::sync::watch;

/// How long a node may be without its speaker before its flows are taken for ended: its image may
/// be on its way.
const FLOWS_STAY: Duration = Duration::from_secs(300);

pub(super) fn admin(
    settings: &Settings,
    published: &Arc<Published>,
    rooms: &Rooms,
    waits: Option<watch::Receiver<()>>,
) -> std::result::Result<Admin, StartError> {
    let mut options = AdminOptions {
        places: rooms.admin.clone(),
        inherited: settings.inheritance.sockets.clone(),
        waits,
        ..settings.serve.show.admin()
    };
    let mut admin = steelyard_admin::serve(&options, published.clone());
    if settings.is_demo && matches!(admin, Err(StartError::Bind { .. })) {
        options.listen.set_port(0);
        admin = steelyard_admin::serve(&options, published.clone());
    }
    admin
}

/// Where health is told besides, where a flag of ingress-nginx asks for that.
pub(super) fn health(
    settings: &Settings,
    published: &Arc<Published>,
    rooms: &Rooms,
    waits: Option<watch::Receiver<()>>,
) -> Result<Option<Admin>> {
    let Some((listen, path)) = settings.world.fixed.nginx_health() else { return Ok(None) };
    let (places, inherited) = (rooms.admin.clone(), settings.inheritance.sockets.clone());
    let options = HealthOptions { listen, path, places, inherited, waits };
    let told = steelyard_admin::serve_health(&options, published.clone());
    told.map(Some).context("--nginx.healthz-port")
}

pub(super) fn speaker_options(
    settings: &Settings,
    echo: bool,
    formers: Option<Arc<dyn Formers>>,
    gate: Option<Arc<dyn Gate>>,
    expects: Option<Expectation>,
) -> SpeakerOptions {
    let interfaces = settings.interfaces.clone();
    let membership = settings.sharing.as_ref().map(|sharing| Membership {
        name: crate::load::node_name(&settings.world),
        kept: Some(settings.state_dir.join("epochs")),
        flows_stay: if settings.duties.passes { FLOWS_STAY } else { Duration::ZERO },
        ..sharing.membership.clone()
    });
    let mut options = SpeakerOptions {
        interfaces,
        echo,
        membership,
        formers,
        gate,
        expects,
        ..SpeakerOptions::default()
    };
    options.timing.policy = match settings.conflict {
        Conflict::Defend => ConflictPolicy::Defend,
        Conflict::Withdraw => ConflictPolicy::Withdraw,
    };
    options
}

/// # Errors
/// When requests are to be traced, and cannot be.
pub(super) fn gateway_options(
    settings: &Settings,
    rooms: &Rooms,
    (own, own_sockets): (&Arc<Own>, &OwnSockets),
) -> Result<GatewayOptions> {
    let fixed = &settings.world.fixed;
    Ok(GatewayOptions {
        workers: settings.serve.workers.map_or(0, usize::from),
        error_details: settings.serve.error_details,
        access_log: fixed.access_log(),
        views: fixed.views(),
        header_labels: fixed.header_labels(),
        buckets: fixed.buckets(),
        nginx: fixed.nginx_metrics(),
        tracing: tracing(fixed)?,
        terms: fixed.terms(),
        internals: fixed.internals(),
        places: rooms.gateway.clone(),
        kept: rooms.kept.clone(),
        server_name: crate::load::node_name(&settings.world),
        own_sockets: own_sockets.clone(),
        own: Some(OwnAnswers(Arc::clone(own) as Arc<dyn OwnServices>)),
        return_memory: steelyard_host::memory::give_back,
        waits: settings.inheritance.is_heir,
        ..GatewayOptions::default()
    })
}

pub(super) fn forward_options(
    settings: &Settings,
    rooms: &Rooms,
    own_sockets: &OwnSockets,
) -> ForwardOptions {
    ForwardOptions {
        own_sockets: own_sockets.clone(),
        fwmark: settings.fwmark,
        ip_forward: settings.ip_forward,
        shared: settings.sharing.is_some(),
        privileged: settings.privileges.is_full(),
        state_dir: settings.state_dir.clone(),
        flows: rooms.flows.clone(),
        sessions: rooms.sessions.clone(),
        inherited: settings.inheritance.sockets.clone(),
        legacy: settings.inheritance.forward.clone(),
        ..ForwardOptions::default()
    }
}
