//! What Ingresses report that they are reached by: `providers.kubernetesingress.ingressendpoint.…`
//! and flags of ingress-nginx.

use std::collections::BTreeMap;
use std::net::IpAddr;

use steelyard_dialects::host::is_name;
use steelyard_model::NamespacedName;
use steelyard_statuses::{Publication, PublishedIngresses, PublishedReading, StatusAddress};

use super::nginx::{self, object, points};

const OF_INGRESS: &str = "providers.kubernetesingress.";

/// What Ingresses report, where options say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IngressStatus {
    traefik: Option<Publication>,
    nginx: Option<Publication>,
    /// Whether anything is written.
    is_written: bool,
    /// Whether events tell that those in words of ingress-nginx were taken up.
    pub(crate) tells: bool,
}

impl IngressStatus {
    /// By what they are reached; this Service stands where nothing else is said.
    pub(crate) fn published(self, gateway: NamespacedName) -> Option<PublishedIngresses> {
        let usual = PublishedIngresses::by(gateway.clone());
        let of_nodes = |it: Publication| match it.reading {
            PublishedReading::ItsNodes => Publication { service: Some(gateway.clone()), ..it },
            _ => it,
        };
        self.is_written.then(|| PublishedIngresses {
            traefik: self.traefik.unwrap_or(usual.traefik),
            nginx: self.nginx.map_or(usual.nginx, of_nodes),
        })
    }
}

/// What the options say.
pub(super) fn status(options: &BTreeMap<String, String>) -> IngressStatus {
    let flag = |name: &str| nginx::value(options, name);
    IngressStatus {
        traefik: of_traefik(options),
        nginx: of_nginx(options),
        is_written: flag("update-status") != Some("false"),
        tells: flag("disable-sync-events") != Some("true"),
    }
}

/// A Service goes before what is said, as there.
fn of_traefik(options: &BTreeMap<String, String>) -> Option<Publication> {
    let value = |name: &str| {
        let value = options.get(&format!("{OF_INGRESS}{name}"));
        value.map(String::as_str).filter(|it| !it.is_empty())
    };
    if let Some(service) = value("ingressendpoint.publishedservice").and_then(object) {
        let sees_nodes = value("disableclusterscoperesources") != Some("true");
        let reading = PublishedReading::Traefik { sees_nodes };
        return Some(Publication { service: Some(service), reading, ..Publication::default() });
    }
    let (ip, hostname) = (value("ingressendpoint.ip"), value("ingressendpoint.hostname"));
    if ip.is_some() || hostname.is_some() {
        let [ip, hostname] = [ip, hostname].map(|it| it.map(str::to_owned));
        let said = vec![StatusAddress { ip, hostname, ..StatusAddress::default() }];
        return Some(Publication { said, ..Publication::default() });
    }
    let by_nodes = value("reportnodeinternalips") == Some("true");
    let reading = PublishedReading::AllNodes;
    by_nodes.then(|| Publication { reading, ..Publication::default() })
}

/// What is said goes before a Service, as there, and that before nodes.
fn of_nginx(options: &BTreeMap<String, String>) -> Option<Publication> {
    let value = |name: &str| nginx::value(options, name);
    let said = value("publish-status-address").and_then(points).unwrap_or_default();
    if !said.is_empty() {
        return Some(Publication { said, ..Publication::default() });
    }
    let reading = match value("report-node-internal-ip-address") {
        _ if value("publish-service").is_some() => PublishedReading::Nginx,
        Some("true") => PublishedReading::ItsNodes,
        _ => return None,
    };
    let service = value("publish-service").and_then(object);
    Some(Publication { service, reading, ..Publication::default() })
}

/// Whether an option may have this value.
pub(super) fn check(name: &str, value: &str) -> Result<(), String> {
    let Some(option) = name.strip_prefix(OF_INGRESS) else { return Ok(()) };
    let wanted = match option {
        _ if value.is_empty() => return Ok(()),
        "ingressendpoint.ip" if value.parse::<IpAddr>().is_err() => "an address",
        "ingressendpoint.hostname" if !is_name(value) => "a host name",
        "ingressendpoint.publishedservice" if object(value).is_none() => "NAMESPACE/NAME",
        _ => return Ok(()),
    };
    Err(format!("{name} wants {wanted}, not {value:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATE: &str = "steelyard-system/steelyard-gateway";

    fn published(said: &[(&str, &str)]) -> Option<PublishedIngresses> {
        let said = said.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        status(&said.collect()).published(object(GATE).unwrap())
    }

    #[test]
    fn what_is_said_goes_before_the_gateways_service() {
        let gate = Publication { service: object(GATE), ..Publication::default() };
        let of = |service: &str, reading| Publication {
            service: Some(object(service).unwrap()),
            reading,
            ..Publication::default()
        };
        let said =
            |said: &[StatusAddress]| Publication { said: said.to_vec(), ..Publication::default() };
        let ip = StatusAddress::of_ip("192.0.2.1".parse().unwrap());
        let name = StatusAddress::of_name("lb.example.com");
        let both = StatusAddress { hostname: name.hostname.clone(), ..ip.clone() };
        let seeing = PublishedReading::Traefik { sees_nodes: true };
        let blind = PublishedReading::Traefik { sees_nodes: false };
        let end = |of: &str| format!("{OF_INGRESS}ingressendpoint.{of}");
        let (address, hostname, service) = (end("ip"), end("hostname"), end("publishedservice"));
        let nodes = format!("{OF_INGRESS}reportnodeinternalips");
        let all = Publication { reading: PublishedReading::AllNodes, ..Publication::default() };
        for (options, wanted) in [
            (&[][..], &gate),
            (&[(&*address, "192.0.2.1")], &said(std::slice::from_ref(&ip))),
            (&[(&*address, "192.0.2.1"), (&hostname, "lb.example.com")], &said(&[both])),
            (&[(&*address, "192.0.2.1"), (&service, "a/b")], &of("a/b", seeing)),
            (
                &[
                    (&*service, "a/b"),
                    ("providers.kubernetesingress.disableclusterscoperesources", "true"),
                ],
                &of("a/b", blind),
            ),
            (&[(&*nodes, "true")], &all),
            (&[(&*nodes, "false"), (&*address, "")], &gate),
        ] {
            assert_eq!(published(options).unwrap().traefik, *wanted, "{options:?}");
            assert_eq!(published(options).unwrap().nginx, gate, "{options:?}");
        }
        for (options, wanted) in [
            (&[("nginx.publish-service", "a/b")][..], &of("a/b", PublishedReading::Nginx)),
            (
                &[("providers.kubernetesingressnginx.publishservice", "a/b")],
                &of("a/b", PublishedReading::Nginx),
            ),
            (
                &[
                    ("nginx.publish-service", "a/b"),
                    ("nginx.publish-status-address", "192.0.2.1,lb.example.com"),
                ],
                &said(&[ip.clone(), name.clone()]),
            ),
            (
                &[("providers.kubernetesingressnginx.publishstatusaddress", "lb.example.com")],
                &said(&[name]),
            ),
            (
                &[("nginx.report-node-internal-ip-address", "true")],
                &of(GATE, PublishedReading::ItsNodes),
            ),
        ] {
            assert_eq!(published(options).unwrap().nginx, *wanted, "{options:?}");
            assert_eq!(published(options).unwrap().traefik, gate, "{options:?}");
        }
        assert_eq!(published(&[("nginx.update-status", "false")]), None);
    }

    #[test]
    fn a_value_is_what_a_status_may_have() {
        for (option, value, is_fine) in [
            ("ingressendpoint.ip", "192.0.2.1", true),
            ("ingressendpoint.ip", "lb.example.com", false),
            ("ingressendpoint.hostname", "lb.example.com", true),
            ("ingressendpoint.hostname", "http://lb", false),
            ("ingressendpoint.publishedservice", "a/b", true),
            ("ingressendpoint.publishedservice", "b", false),
            ("ingressendpoint.publishedservice", "", true),
        ] {
            assert_eq!(check(&format!("{OF_INGRESS}{option}"), value).is_ok(), is_fine, "{value}");
        }
    }
}
