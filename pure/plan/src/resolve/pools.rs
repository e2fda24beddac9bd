//! Pools and advertisements: which count, and which advertisements select which pools.
//!
//! Pools that share addresses cannot both be used. MetalLB then takes nothing of the whole
//! configuration; here only one pool is left out: the one that is new or changed, else the one
//! that comes later by namespace and name.

use std::collections::BTreeMap;
use std::net::IpAddr;

use steelyard_model::{
    AddressRange, Diagnostic, FieldPath, L2Advertisement, NamespacedName, ObjectRef, Pool,
    Selector, Severity,
};

use super::ResolveOptions;
use super::codes;
use super::suggestion::Suggester;
use super::world::World;

/// By pool, the indices of the advertisements that select it.
type Selections = BTreeMap<NamespacedName, Vec<usize>>;

pub(super) fn resolve(
    world: &World<'_>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Vec<Pool>, Vec<L2Advertisement>, Selections) {
    let mut counts = |object: &ObjectRef| {
        let Some(namespace) = &options.config_namespace else { return true };
        let inside = *object.namespace == **namespace;
        if !inside {
            diagnostics.push(outside(object, namespace));
        }
        inside
    };
    let pools = world.pools.values().filter(|pool| counts(&pool.object));
    let mut pools: Vec<&Pool> = pools.copied().collect();
    let ads = world.advertisements.values().filter(|ad| counts(&ad.object));
    let ads: Vec<L2Advertisement> = ads.map(|ad| (*ad).clone()).collect();
    let selections = select(&pools, &ads, diagnostics);
    pools.sort_by_key(|pool| !options.established.contains(&pool.id));
    let mut pools = disjoint(&pools, diagnostics);
    pools.sort_by(|a, b| a.id.cmp(&b.id));
    let mut of_kept = Selections::new();
    for pool in &pools {
        match selections.get(&pool.id) {
            Some(ads) => _ = of_kept.insert(pool.id.clone(), ads.clone()),
            None => diagnostics.push(not_announced(pool)),
        }
    }
    (pools, ads, of_kept)
}

fn outside(object: &ObjectRef, namespace: &str) -> Diagnostic {
    Diagnostic::new(
        Severity::Info,
        codes::OUTSIDE_CONFIG_NAMESPACE,
        object,
        "metadata.namespace",
        format!("{object} is not read: only namespace {namespace} counts"),
        format!("move it to namespace {namespace}, or change --config-namespace"),
    )
}

/// The pools that share no address with an earlier one that counts.
fn disjoint(pools: &[&Pool], diagnostics: &mut Vec<Diagnostic>) -> Vec<Pool> {
    // Ranges taken so far, by first address; they are disjoint.
    let mut taken: BTreeMap<IpAddr, (AddressRange, &Pool)> = BTreeMap::new();
    let mut kept = Vec::new();
    for &pool in pools {
        let mut overlaps = false;
        for (index, range) in pool.ranges.iter().enumerate() {
            let before = taken.range(..=range.end()).next_back();
            let Some((_, (other, owner))) = before.filter(|(_, (other, _))| other.overlaps(range))
            else {
                continue;
            };
            overlaps = true;
            diagnostics.push(overlap(pool, index, range, other, owner));
        }
        if !overlaps {
            taken.extend(pool.ranges.iter().map(|range| (range.start(), (*range, pool))));
            kept.push(pool.clone());
        }
    }
    kept
}

fn overlap(
    pool: &Pool,
    index: usize,
    range: &AddressRange,
    other: &AddressRange,
    owner: &Pool,
) -> Diagnostic {
    Diagnostic::new(
        Severity::Error,
        codes::POOL_OVERLAP,
        &pool.object,
        FieldPath::from("spec.addresses").index(index),
        format!(
            "{range} shares addresses with {other} of {}, so pool {} is not used",
            owner.object, pool.id.name
        ),
        format!("leave out of one of the two pools what {} has already", owner.id.name),
    )
}

fn not_announced(pool: &Pool) -> Diagnostic {
    Diagnostic::new(
        Severity::Warning,
        codes::POOL_NOT_ANNOUNCED,
        &pool.object,
        FieldPath::root(),
        format!(
            "no L2Advertisement selects pool {}: its addresses are given out, but nobody \
                 answers for them",
            pool.id.name
        ),
        format!("add an L2Advertisement with `ipAddressPools: [{}]`", pool.id.name),
    )
}

/// Which advertisements select which pools: by name, by label, or all where neither is said.
fn select<'a>(
    pools: &[&'a Pool],
    ads: &[L2Advertisement],
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<&'a NamespacedName, Vec<usize>> {
    let mut by_name: BTreeMap<&str, Vec<&Pool>> = BTreeMap::new();
    for pool in pools {
        by_name.entry(&pool.id.name).or_default().push(pool);
    }
    let mut selections: BTreeMap<&NamespacedName, Vec<usize>> = BTreeMap::new();
    let mut suggester = Suggester::new();
    for (index, ad) in ads.iter().enumerate() {
        let all = ad.pools.is_empty() && ad.pool_selectors.is_empty();
        let by_label =
            pools.iter().filter(|pool| all || Selector::any(&ad.pool_selectors, &pool.labels));
        let mut selected: Vec<&NamespacedName> = by_label.map(|pool| &pool.id).collect();
        for (position, name) in ad.pools.iter().enumerate() {
            let path = FieldPath::from("spec.ipAddressPools").index(position);
            let candidates = by_name.get(name.as_str()).map_or(&[][..], Vec::as_slice);
            match named(ad, candidates) {
                Some(pool) => selected.push(&pool.id),
                None if candidates.is_empty() => {
                    let known = by_name.keys().copied();
                    let near = suggester.nearest(name, known);
                    diagnostics.push(missing(ad, &path, name, near));
                }
                None => diagnostics.push(ambiguous(ad, &path, name, candidates)),
            }
        }
        selected.sort();
        selected.dedup();
        for id in selected {
            selections.entry(id).or_default().push(index);
        }
    }
    selections
}

/// The pool in the advertisement's own namespace, else the only one there is.
fn named<'a>(ad: &L2Advertisement, candidates: &[&'a Pool]) -> Option<&'a Pool> {
    let own = candidates.iter().find(|pool| pool.id.namespace == ad.id.namespace);
    match (own, candidates) {
        (Some(own), _) => Some(own),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

fn missing(ad: &L2Advertisement, path: &FieldPath, name: &str, near: Option<&str>) -> Diagnostic {
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name an IPAddressPool, or add one of this name".to_owned(),
    };
    let message = format!("there is no IPAddressPool named `{name}`");
    Diagnostic::new(Severity::Warning, codes::POOL_MISSING, &ad.object, path.clone(), message, help)
}

fn ambiguous(
    ad: &L2Advertisement,
    path: &FieldPath,
    name: &str,
    candidates: &[&Pool],
) -> Diagnostic {
    let places: Vec<&str> = candidates.iter().map(|pool| &*pool.id.namespace).collect();
    Diagnostic::new(
        Severity::Error,
        codes::POOL_NAME_AMBIGUOUS,
        &ad.object,
        path.clone(),
        format!(
            "there is an IPAddressPool `{name}` in each of the namespaces {}",
            places.join(", ")
        ),
        "move the L2Advertisement to the namespace of the pool it means, or rename a pool",
    )
}
