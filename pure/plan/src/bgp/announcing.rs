//! Which nodes announce a Service under which advertisements, and where those contradict.

use std::collections::BTreeSet;
use std::sync::Arc;

use steelyard_model::service::Family;
use steelyard_model::{BgpAdvertisement, Snapshot};

/// One advertisement at work.
pub(super) struct Announcing {
    /// By index.
    pub(super) advertisement: usize,
    /// Nodes that announce; sorted.
    pub(super) nodes: Vec<usize>,
}

pub(super) struct Found {
    pub(super) announcing: Vec<Announcing>,
    /// Two advertisements that contradict each other on some node that serves.
    pub(super) contradiction: Option<(usize, usize)>,
}

/// What becomes of `advertisements` (by index) on nodes where the Service is served; `selected`
/// are the nodes that may announce, by advertisement; `families` those of the pool.
pub(super) fn announcing(
    (snapshot, selected): (&Snapshot, &[Arc<[usize]>]),
    advertisements: &[usize],
    serving: &[usize],
    families: &BTreeSet<Family>,
) -> Found {
    let of = |index: usize| &snapshot.bgp.advertisements[index].advertisement;
    let mut contradiction = None;
    let mut silent: BTreeSet<usize> = BTreeSet::new();
    for (position, &late) in advertisements.iter().enumerate() {
        for &early in &advertisements[..position] {
            if !contradict(of(early), of(late), families) {
                continue;
            }
            let both = selected[late]
                .iter()
                .filter(|node| selected[early].contains(node) && serving.contains(node));
            let before = silent.len();
            silent.extend(both);
            if silent.len() > before {
                contradiction = contradiction.or(Some((early, late)));
            }
        }
    }
    let nodes = |advertisement: usize| {
        let those = selected[advertisement].iter().copied();
        let serves = |node: &usize| serving.binary_search(node).is_ok() && !silent.contains(node);
        Announcing { advertisement, nodes: those.filter(serves).collect() }
    };
    Found { announcing: advertisements.iter().map(|index| nodes(*index)).collect(), contradiction }
}

/// Whether both tell the same peers the same prefixes, and prefer them differently.
fn contradict(a: &BgpAdvertisement, b: &BgpAdvertisement, families: &BTreeSet<Family>) -> bool {
    a.local_pref != b.local_pref
        && families.iter().any(|family| a.length(*family) == b.length(*family))
        && a.shares_peers(b)
}
