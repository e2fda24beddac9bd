//! The allocator: all claims, decided in an order that does not depend on the order of input.
//!
//! A run goes through stages, each over all Services by creation time (absent last), then
//! namespace/name: (1) addresses that are held, (2) addresses that a status has, (3) the missing
//! half of a pair, (4) requested addresses, (5) requested pools, (6) everybody else, (7) a second
//! family for those who would like one. From (4) on addresses are only taken, never released, so
//! whoever fails would fail again. A status counts where nothing is held: in a file it may be old,
//! or somebody else's that was copied with the rest.
//!
//! What comes out, handed in as held, comes out again: it is held, so it comes first and is kept,
//! and nothing more is to be had.
//!
//! After a change only the changed Services and those that want something are decided anew
//! ([`Allocator::change`]); where that could differ from a run over everybody, everybody is.

mod give;
mod hold;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::pool_status::PoolStatus;
use steelyard_model::{Family, Holding, Holdings, Labels, NamespacedName, Pool, Service};

use crate::assignment::{Assignment, PoolUsage, Reason, ServiceEvent};
use crate::ledger::{Ledger, Place, Slot};
use crate::pools::Pools;
use crate::refusal::Refusal;
use crate::reserved::{Occupant, Reserved};
use crate::wish::{Request, Standing, Wish, Wishes};

/// How to assign.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The `loadBalancerClass` that is ours; none means Services without a class.
    pub load_balancer_class: Option<String>,
    /// What becomes of holdings whose Service is not in the input.
    pub absent: Absent,
    /// Who decides who has what.
    pub author: Author,
    /// What no Service is given.
    pub reserved: Reserved,
}

/// Who decides who has which address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Author {
    /// We do.
    #[default]
    Here,
    /// Another node: nothing is given that is not held.
    Holdings,
    /// A controller, which writes it into the Services' statuses. They alone count: neither what is
    /// held nor what a Service asks for.
    Statuses,
    /// Nobody here cares: there are no addresses.
    Nobody,
}

/// What becomes of holdings whose Service is not in the input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Absent {
    /// They are released: the Service is gone.
    #[default]
    Release,
    /// These are kept: the Service is there, but its object is invalid.
    Keep(BTreeSet<NamespacedName>),
    /// All are kept: a file could not be read and nobody knows what was in it.
    KeepAll,
}

/// All pools and claims, and who has what.
#[derive(Clone, Debug)]
pub struct Allocator {
    options: Options,
    pub(crate) pools: Pools,
    ledger: Ledger,
    slots: Vec<Option<Box<Claim>>>,
    /// Slots to use again.
    vacant: Vec<Slot>,
    index: BTreeMap<NamespacedName, Slot>,
    wishes: Wishes,
    /// Number of the last run. Who was decided in an earlier one is history: what was given is
    /// held, and what happened was told.
    run: u64,
    /// Who was decided in the last run.
    decided: Vec<Slot>,
    /// Want something, so that every change concerns them.
    unsettled: BTreeSet<Slot>,
    /// The Services that just changed, while others stay as they are.
    changed: BTreeSet<Slot>,
    /// A changed Service may take from those who stay: everybody must be decided anew.
    disturbed: bool,
}

/// A Service's part.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) id: NamespacedName,
    /// None for an absent Service whose holding is kept.
    pub(crate) service: Option<Arc<Service>>,
    pub(crate) wish: Arc<Wish>,
    /// The run in which it was last decided.
    run: u64,
    /// What it held before that run, if it did.
    held: Option<Box<Holding>>,
    pub(crate) grant: Option<Grant>,
    pub(crate) refusal: Option<Box<Refusal>>,
    events: Vec<ServiceEvent>,
}

/// What a Service was given.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) addresses: Box<[IpAddr]>,
    /// Where each of them is.
    places: Box<[Place]>,
    reason: Reason,
}

impl Allocator {
    /// Decides everything from scratch.
    pub fn new(
        pools: &[Pool],
        namespaces: &BTreeMap<String, Labels>,
        services: impl IntoIterator<Item = Arc<Service>>,
        held: &Holdings,
        options: &Options,
    ) -> Self {
        let mut allocator = Self {
            options: options.clone(),
            pools: Pools::new(pools, namespaces, &options.reserved),
            ledger: Ledger::default(),
            slots: Vec::new(),
            vacant: Vec::new(),
            index: BTreeMap::new(),
            wishes: Wishes::default(),
            run: 0,
            decided: Vec::new(),
            unsettled: BTreeSet::new(),
            changed: BTreeSet::new(),
            disturbed: false,
        };
        for service in services {
            let holding = held.0.get(&service.id).cloned().unwrap_or_default();
            allocator.enter(service, holding);
        }
        allocator.enter_absent(held);
        allocator.decide_all((0..allocator.slots.len()).collect());
        // What grew in order, one by one, is hardly more than half full.
        allocator.index = std::mem::take(&mut allocator.index).into_iter().collect();
        allocator.ledger.pack();
        allocator
    }

    /// Some Services are new or changed, or (none) gone; the others keep what they have, and what
    /// is wanted is looked at again. The same as [`Allocator::new`] with what everybody has now as
    /// held. Without changes only what happened becomes history.
    pub fn change(
        &mut self,
        services: impl IntoIterator<Item = (NamespacedName, Option<Arc<Service>>)>,
    ) {
        self.run += 1;
        let change = |(id, service): (NamespacedName, _)| (self.leave(&id), service);
        let left: Vec<(Holding, Option<Arc<Service>>)> = services.into_iter().map(change).collect();
        for (holding, service) in left {
            let entered = service.and_then(|service| self.enter(service, holding));
            self.changed.extend(entered);
        }
        self.decide_again();
    }

    /// The Services that the last run decided: of all others everything is as it was before it,
    /// but for those that the run before it decided.
    pub fn decided(&self) -> impl Iterator<Item = &NamespacedName> {
        self.decided.iter().filter_map(|&slot| Some(&self.slots[slot].as_ref()?.id))
    }

    /// What a Service holds now; nothing without an address.
    pub fn holding_of(&self, id: &NamespacedName) -> Option<Holding> {
        let holding = self.holding(self.claim(*self.index.get(id)?));
        (!holding.addresses.is_empty()).then_some(holding)
    }

    /// What a Service gets; none unless it is of type LoadBalancer.
    pub fn assignment(&self, id: &NamespacedName) -> Option<Assignment> {
        let claim = self.claim(*self.index.get(id)?);
        claim.service.as_ref().map(|service| self.outcome(claim, service))
    }

    /// All Services of type LoadBalancer.
    pub fn services(&self) -> impl Iterator<Item = &NamespacedName> {
        self.index.iter().filter(|(_, slot)| self.claim(**slot).service.is_some()).map(|(id, _)| id)
    }

    /// How much of each pool is used, by name.
    pub fn usage(&self) -> Vec<PoolUsage> {
        let usage = |state: &crate::pools::PoolState| {
            let (v4, v6) = (state.space(Family::V4), state.space(Family::V6));
            let status = PoolStatus {
                assigned_ipv4: v4.assigned,
                assigned_ipv6: v6.assigned,
                available_ipv4: v4.available(),
                available_ipv6: v6.available(),
            };
            PoolUsage { pool: state.pool.id.clone(), status }
        };
        self.pools.iter().map(|(_, state)| usage(state)).collect()
    }

    /// What everybody has now.
    pub fn held(&self) -> Holdings {
        let holding = |id: &NamespacedName| Some((id.clone(), self.holding_of(id)?));
        Holdings(self.index.keys().filter_map(holding).collect())
    }

    fn outcome(&self, claim: &Claim, service: &Service) -> Assignment {
        let pending = || match (&claim.wish.standing, &claim.refusal) {
            (Standing::Foreign, _) => Reason::ForeignClass,
            (_, Some(refusal)) => Reason::Pending(refusal.clone()),
            (_, None) => unreachable!("whoever has no address was refused one"),
        };
        let reason = |grant: &Grant| {
            let kept = || claim.reason_to_keep(&grant.addresses);
            if self.is_history(claim) { kept() } else { grant.reason.clone() }
        };
        let pool = claim.pool().map(|pool| self.pools.get(pool).pool.id.clone());
        let occupied = self.occupied(claim).map(|(it, occupant)| (it, occupant.clone()));
        let unknown = claim.held().is_empty() && service.noted_pool.is_none();
        Assignment {
            addresses: claim.addresses().into(),
            pool,
            occupied: occupied.collect(),
            reason: claim.grant.as_ref().map_or_else(pending, reason),
            events: if self.is_history(claim) { Box::default() } else { claim.events[..].into() },
            status_is_foreign: claim.wish.standing == Standing::Foreign
                || self.pools.is_empty() && unknown,
        }
    }

    /// Where statuses alone count, nobody asks what is held.
    fn holding(&self, claim: &Claim) -> Holding {
        let by_status = self.options.author == Author::Statuses;
        if claim.service.is_none() {
            return claim.held.as_deref().cloned().unwrap_or_default();
        }
        let Some(grant) = claim.grant.as_ref().filter(|_| !by_status) else {
            return Holding::default();
        };
        let pool = claim.pool().map(|pool| self.pools.get(pool).pool.id.name.to_string());
        Holding {
            addresses: grant.addresses.to_vec(),
            pool: pool.unwrap_or_default(),
            sharing: claim.wish.sharing(),
        }
    }
}

/// Who takes part.
impl Allocator {
    fn enter(&mut self, service: Arc<Service>, held: Holding) -> Option<Slot> {
        let wish = Wish::read(&service, self.options.load_balancer_class.as_deref());
        let held = if self.options.author == Author::Statuses { None } else { noted(held) };
        if wish.standing == Standing::NotLoadBalancer {
            return None;
        }
        let (id, wish) = (service.id.clone(), self.wishes.known(wish));
        Some(self.place(Claim {
            id,
            service: Some(service),
            wish,
            run: self.run,
            held,
            grant: None,
            refusal: None,
            events: Vec::new(),
        }))
    }

    fn enter_absent(&mut self, held: &Holdings) {
        for (id, holding) in held.0.iter() {
            let keep = match &self.options.absent {
                Absent::Release => false,
                Absent::Keep(ids) => ids.contains(id),
                Absent::KeepAll => true,
            };
            if keep && !self.index.contains_key(id) {
                self.place(Claim::absent(id.clone(), holding.clone(), self.run));
            }
        }
    }

    fn place(&mut self, claim: Claim) -> Slot {
        let id = claim.id.clone();
        if let Some(&former) = self.index.get(&id) {
            self.slots[former] = Some(Box::new(claim));
            return former;
        }
        let slot = self.vacant.pop().unwrap_or(self.slots.len());
        if slot == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[slot] = Some(Box::new(claim));
        self.index.insert(id, slot);
        slot
    }

    /// Takes a Service out and gives back what it had. Its slot may be another's from then on.
    fn leave(&mut self, id: &NamespacedName) -> Holding {
        let Some(slot) = self.index.remove(id) else { return Holding::default() };
        let holding = self.holding(self.claim(slot));
        self.give_back(slot);
        self.slots[slot] = None;
        self.vacant.push(slot);
        self.unsettled.remove(&slot);
        holding
    }

    pub(crate) fn claim(&self, slot: Slot) -> &Claim {
        self.slots[slot].as_ref().expect("indexed slots are occupied")
    }

    fn claim_mut(&mut self, slot: Slot) -> &mut Claim {
        self.slots[slot].as_mut().expect("indexed slots are occupied")
    }

    /// What the status of a Service has, where statuses alone count.
    fn written(&self, slot: Slot) -> Option<&[IpAddr]> {
        (self.options.author == Author::Statuses).then(|| self.claim(slot).status())
    }

    pub(crate) fn find(&self, id: &NamespacedName) -> Option<(Slot, &Claim)> {
        let &slot = self.index.get(id)?;
        Some((slot, self.claim(slot)))
    }

    /// Addresses of a claim that are a machine's own.
    pub(crate) fn occupied<'a>(
        &'a self,
        claim: &'a Claim,
    ) -> impl Iterator<Item = (IpAddr, &'a Occupant)> {
        let addresses = claim.addresses().iter().copied();
        addresses.filter_map(|it| Some((it, self.pools.reserved().occupant(it)?)))
    }

    /// What no Service is given.
    pub fn reserved(&self) -> &Reserved {
        self.pools.reserved()
    }

    /// The load balancer class that is ours.
    pub(crate) fn class(&self) -> Option<&str> {
        self.options.load_balancer_class.as_deref()
    }
}

/// Runs.
impl Allocator {
    fn is_history(&self, claim: &Claim) -> bool {
        claim.run < self.run
    }

    /// Makes what was decided in an earlier run history, before it is decided again.
    fn settle(&mut self, slot: Slot) {
        let claim = self.claim(slot);
        if !self.is_history(claim) {
            return;
        }
        let (held, run) = (noted(self.holding(claim)), self.run);
        let claim = self.claim_mut(slot);
        (claim.run, claim.held, claim.refusal) = (run, held, None);
        claim.events.clear();
        if let Some(mut grant) = claim.grant.take() {
            grant.reason = claim.reason_to_keep(&grant.addresses);
            claim.grant = Some(grant);
        }
    }

    /// Decides the changed Services and those that want something; everybody where that could
    /// come out differently.
    fn decide_again(&mut self) {
        if !self.disturbed {
            self.decide_all(self.unsettled.union(&self.changed).copied().collect());
        }
        if self.disturbed {
            self.rebuild();
        }
        self.changed.clear();
    }

    /// Decides everybody, each with what it held before this change.
    fn rebuild(&mut self) {
        let everybody: Vec<Slot> = self.index.values().copied().collect();
        for &slot in &everybody {
            self.settle(slot);
            self.give_back(slot);
            let claim = self.claim_mut(slot);
            claim.refusal = None;
            claim.events.clear();
        }
        self.changed.clear();
        self.disturbed = false;
        self.decide_all(everybody);
    }

    fn decide_all(&mut self, mut active: Vec<Slot>) {
        active.sort_by(|&a, &b| self.claim(a).order().cmp(&self.claim(b).order()));
        for &slot in &active {
            self.settle(slot);
        }
        self.hold_all(&active);
        if self.disturbed {
            return;
        }
        self.give_all(&active);
        for &slot in &active {
            self.finish(slot);
        }
        self.decided = active;
    }

    /// Notes what a decided claim means for later changes.
    fn finish(&mut self, slot: Slot) {
        let pool = self.claim(slot).pool().map(|pool| self.pools.get(pool).pool.id.name.clone());
        let is_occupied = self.occupied(self.claim(slot)).next().is_some();
        let claim = self.claim_mut(slot);
        if let Some(service) = claim.service.clone()
            && claim.object_changes(&service, pool.as_deref())
        {
            let old = service.wish.deprecated.iter();
            let told = old
                .map(|old| format!("Service uses deprecated annotation {}", old.key))
                .map(|message| ServiceEvent::warning("deprecatedAnnotation", message));
            claim.events.extend(told);
        }
        // It would have another one, and is told each time.
        if claim.wants_something() || is_occupied {
            self.unsettled.insert(slot);
        } else {
            self.unsettled.remove(&slot);
        }
    }
}

/// Giving and taking back.
impl Allocator {
    fn take(&mut self, slot: Slot, places: Vec<Place>, reason: Reason) {
        let places: Box<[Place]> = places.into();
        let addresses: Box<_> = places.iter().map(|&place| self.pools.address(place)).collect();
        self.mark(slot, &places, &addresses);
        self.claim_mut(slot).grant = Some(Grant { addresses, places, reason });
    }

    fn mark(&mut self, slot: Slot, places: &[Place], addresses: &[IpAddr]) {
        let claim = self.slots[slot].as_ref().expect("indexed slots are occupied");
        for (&place, &address) in places.iter().zip(addresses) {
            self.pools.take(place);
            self.ledger.take(address, place, slot, &claim.wish.terms, &claim.wish.ports);
        }
    }

    fn give_back(&mut self, slot: Slot) {
        let Some(grant) = self.claim_mut(slot).grant.take() else { return };
        for (place, address) in grant.places.into_iter().zip(grant.addresses) {
            if self.ledger.release(address, place, slot) {
                self.pools.release(place);
            }
        }
    }
}

impl Claim {
    fn absent(id: NamespacedName, held: Holding, run: u64) -> Self {
        Self {
            id,
            service: None,
            wish: Arc::new(Wish::nothing()),
            run,
            held: noted(held),
            grant: None,
            refusal: None,
            events: Vec::new(),
        }
    }

    /// The addresses that it held.
    fn held(&self) -> &[IpAddr] {
        self.held.as_ref().map_or(&[], |held| &held.addresses)
    }

    /// Its addresses.
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        self.grant.as_ref().map_or(&[], |grant| &grant.addresses)
    }

    fn pool(&self) -> Option<usize> {
        self.grant.as_ref()?.places.first().map(|place| place.0)
    }

    fn status(&self) -> &[IpAddr] {
        self.service.as_ref().map_or(&[], |service| &service.status_addresses)
    }

    /// Whether its object needs to be written to tell what it has: MetalLB speaks of deprecated
    /// annotations only then.
    fn object_changes(&self, service: &Service, pool: Option<&str>) -> bool {
        if self.status().is_empty() {
            return self.addresses() != self.held();
        }
        self.addresses() != self.status() || service.noted_pool.as_deref() != pool
    }

    /// Why it has `addresses` if it had them before.
    fn reason_to_keep(&self, addresses: &[IpAddr]) -> Reason {
        let in_status = addresses.iter().all(|it| self.status().contains(it));
        if in_status { Reason::Status } else { Reason::Held }
    }

    /// Order of claims: by age, absent last, then by name.
    fn order(&self) -> impl Ord + '_ {
        let created = self.service.as_ref().and_then(|service| service.created.as_deref());
        (created.is_none(), created, &self.id)
    }

    /// Whether its terms are not those under which it got what it held.
    fn changed_terms(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.sharing != self.wish.sharing())
    }

    fn wants_something(&self) -> bool {
        if self.service.is_none() {
            return self.addresses().len() < self.held().len();
        }
        let wants_second = self.wish.prefers_dual && self.addresses().len() < 2;
        let blocked = self.wish.standing != Standing::Ours;
        let invalid = matches!(self.wish.request, Request::Invalid(_));
        self.grant.is_none() || wants_second || blocked || invalid
    }
}

/// A holding, if it is of anything: most that are empty need no memory.
fn noted(held: Holding) -> Option<Box<Holding>> {
    (!held.addresses.is_empty()).then(|| Box::new(held))
}
