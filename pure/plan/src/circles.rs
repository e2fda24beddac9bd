//! Services whose endpoints lead back to them: an own address, or that of another Service whose
//! endpoints do. Such a connection would go round until something gives way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use steelyard_model::{
    Diagnostic, Host, NamespacedName, ResolvedService, ServedBy, Severity, Snapshot, Sorted,
};

use crate::codes;
use crate::layer2::Layer2;

/// Which Services lead to which, by endpoints that are their addresses.
#[derive(Debug, Default)]
pub(crate) struct Leads {
    /// Nearly always empty.
    to: BTreeMap<NamespacedName, BTreeSet<NamespacedName>>,
    /// Endpoints, each with the Services that have it.
    endpoints: Sorted<(IpAddr, NamespacedName), ()>,
}

impl Leads {
    /// Other versions of Services stand, of each the one before and that of now: none where it is
    /// not there, or has no address.
    pub(crate) fn replace<'a>(
        &mut self,
        services: impl Iterator<Item = (&'a NamespacedName, [Option<&'a ResolvedService>; 2])>,
    ) {
        let mut changes = Vec::new();
        for (id, versions) in services {
            let [old, new] =
                versions.map(|it| it.into_iter().flat_map(addresses).collect::<BTreeSet<_>>());
            let key = |address: &IpAddr| (*address, id.clone());
            changes.extend(old.difference(&new).map(|it| (key(it), None)));
            let come = new.iter().map(key).filter(|key| !self.endpoints.contains_key(key));
            changes.extend(come.map(|key| (key, Some(()))));
        }
        self.endpoints.change(changes);
    }

    /// Services with an endpoint at `address`.
    pub(crate) fn with_endpoint(&self, address: IpAddr) -> impl Iterator<Item = &NamespacedName> {
        let first = (address, NamespacedName::new("", ""));
        let from = self.endpoints.starting_at(&first);
        from.map(|(key, ())| key).take_while(move |(it, _)| *it == address).map(|(_, id)| id)
    }

    /// Looks where the endpoints of a Service lead, among Services with addresses.
    pub(crate) fn find(
        &mut self,
        id: &NamespacedName,
        service: Option<&ResolvedService>,
        layer2: &Layer2,
    ) {
        let vips = service.into_iter().flat_map(addresses).filter_map(|it| layer2.vip(it));
        let to: BTreeSet<NamespacedName> =
            vips.flat_map(|vip| &vip.sharers).map(|sharer| sharer.id.clone()).collect();
        if to.is_empty() {
            self.to.remove(id);
        } else {
            self.to.insert(id.clone(), to);
        }
    }
}

/// The addresses of endpoints that packets are forwarded to.
fn addresses(service: &ResolvedService) -> impl Iterator<Item = IpAddr> + '_ {
    let is_forwarded = service.served_by != ServedBy::Gateway;
    let ports = service.ports.iter().filter(move |_| is_forwarded);
    ports.flat_map(|port| port.endpoints.iter()).filter_map(|endpoint| match endpoint.host {
        Host::Ip(ip) => Some(ip),
        Host::Name(_) => None,
    })
}

/// What there is to say about Services in circles, each once, by name.
pub(crate) fn report(leads: &Leads, snapshot: &Snapshot) -> Vec<Diagnostic> {
    let rounds = leads.to.keys().filter_map(|id| Some((id, round(leads, id)?)));
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
            let next = way.last().and_then(|last| leads.to.get(last)).into_iter().flatten();
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
        let to = [("a", "b d"), ("b", "c"), ("c", "a"), ("d", "a"), ("e", "a"), ("f", "f")]
            .map(|(from, to)| (id(from), to.split(' ').map(id).collect()));
        let leads = Leads { to: to.into(), ..Leads::default() };
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
