//! Kinds of objects whose status the controller writes.

use steelyard_manifest::{Key, Object};

/// Annotation with the pool that a Service's addresses are from.
pub const POOL_NOTE: &str = "metallb.io/ip-allocated-from-pool";

/// Kinds whose status the controller writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatusKind {
    /// `v1` Service.
    Service,
    /// `networking.k8s.io/v1` Ingress.
    Ingress,
    /// `metallb.io/v1beta1` IPAddressPool.
    Pool,
    /// `metallb.io/v1beta1` ConfigurationState.
    State,
}

impl StatusKind {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Service, Self::Ingress, Self::Pool, Self::State];

    /// As `kind` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Ingress => "Ingress",
            Self::Pool => "IPAddressPool",
            Self::State => "ConfigurationState",
        }
    }

    /// Its group; empty for the core group.
    pub fn group(self) -> &'static str {
        match self {
            Self::Service => "",
            Self::Ingress => "networking.k8s.io",
            Self::Pool | Self::State => "metallb.io",
        }
    }

    /// The version that is written.
    pub fn version(self) -> &'static str {
        match self {
            Self::Service | Self::Ingress => "v1",
            Self::Pool | Self::State => "v1beta1",
        }
    }

    /// As paths have it.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Service => "services",
            Self::Ingress => "ingresses",
            Self::Pool => "ipaddresspools",
            Self::State => "configurationstates",
        }
    }

    /// The one of this kind.
    pub fn named(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == kind)
    }

    /// Of an object; none where nobody reports in its status.
    pub fn of(object: &Object) -> Option<Self> {
        Self::named(&object.reference.kind).filter(|kind| kind.group() == object.group())
    }

    /// Of a key.
    pub fn of_key(key: &Key) -> Option<Self> {
        Self::named(&key.reference.kind).filter(|kind| *kind.group() == *key.group)
    }
}
