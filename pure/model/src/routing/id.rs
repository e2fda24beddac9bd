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
        match self.0.rsplit_once('@') {
            Some((name, CRD)) => match name.split_once('#') {
                // Traefik leaves names of TCP and UDP routes as they are written.
                Some((name, "tcp" | "udp")) => format!("{}@{CRD}", name.replace('/', "-")),
                Some((name, _)) => format!("{}@{CRD}", words(name)),
                None => format!("{}@{CRD}", words(name)),
            },
            Some((name, FILE)) => of_file(name),
            _ => self.0.replace('/', "-"),
        }
    }
}

impl BackendId {
    /// As Traefik calls it: `default-web-80@ingress` for `default/web:80@ingress`.
    pub fn traefik_name(&self) -> String {
        match self.0.rsplit_once('@') {
            Some((name, CRD)) => {
                let name = name.split_once('#').map_or(name, |(name, _)| name);
                format!("{}@{CRD}", words(name))
            }
            Some((name, FILE)) => of_file(name),
            _ => self.0.replace(['/', ':'], "-"),
        }
    }
}

/// The provider of Traefik's own kinds.
const CRD: &str = "kubernetescrd";

/// The provider of files.
const FILE: &str = "file";

/// A name in a file is as it is written, whatever it is of (`db@tcp@file`).
fn of_file(name: &str) -> String {
    format!("{}@{FILE}", name.split_once('@').map_or(name, |(name, _)| name))
}

/// Letters and digits, with a dash for whatever is between them.
fn words(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// The backend of a route alone is called as the route is, and lies in memory once.
impl From<&RouteId> for BackendId {
    fn from(route: &RouteId) -> Self {
        Self(route.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_called_as_traefik_calls_them() {
        for (id, name) in [
            ("default/web/0@ingress", "default-web-0@ingress"),
            ("default/test.route/77c6@kubernetescrd", "default-test-route-77c6@kubernetescrd"),
            ("default/test.route/77c6#1@kubernetescrd", "default-test-route-77c6@kubernetescrd"),
            ("default/test.route/77c6#tcp@kubernetescrd", "default-test.route-77c6@kubernetescrd"),
            ("default/test.route/0#udp@kubernetescrd", "default-test.route-0@kubernetescrd"),
            ("my/web@file", "my/web@file"),
            ("db@tcp@file", "db@file"),
        ] {
            assert_eq!(RouteId::from(id).traefik_name(), name);
        }
    }

    #[test]
    fn backends_are_called_as_traefik_calls_them() {
        for (id, name) in [
            ("default/web:80@ingress", "default-web-80@ingress"),
            ("default/web.a:80#default/r/77c6/1@kubernetescrd", "default-web-a-80@kubernetescrd"),
            ("default/shared@kubernetescrd", "default-shared@kubernetescrd"),
        ] {
            assert_eq!(BackendId::from(id).traefik_name(), name);
        }
    }
}
