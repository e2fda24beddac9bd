//! How objects are joined.

use steelyard_model::routing::entry_point::{BUILT_IN, EntryPoint};

/// How to join.
#[derive(Clone, Debug)]
pub struct ResolveOptions {
    /// Whether a Service may become the gateway's by inference; not in Kubernetes.
    pub infer_gateway: bool,
    /// Only metallb.io objects of this namespace count.
    pub config_namespace: Option<String>,
    /// Only Services of this `loadBalancerClass` are ours; none means those without a class.
    pub load_balancer_class: Option<String>,
    /// Where the gateway listens.
    pub entry_points: Vec<EntryPoint>,
}

/// What `plan` assumes: the built-in entry points, the gateway's Service inferred.
impl Default for ResolveOptions {
    fn default() -> Self {
        Self {
            infer_gateway: true,
            config_namespace: None,
            load_balancer_class: None,
            entry_points: BUILT_IN.iter().map(|it| it.entry_point()).collect(),
        }
    }
}
