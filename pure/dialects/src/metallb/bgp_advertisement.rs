//! BGPAdvertisement and Community, valid when MetalLB takes them.
//!
//! Whether an alias exists and whether a length fits its pools is the join's.

use std::collections::BTreeSet;

use steelyard_manifest::kinds::metallb as raw;
use steelyard_model::bgp::CommunityRef;
use steelyard_model::community::CommunityFault;
use steelyard_model::{BgpAdvertisement, Community, CommunityAliases, FieldPath, Item, Severity};

use super::unique;
use crate::findings::Findings;
use crate::{codes, selector};

/// What the schema of MetalLB's resource stops at; the field itself goes to 2^32 - 1.
const SCHEMA_LOCAL_PREF: i64 = i32::MAX as i64;

pub(crate) fn lower(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::BgpAdvertisement = findings.read()?;
    let spec = raw.spec.unwrap_or_default();
    let path = FieldPath::from("spec");
    let communities = communities(spec.communities.unwrap_or_default(), findings);
    let mut names = |written: Option<Vec<String>>, name| {
        let names = written.unwrap_or_default();
        unique(&names, &path.key(name), findings);
        names
    };
    let pools = names(spec.ip_address_pools, "ipAddressPools");
    let peers = names(spec.peers, "peers");
    let mut selectors = |written: Option<Vec<_>>, name| {
        selector::list(written.as_deref(), &path.key(name), findings)
    };
    let advertisement = BgpAdvertisement {
        pool_selectors: selectors(spec.ip_address_pool_selectors, "ipAddressPoolSelectors"),
        node_selectors: selectors(spec.node_selectors, "nodeSelectors"),
        service_selectors: selectors(spec.service_selectors, "serviceSelectors"),
        aggregation_length: length(spec.aggregation_length, "aggregationLength", 1, 32, findings),
        aggregation_length_v6: length(
            spec.aggregation_length_v6,
            "aggregationLengthV6",
            0,
            128,
            findings,
        ),
        local_pref: local_pref(spec.local_pref, findings),
        id: findings.id(),
        object: findings.object().clone(),
        communities,
        pools,
        peers,
    };
    check_selected_aggregates(&advertisement, findings);
    Some(Item::BgpAdvertisement(Box::new(advertisement)))
}

pub(crate) fn aliases(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::Community = findings.read()?;
    let path = FieldPath::from("spec.communities");
    let mut seen = BTreeSet::new();
    let mut aliases = Vec::new();
    let written = raw.spec.unwrap_or_default().communities.unwrap_or_default();
    for (index, entry) in written.into_iter().enumerate() {
        let path = path.index(index);
        let name = entry.name.unwrap_or_default();
        if !seen.insert(name.clone()) {
            let message = format!("`{name}` is named twice");
            let help = "remove one of the two";
            findings.invalid(codes::ENTRY_DUPLICATE, &path.key("name"), message, help);
        }
        let value = entry.value.unwrap_or_default();
        match value.parse::<Community>() {
            Ok(community) => aliases.push((name, community)),
            Err(_) => invalid(&value, &path.key("value"), findings),
        }
    }
    let (id, object) = (findings.id(), findings.object().clone());
    Some(Item::Communities(Box::new(CommunityAliases { id, object, aliases })))
}

fn communities(written: Vec<String>, findings: &mut Findings<'_>) -> Vec<CommunityRef> {
    let path = FieldPath::from("spec.communities");
    unique(&written, &path, findings);
    let mut communities = Vec::new();
    for (index, text) in written.into_iter().enumerate() {
        match text.parse() {
            Ok(community) => communities.push(CommunityRef::Value(community)),
            Err(CommunityFault::Shape) => communities.push(CommunityRef::Alias(text)),
            Err(CommunityFault::Parts) => invalid(&text, &path.index(index), findings),
        }
    }
    communities
}

fn invalid(text: &str, path: &FieldPath, findings: &mut Findings<'_>) {
    findings.invalid(
        codes::COMMUNITY_INVALID,
        path,
        format!("`{text}` is not a BGP community"),
        "write 65000:100 with numbers up to 65535, or large:65000:1:2 with numbers up to 4294967295",
    );
}

/// A prefix length; that of a single address where none is written.
fn length(
    written: Option<i64>,
    name: &str,
    least: i64,
    full: u8,
    findings: &mut Findings<'_>,
) -> u8 {
    let path = FieldPath::from("spec").key(name);
    findings.within(&path, written, least..=i64::from(full)).unwrap_or(full)
}

fn local_pref(written: Option<i64>, findings: &mut Findings<'_>) -> u32 {
    let path = FieldPath::from("spec.localPref");
    let number = findings.within(&path, written, 0..=i64::from(u32::MAX)).unwrap_or_default();
    if i64::from(number) > SCHEMA_LOCAL_PREF {
        findings.say(
            Severity::Warning,
            codes::INVALID_VALUE,
            &path,
            format!("a cluster with MetalLB's resource definitions refuses {number} here"),
            format!("use a number up to {SCHEMA_LOCAL_PREF}"),
        );
    }
    number
}

/// An aggregate stands for addresses of all Services in it, so it cannot select some of them.
fn check_selected_aggregates(advertisement: &BgpAdvertisement, findings: &mut Findings<'_>) {
    let path = FieldPath::from("spec");
    if advertisement.service_selectors.is_empty() {
        return;
    }
    let selectors = path.key("serviceSelectors");
    if advertisement.aggregation_length != 32 {
        findings.exclusive(&path.key("aggregationLength"), &selectors);
    }
    if advertisement.aggregation_length_v6 != 128 {
        findings.exclusive(&path.key("aggregationLengthV6"), &selectors);
    }
}
