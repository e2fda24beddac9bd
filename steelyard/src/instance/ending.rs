//! The end, in the reverse order of [`crate::hands::ORDER`]: others take over first, and those who
//! have not heard of it are served for a while; then silence, the last requests, and the host as it
//! was.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use steelyard_forward::Forwarder;
use steelyard_speaker::{Speaker, VipState, VipStatus};
use tokio::sync::watch;

use super::{Instance, Parts};
use crate::tell::unready::Unready;

/// How long those are served that have not heard of a handover: well over the time that a client
/// takes to ask again whose address it is.
const STRAGGLERS: Duration = Duration::from_secs(5);
/// How often it is looked whether connections have ended.
pub(super) const GLANCE: Duration = Duration::from_millis(200);

impl Instance {
    /// Withdraws, finishes requests, and undoes what was set on the host. Waits for nobody once
    /// `again` is over.
    pub(crate) async fn stop(self, drain: Duration, again: impl Future<Output = ()>) {
        let (hurry, hurried) = watch::channel(false);
        let gateway = self.parts.gateway.clone();
        let mut ending = std::pin::pin!(self.end(drain, hurried));
        tokio::select! {
            () = &mut ending => return,
            () = again => {}
        }
        tracing::info!("asked again: what is under way breaks off");
        gateway.iter().for_each(|it| it.hurry());
        hurry.send_replace(true);
        ending.await;
    }

    async fn end(self, drain: Duration, mut hurried: watch::Receiver<bool>) {
        let Self { parts, mut hands, settings, own_services, .. } = self;
        own_services.end();
        hands.board.set_plight(Some(Unready::Ending));
        hands.board.show();
        let Parts { gateway, forwarder, passer, mut speaker, admin, health } = parts;
        if !settings.linger.is_zero() {
            gateway.iter().for_each(|it| it.wind_down());
            or_hurried(&mut hurried, tokio::time::sleep(settings.linger)).await;
        }
        // They have parts too.
        drop(hands);
        if let Some(speaks) = &speaker {
            let is_given = or_hurried(&mut hurried, gives_away(speaks)).await == Some(true);
            // Else others carry packets, who know nothing of us: it is for what we pass on.
            let passes = passer.as_ref().is_some_and(|it| it.passing().is_busy());
            if is_given && (forwarder.is_some() || passes) {
                tracing::info!("handed over: serving stragglers for {} s", STRAGGLERS.as_secs());
                gateway.iter().for_each(|it| it.wind_down());
                or_hurried(&mut hurried, tokio::time::sleep(STRAGGLERS)).await;
            }
            // Others pass us packets of our flows until they hear from us that we stop. A machine
            // that is alone falls silent first.
            speaker = speaker.filter(|it| !it.sharing().borrow().members.is_empty());
        }
        if let Some(forwarder) = forwarder.as_ref().filter(|_| speaker.is_none()) {
            forwarder.wind_down().await;
        }
        let until = tokio::time::Instant::now() + drain;
        if let Some(gateway) = gateway
            && tokio::task::spawn_blocking(move || gateway.drain(drain)).await.is_err()
        {
            tracing::error!("draining broke off");
        }
        if let Some(forwarder) = &forwarder {
            let flows = tokio::time::timeout_at(until, end_of_flows(forwarder));
            or_hurried(&mut hurried, flows).await;
        }
        drop(speaker);
        drop(passer);
        match forwarder.map(Arc::into_inner) {
            Some(Some(forwarder)) => undo(forwarder).await,
            Some(None) => tracing::error!("the forwarder is still in use"),
            None => {}
        }
        drop((admin, health));
    }
}

/// What comes of `work`, unless it is broken off.
pub(super) async fn or_hurried<T>(
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

/// The host as it was.
pub(super) async fn undo(forwarder: Forwarder) {
    if let Err(why) = forwarder.remove().await {
        tracing::error!(%why, "what was set on this host could not be undone");
    }
}
