//! `metallb.io`: valid when MetalLB takes it in any of its modes. IPAddressPool and L2Advertisement
//! are here, the kinds of BGP below.
//!
//! Overlaps between pools and references between objects are the join's.

pub(crate) mod address_wish;
mod addresses;
pub(crate) mod bfd_profile;
pub(crate) mod bgp_advertisement;
pub(crate) mod bgp_peer;

use std::collections::BTreeSet;

use steelyard_manifest::kinds::metallb as raw;
use steelyard_model::{
    AddressRange, FieldPath, Item, L2Advertisement, Labels, Pool, PreferredNodes, ServiceAllocation,
};

use crate::findings::Findings;
use crate::{codes, selector};

pub(crate) fn pool(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::IpAddressPool = findings.read()?;
    let spec = raw.spec.unwrap_or_default();
    let written = spec.addresses.unwrap_or_default();
    let pool = Pool {
        id: findings.id(),
        object: findings.object().clone(),
        labels: raw.metadata.labels.unwrap_or_default(),
        ranges: ranges(&written, findings),
        mapped: addresses::mapped(&written),
        auto_assign: spec.auto_assign.unwrap_or(true),
        avoid_buggy_ips: spec.avoid_buggy_ips.unwrap_or(false),
        allocation: spec.service_allocation.map(|written| allocation(&written, findings)),
    };
    Some(Item::Pool(Box::new(pool)))
}

pub(crate) fn l2_advertisement(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::L2Advertisement = findings.read()?;
    let spec = raw.spec.unwrap_or_default();
    let path = FieldPath::from("spec");
    let pools = spec.ip_address_pools.unwrap_or_default();
    unique(&pools, &path.key("ipAddressPools"), findings);
    let mut selectors =
        |written: Option<&[_]>, name| selector::list(written, &path.key(name), findings);
    let advertisement = L2Advertisement {
        pool_selectors: selectors(
            spec.ip_address_pool_selectors.as_deref(),
            "ipAddressPoolSelectors",
        ),
        node_selectors: selectors(spec.node_selectors.as_deref(), "nodeSelectors"),
        service_selectors: selectors(spec.service_selectors.as_deref(), "serviceSelectors"),
        preferred_nodes: preferred(
            spec.preferred_node_selectors.as_deref().unwrap_or_default(),
            findings,
        ),
        id: findings.id(),
        object: findings.object().clone(),
        pools,
        interfaces: spec.interfaces.unwrap_or_default(),
    };
    Some(Item::L2Advertisement(Box::new(advertisement)))
}

/// ConfigMaps that MetalLB reads or once read.
pub(crate) fn config_map(data: &Labels, findings: &mut Findings<'_>) {
    if &*findings.object().name == "bgpextras" && data.contains_key("extras") {
        findings.say(
            steelyard_model::Severity::Warning,
            codes::FIELD_NOT_HONOURED,
            &FieldPath::from("data").key("extras"),
            "raw configuration for FRR has no effect: routers are spoken to without FRR",
            "say the same with BGPPeers and BGPAdvertisements where they can",
        );
    }
    legacy_config_map(data, findings);
}

/// Configuration in the ConfigMap that MetalLB read up to 0.12.
fn legacy_config_map(data: &Labels, findings: &mut Findings<'_>) {
    let Some(config) = data.get("config") else { return };
    if &*findings.object().name != "config" || !config.contains("address-pools") {
        return;
    }
    findings.say(
        steelyard_model::Severity::Error,
        codes::METALLB_LEGACY,
        &FieldPath::from("data").key("config"),
        "this is the ConfigMap that configured MetalLB up to 0.12; its pools are not read",
        "write one IPAddressPool (metallb.io/v1beta1) per entry of address-pools, and an \
         L2Advertisement for those with protocol layer2",
    );
}

fn ranges(written: &[String], findings: &mut Findings<'_>) -> Vec<AddressRange> {
    let path = FieldPath::from("spec.addresses");
    if written.is_empty() {
        findings.invalid(
            codes::POOL_EMPTY,
            &path,
            "the pool has no addresses",
            "list CIDRs or ranges, such as 192.168.1.240-192.168.1.250",
        );
    }
    let mut ranges: Vec<(usize, AddressRange)> = Vec::new();
    for (index, text) in written.iter().enumerate() {
        match addresses::parse(text) {
            Ok(range) => {
                host_bits(text, &range, &path.index(index), findings);
                ranges.push((index, range));
            }
            Err(fault) => {
                findings.invalid(fault.code, &path.index(index), fault.message, fault.help);
            }
        }
    }
    report_overlaps(&ranges, &path, findings);
    ranges.into_iter().map(|(_, range)| range).collect()
}

/// Reports an address with the length of its network: the pool has the whole network, where its
/// author most likely meant a part of it.
fn host_bits(text: &str, range: &AddressRange, path: &FieldPath, findings: &mut Findings<'_>) {
    let Some((address, net)) = addresses::host_bits(text) else { return };
    let full = if address.is_ipv4() { 32 } else { 128 };
    let last = addresses::some_after(address, range.end());
    findings.say(
        steelyard_model::Severity::Warning,
        codes::POOL_HOST_BITS,
        path,
        format!(
            "{text} is all of {net}, {} to {}: also the router and every host in it",
            range.start(),
            range.end()
        ),
        format!(
            "write {address}/{full} for the one address, {address}-{last} for a range from it on, or \
             {net} if nothing else has an address there"
        ),
    );
}

/// Reports each entry that shares addresses with one before it in address order.
fn report_overlaps(
    ranges: &[(usize, AddressRange)],
    path: &FieldPath,
    findings: &mut Findings<'_>,
) {
    let mut sorted: Vec<&(usize, AddressRange)> = ranges.iter().collect();
    sorted.sort_by_key(|(index, range)| (*range, *index));
    let mut reach: Option<&(usize, AddressRange)> = None;
    for entry in sorted {
        if let Some(before) = reach.filter(|before| before.1.overlaps(&entry.1)) {
            let (early, late) = if before.0 < entry.0 { (before, entry) } else { (entry, before) };
            findings.invalid(
                codes::POOL_SELF_OVERLAP,
                &path.index(late.0),
                format!("{} shares addresses with {}[{}], {}", late.1, path, early.0, early.1),
                "remove one of the two, or make them disjoint",
            );
        }
        if reach.is_none_or(|before| {
            before.1.family() != entry.1.family() || before.1.end() < entry.1.end()
        }) {
            reach = Some(entry);
        }
    }
}

fn allocation(written: &raw::ServiceAllocation, findings: &mut Findings<'_>) -> ServiceAllocation {
    let path = FieldPath::from("spec.serviceAllocation");
    let namespaces = written.namespaces.clone().unwrap_or_default();
    unique(&namespaces, &path.key("namespaces"), findings);
    let mut selectors =
        |written: Option<&[_]>, name| selector::list(written, &path.key(name), findings);
    ServiceAllocation {
        priority: written.priority.unwrap_or(0),
        namespaces,
        namespace_selectors: selectors(
            written.namespace_selectors.as_deref(),
            "namespaceSelectors",
        ),
        service_selectors: selectors(written.service_selectors.as_deref(), "serviceSelectors"),
    }
}

fn preferred(
    written: &[raw::PreferredNodeSelector],
    findings: &mut Findings<'_>,
) -> Vec<PreferredNodes> {
    let path = FieldPath::from("spec.preferredNodeSelectors");
    let mut preferred = Vec::new();
    for (index, entry) in written.iter().enumerate() {
        let path = path.index(index);
        let weight = match entry.weight {
            None => {
                findings.missing(&path.key("weight"), "add a weight from 1 to 100");
                continue;
            }
            Some(weight @ 1..=100) => weight,
            Some(weight) => {
                findings.invalid(
                    codes::INVALID_VALUE,
                    &path.key("weight"),
                    format!("{weight} is not a weight"),
                    "use a number from 1 to 100",
                );
                continue;
            }
        };
        let Some(preference) = &entry.preference else {
            findings.missing(&path.key("preference"), "add a label selector for nodes");
            continue;
        };
        preferred.push(PreferredNodes {
            weight: u32::try_from(weight).expect("1 to 100 fits"),
            preference: selector::one(
                preference,
                &path.key("preference"),
                selector::Repeats::Taken,
                findings,
            ),
        });
    }
    preferred
}

/// Reports names that a list holds twice.
fn unique(names: &[String], path: &FieldPath, findings: &mut Findings<'_>) {
    let mut seen = BTreeSet::new();
    for (index, name) in names.iter().enumerate() {
        if !seen.insert(name) {
            let message = format!("`{name}` is listed twice");
            let path = path.index(index);
            findings.invalid(codes::ENTRY_DUPLICATE, &path, message, "remove one of the two");
        }
    }
}
