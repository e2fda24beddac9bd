//! Options of Traefik's providers of a cluster: `--providers.kubernetescrd.…` and
//! `--providers.kubernetesingress.…`, and the language of rules; those of class nginx are in
//! `provider_of_nginx`.

use std::collections::{BTreeMap, BTreeSet};

use steelyard_dialects::LowerOptions;
use steelyard_dialects::traefik::rule::RuleSyntax;
use steelyard_dynamic::DynamicOptions;
use steelyard_model::routing::entry_point::EntryPoint;
use steelyard_model::routing::rank::{PROVIDERS, Precedence};
use steelyard_model::suggest::nearest;
use steelyard_model::{ProviderOptions, Selector};

use super::{StaticOptions, provider_of_nginx};

/// What options of either begin with.
const PREFIXES: [&str; 2] = ["providers.kubernetescrd", "providers.kubernetesingress"];
const RULE_SYNTAX: &str = "core.defaultrulesyntax";
const PRECEDENCE: &str = "providers.precedence";

/// How each object is read by itself, as options of `providers` and of rules say.
pub(super) fn reading(options: &BTreeMap<String, String>) -> LowerOptions {
    let [crd, ingress] = PREFIXES.map(|prefix| provider(options, prefix).labels);
    LowerOptions {
        syntax: if is_v2(options) { RuleSyntax::V2 } else { RuleSyntax::V3 },
        crd_labels: crd,
        ingress_labels: ingress,
        judge_options: StaticOptions::judged,
        ..LowerOptions::default()
    }
}

/// Which provider goes first where numbers are equal.
pub(super) fn precedence(options: &BTreeMap<String, String>) -> Precedence {
    let list = options.get(PRECEDENCE).map_or("", String::as_str);
    Precedence::read(list).expect("checked when it was taken")
}

/// Whether an option of providers may have this value.
pub(super) fn check(name: &str, value: &str) -> Result<(), String> {
    if name == PRECEDENCE {
        let wrong = |name: &str| match nearest(name, PROVIDERS) {
            Some(near) => format!("{PRECEDENCE}: there is no {name:?}; did you mean {near}?"),
            None => {
                format!("{PRECEDENCE}: there is no {name:?}; there are {}", PROVIDERS.join(", "))
            }
        };
        return Precedence::read(value).map(drop).map_err(wrong);
    }
    let is_selector = PREFIXES.iter().any(|prefix| name == format!("{prefix}.labelselector"));
    match is_selector && Selector::read(value).is_none() {
        true => Err(format!("{name} wants a selector: app=a,tier!=b,env in (x, y); not {value:?}")),
        false => Ok(()),
    }
}

fn is_v2(options: &BTreeMap<String, String>) -> bool {
    options.get(RULE_SYNTAX).is_some_and(|it| it.eq_ignore_ascii_case("v2"))
}

/// What the options say, of a gateway with these entry points.
pub(super) fn chosen(
    options: &BTreeMap<String, String>,
    points: Vec<EntryPoint>,
) -> DynamicOptions {
    let [crd, ingress] = PREFIXES.map(|prefix| provider(options, prefix));
    let (nginx, is_v2) = (provider_of_nginx::chosen(options, points), is_v2(options));
    DynamicOptions { crd, ingress, nginx, is_v2 }
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
        labels: value("labelselector").and_then(Selector::read).unwrap_or_default(),
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
    fn what_restricts_objects_and_orders_routes() {
        for (name, value, is_taken) in [
            (PRECEDENCE, "file, kubernetesCRD", true),
            (PRECEDENCE, "kubernetesingress", false),
            ("providers.kubernetescrd.labelselector", "a=b", true),
            ("providers.kubernetesingress.labelselector", "a in b", false),
        ] {
            assert_eq!(check(name, value).is_ok(), is_taken, "{name}={value}");
        }
        let options = [
            (RULE_SYNTAX, "V2"),
            (PRECEDENCE, "file"),
            ("providers.kubernetesingress.labelselector", "a=b"),
        ];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let reading = reading(&options);
        assert_eq!(reading.syntax, RuleSyntax::V2);
        assert_eq!(reading.crd_labels, Selector::default());
        assert_eq!(Some(reading.ingress_labels), Selector::read("a=b"));
        assert!(!precedence(&options).is_usual());
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
