//! Options of Traefik's providers that change what they make of objects.

use std::collections::BTreeSet;

use crate::selector::Selector;

/// Options of one of them, under Traefik's names and with its defaults: everything off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderOptions {
    /// Objects of other namespaces are not there; empty is all.
    pub namespaces: BTreeSet<String>,
    /// Of its own kinds only objects with such labels are there.
    pub labels: Selector,
    /// The class that is served; empty is none, and `traefik`.
    pub ingress_class: String,
    /// Whether objects may name some of other namespaces.
    pub allow_cross_namespace: bool,
    /// Whether Services may stand for names elsewhere, where that is said.
    pub allow_external_name_services: Option<bool>,
    /// Whether a Service without endpoints is one all the same.
    pub allow_empty_services: bool,
    /// Whether the Service's own address is asked unless said otherwise.
    pub native_lb_by_default: bool,
    /// Whether Nodes and IngressClasses are not looked at.
    pub disable_cluster_scope_resources: bool,
    /// Whether IngressClasses are not looked at.
    pub disable_ingress_class_lookup: bool,
    /// Whether prefixes end at path elements.
    pub strict_prefix_matching: bool,
    /// Namespaces whose objects may name what other providers have; none is all.
    pub cross_provider_namespaces: Option<BTreeSet<String>>,
}

impl ProviderOptions {
    /// Whether Services may stand for names elsewhere: they may, unless that is said otherwise, or
    /// (`as_traefik`) nothing is said, which there means no.
    pub fn lets_external_names(&self, as_traefik: bool) -> bool {
        self.allow_external_name_services.unwrap_or(!as_traefik)
    }

    /// Whether IngressClasses are looked at.
    pub fn looks_up_classes(&self) -> bool {
        !self.disable_ingress_class_lookup && !self.disable_cluster_scope_resources
    }

    /// Whether objects of this namespace are there.
    pub fn sees(&self, namespace: &str) -> bool {
        let is_cluster_wide = namespace.is_empty() || self.namespaces.is_empty();
        is_cluster_wide || self.namespaces.contains(namespace)
    }

    /// Whether an object of `own` may name one of `other`.
    pub fn lets(&self, own: &str, other: &str) -> bool {
        self.allow_cross_namespace || own == other
    }

    /// Whether objects of `own` may name what other providers have (`name@provider`).
    pub fn lets_provided(&self, own: &str) -> bool {
        self.cross_provider_namespaces.as_ref().is_none_or(|all| all.contains(own))
    }

    /// Whether an object of this class is served; empty is one without.
    pub fn is_own(&self, class: &str) -> bool {
        const DEFAULT: &str = "traefik";
        self.ingress_class == class || (self.ingress_class.is_empty() && class == DEFAULT)
    }
}
