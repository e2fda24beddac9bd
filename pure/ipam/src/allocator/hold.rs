//! Who keeps what: the addresses of statuses, then those held, checked against pools, families,
//! sharing and requests as they are now.

use std::net::IpAddr;

use steelyard_model::Family;

use super::{Allocator, Claim};
use crate::assignment::{Event, Reason};
use crate::ledger::{Place, Slot};
use crate::pools::Named;
use crate::refusal::{Conflict, Quoted, Refusal};
use crate::wish::{Families, Request, Standing};

/// How addresses fit the families that a Service must have.
enum Fit {
    /// They do.
    Whole,
    /// This one does.
    One(IpAddr),
    /// One is missing.
    Half,
    /// They do not.
    Not,
    /// They are no set of addresses for a Service.
    Unclear,
}

impl Allocator {
    /// Stages 1 and 2 (what statuses say, what is held) and 3 (the other half of a pair).
    pub(super) fn hold_all(&mut self, active: &[Slot]) {
        let mut order = active.to_vec();
        // Who changed its terms of sharing gives way to who did not.
        order.sort_by_key(|&slot| self.claim(slot).changed_terms());
        let mut halves = Vec::new();
        for from in [Reason::Status, Reason::Held] {
            for &slot in &order {
                let claim = self.claim(slot);
                let ours = claim.wish.standing == Standing::Ours && claim.service.is_some();
                let by_status = from == Reason::Status;
                let said = if by_status { claim.status() } else { &claim.held.addresses };
                if claim.grant.is_none() && ours && !said.is_empty() {
                    let said = said.to_vec();
                    halves.extend(self.hold(slot, &said, from.clone()).then_some(slot));
                }
            }
        }
        for &slot in &order {
            self.reserve(slot);
        }
        halves.sort_by(|&a, &b| self.claim(a).order().cmp(&self.claim(b).order()));
        for slot in halves {
            self.complete(slot);
        }
    }

    /// Lets a Service keep `said` if it may. True if the other family is still missing.
    fn hold(&mut self, slot: Slot, said: &[IpAddr], from: Reason) -> bool {
        let fit = fit(said, self.claim(slot).wish.families);
        let one = if let Fit::One(address) = fit { vec![address] } else { Vec::new() };
        let addresses = match fit {
            Fit::Whole | Fit::Half => said,
            Fit::One(_) => &one,
            Fit::Not => return false,
            Fit::Unclear => {
                let said = Quoted(said);
                let message = format!("Failed to retrieve LBIPs IPFamily for {said}");
                self.claim_mut(slot).tell(Event::warning("nolbIPsIPFamily", message));
                return false;
            }
        };
        match self.admit(slot, addresses) {
            Err(refusal) => self.clear(slot, &refusal),
            Ok(places) if self.as_asked(slot, addresses, places[0].0) => {
                self.claim_mut(slot).events.clear();
                let kept_one = matches!(fit, Fit::One(_));
                self.take(slot, places, if kept_one { Reason::KeptOne } else { from });
                if kept_one {
                    self.tell_assigned(slot);
                }
                return matches!(fit, Fit::Half);
            }
            Ok(_) => {}
        }
        false
    }

    fn clear(&mut self, slot: Slot, refusal: &Refusal) {
        if self.changed == Some(slot) && matches!(refusal, Refusal::Taken(_)) {
            self.disturbed = true;
        }
        let claim = self.claim_mut(slot);
        let message = format!(
            "current IP for \"{}\" not allowed by config, will attempt for new IP assignment: \
             {refusal}",
            claim.id
        );
        claim.tell(Event::normal("ClearAssignment", message));
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
        let mut places = self.ledger.sharing(&claim.wish.terms, pool, family);
        self.may_use(slot, self.pools.address(places.next()?)).err()
    }

    /// Keeps the addresses of an absent Service from others, as far as nobody uses them.
    fn reserve(&mut self, slot: Slot) {
        let claim = self.claim(slot);
        if claim.service.is_some() || claim.grant.is_some() {
            return;
        }
        let place = |address: &IpAddr| {
            let places = self.pools.locate(&[*address])?;
            (!self.ledger.is_used(*address)).then(|| places[0])
        };
        let places: Vec<_> = claim.held.addresses.iter().filter_map(place).collect();
        self.take(slot, places, Reason::Held);
    }

    /// Gives a Service that requires two families the one it lacks, from the same pool; else
    /// takes back what it has.
    fn complete(&mut self, slot: Slot) {
        let held = self.claim(slot).grant.as_ref().expect("halves are held").places[0];
        let (pool, family, _) = held;
        let Some(place) = self.first_fit(slot, pool, other(family)) else {
            return self.give_back(slot);
        };
        let reason = Reason::FirstOfItsPool;
        let places = if family == Family::V4 { vec![held, place] } else { vec![place, held] };
        self.take(slot, places, reason);
        self.tell_assigned(slot);
    }

    pub(super) fn tell_assigned(&mut self, slot: Slot) {
        let claim = self.claim_mut(slot);
        let message = format!("Assigned IP {}", Quoted(claim.addresses()));
        claim.tell(Event::normal("IPAllocated", message));
    }
}

/// The other family.
pub(super) fn other(family: Family) -> Family {
    match family {
        Family::V4 => Family::V6,
        Family::V6 => Family::V4,
    }
}

fn fit(addresses: &[IpAddr], families: Families) -> Fit {
    match (addresses, families) {
        ([a, b], _) if Family::of(*a) == Family::of(*b) => Fit::Unclear,
        ([_], Families::Any | Families::Both { required: false, .. }) => Fit::Whole,
        ([_], Families::Both { required: true, .. }) => Fit::Half,
        ([_, _], Families::Both { .. }) => Fit::Whole,
        (&[address], Families::One(family)) if Family::of(address) == family => Fit::Whole,
        ([_], Families::One(_)) => Fit::Not,
        (&[a, b], Families::One(family)) => Fit::One(if Family::of(a) == family { a } else { b }),
        (&[a, b], Families::Any) => Fit::One(if a.is_ipv4() { a } else { b }),
        _ => Fit::Unclear,
    }
}
