//! Options of Traefik's providers that change what they make of objects.

use std::collections::BTreeSet;

/// Options of both providers of a cluster (`providers.kubernetesCRD`,
/// `providers.kubernetesIngress`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DynamicOptions {
    /// Of IngressRoute and its kin.
    pub crd: ProviderOptions,
    /// Of Ingress.
    pub ingress: ProviderOptions,
    /// Whether rules are in the older language unless they say otherwise
    /// (`core.defaultRuleSyntax: v2`).
    pub is_v2: bool,
}

/// Options of one of them, under Traefik's names and with its defaults: everything off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderOptions {
    /// Objects of other namespaces are not there; empty is all.
    pub namespaces: BTreeSet<String>,
    /// The class that is served; empty is none, and `traefik`.
    pub ingress_class: String,
    /// Whether objects may name some of other namespaces.
    pub allow_cross_namespace: bool,
    /// Whether Services may stand for names elsewhere.
    pub allow_external_name_services: bool,
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
    /// Whether an object of `own` may name one of `other`.
    pub(crate) fn lets(&self, own: &str, other: &str) -> bool {
        self.allow_cross_namespace || own == other
    }

    /// Whether objects of `own` may name what other providers have.
    pub(crate) fn lets_provided(&self, own: &str) -> bool {
        self.cross_provider_namespaces.as_ref().is_none_or(|all| all.contains(own))
    }

    /// Whether an object of this class is one's own; `classed` says where it is without.
    pub(crate) fn is_own(&self, class: &str) -> bool {
        const DEFAULT: &str = "traefik";
        self.ingress_class == class || (self.ingress_class.is_empty() && class == DEFAULT)
    }
}
