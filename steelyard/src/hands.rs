//! The hands of a role: each makes a part of what was decided so, and owns the one outside resource
//! that this part is of. All are idempotent, and tell what they observed.
//!
//! A role is a [`crate::mind`] wired to its hands: a struct that has them, and says which one does
//! which [`Step`]. When a step is done is no role's business: it stands in [`ORDER`].

pub(crate) mod announcements;
pub(crate) mod binds;
pub(crate) mod chronicle;
pub(crate) mod descriptors;
pub(crate) mod forwarding;
pub(crate) mod history;
pub(crate) mod ipvs;
pub(crate) mod lending;
pub(crate) mod listeners;
pub(crate) mod lock;
pub(crate) mod names;
pub(crate) mod routes;
pub(crate) mod statuses;
pub(crate) mod unheard;
pub(crate) mod unreached;
pub(crate) mod vips;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use anyhow::Result;
use steelyard_forward::Observed;
use steelyard_gateway::Bind;

use crate::mind::Decided;
use announcements::Idle;
use names::Answers;
use vips::Vips;

/// What comes before what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Who has which address is written down: a restart comes to the same.
    Assigned,
    /// People are told what is new.
    Told,
    /// Names of endpoints have addresses.
    Named,
    /// Requests have routes.
    Routed,
    /// Somebody listens where requests will come in.
    Listening,
    /// Packets go to listeners and endpoints.
    Forwarding,
    /// The LAN, or routers, are told where an address is.
    Announced,
    /// Names lead to addresses. Nobody does this yet.
    Resolvable,
    /// What is so can be read, here or in the cluster.
    Written,
}

/// In this order: so nothing is announced before it works. Withdrawn is in the reverse one.
///
/// Listening and forwarding come twice: a port may go from one to the other, and whoever is to have
/// it gets it once the other has let go. Where all went well the second time costs nothing.
pub(crate) const ORDER: [Step; 11] = [
    Step::Assigned,
    Step::Told,
    Step::Named,
    Step::Routed,
    Step::Listening,
    Step::Forwarding,
    Step::Listening,
    Step::Forwarding,
    Step::Announced,
    Step::Resolvable,
    Step::Written,
];

/// Entry points, and where they listen or why not.
pub(crate) type Listeners = Vec<Listener>;

/// One of them.
pub(crate) type Listener = (Bind, Result<SocketAddr, String>);

/// What the hands observed, each adding to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Applied {
    /// Addresses of endpoints that are names.
    pub(crate) names: Arc<Answers>,
    /// None before anybody tried.
    pub(crate) opened: Option<Arc<Listeners>>,
    pub(crate) forwarded: Arc<Observed>,
    /// Vips that this node answers for, or may.
    pub(crate) vips: Vips,
    /// Those of them that are not announced, since nothing behind them works; and why.
    pub(crate) idle: Arc<BTreeMap<IpAddr, Idle>>,
}

impl Applied {
    /// Entry points, and where they listen or why not.
    pub(crate) fn listeners(&self) -> &[Listener] {
        self.opened.as_deref().map_or(&[], Vec::as_slice)
    }
}

/// Something that is being done.
pub(crate) type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Makes its part of what was decided so.
pub(crate) trait Hand {
    /// Ends what is not wanted any more, where that has to come before anything begins.
    fn withdraw<'a>(&'a mut self, _: &'a Decided) -> Doing<'a, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Makes it so, and adds what it observed. `applied` has what the hands before it observed.
    ///
    /// # Errors
    /// When the first step fails, nothing after it is done, and all stays as it is.
    fn apply<'a>(
        &'a mut self,
        decided: &'a Arc<Decided>,
        applied: &'a mut Applied,
    ) -> Doing<'a, Result<()>>;

    /// Everything is looked at again next time: others may have changed it.
    fn forget(&mut self) {}
}

/// All hands of a role.
pub(crate) trait Hands {
    /// The one that does a step; none where the role has nothing to do there.
    fn at(&mut self, step: Step) -> Option<&mut dyn Hand>;
}

/// Makes what was decided so, in order.
///
/// # Errors
/// When it cannot be written down who has which address: then nothing has changed.
pub(crate) async fn carry_out(hands: &mut impl Hands, decided: &Arc<Decided>) -> Result<Applied> {
    let mut applied = Applied::default();
    if let Some(hand) = hands.at(ORDER[0]) {
        hand.apply(decided, &mut applied).await?;
    }
    Ok(repeat(hands, decided).await)
}

/// The same of what is written down already.
pub(crate) async fn repeat(hands: &mut impl Hands, decided: &Arc<Decided>) -> Applied {
    let mut applied = Applied::default();
    for step in ORDER[1..].iter().rev() {
        if let Some(hand) = hands.at(*step) {
            hand.withdraw(decided).await;
        }
    }
    for step in &ORDER[1..] {
        if let Some(hand) = hands.at(*step)
            && let Err(error) = hand.apply(decided, &mut applied).await
        {
            tracing::error!(?step, "{error:#}");
        }
    }
    applied
}

/// Has all hands look at everything again next time.
pub(crate) fn forget(hands: &mut impl Hands) {
    for step in ORDER {
        hands.at(step).into_iter().for_each(Hand::forget);
    }
}

#[cfg(test)]
mod tests;
