//! Why a Service has no address: per pool the rule that excludes it, and what to change.

mod diagnose;
mod text;

use std::net::IpAddr;

use steelyard_model::{Family, NamespacedName, Service};

pub use text::selector_text;

use crate::allocator::{Allocator, Claim};
use crate::exclusion::{Exclusion, ExclusionRule};
use crate::ledger::Slot;
use crate::pools::{Mismatch, Named, PoolState};
use crate::reserved::Occupant;
use crate::wish::{Families, Request, Standing};

impl Allocator {
    /// For a Service that gets no address and could: why each pool does not serve it, by pool
    /// name. Empty otherwise.
    pub fn exclusions(&self, id: &NamespacedName) -> Vec<Exclusion> {
        let Some((slot, claim)) = self.find(id) else { return Vec::new() };
        let Some(service) = claim.service.as_ref() else { return Vec::new() };
        let could = claim.wish.standing == Standing::Ours
            && !matches!(claim.wish.request, Request::Invalid(_));
        if claim.refusal.is_none() || !could {
            return Vec::new();
        }
        let exclude = |(index, state): (usize, &PoolState)| {
            let rule = self.rule(slot, claim, service, index, state);
            let (message, help) = text::exclusion(&rule, &state.pool, service);
            Exclusion { pool: state.pool.id.clone(), rule, message, help }
        };
        self.pools.iter().map(exclude).collect()
    }

    /// The first rule that excludes the pool at `index`.
    fn rule(
        &self,
        slot: Slot,
        claim: &Claim,
        service: &Service,
        index: usize,
        state: &PoolState,
    ) -> ExclusionRule {
        let wish = &claim.wish;
        if let Some(name) = &wish.pool
            && self.pools.named(name, &claim.id.namespace) != Named::Pool(index)
        {
            return ExclusionRule::OtherPoolRequested { name: name.to_string() };
        }
        let requested = match &wish.request {
            Request::Addresses(addresses) => addresses.as_slice(),
            Request::Any | Request::Invalid(_) => &[],
        };
        let outside = |address: &&IpAddr| self.pools.locate_in(index, &[**address]).is_none();
        if let Some(&address) = requested.iter().find(outside) {
            let left_out = state.pool.leaves_out(address)
                && state.pool.ranges.iter().any(|range| range.contains(address));
            return if left_out {
                ExclusionRule::LeftOut { address }
            } else {
                ExclusionRule::OutsidePool { address }
            };
        }
        if let Some((address, occupant)) = self.first_reserved(requested) {
            return ExclusionRule::Reserved { address, occupant: occupant.clone() };
        }
        match self.pools.mismatch(index, service) {
            Some(Mismatch::Namespace) => return ExclusionRule::Namespace,
            Some(Mismatch::Selector) => return ExclusionRule::Selector,
            None => {}
        }
        let taken = requested.iter().find_map(|&address| self.may_use(slot, address).err());
        match taken {
            Some(conflict) => ExclusionRule::Taken(conflict),
            None if !requested.is_empty() => ExclusionRule::WrongFamilies,
            None => self.lack(slot, claim, index, state),
        }
    }

    fn first_reserved(&self, requested: &[IpAddr]) -> Option<(IpAddr, &Occupant)> {
        let mut requested = requested.iter();
        requested.find_map(|&it| Some((it, self.pools.reserved().occupant(it)?)))
    }

    /// What a pool that may serve a Service lacks.
    fn lack(&self, slot: Slot, claim: &Claim, index: usize, state: &PoolState) -> ExclusionRule {
        let needed: &[Family] = match claim.wish.families {
            Families::One(Family::V4) => &[Family::V4],
            Families::One(Family::V6) => &[Family::V6],
            Families::Any => {
                if state.space(Family::V4).capacity > 0 {
                    &[Family::V4]
                } else {
                    &[Family::V6]
                }
            }
            Families::Both { .. } => &[Family::V4, Family::V6],
        };
        let absent = |family: &&Family| state.space(**family).capacity == 0;
        let required = !matches!(claim.wish.families, Families::Both { required: false, .. });
        if let Some(&family) = needed.iter().find(absent)
            && required
        {
            return ExclusionRule::NoFamily { family };
        }
        if claim.wish.pool.is_none() && !state.pool.auto_assign {
            return ExclusionRule::NotAutoAssign;
        }
        let full = |family: &&Family| !absent(family) && !state.space(**family).is_open();
        let family = needed.iter().find(full).copied().unwrap_or(needed[0]);
        let sharing = self.first_sharing_conflict(slot, claim, index, family);
        let reserved = state.space(family).reserved();
        ExclusionRule::Full { family, reserved, sharing }
    }
}
