//! Options of the providers of a cluster.

use steelyard_model::ProviderOptions;

use crate::nginx::NginxProviderOptions;

/// Options of the providers of a cluster (`providers.kubernetesCRD`,
/// `providers.kubernetesIngress`, `providers.kubernetesIngressNGINX`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DynamicOptions {
    /// Of IngressRoute and its kin.
    pub crd: ProviderOptions,
    /// Of Ingress.
    pub ingress: ProviderOptions,
    /// Of Ingress of class nginx.
    pub nginx: NginxProviderOptions,
    /// Whether rules are in the older language unless they say otherwise
    /// (`core.defaultRuleSyntax: v2`).
    pub is_v2: bool,
}
