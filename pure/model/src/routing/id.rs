//! Names by which the nouns refer to each other, and by which state outlives a reload.

use std::fmt;
use std::sync::Arc;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// As it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )*};
}

ids! {
    /// An entry point: `web`.
    EntryPointId,
    /// A listener: its entry point, and for a Gateway's its object and section.
    ListenerId,
    /// A route: `default/web/0@ingress`, of namespace, object, index and provider.
    RouteId,
    /// A backend: the object and place that define it, `default/web:80@ingress` for a Service port.
    BackendId,
    /// A set of endpoints: a Service port (`default/web:80`), literal servers, or a DNS name.
    EndpointSetId,
    /// A definition of a filter.
    FilterId,
    /// How to speak to an endpoint.
    TransportId,
    /// How a TLS handshake is held.
    TlsPolicyId,
    /// A chain and its key.
    CertificateId,
}

impl From<&EntryPointId> for ListenerId {
    fn from(entry_point: &EntryPointId) -> Self {
        Self(entry_point.0.clone())
    }
}

impl RouteId {
    /// As Traefik calls it: `default-web-0@ingress` for `default/web/0@ingress`. Routes of two
    /// objects may be called alike; their ids never are.
    pub fn traefik_name(&self) -> String {
        self.0.replace('/', "-")
    }
}

impl BackendId {
    /// As Traefik calls it: `default-web-80@ingress` for `default/web:80@ingress`.
    pub fn traefik_name(&self) -> String {
        self.0.replace(['/', ':'], "-")
    }
}
