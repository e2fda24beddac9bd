//! One vip looked at: is there an owner, is it our turn, does anybody answer?

use std::net::IpAddr;
use std::time::Instant;

use super::load::Load;
use super::{Happening, Ownership, Role, Vacancy};
use crate::claim::Claim;
use crate::event::{Cause, Event, MacBytes, Output};
use crate::roster::Roster;

/// Counts that are worked out at most once in a review.
#[derive(Default)]
pub(super) struct Pass {
    load: Option<Load>,
    standby: Option<Load>,
}

impl Ownership {
    /// Does what is due. Whoever changes anything calls it afterwards.
    pub(crate) fn review(&mut self, now: Instant, roster: &Roster) {
        while let Some(&(at, vip)) = self.timers.first()
            && at <= now
        {
            self.set_timer(vip, None);
            self.stale.insert(vip);
        }
        if std::mem::take(&mut self.all_stale) {
            self.stale.extend(self.vips.keys().copied());
            let ours = self.table.iter().filter(|(_, claim)| claim.owner == self.me);
            let ours: Vec<IpAddr> = ours.map(|(vip, _)| vip).collect();
            self.stale.extend(ours);
        }
        let mut pass = Pass::default();
        while let Some(vip) = self.stale.pop_first() {
            // Who is not awake looks at everything once it is.
            if self.awake {
                self.review_one(now, vip, roster, &mut pass);
            }
        }
        self.announce_due(now);
    }

    fn review_one(&mut self, now: Instant, vip: IpAddr, roster: &Roster, pass: &mut Pass) {
        let Some(it) = self.vips.get_mut(&vip) else { return self.disown(vip) };
        let candidate = it.candidates.iter().any(|(node, _)| *node == self.me);
        let eligible = candidate && !self.leaving;
        match &it.role {
            Role::Owner(tenure) if tenure.handing().is_some() || !eligible => {
                self.hand_over(now, vip, roster);
            }
            Role::Owner(_) => {
                self.answer_rival(now, vip);
                self.insist_due(now, vip);
                if self.owns(vip) {
                    self.tend_standbys(vip, roster, pass);
                }
            }
            _ if !eligible => {
                self.stand_by(vip);
                self.disown(vip);
            }
            _ => {
                let claim = self.table.get(vip);
                let owned = claim.is_some_and(|it| !it.released && roster.serves(it.owner));
                if owned {
                    self.stand_by(vip);
                } else {
                    self.seek(now, vip, roster, pass);
                }
            }
        }
    }

    fn stand_by(&mut self, vip: IpAddr) {
        self.set_role(vip, Role::Bystander);
        self.set_timer(vip, None);
    }

    /// Nobody owns it, and we may.
    fn seek(&mut self, now: Instant, vip: IpAddr, roster: &Roster, pass: &mut Pass) {
        let claim = self.table.get(vip).cloned();
        let Some(it) = self.vips.get_mut(&vip) else { return };
        let refused = it.let_be.as_deref().copied().filter(|(_, until)| now < *until);
        match std::mem::replace(&mut it.role, Role::Bystander) {
            Role::Vacant(vacancy) => self.wait(now, vip, vacancy, claim.as_ref(), roster),
            Role::Probing { vacancy, sent, next, answered } => {
                self.probe(now, vip, vacancy, (sent, next, answered));
            }
            Role::Bystander | Role::Owner(_) => {
                let load = pass.load.get_or_insert_with(|| self.load(roster));
                let order = self.succession(vip, claim.as_ref(), load);
                let first = order.iter().find(|it| is_ahead(**it, claim.as_ref(), roster));
                first.into_iter().for_each(|it| load.add(*it));
                let cause = cause(claim.as_ref(), self.me);
                let vacancy = Box::new(Vacancy { since: now, cause, order, refused });
                self.wait(now, vip, vacancy, claim.as_ref(), roster);
            }
        }
    }

    /// Waits for our turn: one dead time for each able node that comes before us.
    fn wait(
        &mut self,
        now: Instant,
        vip: IpAddr,
        mut vacancy: Box<Vacancy>,
        claim: Option<&Claim>,
        roster: &Roster,
    ) {
        let candidates = &self.vips[&vip].candidates;
        vacancy.order.retain(|node| candidates.iter().any(|(known, _)| known == node));
        let new = candidates.iter().map(|(node, _)| *node);
        let new: Vec<_> = new.filter(|node| !vacancy.order.contains(node)).collect();
        vacancy.order.extend(new);
        let ahead = vacancy.order.iter().take_while(|node| **node != self.me);
        let ahead = ahead.filter(|it| is_ahead(**it, claim, roster));
        let turns = u32::try_from(ahead.count()).unwrap_or(u32::MAX);
        let mut due = vacancy.since + self.timing.dead().saturating_mul(turns);
        if let Some((_, again)) = vacancy.refused {
            due = due.max(again);
        }
        let is_ours = claim.is_some_and(|it| it.owner == self.me && !it.released);
        if let Some(until) = self.patience.filter(|_| !is_ours) {
            due = due.max(until);
        }
        if now < due {
            self.set_role(vip, Role::Vacant(vacancy));
            return self.set_timer(vip, Some(due));
        }
        #[cfg(test)]
        if self.broken == Some(crate::sim::Broken::NoProbe) {
            return self.take(now, vip, vacancy.cause, vacancy.since);
        }
        self.probe(now, vip, vacancy, (0, now, None));
    }

    /// Asks the LAN, and takes the vip if nobody answers.
    fn probe(
        &mut self,
        now: Instant,
        vip: IpAddr,
        mut vacancy: Box<Vacancy>,
        (mut sent, mut next, answered): (u32, Instant, Option<MacBytes>),
    ) {
        if let Some(by) = answered {
            // Who asks at the same moment refuses it too, now the one and now the other.
            if vacancy.refused.is_none() {
                self.happened.push(Happening::Event(Event::Refused { vip, by }));
            }
            let again = now + self.timing.dead();
            vacancy.refused = Some((by, again));
            self.set_role(vip, Role::Vacant(vacancy));
            return self.set_timer(vip, Some(again));
        }
        if now >= next && sent >= self.timing.probes && self.hears {
            return self.take(now, vip, vacancy.cause, vacancy.since);
        }
        if now >= next && sent >= self.timing.probes {
            // That nobody answers tells nothing yet.
            next = now + self.timing.probe_interval;
        } else if now >= next {
            sent += 1;
            next = now + self.timing.probe_interval;
            self.after.push_back(Output::Probe(vip));
        }
        self.set_role(vip, Role::Probing { vacancy, sent, next, answered: None });
        self.set_timer(vip, Some(next));
    }

    fn tend_standbys(&mut self, vip: IpAddr, roster: &Roster, pass: &mut Pass) {
        let load = pass.standby.get_or_insert_with(|| self.standby_load(roster));
        let standbys = self.standbys(vip, roster, load);
        let Some(claim) = self.table.get(vip).filter(|it| it.owner == self.me) else { return };
        if claim.standbys != standbys {
            let revision = claim.revision.saturating_add(1);
            let claim = Claim { revision, standbys, ..claim.clone() };
            self.accept(vip, claim);
        }
    }
}

/// Whether a node that comes before us is waited for. Who only starts is not, but where nobody had
/// the vip before: then all may be starting together.
pub(super) fn is_ahead(node: crate::NodeId, claim: Option<&Claim>, roster: &Roster) -> bool {
    roster.able(node) || (claim.is_none() && roster.starting(node))
}

fn cause(claim: Option<&Claim>, me: crate::NodeId) -> Cause {
    match claim {
        None => Cause::First,
        Some(claim) if claim.released => Cause::Released,
        Some(claim) if claim.owner == me => Cause::Resumed,
        Some(_) => Cause::Failover,
    }
}
