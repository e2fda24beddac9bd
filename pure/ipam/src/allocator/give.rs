//! Who gets what: requested addresses, requested pools, everybody else, second families.

use std::net::IpAddr;

use steelyard_model::Family;

use super::hold::other;
use super::{Allocator, Author, Claim};
use crate::assignment::{Reason, ServiceEvent};
use crate::ledger::{Place, Slot};
use crate::pools::Named;
use crate::refusal::{NoRequest, Quoted, Refusal};
use crate::wish::{Families, Request, Standing};

impl Allocator {
    /// Stages 4 to 7.
    pub(super) fn give_all(&mut self, active: &[Slot]) {
        let stage = |claim: &Claim| match (&claim.wish.request, &claim.wish.pool) {
            (Request::Addresses(_), _) => 0,
            (_, Some(_)) => 1,
            (_, None) => 2,
        };
        let mut order = active.to_vec();
        order.sort_by_key(|&slot| stage(self.claim(slot)));
        for slot in order {
            self.decide(slot);
        }
        if self.options.author != Author::Here {
            return;
        }
        for &slot in active {
            self.add_second(slot);
        }
    }

    fn decide(&mut self, slot: Slot) {
        let claim = self.claim(slot);
        match &claim.wish.standing {
            _ if claim.service.is_none() => return,
            Standing::Foreign | Standing::NotLoadBalancer => return,
            Standing::Blocked(refusal) => {
                let refusal = Refusal::clone(refusal);
                return self.refuse(slot, refusal);
            }
            Standing::Ours => {}
        }
        if let Some(written) = self.written(slot) {
            return self.follow(slot, written.to_vec());
        }
        if let Request::Invalid(bad) = &claim.wish.request {
            let refusal = Refusal::InvalidRequest(bad.clone());
            if claim.grant.is_none() {
                return self.refuse(slot, refusal);
            }
            let message = format!("invalid requested loadbalancer IPs: {}", NoRequest(bad));
            return self.claim_mut(slot).tell(ServiceEvent::warning("LoadBalancerFailed", message));
        }
        if claim.grant.is_some() {
            return;
        }
        match self.choose(slot) {
            Ok(_) if self.options.author != Author::Here => self.refuse(slot, Refusal::NotHeld),
            Ok((places, reason)) => {
                self.take(slot, places, reason);
                self.tell_assigned(slot);
            }
            Err(refusal) => self.refuse(slot, refusal),
        }
    }

    /// A Service whose status alone counts has what that says, or nothing.
    fn follow(&mut self, slot: Slot, written: Vec<IpAddr>) {
        if self.claim(slot).grant.is_some() {
            return;
        }
        let refused = if written.is_empty() { None } else { self.admit(slot, &written).err() };
        self.claim_mut(slot).refusal = Some(Box::new(refused.unwrap_or(Refusal::NotWritten)));
    }

    fn refuse(&mut self, slot: Slot, refusal: Refusal) {
        let claim = self.claim_mut(slot);
        let event = match &refusal {
            Refusal::Headless => None,
            Refusal::NotEnoughClusterIps { .. } => {
                Some(ServiceEvent::warning("not enough clusterips", refusal.to_string()))
            }
            // Else it is like any other reason why none is allocated.
            Refusal::ClusterIpFamilies { cluster_ips } if claim.had_addresses() => {
                let (list, first) = (Quoted(cluster_ips), cluster_ips[0]);
                let message =
                    format!("Failed to retrieve ClusterIPs IPFamily for {list} {first}: {refusal}");
                Some(ServiceEvent::warning("noclusterIPsIPFamily", message))
            }
            refusal => {
                let message = format!("Failed to allocate IP for \"{}\": {refusal}", claim.id);
                Some(ServiceEvent::warning("AllocationFailed", message))
            }
        };
        if let Some(event) = event {
            claim.tell(event);
        }
        claim.refusal = Some(Box::new(refusal));
    }

    fn choose(&mut self, slot: Slot) -> Result<(Vec<Place>, Reason), Refusal> {
        let wish = &self.claim(slot).wish;
        if let Request::Addresses(addresses) = &wish.request {
            let addresses = addresses.clone();
            return Ok((self.requested(slot, &addresses)?, Reason::Requested));
        }
        if let Some(name) = wish.pool.clone() {
            return Ok((self.in_pool(slot, &name)?, Reason::FirstOfRequestedPool));
        }
        self.in_any(slot).ok_or(Refusal::NoneAvailable)
    }

    fn requested(&self, slot: Slot, addresses: &[IpAddr]) -> Result<Vec<Place>, Refusal> {
        let claim = self.claim(slot);
        if !families_match(addresses, claim.wish.families) {
            return Err(Refusal::WrongFamilies { addresses: addresses.to_vec() });
        }
        let places = self.admit_new(slot, addresses)?;
        if let Some(name) = &claim.wish.pool
            && self.pools.named(name, &claim.id.namespace) != Named::Pool(places[0].0)
        {
            let (addresses, name) = (addresses.to_vec(), name.to_string());
            return Err(Refusal::OtherPool { addresses, name });
        }
        Ok(places)
    }

    /// As [`Self::admit`], for a Service that does not have `addresses` yet. That nobody can have
    /// one comes before who else has it: sharing it would not help.
    fn admit_new(&self, slot: Slot, addresses: &[IpAddr]) -> Result<Vec<Place>, Refusal> {
        let occupant = |&address: &IpAddr| {
            let occupant = self.pools.reserved().occupant(address)?.clone();
            Some(Refusal::Reserved { address, occupant })
        };
        match addresses.iter().find_map(occupant) {
            Some(refusal) if self.pools.locate(addresses).is_some() => Err(refusal),
            _ => self.admit(slot, addresses),
        }
    }

    fn in_pool(&mut self, slot: Slot, name: &str) -> Result<Vec<Place>, Refusal> {
        let claim = self.claim(slot);
        let index = match self.pools.named(name, &claim.id.namespace) {
            Named::Pool(index) => index,
            Named::Unknown => return Err(Refusal::UnknownPool { name: name.to_owned() }),
            Named::Ambiguous => return Err(Refusal::AmbiguousPool { name: name.to_owned() }),
        };
        let pool = self.pools.get(index).pool.id.clone();
        let service = claim.service.as_ref().expect("absent Services ask for nothing");
        if self.pools.mismatch(index, service).is_some() {
            return Err(Refusal::NotForService { pool });
        }
        let families = self.settled_families(slot, &[index]);
        let dual = matches!(families, Families::Both { .. });
        self.in_list(slot, &[index], families).ok_or(Refusal::PoolFull { pool, dual })
    }

    fn in_any(&mut self, slot: Slot) -> Option<(Vec<Place>, Reason)> {
        let service = self.claim(slot).service.clone().expect("absent Services ask for nothing");
        let pinned = self.pools.pinned(&service);
        let families = self.settled_families(slot, &pinned);
        if let Some(places) = self.in_list(slot, &pinned, families) {
            return Some((places, Reason::FirstOfItsPool));
        }
        Some((self.in_unpinned(slot, families)?, Reason::FirstFree))
    }

    /// Where nothing is said: IPv4 if one of `pools`, or of those for everybody unless a single
    /// pool is asked for, has it; else IPv6.
    fn settled_families(&self, slot: Slot, pools: &[usize]) -> Families {
        let wish = &self.claim(slot).wish;
        if wish.families != Families::Any {
            return wish.families;
        }
        let has_v4 = |index: usize| self.pools.get(index).space(Family::V4).capacity > 0;
        let any = pools.iter().any(|&index| has_v4(index))
            || wish.pool.is_none() && self.pools.unpinned().any(has_v4);
        Families::One(if any { Family::V4 } else { Family::V6 })
    }

    fn in_list(&mut self, slot: Slot, pools: &[usize], families: Families) -> Option<Vec<Place>> {
        let mut first =
            |family| pools.iter().find_map(|&pool| Some(vec![self.first_fit(slot, pool, family)?]));
        match families {
            Families::Any => unreachable!("settled before"),
            Families::One(family) => first(family),
            Families::Both { required, first: preferred } => {
                let both = pools.iter().find_map(|&pool| self.both_fit(slot, pool));
                if both.is_some() || required {
                    return both;
                }
                let mut first = |family| {
                    pools.iter().find_map(|&pool| Some(vec![self.first_fit(slot, pool, family)?]))
                };
                first(preferred).or_else(|| first(other(preferred)))
            }
        }
    }

    /// As [`Self::in_list`] over the pools for everybody, without looking at full ones.
    fn in_unpinned(&mut self, slot: Slot, families: Families) -> Option<Vec<Place>> {
        match families {
            Families::Any => unreachable!("settled before"),
            Families::One(family) => self.one_unpinned(slot, family),
            Families::Both { required, first } => {
                let both = self.both_unpinned(slot);
                if both.is_some() || required {
                    return both;
                }
                self.one_unpinned(slot, first).or_else(|| self.one_unpinned(slot, other(first)))
            }
        }
    }

    fn one_unpinned(&mut self, slot: Slot, family: Family) -> Option<Vec<Place>> {
        let mut after = None;
        while let Some(pool) = self.next_unpinned(slot, family, after) {
            if let Some(place) = self.first_fit(slot, pool, family) {
                return Some(vec![place]);
            }
            after = Some(pool);
        }
        None
    }

    fn both_unpinned(&mut self, slot: Slot) -> Option<Vec<Place>> {
        let mut after = None;
        loop {
            let v4 = self.next_unpinned(slot, Family::V4, after)?;
            let v6 = self.next_unpinned(slot, Family::V6, after)?;
            if v4 != v6 {
                // The later of the two is the first that could have both.
                after = v4.max(v6).checked_sub(1);
                continue;
            }
            if let Some(places) = self.both_fit(slot, v4) {
                return Some(places);
            }
            after = Some(v4);
        }
    }

    /// The next pool for everybody that may have an address of `family` for this Service: free,
    /// or shared on its terms.
    fn next_unpinned(&self, slot: Slot, family: Family, after: Option<usize>) -> Option<usize> {
        let open = self.pools.next_open(family, after);
        let terms = &self.claim(slot).wish.terms;
        let mut sharing = self.ledger.next_pool_sharing(terms, after);
        while let Some(pool) = sharing.filter(|&pool| !self.pools.is_unpinned(pool)) {
            sharing = self.ledger.next_pool_sharing(terms, Some(pool));
        }
        open.into_iter().chain(sharing).min()
    }

    fn both_fit(&mut self, slot: Slot, pool: usize) -> Option<Vec<Place>> {
        let v4 = self.first_fit(slot, pool, Family::V4)?;
        Some(vec![v4, self.first_fit(slot, pool, Family::V6)?])
    }

    /// The first address of a pool that the Service may use: free, or shared on its terms.
    pub(super) fn first_fit(&mut self, slot: Slot, pool: usize, family: Family) -> Option<Place> {
        let free = self.first_unused(pool, family);
        let wish = &self.claim(slot).wish;
        if wish.terms.key.is_empty() {
            return free;
        }
        let (terms, ports) = (wish.terms.clone(), wish.ports.clone());
        let end = free.unwrap_or((pool, family, (usize::MAX, u128::MAX)));
        let shareable = self
            .ledger
            .shareable(&terms, pool, family, &ports)
            .take_while(|place| *place < end)
            .find(|&place| {
                let address = self.pools.address(place);
                let is_reserved = self.pools.reserved().occupant(address).is_some();
                !is_reserved && self.may_use(slot, address).is_ok()
            });
        self.ledger.conflict_before(&terms, shareable.unwrap_or(end), &ports);
        shareable.or(free)
    }

    fn first_unused(&mut self, pool: usize, family: Family) -> Option<Place> {
        loop {
            let place = (pool, family, self.pools.first_free(pool, family)?);
            if !self.ledger.is_used(self.pools.address(place)) {
                return Some(place);
            }
            // Pools overlap (they should not) and another one gave it away.
            self.pools.take(place);
        }
    }

    /// Gives a Service that prefers two families the one it lacks, from the same pool.
    fn add_second(&mut self, slot: Slot) {
        let claim = self.claim(slot);
        let Some(grant) = claim.grant.as_ref().filter(|grant| grant.places.len() == 1) else {
            return;
        };
        if !claim.wish.prefers_dual {
            return;
        }
        let (held, address, reason) = (grant.places[0], grant.addresses[0], grant.reason.clone());
        let two = matches!(claim.wish.families, Families::Both { .. });
        let asks = matches!(claim.wish.request, Request::Addresses(_));
        let wants_two = two && !asks;
        let second = wants_two.then(|| self.first_fit(slot, held.0, other(held.1))).flatten();
        let event = if let Some(place) = second {
            self.take(slot, vec![held, place], reason);
            let added = self.pools.address(place);
            ServiceEvent::normal("IPAllocated", format!("Assigned additional IP \"{added}\""))
        } else {
            let why = if wants_two {
                let pool = &self.pools.get(held.0).pool.id.name;
                format!("pool {pool} has no free {} address beside {address}", other(held.1))
            } else if asks {
                format!("the Service asks for {address} alone")
            } else {
                format!("the cluster gave the Service {} alone", held.1)
            };
            let message = format!("cannot assign additional IP in PreferDualStack: {why}");
            ServiceEvent::normal("AdditionalAssignFailed", message)
        };
        self.claim_mut(slot).tell(event);
    }
}

impl Claim {
    /// Whether it had addresses before.
    fn had_addresses(&self) -> bool {
        !self.held().is_empty() || !self.status().is_empty()
    }

    /// Adds an event, once.
    pub(super) fn tell(&mut self, event: ServiceEvent) {
        if !self.events.contains(&event) {
            self.events.push(event);
        }
    }
}

/// Whether requested addresses are of exactly the families that the Service has.
fn families_match(addresses: &[IpAddr], families: Families) -> bool {
    match families {
        Families::Any => true,
        Families::One(family) => matches!(*addresses, [it] if Family::of(it) == family),
        Families::Both { .. } => addresses.len() == 2,
    }
}
