//! A vip given away by an owner that is well: it stops, may not own it any more, or has too many.
//!
//! The owner offers it to one node after the other, and answers for it until it hears that node's
//! claim. A node that is offered a vip claims it without a probe: the owner would answer.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Instant;

use super::{Ownership, Role};
use crate::event::{Cause, Loss, Output};
use crate::id::NodeId;
use crate::roster::Roster;

/// To whom a vip is offered.
#[derive(Clone, Debug)]
pub(super) struct Handing {
    pub(super) to: Option<NodeId>,
    since: Instant,
    tried: BTreeSet<NodeId>,
    /// We may as well keep it.
    optional: bool,
}

/// Who handed us a vip.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    node: NodeId,
    /// By which start of its.
    start: u64,
    /// Since when that one is not there.
    gone: Option<Instant>,
}

impl Ownership {
    /// Who handed us which vip: the vip, the number of the node, and which start of its.
    pub(crate) fn origins(&self) -> Vec<(IpAddr, u64, u64)> {
        self.formers.iter().map(|(vip, it)| (*vip, it.node.bits(), it.start)).collect()
    }

    /// Takes over what another process of this node knew of that.
    pub(super) fn remember_origins(&mut self, all: &[(IpAddr, u64, u64)]) {
        let origin = |(vip, node, start): &(IpAddr, u64, u64)| {
            (*vip, Origin { node: NodeId::from_bits(*node), start: *start, gone: None })
        };
        self.formers.extend(all.iter().map(origin));
    }

    /// Offers a vip of ours to the next who may have it; without any, gives it up.
    pub(super) fn hand_over(&mut self, now: Instant, vip: IpAddr, roster: &Roster) {
        let dead = self.timing.dead();
        let leaving = self.leaving;
        let me = self.me;
        let Some(it) = self.vips.get_mut(&vip) else { return };
        let candidate = it.candidates.iter().any(|(node, _)| *node == me);
        let Role::Owner(tenure) = &mut it.role else { return };
        let unrest = tenure.unrest();
        let mut handing = unrest.handing.take().unwrap_or_else(|| Handing {
            to: None,
            since: now,
            tried: BTreeSet::from([me]),
            optional: false,
        });
        handing.optional &= candidate && !leaving;
        let due = handing.since + dead;
        let waits = handing.to.is_some_and(|to| roster.able(to)) && now < due;
        if waits {
            unrest.handing = Some(handing);
            return self.set_timer(vip, Some(due));
        }
        handing.tried.extend(handing.to);
        let next = if handing.optional { None } else { self.successor(vip, &handing, roster) };
        let Some(next) = next else {
            if !handing.optional {
                self.release(vip, Loss::Released);
            }
            return;
        };
        self.offer(now, vip, Handing { to: Some(next), since: now, ..handing });
    }

    fn offer(&mut self, now: Instant, vip: IpAddr, handing: Handing) {
        let Some(Role::Owner(tenure)) = self.vips.get_mut(&vip).map(|it| &mut it.role) else {
            return;
        };
        self.urgent.extend(handing.to);
        tenure.unrest().handing = Some(handing);
        self.offered.insert(vip);
        self.set_timer(vip, Some(now + self.timing.dead()));
    }

    fn successor(&self, vip: IpAddr, handing: &Handing, roster: &Roster) -> Option<NodeId> {
        let load = self.load(roster);
        let order = self.succession(vip, self.table.get(vip), &load);
        let is_free = |node: &NodeId| roster.able(*node) && !handing.tried.contains(node);
        let next = order.iter().copied().find(is_free)?;
        // Back to where flows are that we pass on: anybody else would have to pass them through us.
        let back = self.formers.get(&vip).map(|it| it.node).filter(is_free);
        let score = |node| self.score(vip, node);
        Some(back.filter(|it| order.contains(it) && score(*it) >= score(next)).unwrap_or(next))
    }

    fn score(&self, vip: IpAddr, node: NodeId) -> Option<u32> {
        let candidates = &self.vips.get(&vip)?.candidates;
        candidates.iter().find(|(it, _)| *it == node).map(|it| it.1)
    }

    /// What `node` is offered, with the epochs of our claims.
    pub(crate) fn offers(&self, node: NodeId) -> Vec<(IpAddr, u64)> {
        let offer = |vip: &IpAddr| match &self.vips.get(vip)?.role {
            Role::Owner(tenure) if tenure.handing()?.to == Some(node) => Some((*vip, tenure.epoch)),
            _ => None,
        };
        self.offered.iter().filter_map(offer).collect()
    }

    /// `from` offers us a vip that it owns by `epoch`, and takes packets of its flows at one of
    /// `addresses`.
    pub(crate) fn offered(
        &mut self,
        now: Instant,
        (from, start): (NodeId, u64),
        (vip, epoch): (IpAddr, u64),
        addresses: &[IpAddr],
    ) {
        let Some(it) = self.vips.get(&vip) else { return };
        let candidate = it.candidates.iter().any(|(node, _)| *node == self.me);
        let ready = self.awake && !self.leaving && candidate;
        let known = self.table.get(vip);
        let theirs = known.is_some_and(|it| it.owner == from && it.epoch == epoch && !it.released);
        if ready && theirs && !matches!(it.role, Role::Owner(_)) {
            let same = |to: &&IpAddr| to.is_ipv4() == vip.is_ipv4();
            match addresses.iter().find(same) {
                Some(to) => {
                    self.formers.insert(vip, Origin { node: from, start, gone: None });
                    self.before.push_back(Output::Pass { vip, to: *to });
                }
                None => self.forget_former(vip),
            }
            self.take(now, vip, Cause::Handover, now);
        }
    }

    /// No packets are passed to who is gone with its flows.
    pub(crate) fn forget_gone(&mut self, now: Instant, roster: &Roster) {
        let stay = self.flows_stay;
        let mut gone = Vec::new();
        for (vip, it) in &mut self.formers {
            let outlives = !stay.is_zero() && roster.is_present(it.node);
            if outlives || roster.carries(it.node, it.start) {
                it.gone = None;
            } else if now >= *it.gone.get_or_insert(now) + stay {
                gone.push(*vip);
            }
        }
        gone.into_iter().for_each(|vip| self.forget_former(vip));
    }

    /// Whether somebody is gone whose flows are not.
    pub(crate) fn misses_formers(&self) -> bool {
        self.formers.values().any(|it| it.gone.is_some())
    }

    pub(super) fn forget_former(&mut self, vip: IpAddr) {
        if self.formers.remove(&vip).is_some() {
            self.before.push_back(Output::Forget(vip));
        }
    }

    /// Gives up what nobody took.
    pub(crate) fn release_all(&mut self) {
        for vip in self.vips.keys().copied().collect::<Vec<_>>() {
            if self.owns(vip) {
                self.release(vip, Loss::Released);
            }
        }
    }

    /// Spreads vips anew: to better scores, and away from who has two more than another. Every
    /// node works out the same moves, and makes those of its own vips.
    pub(crate) fn rebalance(&mut self, now: Instant, roster: &Roster) {
        let mut load = self.load(roster);
        for vip in self.vips.keys().copied().collect::<Vec<_>>() {
            let Some(claim) = self.table.get(vip).filter(|it| !it.released) else { continue };
            let owner = claim.owner;
            let able = |node: &NodeId| roster.able(*node);
            let Some(best) = self.ranked(vip, &load).into_iter().find(able) else { continue };
            let score = |node| self.score(vip, node);
            let better = score(best) > score(owner);
            let even = self.balance && !better && load.of(owner) < load.of(best) + 2;
            if best == owner || even {
                continue;
            }
            load.remove(owner);
            load.add(best);
            if self.owns(vip) {
                let tried = BTreeSet::from([self.me]);
                let handing = Handing { to: Some(best), since: now, tried, optional: true };
                self.offer(now, vip, handing);
            }
        }
    }
}
