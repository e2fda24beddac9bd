//! What the speaker answers for: vips of ours behind which something works.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use steelyard_forward::{Carried, Observed, Why};
use steelyard_speaker::Speaker;

use super::history::History;
use super::vips::Vips;
use super::{Applied, Doing, Hand};
use crate::mind::Decided;

/// How long the speaker may take to fall silent; it takes well under a millisecond.
const WITHDRAWN: Duration = Duration::from_millis(200);

/// The speaker, and what it was told last.
pub(crate) struct Announcements {
    /// None without privileges: then nothing is answered for.
    speaker: Option<Arc<Speaker>>,
    how: Manner,
    history: History,
    /// As decided.
    vips: Vips,
    /// As last announced.
    told: Told,
}

/// How it is announced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Several nodes settle among themselves who has which.
    pub(crate) is_shared: bool,
    /// Packets for vips are carried here; else others do that, of whom nothing is known.
    pub(crate) is_carrier: bool,
    /// Not at all: another load balancer is there.
    pub(crate) is_shadow: bool,
}

/// What was announced, and why not all of it.
#[derive(Default)]
struct Told {
    vips: Vips,
    forwarded: Arc<Observed>,
    idle: Arc<BTreeMap<IpAddr, Idle>>,
}

/// Why a vip is not announced that is ours: nothing works behind it, mostly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Idle {
    /// None of its ports has a listener.
    NothingListens,
    /// No port of it is carried; why one of them is not.
    NotCarried(Why),
    /// Something may: it is not for us to say.
    Shadow,
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingListens => f.write_str("nothing listens for it"),
            Self::NotCarried(why) => write!(f, "{why}"),
            Self::Shadow => f.write_str("nothing is announced (--shadow)"),
        }
    }
}

impl Announcements {
    pub(crate) fn new(speaker: Option<Arc<Speaker>>, how: Manner, history: History) -> Self {
        let (vips, told) = Default::default();
        Self { speaker, how, history, vips, told }
    }

    /// Stops answering for what is not wanted any more, and waits until that is so.
    async fn fall_silent(&mut self, decided: &Decided) {
        let before = self.vips.clone();
        let gone = self.vips.follow(&decided.plan.node, self.how.is_shared);
        let Some(speaker) = self.speaker.as_ref().filter(|_| !gone.is_empty()) else { return };
        let mut status = speaker.watch();
        let gone: BTreeSet<IpAddr> = gone.into_iter().collect();
        let idle = &self.told.idle;
        speaker.set_vips(before.filtered(|vip| !gone.contains(vip) && !idle.contains_key(vip)));
        let silent = status.wait_for(|vips| vips.iter().all(|vip| !gone.contains(&vip.address)));
        if tokio::time::timeout(WITHDRAWN, silent).await.is_err() {
            tracing::warn!("the speaker is slow to withdraw");
        }
    }

    fn announce(&mut self, own: &BTreeSet<IpAddr>, forwarded: &Arc<Observed>) {
        if self.vips == self.told.vips && Arc::ptr_eq(forwarded, &self.told.forwarded) {
            return;
        }
        let idle = match self.how {
            Manner { is_shadow: true, .. } => {
                self.vips.addresses().map(|vip| (vip, Idle::Shadow)).collect()
            }
            Manner { is_carrier: true, .. } => idle(&self.vips, own, forwarded),
            Manner { .. } => BTreeMap::new(),
        };
        self.tell(&idle);
        if let Some(speaker) = &self.speaker {
            speaker.set_vips(self.vips.filtered(|vip| !idle.contains_key(vip)));
        }
        let (vips, forwarded) = (self.vips.clone(), Arc::clone(forwarded));
        self.told = Told { vips, forwarded, idle: Arc::new(idle) };
    }

    /// Notes which vips are not answered for since nothing behind them works, once.
    fn tell(&self, idle: &BTreeMap<IpAddr, Idle>) {
        let is_news = |it: &(&IpAddr, &Idle)| self.told.idle.get(it.0) != Some(it.1);
        let is_told = self.speaker.is_some() && !self.how.is_shadow;
        let told = idle.iter().filter(|_| is_told).filter(is_news);
        for (vip, why) in told {
            let message = format!("{vip} is not announced: {why}");
            self.history.note(false, "idle", &format!("Vip/{vip}"), &message);
        }
    }
}

impl Hand for Announcements {
    fn withdraw<'a>(&'a mut self, decided: &'a Decided) -> Doing<'a, ()> {
        Box::pin(self.fall_silent(decided))
    }

    fn apply<'a>(
        &'a mut self,
        decided: &'a Arc<Decided>,
        applied: &'a mut Applied,
    ) -> Doing<'a, Result<()>> {
        self.announce(&decided.own, &applied.forwarded);
        (applied.vips, applied.idle) = (self.vips.clone(), Arc::clone(&self.told.idle));
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Vips behind which nothing works. One of this machine's `own` addresses is not among them: of
/// that the speaker knows more.
fn idle(vips: &Vips, own: &BTreeSet<IpAddr>, observed: &Observed) -> BTreeMap<IpAddr, Idle> {
    let hindered = hindrances(observed);
    let why = |vip: IpAddr| match hindered.get(&vip) {
        Some(None) => None,
        _ if own.contains(&vip) => None,
        Some(Some(why)) => Some((vip, Idle::NotCarried((*why).clone()))),
        None => Some((vip, Idle::NothingListens)),
    };
    vips.addresses().filter_map(why).collect()
}

/// For each vip that has ports none where one of them works, else why one does not.
fn hindrances(observed: &Observed) -> HashMap<IpAddr, Option<&Why>> {
    let mut hindered: HashMap<IpAddr, Option<&Why>> = HashMap::with_capacity(observed.ports.len());
    for port in &observed.ports {
        let address = port.key.address;
        let why = match &port.carried {
            Carried::Delivered | Carried::Nftables { .. } | Carried::Before { .. } => None,
            Carried::InProcess { listen, .. } if listen.ip() == address => None,
            Carried::InProcess { why, .. } | Carried::Not { why } => Some(why),
        };
        let known = hindered.entry(address).or_insert(why);
        *known = known.and(why).and(*known);
    }
    hindered
}
