//! Options of Traefik's providers of a cluster: `--providers.kubernetescrd.…` and
//! `--providers.kubernetesingress.…`, and the language of rules.

use std::collections::{BTreeMap, BTreeSet};

use steelyard_dynamic::DynamicOptions;
use steelyard_model::ProviderOptions;

/// Options of either.
const PREFIXES: [&str; 2] = ["providers.kubernetescrd", "providers.kubernetesingress"];
const RULE_SYNTAX: &str = "core.defaultrulesyntax";

/// What a value is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `true` or `false`.
    Switch,
    /// Names with commas between them.
    List,
    /// Whatever it is.
    Text,
}

/// Options that are understood, below either prefix, and what their values are.
const KNOWN: [(&str, Kind); 10] = [
    ("allowcrossnamespace", Kind::Switch),
    ("allowemptyservices", Kind::Switch),
    ("allowexternalnameservices", Kind::Switch),
    ("crossprovidernamespaces", Kind::List),
    ("disableclusterscoperesources", Kind::Switch),
    ("disableingressclasslookup", Kind::Switch),
    ("ingressclass", Kind::Text),
    ("namespaces", Kind::List),
    ("nativelbbydefault", Kind::Switch),
    ("strictprefixmatching", Kind::Switch),
];

/// Options that are understood and change nothing of what is planned: who may write statuses where.
const ELSEWHERE: [&str; 4] = [
    "ingressendpoint.hostname",
    "ingressendpoint.ip",
    "ingressendpoint.publishedservice",
    "reportnodeinternalips",
];

/// What `option` sets, if it is one of these.
fn kind_of(option: &str) -> Option<Kind> {
    if option == RULE_SYNTAX {
        return Some(Kind::Text);
    }
    let below = PREFIXES.iter().find_map(|prefix| option.strip_prefix(prefix))?;
    let Some(name) = below.strip_prefix('.') else {
        return below.is_empty().then_some(Kind::Switch);
    };
    let known = KNOWN.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
    known.or_else(|| ELSEWHERE.contains(&name).then_some(Kind::Text))
}

/// Whether `option` without a value means `true`.
pub(super) fn is_switch(option: &str) -> bool {
    kind_of(option) == Some(Kind::Switch)
}

/// Whether `value` is one that `option` may have; none where it is an option of others.
pub(super) fn check(option: &str, value: &str) -> Option<Result<(), String>> {
    kind_of(option)?;
    let is_known = option != RULE_SYNTAX || matches!(value, "v2" | "v3");
    let wrong = || format!("--{option} wants v2 or v3, not {value:?}");
    Some(is_known.then_some(()).ok_or_else(wrong))
}

/// Names of the options, for who writes another.
pub(super) fn names() -> Vec<String> {
    let each = |prefix: &str| {
        let named = move |name: &str| format!("{prefix}.{name}");
        let known = KNOWN.iter().map(|(name, _)| named(name)).collect::<Vec<_>>();
        known.into_iter().chain(ELSEWHERE.iter().map(|name| named(name)).collect::<Vec<_>>())
    };
    PREFIXES.iter().flat_map(|prefix| each(prefix)).chain([RULE_SYNTAX.to_owned()]).collect()
}

/// Options that are set and count for `plan -o traefik` alone.
pub(super) fn idle(options: &BTreeMap<String, String>) -> Vec<String> {
    let native = PREFIXES.map(|prefix| (format!("{prefix}.nativelbbydefault"), "true"));
    let all = native.into_iter().chain([(RULE_SYNTAX.to_owned(), "v2")]);
    let is_set = |(name, value): &(String, &str)| options.get(name).is_some_and(|it| it == value);
    all.filter(is_set).map(|(name, _)| name).collect()
}

/// What the options say.
pub(super) fn chosen(options: &BTreeMap<String, String>) -> DynamicOptions {
    let [crd, ingress] = PREFIXES.map(|prefix| provider(options, prefix));
    let is_v2 = options.get(RULE_SYNTAX).is_some_and(|it| it == "v2");
    DynamicOptions { crd, ingress, is_v2 }
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
    fn options_of_the_providers() {
        let options = [
            ("providers.kubernetescrd.allowcrossnamespace", "true"),
            ("providers.kubernetescrd.namespaces", "a, b"),
            ("providers.kubernetesingress.crossprovidernamespaces", ""),
            ("providers.kubernetesingress.ingressclass", "lb"),
            (RULE_SYNTAX, "v2"),
        ];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let chosen = chosen(&BTreeMap::from(options));
        assert!(chosen.is_v2 && chosen.crd.allow_cross_namespace);
        assert_eq!(chosen.crd.namespaces, ["a", "b"].map(str::to_owned).into());
        assert_eq!(chosen.crd.cross_provider_namespaces, None);
        assert_eq!(chosen.ingress.cross_provider_namespaces, Some(BTreeSet::new()));
        assert_eq!(chosen.ingress.ingress_class, "lb");
        for (option, value, holds) in [
            ("providers.kubernetescrd", "true", Some(true)),
            ("providers.kubernetesingress.ingressendpoint.publishedservice", "a/b", Some(true)),
            (RULE_SYNTAX, "v4", Some(false)),
            ("providers.kubernetescrdx", "true", None),
            ("providers.docker.network", "a", None),
        ] {
            assert_eq!(check(option, value).map(|it| it.is_ok()), holds, "{option}");
        }
        let options = BTreeMap::from([(RULE_SYNTAX.to_owned(), "v2".to_owned())]);
        assert_eq!(idle(&options), [RULE_SYNTAX]);
        assert!(is_switch("providers.kubernetescrd"));
        assert!(!is_switch("providers.kubernetescrd.namespaces"));
    }
}
