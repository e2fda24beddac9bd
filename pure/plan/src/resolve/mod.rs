//! The one join: items that are valid by themselves become the [`Snapshot`].
//!
//! Value and diagnostics, never an error; the same for any order of the items; linear or
//! n log n in their number. It knows nothing of "this node".

use std::sync::Arc;

use steelyard_model::{Item, Snapshot};

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

/// A port the gateway listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPoint {
    /// Its name, `web`.
    pub name: String,
    /// Its port, 80.
    pub port: u16,
}

/// What `plan` assumes: `web` on 80, `websecure` on 443, the gateway's Service inferred.
impl Default for ResolveOptions {
    fn default() -> Self {
        let entry_point = |name: &str, port| EntryPoint { name: name.to_owned(), port };
        Self {
            infer_gateway: true,
            config_namespace: None,
            load_balancer_class: None,
            entry_points: vec![entry_point("web", 80), entry_point("websecure", 443)],
        }
    }
}

/// Joins `items`. The diagnostics are those of the join alone; the caller adds what lowering said.
pub fn resolve(items: &[Arc<Item>], options: &ResolveOptions) -> Snapshot {
    let _ = (items, options);
    Snapshot::default()
}
