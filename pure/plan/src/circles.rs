//! Services whose endpoints lead back to them: an own address, or that of another Service whose
//! endpoints do. Such a connection would go round until something gives way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use steelyard_model::{
    Diagnostic, Host, NamespacedName, ResolvedService, ServedBy, Severity, Snapshot,
};

use crate::codes;
use crate::layer2::Layer2;

/// Which Services lead to which, by endpoints that are their addresses. Nearly always empty.
pub(crate) type Leads = BTreeMap<NamespacedName, BTreeSet<NamespacedName>>;

/// Where the endpoints of a Service lead, among Services with addresses.
pub(crate) fn leads(service: &ResolvedService, layer2: &Layer2) -> BTreeSet<NamespacedName> {
    if service.served_by == ServedBy::Gateway {
        return BTreeSet::new();
    }
    let endpoints = service.ports.iter().flat_map(|port| &port.endpoints);
    let addresses: BTreeSet<IpAddr> = endpoints
        .filter_map(|endpoint| match endpoint.host {
            Host::Ip(ip) => Some(ip),
            Host::Name(_) => None,
        })
        .collect();
    let vips = addresses.into_iter().filter_map(|address| layer2.vip(address));
    vips.flat_map(|vip| &vip.sharers).map(|sharer| sharer.id.clone()).collect()
}

/// What there is to say about Services in circles, each once, by name.
pub(crate) fn report(leads: &Leads, snapshot: &Snapshot) -> Vec<Diagnostic> {
    let rounds = leads.keys().filter_map(|id| Some((id, round(leads, id)?)));
    let found = rounds.filter_map(|(id, round)| {
        let service = &snapshot.services.get(id)?.service;
        let message = match round.as_slice() {
            [] => "an endpoint is an address of the Service itself".to_owned(),
            others => {
                let others: Vec<String> = others.iter().map(ToString::to_string).collect();
                format!("its endpoints lead back to it, through Service {}", others.join(", "))
            }
        };
        Some(Diagnostic::new(
            Severity::Error,
            codes::ENDPOINT_CIRCLE,
            &service.object,
            steelyard_model::FieldPath::root(),
            message,
            "name as endpoints what really answers: it is not forwarded like this",
        ))
    });
    found.collect()
}

/// The shortest way from a Service back to it: those between; none where there is no way.
fn round(leads: &Leads, id: &NamespacedName) -> Option<Vec<NamespacedName>> {
    let mut seen = BTreeSet::new();
    let mut ways = vec![vec![id.clone()]];
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let next = way.last().and_then(|last| leads.get(last)).into_iter().flatten();
            for next in next {
                if next == id {
                    return Some(way.into_iter().skip(1).collect());
                }
                if seen.insert(next.clone()) {
                    longer.push(way.iter().cloned().chain([next.clone()]).collect());
                }
            }
        }
        ways = longer;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_way_round_is_found() {
        let id = |name: &str| NamespacedName::new("default", name.to_owned());
        let leads: Leads =
            [("a", "b d"), ("b", "c"), ("c", "a"), ("d", "a"), ("e", "a"), ("f", "f")]
                .map(|(from, to)| (id(from), to.split(' ').map(id).collect()))
                .into();
        for (from, between) in [
            ("a", Some("d")),
            ("b", Some("c a")),
            ("d", Some("a")),
            ("e", None),
            ("f", Some("")),
            ("x", None),
        ] {
            let expected = between.map(|it| it.split_whitespace().map(id).collect::<Vec<_>>());
            assert_eq!(round(&leads, &id(from)), expected, "{from}");
        }
    }
}
