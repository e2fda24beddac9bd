//! The sentences.

use std::net::IpAddr;

use steelyard_model::{Family, Operator, Pool, Requirement, Selector, Service};

use crate::exclusion::ExclusionRule;
use crate::refusal::{Conflict, Disagreement};
use crate::reserved::Occupant;
use crate::wish::pool_path;

/// How many names a sentence lists.
const LISTED: usize = 4;

/// Message and help for a rule that excludes `pool`.
pub(super) fn exclusion(rule: &ExclusionRule, pool: &Pool, service: &Service) -> (String, String) {
    let name = &pool.id.name;
    match rule {
        ExclusionRule::OtherPoolRequested { name: wanted } => (
            format!("pool {name} is not the one asked for ({wanted})"),
            format!("ask for {name}, or remove {} from the Service", pool_path(service)),
        ),
        ExclusionRule::OutsidePool { address } => (
            format!("{address} is not in pool {name} ({})", ranges(pool)),
            format!("request an address of {}, or add {address} to the pool", ranges(pool)),
        ),
        ExclusionRule::LeftOut { address } => (
            format!("pool {name} leaves out {address} (avoidBuggyIPs)"),
            format!("request another address, or set spec.avoidBuggyIPs of pool {name} to false"),
        ),
        ExclusionRule::Reserved { address, occupant } => reserved(*address, occupant, name),
        ExclusionRule::Namespace => namespace(pool, service),
        ExclusionRule::Selector => selector(pool),
        ExclusionRule::NotAutoAssign => (
            format!("pool {name} gives addresses on request only (autoAssign: false)"),
            format!(
                "annotate the Service with metallb.io/address-pool: {name}, or set \
                 spec.autoAssign of the pool to true"
            ),
        ),
        ExclusionRule::NoFamily { family } => (
            format!("pool {name} has no {family} addresses"),
            format!("add an {family} range to spec.addresses of pool {name}"),
        ),
        ExclusionRule::WrongFamilies => (
            format!("what is asked for of pool {name} does not match the Service's families"),
            "request one address for each family that the Service has".to_owned(),
        ),
        ExclusionRule::Taken(conflict) => taken(conflict),
        ExclusionRule::Full { family, reserved, sharing } => {
            full(pool, *family, *reserved, sharing.as_deref())
        }
    }
}

fn namespace(pool: &Pool, service: &Service) -> (String, String) {
    let name = &pool.id.name;
    let allocation = pool.allocation.as_ref();
    let names = allocation.map_or(&[][..], |it| &it.namespaces);
    let selectors = allocation.map_or(&[][..], |it| &it.namespace_selectors);
    let mut whose: Vec<String> = names.to_vec();
    whose
        .extend(selectors.iter().map(|selector| format!("those with {}", selector_text(selector))));
    let namespace = &service.id.namespace;
    (
        format!("pool {name} is for other namespaces ({})", list(&whose)),
        format!("add {namespace} to spec.serviceAllocation.namespaces of pool {name}"),
    )
}

fn selector(pool: &Pool) -> (String, String) {
    let name = &pool.id.name;
    let selectors = pool.allocation.as_ref().map_or(&[][..], |it| &it.service_selectors);
    let texts: Vec<_> = selectors.iter().map(selector_text).collect();
    let first = texts.first().cloned().unwrap_or_default();
    (
        format!("pool {name} is for Services with {}", list(&texts)),
        format!("give the Service labels that match {first}"),
    )
}

/// That an address of `pool` is `occupant`'s, and what to do.
pub(super) fn reserved(address: IpAddr, occupant: &Occupant, pool: &str) -> (String, String) {
    (
        format!("{address} is an address of {occupant}, so no Service is given it"),
        format!("request another address, and leave {address} out of pool {pool}"),
    )
}

fn full(
    pool: &Pool,
    family: Family,
    reserved: u64,
    sharing: Option<&Conflict>,
) -> (String, String) {
    let name = &pool.id.name;
    let mut message = format!("pool {name} has no free {family} address");
    match reserved {
        0 => {}
        1 => message += ", but for one that is a machine's own",
        more => message += &format!(", but for {more} that are machines' own"),
    }
    let Some(conflict) = sharing else {
        let help = format!("add a range to spec.addresses of pool {name}, or remove a Service");
        return (message, help);
    };
    let (why, help) = taken(conflict);
    (
        format!("{message} and {why}"),
        format!("{help}; or add a range to spec.addresses of pool {name}"),
    )
}

/// A traffic policy by the terms that it makes: the selector under Local, nothing under Cluster.
fn policy(backend: &str) -> String {
    match backend {
        "" => "Cluster".to_owned(),
        selector => format!("Local with the selector {selector}"),
    }
}

/// Who has an address, on what one disagrees, what to do.
pub(super) fn taken(conflict: &Conflict) -> (String, String) {
    let Conflict { address, with, .. } = conflict;
    let others = list(&with.iter().map(ToString::to_string).collect::<Vec<_>>());
    let (why, help) = match &conflict.on {
        Disagreement::NotShared => (
            "which does not share it".to_owned(),
            format!(
                "annotate both with the same metallb.io/allow-shared-ip, or request another address than {address}"
            ),
        ),
        Disagreement::WantsItAlone { theirs } => (
            format!("which shares it under the key {theirs:?} only"),
            format!(
                "annotate the Service with metallb.io/allow-shared-ip: {theirs:?}, or request another address"
            ),
        ),
        Disagreement::Key { theirs, ours } => (
            format!("whose sharing key is {theirs:?}, not {ours:?}"),
            "use the same metallb.io/allow-shared-ip on both".to_owned(),
        ),
        Disagreement::Backend { theirs, ours } => (
            format!(
                "whose externalTrafficPolicy is {}, while here it is {}",
                policy(theirs),
                policy(ours)
            ),
            "use externalTrafficPolicy: Cluster on all, or Local with equal selectors".to_owned(),
        ),
        Disagreement::Port(protocol, port) => (
            format!("which uses port {protocol}/{port} too"),
            "give one of them another port or another address".to_owned(),
        ),
    };
    (format!("{address} is held by {others}, {why}"), help)
}

/// The ranges of a pool.
pub(super) fn ranges(pool: &Pool) -> String {
    list(&pool.ranges.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn list(items: &[String]) -> String {
    let shown = items[..items.len().min(LISTED)].join(", ");
    match items.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A selector as `kubectl` prints it.
pub fn selector_text(selector: &Selector) -> String {
    let labels = selector.match_labels.iter().map(|(key, value)| format!("{key}={value}"));
    let text: Vec<_> = labels.chain(selector.expressions.iter().map(requirement)).collect();
    if text.is_empty() { "any labels".to_owned() } else { text.join(",") }
}

fn requirement(requirement: &Requirement) -> String {
    let Requirement { key, operator, values } = requirement;
    match operator {
        Operator::In => format!("{key} in ({})", values.join(",")),
        Operator::NotIn => format!("{key} notin ({})", values.join(",")),
        Operator::Exists => key.clone(),
        Operator::DoesNotExist => format!("!{key}"),
    }
}
