//! Advertisements that cannot be used with their pools or beside others.

use std::collections::BTreeSet;

use steelyard_model::service::Family;
use steelyard_model::{
    AddressRange, BgpAdvertisement, Diagnostic, FieldPath, Node, Pool, Selector, Severity,
};

use super::Candidate;
use crate::codes;
use crate::tables::row::Selections;

/// Refuses advertisements whose prefixes are longer away from the pool than any of its own: an
/// aggregate must not reach beyond every block that an entry of the pool consists of.
pub(super) fn refuse_small_pools(
    candidates: &mut [Candidate<'_>],
    selections: &Selections,
    pools: &[Pool],
    diagnostics: &mut Vec<Diagnostic>,
) {
    for pool in pools {
        for &index in selections.get(&pool.id).into_iter().flatten() {
            let advertisement = candidates[index].advertisement;
            if let Some(found) = too_short(advertisement, pool) {
                candidates[index].refused = true;
                diagnostics.push(found);
            }
        }
    }
}

fn too_short(advertisement: &BgpAdvertisement, pool: &Pool) -> Option<Diagnostic> {
    pool.ranges.iter().enumerate().find_map(|(index, range)| {
        if pool.mapped.contains(&index) {
            return Some(mapped(advertisement, pool, range));
        }
        let length = advertisement.length(range.family());
        let largest = range.prefixes().into_iter().map(|(_, length)| length).min()?;
        let field = match range.family() {
            Family::V4 => "spec.aggregationLength",
            Family::V6 => "spec.aggregationLengthV6",
        };
        (length < largest).then(|| {
            Diagnostic::new(
                Severity::Error,
                codes::AGGREGATION_BEYOND_POOL,
                &advertisement.object,
                field,
                format!(
                    "a prefix of length {length} is larger than {range} of pool {}, so {} is not \
                     used",
                    pool.id.name, advertisement.object
                ),
                format!("use {largest} or more, or a pool with larger blocks"),
            )
        })
    })
}

/// No length of an IPv4 prefix is as long as that of a block in IPv6 notation.
fn mapped(advertisement: &BgpAdvertisement, pool: &Pool, range: &AddressRange) -> Diagnostic {
    Diagnostic::new(
        Severity::Error,
        codes::AGGREGATION_BEYOND_POOL,
        &advertisement.object,
        "spec.aggregationLength",
        format!(
            "pool {} has {range} as a CIDR of IPv4-mapped IPv6, whose length no IPv4 prefix \
             reaches, so {} is not used",
            pool.id.name, advertisement.object
        ),
        format!("write {range} in the pool"),
    )
}

/// Refuses the later of two advertisements that tell the same peers the same routes with
/// different LOCAL_PREFs.
pub(super) fn refuse_conflicts(
    candidates: &mut [Candidate<'_>],
    selections: &Selections,
    pools: &[Pool],
    nodes: &[Node],
    diagnostics: &mut Vec<Diagnostic>,
) {
    for pool in pools {
        let families: BTreeSet<Family> = pool.ranges.iter().map(|range| range.family()).collect();
        let selected = selections.get(&pool.id).map_or(&[][..], Vec::as_slice);
        for (position, &late) in selected.iter().enumerate() {
            for &early in &selected[..position] {
                if candidates[early].refused || candidates[late].refused {
                    continue;
                }
                let (a, b) = (candidates[early].advertisement, candidates[late].advertisement);
                if conflict(a, b, &families) && share_node(a, b, nodes) {
                    candidates[late].refused = true;
                    diagnostics.push(conflicting(b, a, pool));
                }
            }
        }
    }
}

fn conflict(a: &BgpAdvertisement, b: &BgpAdvertisement, families: &BTreeSet<Family>) -> bool {
    a.local_pref != b.local_pref
        && a.service_selectors.is_empty()
        && b.service_selectors.is_empty()
        && families.iter().any(|family| a.length(*family) == b.length(*family))
        && a.shares_peers(b)
}

fn share_node(a: &BgpAdvertisement, b: &BgpAdvertisement, nodes: &[Node]) -> bool {
    let selects = |ad: &BgpAdvertisement, node: &Node| {
        ad.node_selectors.is_empty() || Selector::any(&ad.node_selectors, &node.labels)
    };
    nodes.iter().any(|node| selects(a, node) && selects(b, node))
}

fn conflicting(late: &BgpAdvertisement, early: &BgpAdvertisement, pool: &Pool) -> Diagnostic {
    Diagnostic::new(
        Severity::Error,
        codes::LOCAL_PREF_CONFLICT,
        &late.object,
        FieldPath::from("spec.localPref"),
        format!(
            "localPref {} for pool {} contradicts {} of {} at the same peers and nodes, so {} is \
             not used",
            late.local_pref, pool.id.name, early.local_pref, early.object, late.object
        ),
        "use one localPref, or tell the two apart by peers, nodeSelectors or aggregationLength",
    )
}
