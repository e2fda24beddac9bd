//! An instance whose place another process takes, and one that takes it.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use steelyard_forward::{ForwardLegacy, Forwarder};
use steelyard_gateway::HandedSession;
use steelyard_speaker::{Expectation, Speaker, SpeakerLegacy, VipState};
use tokio::sync::{oneshot, watch};

use super::ending::{GLANCE, or_hurried};
use super::{Instance, Parts, Settings};
use crate::legacy::Baton;

/// How long it may take until all is announced that the other process did.
const ANNOUNCED: Duration = Duration::from_secs(1);
/// How long answers to datagrams that went before may come.
const ECHOES: Duration = Duration::from_secs(2);

/// What waits until this process is in charge; nothing where it is from the start.
#[derive(Default)]
pub(super) struct Waiting {
    speaker: Option<oneshot::Sender<SpeakerLegacy>>,
    /// Nobody is answered by the admin API while it is there.
    admin: Option<watch::Sender<()>>,
}

impl Waiting {
    /// For an heir: what its parts are told.
    pub(super) fn of(
        settings: &Settings,
    ) -> (Self, Option<Expectation>, Option<watch::Receiver<()>>) {
        if !settings.inheritance.is_heir {
            return Default::default();
        }
        let (speaker, expectation) = Expectation::new();
        let (admin, waits) = watch::channel(());
        let waiting = Self { speaker: Some(speaker), admin: Some(admin) };
        (waiting, Some(expectation), Some(waits))
    }
}

/// What another process is given, by name.
type Shared = Vec<(String, OwnedFd)>;

impl Instance {
    /// Sets nothing on this host any more, and gives what another process needs to begin.
    pub(crate) async fn hand_on(&self) -> io::Result<(Option<ForwardLegacy>, Shared)> {
        let Parts { gateway, forwarder, admin, health, .. } = &self.parts;
        let mut shared = vec![admin.socket()?];
        if let Some(health) = health {
            shared.push(health.socket()?);
        }
        let mut forward = None;
        if let Some(forwarder) = forwarder {
            let handed = forwarder.hand_on().await;
            forward = Some(handed.legacy);
            shared.extend(handed.descriptors);
        }
        if let Some(gateway) = gateway.clone() {
            let sockets = tokio::task::spawn_blocking(move || gateway.sockets()).await;
            shared.extend(sockets.map_err(io::Error::other)?);
        }
        Ok((forward, shared))
    }

    /// Says nothing to other nodes any more and takes no datagrams: what is in the way of that is
    /// told to another process.
    pub(crate) async fn pass_on(&self) -> (Baton, Vec<OwnedFd>) {
        let Parts { gateway, forwarder, speaker, .. } = &self.parts;
        let sessions = match gateway.clone() {
            Some(gateway) => tokio::task::spawn_blocking(move || gateway.hand_on()).await,
            None => Ok(Vec::new()),
        };
        let speaker = match speaker {
            Some(speaker) => speaker.hand_on().await,
            None => None,
        };
        let live = forwarder.as_ref().map(|it| it.intake().live()).unwrap_or_default();
        Baton::new(live, speaker, sessions.unwrap_or_default())
    }

    /// Goes on as if nothing had been handed on.
    pub(crate) async fn go_on(&self) {
        let Parts { gateway, forwarder, speaker, .. } = &self.parts;
        speaker.iter().for_each(|it| it.go_on());
        gateway.iter().for_each(|it| it.go_on());
        if let Some(forwarder) = forwarder {
            forwarder.go_on().await;
        }
    }

    /// Is in charge from now on, of what another process was.
    pub(crate) async fn take_over(&mut self, baton: Baton, sessions: Vec<HandedSession>) {
        let Parts { gateway, forwarder, speaker, .. } = &self.parts;
        if let Some(forwarder) = forwarder {
            forwarder.take_over(&baton.live).await;
        }
        if let Some(gateway) = gateway {
            gateway.adopt(sessions);
            gateway.begin();
        }
        self.waiting.admin = None;
        let legacy = baton.speaker.unwrap_or_default();
        let announced: BTreeSet<IpAddr> = legacy.announced().collect();
        if let Some(given) = self.waiting.speaker.take() {
            // A speaker that has ended has said so.
            let _ = given.send(legacy);
        }
        if let Some(speaker) = speaker.clone() {
            await_announced(&speaker, announced).await;
        }
    }

    /// Notes what became of an upgrade.
    pub(crate) fn note_upgrade(&self, is_done: bool, what: &str) {
        let reason = if is_done { "Upgraded" } else { "UpgradeFailed" };
        self.history.note(is_done, reason, &format!("Node/{}", self.node()), what);
    }

    /// Shows what was noted last.
    pub(crate) fn show(&mut self) {
        self.hands.board.show();
    }

    /// Another process is in charge: finishes what is under way, for as long as `drain`, and undoes
    /// nothing. Waits for nobody once `again` is over.
    pub(crate) async fn leave(self, drain: Duration, again: impl Future<Output = ()>) {
        let (hurry, hurried) = watch::channel(false);
        let gateway = self.parts.gateway.clone();
        let mut leaving = std::pin::pin!(self.finish(drain, hurried));
        tokio::select! {
            () = &mut leaving => return,
            () = again => {}
        }
        gateway.iter().for_each(|it| it.hurry());
        hurry.send_replace(true);
        leaving.await;
    }

    async fn finish(self, drain: Duration, mut hurried: watch::Receiver<bool>) {
        let Self { parts, hands, .. } = self;
        let Parts { gateway, forwarder, passer, speaker, admin, health } = parts;
        speaker.iter().for_each(|it| it.let_go());
        drop((admin, health, hands, speaker));
        if let Some(forwarder) = &forwarder {
            forwarder.let_go().await;
        }
        let until = tokio::time::Instant::now() + drain;
        let echoes = tokio::time::Instant::now() + ECHOES.min(drain);
        if let Some(gateway) = gateway
            && tokio::task::spawn_blocking(move || gateway.drain(drain)).await.is_err()
        {
            tracing::error!("draining broke off");
        }
        if let Some(forwarder) = &forwarder {
            let flows = tokio::time::timeout_at(until, async {
                tokio::time::sleep_until(echoes).await;
                end_of_own(forwarder).await;
            });
            or_hurried(&mut hurried, flows).await;
        }
        drop(passer);
        tracing::info!("the last that was under way here is over");
    }
}

async fn end_of_own(forwarder: &Arc<Forwarder>) {
    while forwarder.flows().await > 0 {
        tokio::time::sleep(GLANCE).await;
    }
}

async fn await_announced(speaker: &Speaker, mut missing: BTreeSet<IpAddr>) {
    let mut status = speaker.watch();
    let all = status.wait_for(|vips| {
        for vip in vips.iter().filter(|it| matches!(it.state, VipState::Announced { .. })) {
            missing.remove(&vip.address);
        }
        missing.is_empty()
    });
    if tokio::time::timeout(ANNOUNCED, all).await.is_err() {
        tracing::warn!("not announced any more, which was before: {missing:?}");
    }
}
