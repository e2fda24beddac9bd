//! How it stands with what a role reads of its cluster, in the metrics.

use std::collections::BTreeMap;

use steelyard_kube::{Standing, Standings};
use steelyard_metrics::{Exposition, table};

/// How it may stand, as it is labelled. Each has a series, so that an alert ends at 0.
const LABELS: [&str; 5] = ["followed", "awaited", "cut_off", "refused", "absent"];

/// Tells, of each kind, how many selections stand how.
pub(crate) fn expose(standings: &Standings, out: &mut Exposition) {
    let mut counts: BTreeMap<String, [u64; LABELS.len()]> = BTreeMap::new();
    for (watch, standing) in standings.all() {
        counts.entry(watch.kind.to_string()).or_default()[place(&standing)] += 1;
    }
    let mut series = out.family(&table::CLUSTER_WATCHES);
    for (resource, counts) in &counts {
        for (label, count) in LABELS.iter().zip(counts) {
            series.put([resource, label], *count);
        }
    }
}

fn place(standing: &Standing) -> usize {
    match standing {
        Standing::Followed => 0,
        Standing::Awaited(_) => 1,
        Standing::CutOff { .. } => 2,
        Standing::Refused { .. } => 3,
        Standing::Absent => 4,
    }
}
