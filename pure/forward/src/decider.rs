//! Decides again and again: what a change does not concern is kept.
//!
//! From scratch means that nothing is kept and every address is concerned; there is no second way
//! of deciding. What an address comes to hangs on who asks for it and what for, on what is known of
//! it and of the endpoints it leads to, on what is so of the whole host, and on whether it leads
//! back to itself: so these are what is compared.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::carry::{Decision, PortDecision, carriages};
use crate::desired::{Desired, Lot, Wish};
use crate::facts::{HostFacts, Whereabouts};

/// The last decision, and what it was made of.
#[derive(Clone, Debug, Default)]
pub struct Decider {
    desired: Desired,
    facts: HostFacts,
    decision: Decision,
    /// By address, whose ports were decided about there.
    decided: BTreeMap<IpAddr, BTreeSet<Wish>>,
    /// Who asks for an address, in order.
    wishes: BTreeMap<IpAddr, BTreeSet<Wish>>,
    /// By endpoint, the vips that are to lead there.
    users: Links,
    /// By endpoint, the vips that are translated to it.
    translated: Links,
    /// By vip, the vips among its endpoints.
    leads: Links,
    /// Vips from which one comes back to them.
    circles: BTreeSet<IpAddr>,
}

/// Decides, from scratch.
pub fn decide(desired: &Desired, facts: &HostFacts) -> Decision {
    Decider::default().take(desired, facts).clone()
}

type Links = BTreeMap<IpAddr, BTreeSet<IpAddr>>;

impl Decider {
    /// Decides about `desired` on a host of which `facts` is known, exactly as [`crate::decide`].
    pub fn take(&mut self, desired: &Desired, facts: &HostFacts) -> &Decision {
        let mut concerned = self.follow(desired);
        concerned.extend(self.led_in_circles(&concerned));
        concerned.extend(self.learn(facts));
        let mut endpoints: BTreeSet<IpAddr> = BTreeSet::new();
        let mut ports = Vec::new();
        for address in &concerned {
            self.decide(*address, &mut endpoints, &mut ports);
        }
        self.decision.ports.change(ports);
        self.set_vips(&concerned);
        self.set_endpoints(&endpoints);
        &self.decision
    }

    /// The last decision.
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// Takes over what is asked for. The addresses for which that is something else.
    fn follow(&mut self, desired: &Desired) -> BTreeSet<IpAddr> {
        let before = std::mem::replace(&mut self.desired, desired.clone());
        let mut concerned = BTreeSet::new();
        let mut gone = Vec::new();
        for wish in self.desired.since(&before) {
            let (then, now) = (before.address(&wish), self.desired.address(&wish));
            if let Some(address) = then {
                unlink(&mut self.wishes, address, &wish);
            }
            if let Some(address) = now {
                self.wishes.entry(address).or_default().insert(wish.clone());
            }
            concerned.extend(then.into_iter().chain(now));
            if wish.lot == Lot::Forwarded {
                gone.extend(before.forwarded.get(&wish.place).cloned());
            }
        }
        for vip in gone {
            vip.endpoints().for_each(|to| unlink(&mut self.users, to, &vip.address));
        }
        for address in &concerned {
            for to in self.endpoints_of(*address) {
                self.users.entry(to).or_default().insert(*address);
            }
        }
        concerned
    }

    /// Where `address` is to lead.
    fn endpoints_of(&self, address: IpAddr) -> BTreeSet<IpAddr> {
        let wishes = self.wishes.get(&address).into_iter().flatten();
        let wishes = wishes.filter(|wish| wish.lot == Lot::Forwarded);
        let vips = wishes.filter_map(|wish| self.desired.forwarded.get(&wish.place));
        vips.flat_map(|vip| vip.endpoints()).collect()
    }

    fn is_forwarded(&self, address: IpAddr) -> bool {
        let wishes = self.wishes.get(&address);
        wishes.is_some_and(|wishes| wishes.iter().any(|wish| wish.lot == Lot::Forwarded))
    }

    /// Takes note of which vips lead to vips, where `changed` ones are otherwise. Those that are
    /// now in a circle and were not, or the other way round.
    fn led_in_circles(&mut self, changed: &BTreeSet<IpAddr>) -> Vec<IpAddr> {
        let users = changed.iter().filter_map(|address| self.users.get(address)).flatten();
        let concerned: BTreeSet<IpAddr> = users.chain(changed).copied().collect();
        let mut is_same = true;
        for address in concerned {
            let mut to = self.endpoints_of(address);
            to.retain(|to| self.is_forwarded(*to));
            let before = match to.is_empty() {
                true => self.leads.remove(&address).unwrap_or_default(),
                false => self.leads.insert(address, to.clone()).unwrap_or_default(),
            };
            is_same &= before == to;
        }
        if is_same {
            return Vec::new();
        }
        let circles = circles(&self.leads);
        let before = std::mem::replace(&mut self.circles, circles);
        before.symmetric_difference(&self.circles).copied().collect()
    }

    /// Takes over what is known. The addresses for which that is something else.
    fn learn(&mut self, facts: &HostFacts) -> Vec<IpAddr> {
        let before = std::mem::replace(&mut self.facts, facts.clone());
        if !before.is_same_host(&self.facts) {
            return self.wishes.keys().copied().collect();
        }
        let places = self.facts.places.differing(&before.places).into_iter().copied();
        let dead = before.dead.symmetric_difference(&self.facts.dead).map(|it| it.ip());
        let users = places.chain(dead).filter_map(|endpoint| self.users.get(&endpoint));
        let arrivals = self.facts.arrivals.differing(&before.arrivals).into_iter();
        users.flatten().chain(arrivals).copied().collect()
    }

    /// Decides about the ports of an address; notes the `endpoints` that this concerns.
    fn decide(
        &mut self,
        address: IpAddr,
        endpoints: &mut BTreeSet<IpAddr>,
        ports: &mut Vec<(Wish, Option<Arc<[PortDecision]>>)>,
    ) {
        for to in self.translated_from(address) {
            unlink(&mut self.translated, to, &address);
            endpoints.insert(to);
        }
        let (wishes, is_circle) = (self.wishes.get(&address), self.circles.contains(&address));
        let now = carriages(wishes, &self.desired, &self.facts, is_circle);
        for port in now.values().flat_map(|ports| ports.iter()) {
            for to in port.translated_to() {
                self.translated.entry(to).or_default().insert(address);
                endpoints.insert(to);
            }
        }
        let known: BTreeSet<Wish> = now.keys().cloned().collect();
        let before = match known.is_empty() {
            true => self.decided.remove(&address).unwrap_or_default(),
            false => self.decided.insert(address, known.clone()).unwrap_or_default(),
        };
        // One that has another address now is decided about there.
        let gone = before.difference(&known).filter(|it| self.desired.address(it).is_none());
        ports.extend(gone.map(|wish| (wish.clone(), None)));
        ports.extend(now.into_iter().map(|(wish, ports)| (wish, Some(ports))));
    }

    /// Where packets for `address` were translated to.
    fn translated_from(&self, address: IpAddr) -> BTreeSet<IpAddr> {
        let wishes = self.decided.get(&address).into_iter().flatten();
        let ports = wishes.filter_map(|wish| self.decision.ports.get(wish));
        ports.flat_map(|ports| ports.iter()).flat_map(PortDecision::translated_to).collect()
    }

    fn set_vips(&mut self, concerned: &BTreeSet<IpAddr>) {
        let is_used = self.facts.no_kernel.is_none();
        let is = |address: &IpAddr, lot: Option<Lot>| {
            let wishes = self.wishes.get(address).into_iter().flatten();
            is_used && wishes.into_iter().any(|wish| lot.is_none_or(|lot| wish.lot == lot))
        };
        let there = |lot| concerned.iter().map(move |it| (*it, is(it, lot).then_some(())));
        self.decision.vips.change(there(None));
        self.decision.served.change(there(Some(Lot::Served)));
    }

    fn set_endpoints(&mut self, endpoints: &BTreeSet<IpAddr>) {
        let is_used = self.facts.no_kernel.is_none();
        let used = |it: &IpAddr| is_used && self.translated.contains_key(it);
        let direct = endpoints.iter().map(|it| {
            let is_direct = used(it) && self.facts.place(*it) == Whereabouts::PodLink;
            (*it, is_direct.then_some(()))
        });
        let source = |it| self.facts.places.get(it).and_then(|spot| spot.source);
        let sources = endpoints.iter().map(|it| (*it, source(it).filter(|_| used(it))));
        let (direct, sources): (Vec<_>, Vec<_>) = (direct.collect(), sources.collect());
        self.decision.direct.change(direct);
        self.decision.sources.change(sources);
    }
}

fn unlink<T: Ord>(links: &mut BTreeMap<IpAddr, BTreeSet<T>>, from: IpAddr, to: &T) {
    let Some(known) = links.get_mut(&from) else { return };
    known.remove(to);
    if known.is_empty() {
        links.remove(&from);
    }
}

/// Vips from which one comes back to them by going from vip to endpoint, again and again.
fn circles(leads: &Links) -> BTreeSet<IpAddr> {
    let comes_back = |vip: &&IpAddr| {
        let mut reached = BTreeSet::new();
        let mut next: Vec<IpAddr> = vec![**vip];
        while let Some(at) = next.pop() {
            let to = leads.get(&at).into_iter().flatten().copied();
            next.extend(to.filter(|to| reached.insert(*to)));
        }
        reached.contains(*vip)
    };
    leads.keys().filter(comes_back).copied().collect()
}

#[cfg(test)]
mod tests;
