//! Who keeps what: the addresses held, then those of statuses, checked against pools, families,
//! sharing and requests as they are now.

use std::collections::BTreeSet;
use std::net::IpAddr;

use steelyard_model::Family;

use super::{Allocator, Claim};
use crate::assignment::{Reason, ServiceEvent};
use crate::ledger::{Place, Slot};
use crate::pools::Named;
use crate::refusal::{Conflict, NoFamilies, Quoted, Refusal};
use crate::reserved::Occupant;
use crate::wish::{Families, Request, Standing};

/// What says that a Service has addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// What came out last time.
    ByState,
    /// Its own status; in a file it may be old, or copied from another Service.
    ByStatus,
}

/// The first that can be kept counts.
const SAID: [Said; 2] = [Said::ByState, Said::ByStatus];

/// How addresses fit the families that a Service must have.
enum Fit<'a> {
    /// These do: all, or the one that is needed.
    These(&'a [IpAddr]),
    /// One is missing.
    Half,
    /// They do not.
    Not,
    /// They are no set of addresses for a Service.
    Unclear,
}

impl Allocator {
    /// Stages 1 and 2 (what is held, what statuses say) and 3 (the other half of a pair).
    pub(super) fn hold_all(&mut self, active: &[Slot]) {
        let mut order = active.to_vec();
        // Who changed its terms of sharing gives way to who did not.
        order.sort_by_cached_key(|&slot| self.claim(slot).changed_terms());
        for &slot in &order {
            self.hold(slot, Said::ByState);
        }
        for &slot in active {
            self.keep_for_absent(slot);
        }
        for &slot in &order {
            self.hold(slot, Said::ByStatus);
        }
        for &slot in active {
            for from in SAID {
                self.complete(slot, from);
            }
        }
        for &slot in active {
            self.account(slot);
        }
    }

    /// What a Service is said to have; nothing once it has something.
    fn said(&self, slot: Slot, from: Said) -> Option<Vec<IpAddr>> {
        let claim = self.claim(slot);
        let ours = claim.wish.standing == Standing::Ours && claim.service.is_some();
        if !ours || claim.grant.is_some() {
            return None;
        }
        let addresses = match from {
            Said::ByState => claim.held(),
            Said::ByStatus => claim.status(),
        };
        (!addresses.is_empty()).then(|| addresses.to_vec())
    }

    /// Lets a Service keep what it is said to have, or the part of it that it needs, if it may.
    fn hold(&mut self, slot: Slot, from: Said) {
        let claim = self.claim(slot);
        let Some(said) = self.said(slot, from) else { return };
        if self.written(slot).is_some() {
            let said = distinct(said);
            match self.admit(slot, &said) {
                Ok(places) => self.take(slot, places, Reason::Status),
                Err(Refusal::Taken(_)) if self.changed.contains(&slot) => self.disturbed = true,
                Err(_) => {}
            }
            return;
        }
        let Fit::These(addresses) = fit(&said, claim.wish.families) else { return };
        let kept_one = addresses.len() < said.len() && claim.held() != addresses;
        let reason = if kept_one { Reason::KeptOne } else { claim.reason_to_keep(addresses) };
        match self.admit(slot, addresses) {
            Ok(places) if self.as_asked(slot, addresses, places[0].0) => {
                self.take(slot, places, reason);
                if kept_one {
                    self.tell_assigned(slot);
                }
            }
            // It may have a better claim than who has the address now.
            Err(Refusal::Taken(_)) if from == Said::ByState && self.changed.contains(&slot) => {
                self.disturbed = true;
            }
            Ok(_) | Err(_) => {}
        }
    }

    /// Gives a Service that requires two families and is said to have one the other, from the
    /// same pool.
    fn complete(&mut self, slot: Slot, from: Said) {
        let claim = self.claim(slot);
        let Some(said) = self.said(slot, from) else { return };
        if self.written(slot).is_some() {
            return;
        }
        let asks = matches!(claim.wish.request, Request::Addresses(_));
        if asks || !matches!(fit(&said, claim.wish.families), Fit::Half) {
            return;
        }
        let Ok(places) = self.admit(slot, &said) else { return };
        let (pool, family, _) = places[0];
        if !self.as_asked(slot, &said, pool) {
            return;
        }
        let Some(place) = self.first_fit(slot, pool, other(family)) else { return };
        let both = if family == Family::V4 { [places[0], place] } else { [place, places[0]] };
        self.take(slot, both.into(), Reason::FirstOfItsPool);
        self.tell_assigned(slot);
    }

    /// Tells a Service that could keep nothing why, and one that kept a machine's own address.
    /// Only now is it clear who keeps what.
    fn account(&mut self, slot: Slot) {
        self.warn_of_occupants(slot);
        if self.written(slot).is_some() {
            return;
        }
        let why = |from| self.why_not_kept(slot, &self.said(slot, from)?, from);
        let events: Vec<ServiceEvent> = SAID.into_iter().filter_map(why).collect();
        let claim = self.claim_mut(slot);
        events.into_iter().for_each(|event| claim.tell(event));
    }

    fn warn_of_occupants(&mut self, slot: Slot) {
        let claim = self.claim(slot);
        let there = claim.service.is_some();
        let occupied = self.occupied(claim).filter(|_| there);
        let warning = |(address, occupant): (IpAddr, &Occupant)| {
            let message = format!("\"{address}\" is an address of {occupant}: it is not announced");
            ServiceEvent::warning("AddressOccupied", message)
        };
        let warnings: Vec<ServiceEvent> = occupied.map(warning).collect();
        let claim = self.claim_mut(slot);
        warnings.into_iter().for_each(|warning| claim.tell(warning));
    }

    fn why_not_kept(&self, slot: Slot, said: &[IpAddr], from: Said) -> Option<ServiceEvent> {
        let claim = self.claim(slot);
        let addresses = match fit(said, claim.wish.families) {
            Fit::These(addresses) => addresses,
            Fit::Half => said,
            Fit::Not => return None,
            Fit::Unclear => {
                let why = NoFamilies(said);
                let list = Quoted(said);
                let message = format!("Failed to retrieve LBIPs IPFamily for {list}: {why}");
                let by_status = from == Said::ByStatus;
                return by_status.then(|| ServiceEvent::warning("nolbIPsIPFamily", message));
            }
        };
        let refusal = self.admit(slot, addresses).err()?;
        let message = format!(
            "current IP for \"{}\" not allowed by config, will attempt for new IP assignment: \
             {refusal}",
            claim.id
        );
        Some(ServiceEvent::normal("ClearAssignment", message))
    }

    /// Whether held addresses are what the Service asks for now.
    fn as_asked(&self, slot: Slot, addresses: &[IpAddr], pool: usize) -> bool {
        let claim = self.claim(slot);
        let asked_pool = claim.wish.pool.as_deref();
        let named = asked_pool.map(|name| self.pools.named(name, &claim.id.namespace));
        let right_addresses = match &claim.wish.request {
            Request::Any | Request::Invalid(_) => true,
            Request::Addresses(asked) => {
                asked.len() == addresses.len() && asked.iter().all(|it| addresses.contains(it))
            }
        };
        right_addresses && named.is_none_or(|named| named == Named::Pool(pool))
    }

    /// Whether a Service may have exactly `addresses`, and where they are.
    pub(super) fn admit(&self, slot: Slot, addresses: &[IpAddr]) -> Result<Vec<Place>, Refusal> {
        let claim = self.claim(slot);
        let Some(places) = self.pools.locate(addresses) else {
            return Err(Refusal::OutsidePools { addresses: addresses.to_vec() });
        };
        let pool = places[0].0;
        if let Some(service) = &claim.service
            && self.pools.mismatch(pool, service).is_some()
        {
            let pool = self.pools.get(pool).pool.id.clone();
            return Err(Refusal::NotForService { pool });
        }
        for &address in addresses {
            self.may_use(slot, address).map_err(Refusal::Taken)?;
        }
        Ok(places)
    }

    /// Whether a Service may use `address` beside those who do.
    pub(crate) fn may_use(&self, slot: Slot, address: IpAddr) -> Result<(), Box<Conflict>> {
        let claim = self.claim(slot);
        let wish = &claim.wish;
        self.ledger.check(address, slot, &wish.terms, &wish.ports).map_err(|(others, on)| {
            let mut with: Vec<_> = others.iter().map(|&it| self.claim(it).id.clone()).collect();
            with.sort();
            Box::new(Conflict { service: claim.id.clone(), address, with, on })
        })
    }

    /// For a Service that would share in a pool: the first that it cannot share with.
    pub(crate) fn first_sharing_conflict(
        &self,
        slot: Slot,
        claim: &Claim,
        pool: usize,
        family: Family,
    ) -> Option<Box<Conflict>> {
        let place = self.ledger.under_key(&claim.wish.terms, pool, family)?;
        self.may_use(slot, self.pools.address(place)).err()
    }

    /// Keeps the addresses of an absent Service from others, as far as nobody uses them.
    fn keep_for_absent(&mut self, slot: Slot) {
        if self.claim(slot).service.is_some() {
            return;
        }
        self.give_back(slot);
        let claim = self.claim(slot);
        let place = |address: &IpAddr| {
            let places = self.pools.locate(&[*address])?;
            (!self.ledger.is_used(*address)).then(|| places[0])
        };
        let places: Vec<_> = claim.held().iter().filter_map(place).collect();
        self.take(slot, places, Reason::Held);
    }

    pub(super) fn tell_assigned(&mut self, slot: Slot) {
        let claim = self.claim_mut(slot);
        let message = format!("Assigned IP {}", Quoted(claim.addresses()));
        claim.tell(ServiceEvent::normal("IPAllocated", message));
    }
}

/// Each once: anybody may write anything into a status.
fn distinct(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut known = BTreeSet::new();
    addresses.retain(|it| known.insert(*it));
    addresses
}

/// The other family.
pub(super) fn other(family: Family) -> Family {
    match family {
        Family::V4 => Family::V6,
        Family::V6 => Family::V4,
    }
}

fn fit(addresses: &[IpAddr], families: Families) -> Fit<'_> {
    let of = |family: Family| {
        let is_of = |address: &&IpAddr| Family::of(**address) == family;
        addresses.iter().find(is_of).map_or(Fit::Not, |it| Fit::These(std::slice::from_ref(it)))
    };
    match (addresses, families) {
        ([a, b], _) if Family::of(*a) == Family::of(*b) => Fit::Unclear,
        ([_], Families::Both { required: true, .. }) => Fit::Half,
        ([_, _], Families::Any) => of(Family::V4),
        ([_], Families::Any) | ([_] | [_, _], Families::Both { .. }) => Fit::These(addresses),
        ([_] | [_, _], Families::One(family)) => of(family),
        _ => Fit::Unclear,
    }
}
