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

/// The annotation that notes the pool of a Service's addresses; only ever under this prefix.
pub(crate) const ALLOCATED_FROM: &str = "metallb.io/ip-allocated-from-pool";

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
    let mut prefixes = [PREFIX, DEPRECATED_PREFIX].into_iter();
    prefixes.find_map(|prefix| prefixed(service, prefix, name))
}

/// Keys with the older prefix among those that allocation reads.
pub(crate) fn deprecated_requests(service: &Service) -> impl Iterator<Item = &str> {
    let read = |key: &&str| {
        let name = key.strip_prefix(DEPRECATED_PREFIX);
        name.is_some_and(|name| [ADDRESS_POOL, LOAD_BALANCER_IPS, ALLOW_SHARED_IP].contains(&name))
    };
    deprecated(service).filter(read)
}

/// Keys with the older prefix, whether they mean something or not.
pub(crate) fn deprecated(service: &Service) -> impl Iterator<Item = &str> {
    let keys = service.annotations.keys();
    keys.map(String::as_str).filter(|key| key.starts_with(DEPRECATED_PREFIX))
}

fn prefixed<'a>(service: &'a Service, prefix: &str, name: &str) -> Option<Annotation<'a>> {
    // Services have few annotations: looking at all is quicker than making a key to look up.
    let mut written = service.annotations.iter();
    let (key, value) = written.find(|(key, _)| key.strip_prefix(prefix) == Some(name))?;
    Some(Annotation { key, value })
}

impl Annotation<'_> {
    /// Where it is written.
    pub fn path(&self) -> FieldPath {
        FieldPath::annotation(self.key)
    }
}
