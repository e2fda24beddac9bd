//! The Service annotations that allocation reads, under either of their two prefixes.

use steelyard_model::{FieldPath, Service};

/// The prefix in use.
const PREFIX: &str = "metallb.io/";
/// The older prefix; read where the other is absent.
const DEPRECATED_PREFIX: &str = "metallb.universe.tf/";

/// Name of the annotation that asks for a pool.
pub const ADDRESS_POOL: &str = "address-pool";
/// Name of the annotation that asks for addresses.
pub const LOAD_BALANCER_IPS: &str = "loadBalancerIPs";
/// Name of the annotation that allows an address to be shared.
pub const ALLOW_SHARED_IP: &str = "allow-shared-ip";

/// An annotation as it is written on a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Annotation<'a> {
    /// The whole key.
    pub key: &'a str,
    /// The value; may be empty.
    pub value: &'a str,
}

/// The annotation `name` (without prefix) of `service`. The `metallb.io/` form wins when its key
/// is present, even with an empty value; else the `metallb.universe.tf/` form counts.
pub fn annotation<'a>(service: &'a Service, name: &str) -> Option<Annotation<'a>> {
    if service.annotations.is_empty() {
        return None;
    }
    [PREFIX, DEPRECATED_PREFIX].into_iter().find_map(|prefix| {
        let (key, value) = service.annotations.get_key_value(&format!("{prefix}{name}"))?;
        Some(Annotation { key, value })
    })
}

/// Keys with the older prefix among those that allocation reads.
pub(crate) fn deprecated(service: &Service) -> impl Iterator<Item = &str> {
    [ADDRESS_POOL, LOAD_BALANCER_IPS, ALLOW_SHARED_IP].into_iter().filter_map(|name| {
        let (key, _) = service.annotations.get_key_value(&format!("{DEPRECATED_PREFIX}{name}"))?;
        Some(key.as_str())
    })
}

impl Annotation<'_> {
    /// Where it is written.
    pub fn path(&self) -> FieldPath {
        FieldPath::annotation(self.key)
    }
}
