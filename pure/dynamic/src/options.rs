//! Options of both providers.

use steelyard_model::ProviderOptions;

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
