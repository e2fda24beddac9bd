//! Which node owns which vip: the claims known, and what this node does about each vip.
//!
//! ```text
//!             a present node owns it                     nobody answers the probes
//!  Bystander ◄──────────────────────── Vacant ──► Probing ─────────────► Owner
//!      │  its owner is gone, our turn is ▲   ▲         │                   │
//!      │  to be waited for               │   └─────────┘ somebody answers: │
//!      └─────────────────────────────────┘               again after the   │
//!      ▲                                                 dead time         │
//!      └───────────────────────────────────────────────────────────────────┘
//!        a better claim is heard; handed over; given up; silenced
//! ```
//!
//! Invariant: only `Owner` answers; entering it says [`Output::Own`], leaving it
//! [`Output::Silence`] (or [`Output::Fence`] for all at once).

mod handover;
mod load;
mod order;
mod review;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::handover::{Handing, Origin};
pub(crate) use self::order::{Candidates, Numbering};
use crate::claim::{Claim, Table};
use crate::config::{Config, HeartbeatTiming, Policy};
use crate::event::{Cause, Event, Loss, MacBytes, Output};
use crate::id::NodeId;
use crate::wire::claim_size;

/// How often a claim that was given up is told.
const CONCEDE: u8 = 3;

/// Everything about vips.
#[derive(Debug)]
pub(crate) struct Ownership {
    me: NodeId,
    timing: HeartbeatTiming,
    policy: Policy,
    balance: bool,
    /// Beyond a full mesh: standbys are few, so that heartbeats are.
    pub(crate) few_standbys: bool,
    pub(crate) table: Table,
    vips: BTreeMap<IpAddr, Vip>,
    timers: BTreeSet<(Instant, IpAddr)>,
    /// To be looked at again.
    stale: BTreeSet<IpAddr>,
    all_stale: bool,
    /// Claims of ours that we gave up for a better one, whose owner may not know that there were
    /// two; and how often it is still told.
    conceded: BTreeMap<IpAddr, (Claim, NodeId, u8)>,
    /// Vips that are offered to others; what is no longer offered may still be among them.
    offered: BTreeSet<IpAddr>,
    /// Who handed us which vip, by which start of its, and may still have flows of it. It stays
    /// when we hand the vip on: packets come back along the chain of owners.
    formers: BTreeMap<IpAddr, Origin>,
    /// How long flows stay at a node whose process is gone.
    flows_stay: Duration,
    /// What another process of this node answered for, and this one goes on with.
    inherited: Vec<(IpAddr, u64)>,
    /// When all that is ours is announced once more.
    announce: Option<Instant>,
    /// Whether this node may answer for anything.
    awake: bool,
    /// Whether what is not heard is not there. Else nothing is taken.
    pub(crate) hears: bool,
    /// Until then what others owned is left to them: this node heard nothing for a while.
    patience: Option<Instant>,
    /// Whether this node gives everything away.
    leaving: bool,
    /// Claims that others do not know yet.
    pub(crate) news: BTreeSet<IpAddr>,
    /// Nodes to whom an offer is to be sent at once.
    pub(crate) urgent: BTreeSet<NodeId>,
    /// To be done before anything is sent.
    pub(crate) before: VecDeque<Output>,
    /// To be done after that.
    pub(crate) after: VecDeque<Output>,
    /// What happened.
    pub(crate) happened: Vec<Happening>,
    /// A rule that tests break on purpose.
    #[cfg(test)]
    pub(crate) broken: Option<crate::sim::Broken>,
}

/// An event whose nodes are not named yet.
#[derive(Debug)]
pub(crate) enum Happening {
    Event(Event),
    Owner { vip: IpAddr, owner: Option<NodeId>, before: Option<NodeId>, epoch: u64 },
}

/// A vip of this segment. There are many: what few of them have at a time lies elsewhere.
#[derive(Debug)]
struct Vip {
    candidates: Candidates,
    role: Role,
    timer: Option<Instant>,
    /// To whom we let it, and until when it is not asked for again: that machine's frames may
    /// reach us where ours do not reach it.
    let_be: Option<Box<(MacBytes, Instant)>>,
}

#[derive(Debug)]
pub(crate) enum Role {
    Bystander,
    Vacant(Box<Vacancy>),
    Probing { vacancy: Box<Vacancy>, sent: u32, next: Instant, answered: Option<MacBytes> },
    Owner(Tenure),
}

/// Nobody owns it, and we may.
#[derive(Clone, Debug)]
pub(crate) struct Vacancy {
    since: Instant,
    cause: Cause,
    /// Who takes it: the first of them who is able.
    order: Vec<NodeId>,
    /// Who answered for it all the same, and when we ask again.
    refused: Option<(MacBytes, Instant)>,
}

/// We own it.
#[derive(Debug)]
pub(crate) struct Tenure {
    epoch: u64,
    /// When we last announced it against somebody.
    insisted: Option<Instant>,
    unrest: Option<Box<Unrest>>,
}

/// What few vips of ours have at a time: they are handed on, or others claim them.
#[derive(Debug, Default)]
struct Unrest {
    handing: Option<Handing>,
    /// When that is due once more: those that did not hear it then may hear it now.
    owed: Option<Instant>,
    defended: Option<Instant>,
    /// Who claims it, and when that is answered.
    contested: Option<(Instant, MacBytes)>,
}

impl Tenure {
    fn unrest(&mut self) -> &mut Unrest {
        self.unrest.get_or_insert_default()
    }

    /// To whom it is offered.
    fn handing(&self) -> Option<&Handing> {
        self.unrest.as_ref()?.handing.as_ref()
    }
}

impl Ownership {
    pub(crate) fn new(me: NodeId, config: &Config) -> Self {
        Self {
            me,
            timing: config.timing,
            policy: config.policy,
            balance: config.balance,
            few_standbys: false,
            table: Table::new(config.kept.clone()),
            vips: BTreeMap::new(),
            timers: BTreeSet::new(),
            stale: BTreeSet::new(),
            all_stale: false,
            conceded: BTreeMap::new(),
            offered: BTreeSet::new(),
            formers: BTreeMap::new(),
            flows_stay: config.flows_stay,
            inherited: Vec::new(),
            announce: None,
            awake: false,
            hears: true,
            patience: None,
            leaving: false,
            news: BTreeSet::new(),
            urgent: BTreeSet::new(),
            before: VecDeque::new(),
            after: VecDeque::new(),
            happened: Vec::new(),
            #[cfg(test)]
            broken: None,
        }
    }

    /// Whether we answer for it.
    pub(crate) fn owns(&self, vip: IpAddr) -> bool {
        self.vips.get(&vip).is_some_and(|it| matches!(it.role, Role::Owner(_)))
    }

    pub(crate) fn owns_any(&self) -> bool {
        self.vips.values().any(|it| matches!(it.role, Role::Owner(_)))
    }

    /// What we answer for.
    pub(crate) fn owned(&self) -> impl Iterator<Item = IpAddr> {
        let ours = self.vips.iter().filter(|(_, it)| matches!(it.role, Role::Owner(_)));
        ours.map(|(vip, _)| *vip)
    }

    /// By which epoch we answer for a vip.
    pub(crate) fn epoch(&self, vip: IpAddr) -> Option<u64> {
        match &self.vips.get(&vip)?.role {
            Role::Owner(tenure) => Some(tenure.epoch),
            _ => None,
        }
    }

    /// Vips of the segment, and what we do about each.
    pub(crate) fn roles(&self) -> impl Iterator<Item = (IpAddr, &Role)> {
        self.vips.iter().map(|(vip, it)| (*vip, &it.role))
    }

    pub(crate) fn set_vips(&mut self, wanted: &BTreeMap<IpAddr, Candidates>) {
        let gone = self.vips.keys().filter(|vip| !wanted.contains_key(vip));
        for vip in gone.copied().collect::<Vec<_>>() {
            if self.owns(vip) {
                self.release(vip, Loss::Removed);
            }
            self.set_timer(vip, None);
            self.vips.remove(&vip);
            self.forget_former(vip);
            self.conceded.remove(&vip);
            self.stale.remove(&vip);
        }
        let is_new = |vip: &&IpAddr| !self.vips.contains_key(*vip);
        let new =
            || Vip { candidates: Arc::default(), role: Role::Bystander, timer: None, let_be: None };
        // Of what is put in at once the map leaves no place empty.
        let mut new: BTreeMap<IpAddr, Vip> =
            wanted.keys().filter(is_new).map(|vip| (*vip, new())).collect();
        match self.vips.is_empty() {
            true => self.vips = new,
            false => self.vips.append(&mut new),
        }
        for (vip, candidates) in wanted {
            let Some(it) = self.vips.get_mut(vip) else { continue };
            if it.candidates != *candidates {
                it.candidates.clone_from(candidates);
                self.stale.insert(*vip);
            }
        }
        self.inherit();
    }

    /// Knows what another process of this node knew, and answers for what that one did, as soon as
    /// it is told which vips there are.
    pub(crate) fn resume(
        &mut self,
        claims: impl Iterator<Item = (IpAddr, Claim)>,
        owned: &[(IpAddr, u64)],
        formers: &[(IpAddr, u64, u64)],
    ) {
        for (vip, claim) in claims {
            let epoch = claim.epoch;
            self.table.merge(vip, claim, true);
            self.table.remember(vip, epoch);
        }
        self.inherited = owned.to_vec();
        self.remember_origins(formers);
        self.wake();
    }

    fn inherit(&mut self) {
        for (vip, epoch) in std::mem::take(&mut self.inherited) {
            if !self.vips.contains_key(&vip) {
                self.disown(vip);
                continue;
            }
            self.set_role(vip, Role::Owner(Tenure { epoch, insisted: None, unrest: None }));
            self.stale.insert(vip);
            self.after.push_back(Output::Own(vip));
        }
    }

    /// Everything is to be looked at again.
    pub(crate) fn touch_all(&mut self) {
        self.all_stale = true;
    }

    /// What others owned when we last heard of them is theirs at least until then.
    pub(crate) fn be_patient(&mut self, until: Instant) {
        self.patience = Some(until);
    }

    pub(crate) fn wake(&mut self) {
        self.awake = true;
        self.touch_all();
    }

    /// Falls silent everywhere. What was ours stays ours unless somebody takes it.
    pub(crate) fn sleep(&mut self, fence: bool) {
        self.awake = false;
        if fence {
            self.before.push_back(Output::Fence);
        }
        for vip in self.vips.keys().copied().collect::<Vec<_>>() {
            if self.owns(vip) {
                self.lose(vip, Loss::Silent);
            }
            self.set_role(vip, Role::Bystander);
            self.set_timer(vip, None);
        }
    }

    pub(crate) fn leave(&mut self) {
        self.leaving = true;
        self.touch_all();
    }

    /// Takes in a claim that `from` told us.
    pub(crate) fn merge(&mut self, now: Instant, from: NodeId, vip: IpAddr, claim: Claim) {
        let known = self.table.get(vip).cloned();
        if known.as_ref() == Some(&claim) {
            return;
        }
        if !self.accept(vip, claim.clone()) {
            let lower = known.as_ref().is_some_and(|known| known.beats(&claim));
            if lower && from == claim.owner && !claim.released {
                self.insist(now, vip);
            }
            return;
        }
        let it = self.vips.get_mut(&vip);
        if let Some(Role::Owner(tenure)) = it.map(|it| &mut it.role) {
            if claim.owner != self.me {
                #[cfg(test)]
                if self.broken == Some(crate::sim::Broken::NoYield) {
                    return;
                }
                let handed = tenure.handing().is_some_and(|it| it.to == Some(claim.owner));
                let offered = handed && claim.epoch == tenure.epoch + 1;
                #[cfg(test)]
                if offered && self.broken == Some(crate::sim::Broken::BothAnswer) {
                    return;
                }
                if offered {
                    self.lose(vip, Loss::HandedOver(claim.owner));
                } else {
                    self.lose(vip, Loss::Yielded(claim.owner));
                    self.concede(vip, known, claim.owner);
                }
            } else if claim.epoch != tenure.epoch {
                // We had it in an earlier life, and others remember: go on above that.
                self.claim(vip);
            }
        }
        self.stale.insert(vip);
    }

    /// Tells who beat our claim that there was one: its neighbours' memory may be of us.
    fn concede(&mut self, vip: IpAddr, claim: Option<Claim>, to: NodeId) {
        if let Some(claim) = claim.filter(|it| it.owner == self.me) {
            self.conceded.insert(vip, (claim, to, CONCEDE));
            self.urgent.insert(to);
        }
    }

    /// Claims of ours that `node` beat, as many as have room.
    pub(crate) fn concessions(&mut self, node: NodeId, mut room: usize) -> Vec<(IpAddr, Claim)> {
        let mut told = Vec::new();
        self.conceded.retain(|vip, (claim, to, times)| {
            let size = claim_size(claim);
            if *to == node && size <= room {
                room -= size;
                *times -= 1;
                told.push((*vip, claim.clone()));
            }
            *times > 0
        });
        told
    }

    /// Changes what is believed, if the claim is better; whether it is.
    fn accept(&mut self, vip: IpAddr, claim: Claim) -> bool {
        let before = self.table.get(vip).filter(|it| !it.released).map(|it| it.owner);
        let (epoch, owner_of) = (claim.epoch, claim.owner);
        let owner = (!claim.released).then_some(owner_of);
        if !self.table.merge(vip, claim, self.vips.contains_key(&vip)) {
            return false;
        }
        if self.table.remember(vip, epoch) {
            self.before.push_back(Output::Keep { vip, epoch });
        }
        // What others claim they tell themselves; who missed it is told once digests differ.
        if owner_of == self.me {
            self.news.insert(vip);
        }
        if owner != before {
            self.happened.push(Happening::Owner { vip, owner, before, epoch });
        }
        true
    }

    /// Somebody goes on with a claim that ours beats: those who believed it are told again.
    fn insist(&mut self, now: Instant, vip: IpAddr) {
        self.news.insert(vip);
        let Some(Role::Owner(tenure)) = self.vips.get_mut(&vip).map(|it| &mut it.role) else {
            return;
        };
        // Whoever claimed it on the LAN was one of us.
        tenure.unrest().contested = None;
        #[cfg(test)]
        if self.broken == Some(crate::sim::Broken::SilentWinner) {
            return;
        }
        let due = tenure.insisted.map_or(now, |at| at + self.timing.dead());
        tenure.unrest().owed.get_or_insert(due);
        self.insist_due(now, vip);
    }

    /// Announces it against somebody, if that is due.
    fn insist_due(&mut self, now: Instant, vip: IpAddr) {
        let Some(Role::Owner(tenure)) = self.vips.get_mut(&vip).map(|it| &mut it.role) else {
            return;
        };
        let Some(unrest) = &mut tenure.unrest else { return };
        let Some(due) = unrest.owed else { return };
        if now >= due {
            (unrest.owed, tenure.insisted) = (None, Some(now));
            self.after.push_back(Output::Announce(vip));
        } else {
            let timer = self.vips.get(&vip).and_then(|it| it.timer);
            self.set_timer(vip, Some(timer.map_or(due, |at| at.min(due))));
        }
    }

    /// Claims the next epoch for ourselves.
    fn claim(&mut self, vip: IpAddr) -> u64 {
        let epoch = self.table.next_epoch(vip);
        #[cfg(test)]
        let epoch = epoch - u64::from(self.broken == Some(crate::sim::Broken::SameEpoch));
        let standbys = self.table.get(vip).map(|it| it.standbys.clone()).unwrap_or_default();
        let standbys = standbys.into_iter().filter(|it| *it != self.me).collect();
        let claim = Claim { epoch, owner: self.me, revision: 0, released: false, standbys };
        self.accept(vip, claim);
        if let Some(Role::Owner(tenure)) = self.vips.get_mut(&vip).map(|it| &mut it.role) {
            tenure.epoch = epoch;
            // What was said beside it is out of date.
            self.after.push_back(Output::Announce(vip));
        }
        self.stale.insert(vip);
        epoch
    }

    fn take(&mut self, now: Instant, vip: IpAddr, cause: Cause, since: Instant) {
        self.conceded.remove(&vip);
        if cause != Cause::Handover {
            // Whoever had it last has no flows any more, or nobody knows who that was.
            self.forget_former(vip);
        }
        let epoch = self.claim(vip);
        let tenure = Tenure { epoch, insisted: None, unrest: None };
        self.set_role(vip, Role::Owner(tenure));
        self.set_timer(vip, None);
        self.after.push_back(Output::Own(vip));
        let after = now.saturating_duration_since(since);
        self.happened.push(Happening::Event(Event::Took { vip, cause, after }));
    }

    /// Stops answering for a vip.
    fn lose(&mut self, vip: IpAddr, cause: Loss) {
        self.before.push_back(Output::Silence(vip));
        self.set_role(vip, Role::Bystander);
        self.set_timer(vip, None);
        self.stale.insert(vip);
        self.happened.push(Happening::Event(Event::Lost { vip, cause }));
    }

    /// Stops answering for a vip, and says that whoever may can have it.
    fn release(&mut self, vip: IpAddr, cause: Loss) {
        self.lose(vip, cause);
        self.disown(vip);
    }

    /// Tells that a claim in our name does not hold.
    fn disown(&mut self, vip: IpAddr) {
        let Some(claim) = self.table.get(vip) else { return };
        if claim.owner == self.me && !claim.released {
            let revision = claim.revision.saturating_add(1);
            let claim = Claim { revision, released: true, ..claim.clone() };
            self.accept(vip, claim);
        }
    }

    /// One of us says on the LAN by which claim it answers for a vip.
    pub(crate) fn seen(&mut self, now: Instant, vip: IpAddr, (epoch, owner): (u64, NodeId)) {
        #[cfg(test)]
        if self.broken == Some(crate::sim::Broken::NoMark) {
            return;
        }
        let claim = Claim { epoch, owner, revision: 0, released: false, standbys: Vec::new() };
        let is_news = self.table.get(vip).is_none_or(|known| claim.beats(known));
        if owner != self.me && (is_news || self.owns(vip)) {
            self.merge(now, owner, vip, claim);
        }
    }

    /// Somebody answered a probe.
    pub(crate) fn answered(&mut self, vip: IpAddr, by: MacBytes) {
        if let Some(Role::Probing { answered, .. }) = self.vips.get_mut(&vip).map(|it| &mut it.role)
        {
            #[cfg(test)]
            if self.broken == Some(crate::sim::Broken::DeafProbe) {
                return;
            }
            *answered = Some(by);
        }
    }

    /// A machine that is none of us claims our vip.
    pub(crate) fn rival(&mut self, now: Instant, vip: IpAddr, by: MacBytes) {
        let Some(Role::Owner(tenure)) = self.vips.get_mut(&vip).map(|it| &mut it.role) else {
            return;
        };
        let unrest = tenure.unrest();
        let due = unrest.defended.is_none_or(|at| now >= at + self.timing.defend);
        if due && unrest.contested.is_none() && unrest.handing.is_none() {
            // It may be one of us, whose claim is on its way.
            let at = now + self.timing.interval;
            unrest.contested = Some((at, by));
            self.set_timer(vip, Some(at));
        }
    }

    /// Announces once more what another machine claims, or gives it up.
    fn answer_rival(&mut self, now: Instant, vip: IpAddr) {
        let Some(Role::Owner(tenure)) = self.vips.get_mut(&vip).map(|it| &mut it.role) else {
            return;
        };
        let Some(unrest) = &mut tenure.unrest else { return };
        match unrest.contested {
            Some((at, by)) if now >= at => {
                unrest.contested = None;
                unrest.defended = Some(now);
                if self.policy == Policy::Withdraw {
                    self.release(vip, Loss::Withdrawn(by));
                    if let Some(it) = self.vips.get_mut(&vip) {
                        it.let_be = Some(Box::new((by, now + self.timing.defend)));
                    }
                    return;
                }
                self.after.push_back(Output::Announce(vip));
                self.happened.push(Happening::Event(Event::Defended { vip, by }));
            }
            Some((at, _)) => self.set_timer(vip, Some(at)),
            None => {}
        }
    }

    /// Some may have heard others announce, and not us: they are told at `at`.
    pub(crate) fn announce_all(&mut self, at: Instant) {
        self.announce.get_or_insert(at);
    }

    /// Announces what is ours once more, if that is due.
    fn announce_due(&mut self, now: Instant) {
        if self.announce.is_none_or(|at| now < at) {
            return;
        }
        self.announce = None;
        #[cfg(test)]
        if self.broken == Some(crate::sim::Broken::SilentWinner) {
            return;
        }
        for (vip, it) in &mut self.vips {
            if let Role::Owner(tenure) = &mut it.role {
                tenure.insisted = Some(now);
                self.after.push_back(Output::Announce(*vip));
            }
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at).into_iter().chain(self.announce).min()
    }

    fn set_role(&mut self, vip: IpAddr, role: Role) {
        self.offered.remove(&vip);
        if let Some(it) = self.vips.get_mut(&vip) {
            it.role = role;
        }
    }

    fn set_timer(&mut self, vip: IpAddr, at: Option<Instant>) {
        let Some(it) = self.vips.get_mut(&vip) else { return };
        if let Some(old) = std::mem::replace(&mut it.timer, at) {
            self.timers.remove(&(old, vip));
        }
        self.timers.extend(at.map(|at| (at, vip)));
    }
}
