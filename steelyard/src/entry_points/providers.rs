//! Options of Traefik's providers of a cluster: `--providers.kubernetescrd.…` and
//! `--providers.kubernetesingress.…`, the language of rules, and how servers are spoken to; those
//! of class nginx are in `provider_of_nginx`.

use std::collections::{BTreeMap, BTreeSet};

use steelyard_dynamic::DynamicOptions;
use steelyard_model::ProviderOptions;
use steelyard_model::routing::entry_point::EntryPoint;
use steelyard_model::routing::transport::{OriginProtocol, OriginTls, Roots, Transport};

use super::provider_of_nginx;

/// What options of either begin with.
const PREFIXES: [&str; 2] = ["providers.kubernetescrd", "providers.kubernetesingress"];
const RULE_SYNTAX: &str = "core.defaultrulesyntax";

/// How TLS is spoken to endpoints where no ServersTransport is named: `serversTransport.…`.
pub(super) fn https(options: &BTreeMap<String, String>) -> Transport {
    let value = |name: &str| options.get(&format!("serverstransport.{name}")).map(String::as_str);
    let usual = OriginTls::default();
    let is_believed = value("insecureskipverify") == Some("true");
    let tls = OriginTls {
        roots: if is_believed { Roots::Nobody } else { usual.roots.clone() },
        server_name: value("servername").filter(|it| !it.is_empty()).map(Into::into),
        ..usual
    };
    let https = Transport { tls: Some(tls), ..Transport::https() };
    match value("disablehttp2") {
        Some("true") => Transport { protocol: OriginProtocol::Http1, ..https },
        _ => https,
    }
}

/// Options that are set and count for `plan -o traefik` alone.
pub(super) fn idle(options: &BTreeMap<String, String>) -> Vec<String> {
    let native = PREFIXES.map(|prefix| (format!("{prefix}.nativelbbydefault"), "true"));
    let all = native.into_iter().chain([(RULE_SYNTAX.to_owned(), "v2")]);
    let is_set = |(name, value): &(String, &str)| options.get(name).is_some_and(|it| it == value);
    let set = all.filter(is_set).map(|(name, _)| name);
    set.chain(provider_of_nginx::idle(options)).collect()
}

/// What the options say, of a gateway with these entry points.
pub(super) fn chosen(
    options: &BTreeMap<String, String>,
    points: Vec<EntryPoint>,
) -> DynamicOptions {
    let [crd, ingress] = PREFIXES.map(|prefix| provider(options, prefix));
    let is_v2 = options.get(RULE_SYNTAX).is_some_and(|it| it == "v2");
    DynamicOptions { crd, ingress, nginx: provider_of_nginx::chosen(options, points), is_v2 }
}

fn provider(options: &BTreeMap<String, String>, prefix: &str) -> ProviderOptions {
    let value = |name: &str| options.get(&format!("{prefix}.{name}")).map(String::as_str);
    let is = |name: &str| value(name) == Some("true");
    let list = |name: &str| -> Option<BTreeSet<String>> {
        let names = value(name)?.split(',').map(str::trim).filter(|it| !it.is_empty());
        Some(names.map(str::to_owned).collect())
    };
    ProviderOptions {
        namespaces: list("namespaces").unwrap_or_default(),
        ingress_class: value("ingressclass").unwrap_or_default().to_owned(),
        allow_cross_namespace: is("allowcrossnamespace"),
        allow_external_name_services: value("allowexternalnameservices").map(|it| it == "true"),
        allow_empty_services: is("allowemptyservices"),
        native_lb_by_default: is("nativelbbydefault"),
        disable_cluster_scope_resources: is("disableclusterscoperesources"),
        disable_ingress_class_lookup: is("disableingressclasslookup"),
        strict_prefix_matching: is("strictprefixmatching"),
        cross_provider_namespaces: list("crossprovidernamespaces"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_servers_are_spoken_to() {
        assert_eq!(https(&BTreeMap::new()), Transport::https());
        let options = ["insecureskipverify=true", "servername=a.test", "disablehttp2=true"];
        let options = options.iter().filter_map(|it| it.split_once('='));
        let options =
            options.map(|(name, value)| (format!("serverstransport.{name}"), value.into()));
        let Transport { id, protocol, tls: Some(tls), .. } = https(&options.collect()) else {
            panic!("over TLS")
        };
        assert_eq!((id, protocol), (Transport::https().id, OriginProtocol::Http1));
        assert_eq!((tls.roots, tls.server_name.as_deref()), (Roots::Nobody, Some("a.test")));
    }

    #[test]
    fn options_of_the_providers() {
        let options = [
            ("providers.kubernetescrd.allowcrossnamespace", "true"),
            ("providers.kubernetescrd.namespaces", "a, b"),
            ("providers.kubernetesingress.crossprovidernamespaces", ""),
            ("providers.kubernetesingress.ingressclass", "lb"),
            (RULE_SYNTAX, "v2"),
        ];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let chosen = chosen(&BTreeMap::from(options), Vec::new());
        assert!(chosen.is_v2 && chosen.crd.allow_cross_namespace);
        assert_eq!(chosen.crd.namespaces, ["a", "b"].map(str::to_owned).into());
        assert_eq!(chosen.crd.cross_provider_namespaces, None);
        assert_eq!(chosen.ingress.cross_provider_namespaces, Some(BTreeSet::new()));
        assert_eq!(chosen.ingress.ingress_class, "lb");
    }
}
