//! Addresses: which Service gets which address of which pool, and why.
//!
//! [`assign`] decides everything from scratch; [`Allocator`] also re-decides after one change.
//! Both are pure and give the same for any order of the input. The rules are MetalLB's; where they
//! differ docs/metallb-differences.md says so.
//!
//! It is not: who announces an address (pure/plan), nor how Services and pools are read
//! (pure/dialects). Pools should not overlap; if they do, no address is given twice all the same.

mod allocator;
mod assignment;
pub mod codes;
mod exclusion;
mod explain;
mod intervals;
mod ledger;
mod pool_status;
mod pools;
mod refusal;
mod reserved;
mod space;
mod wish;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::{Diagnostic, Holdings, Labels, NamespacedName, Pool, Service};

pub use allocator::{Absent, Allocator, Author, Options};
pub use assignment::{Assignment, Assignments, PoolUsage, Reason, ServiceEvent, ServiceEventKind};
pub use exclusion::{Exclusion, ExclusionRule};
pub use explain::selector_text;
pub use pool_status::PoolStatus;
pub use refusal::{Conflict, Disagreement, Refusal};
pub use reserved::{Occupant, Reserved};

/// So many exclusions at most are worked out ahead; beyond, [`Allocator::exclusions`] has them
/// one Service at a time.
pub const EXCLUSIONS: usize = 200_000;

/// Decides who gets which address. `namespaces` are the labels of known namespaces, `held` what
/// came out last time.
pub fn assign(
    pools: &[Pool],
    namespaces: &BTreeMap<String, Labels>,
    services: impl IntoIterator<Item = Arc<Service>>,
    held: &Holdings,
    options: &Options,
) -> Assignments {
    Allocator::new(pools, namespaces, services, held, options).assignments()
}

/// All there is to say about one Service.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What it gets.
    pub assignment: Assignment,
    /// Without an address: why no pool serves it.
    pub exclusions: Vec<Exclusion>,
    /// What users should change.
    pub diagnostics: Vec<Diagnostic>,
}

impl Allocator {
    /// Everything at once.
    pub fn assignments(&self) -> Assignments {
        let mut out = Assignments { pools: self.usage(), held: self.held(), ..Default::default() };
        let mut left = EXCLUSIONS;
        for id in self.services() {
            let Some(report) = self.report(id, left > 0) else { continue };
            left = left.saturating_sub(report.exclusions.len());
            out.diagnostics.extend(report.diagnostics);
            if !report.exclusions.is_empty() {
                out.exclusions.insert(id.clone(), report.exclusions);
            }
            out.services.insert(id.clone(), report.assignment);
        }
        out
    }

    /// One Service; `excluded` asks also for why no pool serves it, which costs as much as there
    /// are pools. None unless it is of type LoadBalancer.
    pub fn report(&self, id: &NamespacedName, excluded: bool) -> Option<Report> {
        let (_, claim) = self.find(id)?;
        let assignment = self.assignment(id)?;
        let pending = assignment.addresses.is_empty();
        let exclusions = if pending && excluded { self.exclusions(id) } else { Vec::new() };
        let diagnostics = self.diagnose(claim, &exclusions);
        Some(Report { assignment, exclusions, diagnostics })
    }
}
