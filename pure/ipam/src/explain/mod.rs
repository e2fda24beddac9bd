//! Why a Service has no address: per pool the rule that excludes it, and what to change.

mod diagnose;
mod text;

use std::net::IpAddr;

use steelyard_model::{Family, NamespacedName, Service};

pub use text::selector_text;

use crate::allocator::{Allocator, Claim};
use crate::ledger::Slot;
use crate::pools::{Mismatch, Named, PoolState};
use crate::refusal::Conflict;
use crate::wish::{Families, Request, Standing};

/// Why one pool does not serve a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusion {
    /// The pool.
    pub pool: NamespacedName,
    /// The rule.
    pub rule: Rule,
    /// The rule as a sentence, without a period.
    pub message: String,
    /// What to change, without a period.
    pub help: String,
}

/// Rules that keep a pool from serving a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The Service asks for another pool.
    OtherPoolRequested {
        /// Its name.
        name: String,
    },
    /// A requested address is not in the pool.
    OutsidePool {
        /// The address.
        address: IpAddr,
    },
    /// A requested address is left out by `avoidBuggyIPs`.
    LeftOut {
        /// The address.
        address: IpAddr,
    },
    /// The pool is for other namespaces.
    Namespace,
    /// The pool selects other Services.
    Selector,
    /// The pool gives addresses on request only.
    NotAutoAssign,
    /// The pool has no addresses of a family that the Service needs.
    NoFamily {
        /// The family.
        family: Family,
    },
    /// The requested addresses are not of the Service's families.
    WrongFamilies,
    /// Somebody else has the requested address.
    Taken(Box<Conflict>),
    /// All addresses of a needed family are in use.
    Full {
        /// The family.
        family: Family,
        /// Where the Service would share: whom it cannot share with first.
        sharing: Option<Box<Conflict>>,
    },
}

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
            let (message, help) = text::exclusion(&rule, &state.pool, service, claim);
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
    ) -> Rule {
        let wish = &claim.wish;
        if let Some(name) = &wish.pool
            && self.pools.named(name, &claim.id.namespace) != Named::Pool(index)
        {
            return Rule::OtherPoolRequested { name: name.clone() };
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
                Rule::LeftOut { address }
            } else {
                Rule::OutsidePool { address }
            };
        }
        match self.pools.mismatch(index, service) {
            Some(Mismatch::Namespace) => return Rule::Namespace,
            Some(Mismatch::Selector) => return Rule::Selector,
            None => {}
        }
        let taken = requested.iter().find_map(|&address| self.may_use(slot, address).err());
        match taken {
            Some(conflict) => Rule::Taken(conflict),
            None if !requested.is_empty() => Rule::WrongFamilies,
            None => self.lack(slot, claim, index, state),
        }
    }

    /// What a pool that may serve a Service lacks.
    fn lack(&self, slot: Slot, claim: &Claim, index: usize, state: &PoolState) -> Rule {
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
            return Rule::NoFamily { family };
        }
        if claim.wish.pool.is_none() && !state.pool.auto_assign {
            return Rule::NotAutoAssign;
        }
        let full = |family: &&Family| !absent(family) && !state.space(**family).is_open();
        let family = needed.iter().find(full).copied().unwrap_or(needed[0]);
        let sharing = self.first_sharing_conflict(slot, claim, index, family);
        Rule::Full { family, sharing }
    }
}
