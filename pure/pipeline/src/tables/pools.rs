//! Pools and advertisements: which count, and which advertisements select which pools.
//!
//! Pools that share addresses cannot both be used. MetalLB then takes nothing of the whole
//! configuration; here only one pool is left out: the one that is new or changed, else the one
//! that comes later by namespace and name.

use std::collections::BTreeMap;
use std::net::IpAddr;

use steelyard_model::{
    AddressRange, Diagnostic, FieldPath, Missing, NamespacedName, Node, ObjectRef, Pool, Selector,
    Severity,
};

use super::names::{Meant, Names};
use super::row::Selections;
use super::world::World;
use crate::codes;
use crate::suggestion::Suggester;

/// What an advertisement of either protocol selects.
pub(super) struct Selecting<'a> {
    pub(super) object: &'a ObjectRef,
    pub(super) names: &'a [String],
    pub(super) pool_selectors: &'a [Selector],
    pub(super) node_selectors: &'a [Selector],
}

/// The pools that share no address with one that counts more.
pub(super) fn resolve(
    world: &World<'_>,
    established: impl Fn(&NamespacedName) -> bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Pool> {
    let mut pools: Vec<&Pool> = world.pools.values().copied().collect();
    pools.sort_by_key(|pool| !established(&pool.id));
    let mut pools = disjoint(&pools, diagnostics);
    pools.sort_by(|a, b| a.id.cmp(&b.id));
    pools
}

/// Reports pools that nobody answers for.
pub(super) fn report_silent(
    pools: &[Pool],
    selections: [&Selections; 2],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let silent = |pool: &&Pool| selections.iter().all(|by_pool| !by_pool.contains_key(&pool.id));
    diagnostics.extend(pools.iter().filter(silent).map(not_announced));
}

/// Which advertisements select which pools: by name, by label, or all where neither is said.
pub(super) fn select<'a>(
    world: &World<'a>,
    ads: impl Iterator<Item = Selecting<'a>>,
    nodes: &[Node],
    diagnostics: &mut Vec<Diagnostic>,
) -> Selections {
    let pools: Vec<&Pool> = world.pools.values().copied().collect();
    let names = Names::new(pools.iter().map(|pool| (&pool.id, *pool)));
    let mut suggester = Suggester::new();
    let mut selections = Selections::new();
    for (index, ad) in ads.enumerate() {
        let all = ad.names.is_empty() && ad.pool_selectors.is_empty();
        let by_label =
            pools.iter().filter(|pool| all || Selector::any(ad.pool_selectors, &pool.labels));
        let mut selected: Vec<&NamespacedName> = by_label.map(|pool| &pool.id).collect();
        for (position, name) in ad.names.iter().enumerate() {
            let path = FieldPath::from("spec.ipAddressPools").index(position);
            match names.look_up(name, &ad.object.namespace) {
                Meant::One(pool) => selected.push(&pool.id),
                Meant::Several(pools) => diagnostics.push(ambiguous(ad.object, &path, name, pools)),
                Meant::Nothing => {
                    let near = suggester.nearest(name, names.all());
                    diagnostics.push(missing(ad.object, &path, name, near));
                }
            }
        }
        selected.sort();
        selected.dedup();
        if selected.is_empty() && ad.names.is_empty() {
            diagnostics.push(without_pool(&ad));
        }
        report_no_node(ad.object, ad.node_selectors, nodes, diagnostics);
        for id in selected {
            selections.entry(id.clone()).or_default().push(index);
        }
    }
    selections
}

/// Reports selectors that select none of the nodes there are.
pub(super) fn report_no_node(
    object: &ObjectRef,
    selectors: &[Selector],
    nodes: &[Node],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let selected = |node: &Node| Selector::any(selectors, &node.labels);
    if selectors.is_empty() || nodes.is_empty() || nodes.iter().any(selected) {
        return;
    }
    diagnostics.push(Diagnostic::new(
        Severity::Warning,
        codes::SELECTS_NO_NODE,
        object,
        "spec.nodeSelectors",
        format!("{object} selects none of the nodes"),
        "correct its nodeSelectors, or the labels of the nodes",
    ));
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
            "no L2Advertisement or BGPAdvertisement selects pool {}: its addresses are given out, \
             but nobody answers for them",
            pool.id.name
        ),
        format!("add an L2Advertisement with `ipAddressPools: [{}]`", pool.id.name),
    )
}

fn missing(object: &ObjectRef, path: &FieldPath, name: &str, near: Option<&str>) -> Diagnostic {
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name an IPAddressPool that is there, or add one of this name".to_owned(),
    };
    let say = |no: &str| format!("there is {no} IPAddressPool named `{name}`");
    let missing = Missing::named("IPAddressPool", name).alike(near.is_some());
    Diagnostic::new(Severity::Warning, codes::POOL_MISSING, object, path.clone(), say("no"), help)
        .missing(missing.if_invalid(say("no valid")))
}

/// The advertisement's selectors fit no pool, or there is none.
fn without_pool(ad: &Selecting<'_>) -> Diagnostic {
    let (path, help) = if ad.pool_selectors.is_empty() {
        ("", "add an IPAddressPool, or mend what is reported about yours")
    } else {
        ("spec.ipAddressPoolSelectors", "correct its selectors, or the labels of the pools")
    };
    let message = format!("{} selects no IPAddressPool, so it has no effect", ad.object);
    let found =
        Diagnostic::new(Severity::Warning, codes::SELECTS_NO_POOL, ad.object, path, message, help);
    if path.is_empty() { found.missing(Missing::any("IPAddressPool")) } else { found }
}

fn ambiguous(
    object: &ObjectRef,
    path: &FieldPath,
    name: &str,
    pools: &[(&str, &Pool)],
) -> Diagnostic {
    let mut diagnostic = super::names::ambiguous(object, path, ("IPAddressPool", name), pools);
    diagnostic.code = codes::POOL_NAME_AMBIGUOUS;
    diagnostic
}
