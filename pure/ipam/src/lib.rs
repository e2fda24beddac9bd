//! Addresses: which Service gets which address of which pool, and why.
//!
//! [`assign`] decides everything from scratch; [`Allocator`] also re-decides after one change.
//! Both are pure and give the same for any order of the input. The rules are MetalLB's; where they
//! differ docs/metallb-differences.md says so.
//!
//! It is not: who announces an address (pure/plan), nor how Services and pools are read
//! (pure/dialects). Pools should not overlap; if they do, no address is given twice all the same.

mod allocator;
mod annotation;
mod assignment;
pub mod codes;
mod explain;
mod intervals;
mod ledger;
mod pools;
mod refusal;
mod space;
mod wish;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::{Held, Labels, Pool, Service};

pub use allocator::{Absent, Allocator, Options};
pub use annotation::{ADDRESS_POOL, ALLOW_SHARED_IP, Annotation, LOAD_BALANCER_IPS, annotation};
pub use assignment::{Assignment, Assignments, Event, EventKind, PoolUsage, Reason};
pub use explain::{Exclusion, Rule, selector_text};
pub use refusal::{Conflict, Disagreement, Refusal};

/// So many exclusions at most are worked out ahead; beyond, [`Allocator::exclusions`] has them
/// one Service at a time.
const EXCLUSIONS: usize = 200_000;

/// Decides who gets which address. `namespaces` are the labels of known namespaces, `held` what
/// came out last time.
pub fn assign(
    pools: &[Pool],
    namespaces: &BTreeMap<String, Labels>,
    services: impl IntoIterator<Item = Arc<Service>>,
    held: &Held,
    options: &Options,
) -> Assignments {
    Allocator::new(pools, namespaces, services, held, options).assignments()
}

impl Allocator {
    /// Everything at once.
    pub fn assignments(&self) -> Assignments {
        let mut out = Assignments { pools: self.usage(), held: self.held(), ..Default::default() };
        let mut left = EXCLUSIONS;
        for claim in self.claims() {
            let Some(assignment) = self.assignment(&claim.id) else { continue };
            let mut excluded = Vec::new();
            if assignment.addresses.is_empty() && left > 0 {
                excluded = self.exclusions(&claim.id);
                left = left.saturating_sub(excluded.len());
            }
            out.diagnostics.extend(self.diagnose(claim, &excluded));
            if !excluded.is_empty() {
                out.exclusions.insert(claim.id.clone(), excluded);
            }
            out.services.insert(claim.id.clone(), assignment);
        }
        out
    }
}
