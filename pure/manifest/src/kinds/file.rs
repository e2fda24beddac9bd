//! Traefik's dynamic configuration as it stands in files: what is below each name.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use super::meta::{Ignored, IntOrString};
use super::opaque::opaque;
use super::traefik::{
    Domain, FailoverErrors, ForwardingTimeouts, HealthCheck, Observability, PassiveHealthCheck,
    ProxyProtocol, ResponseForwarding, Sticky,
};

/// Name of what may be `false` to be not there, for who reads Traefik's files: there `true` makes a
/// mapping with nothing in it, and `false` none.
pub(crate) const UNLESS_FALSE: &str = "steelyard.unless-false";

fn unless_false<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    struct Unless<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Unless<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a mapping, true or false")
        }

        fn visit_none<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_newtype_struct<D: Deserializer<'de>>(
            self,
            deserializer: D,
        ) -> Result<Self::Value, D::Error> {
            Option::deserialize(deserializer)
        }
    }

    deserializer.deserialize_newtype_struct(UNLESS_FALSE, Unless(PhantomData))
}

/// A router, of whichever protocol.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileRouter {
    /// Where it is.
    pub entry_points: Option<Vec<String>>,
    /// What requests pass.
    pub middlewares: Option<Vec<String>>,
    /// Where they go.
    pub service: Option<String>,
    /// The rule.
    pub rule: Option<String>,
    /// Those that lead here.
    pub parent_refs: Option<Vec<String>>,
    /// `v3` or `v2`.
    pub rule_syntax: Option<String>,
    /// Its number among others.
    pub priority: Option<i64>,
    /// How TLS is held; its being there asks for TLS, unless it is `false`.
    #[serde(deserialize_with = "unless_false")]
    pub tls: Option<FileRouterTls>,
    /// What is told of requests.
    pub observability: Option<Observability>,
}

/// How TLS is held for a router.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileRouterTls {
    /// Terms of handshakes.
    pub options: Option<String>,
    /// Who is asked for certificates.
    pub cert_resolver: Option<String>,
    /// What for.
    pub domains: Option<Vec<Domain>>,
    /// Whether TLS ends at the servers; of TCP alone.
    pub passthrough: Option<bool>,
}

/// A service, of whichever protocol: one of these.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileService {
    /// Servers.
    pub load_balancer: Option<FileLoadBalancer>,
    /// Shares requests by weight.
    pub weighted: Option<FileWeighted>,
    /// Chooses by the client's address.
    pub highest_random_weight: Option<FileWeighted>,
    /// Copies requests.
    pub mirroring: Option<FileMirroring>,
    /// Has a second for when the first cannot.
    pub failover: Option<FileFailover>,
    /// What requests pass on the way.
    pub middlewares: Option<Vec<String>>,
}

/// Servers, and how one of them is chosen and spoken to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileLoadBalancer {
    /// Which.
    pub servers: Option<Vec<FileServer>>,
    /// How one is chosen.
    pub strategy: Option<String>,
    /// Who was here before goes the same way.
    pub sticky: Option<Sticky>,
    /// How they are tried.
    pub health_check: Option<HealthCheck>,
    /// When they are left out by what became of requests.
    pub passive_health_check: Option<PassiveHealthCheck>,
    /// Whether the client's Host goes on.
    pub pass_host_header: Option<bool>,
    /// When answers are passed on.
    pub response_forwarding: Option<ResponseForwarding>,
    /// How they are spoken to.
    pub servers_transport: Option<String>,
    /// Of TCP: the PROXY protocol, in its older place.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Of TCP: for how long one side may be open when the other is closed, in milliseconds.
    pub termination_delay: Option<i64>,
}

/// A server.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileServer {
    /// Of HTTP: where it is.
    pub url: Option<String>,
    /// Of TCP and UDP: where it is.
    pub address: Option<String>,
    /// Its share.
    pub weight: Option<i64>,
    /// Whether the path of its URL counts.
    pub preserve_path: Option<bool>,
    /// Of TCP: whether TLS is spoken to it.
    pub tls: Option<bool>,
    /// Whether only those go there who were there before.
    pub fenced: Option<bool>,
}

/// Services, each with a share.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileWeighted {
    /// Which.
    pub services: Option<Vec<FileShare>>,
    /// Who was here before goes the same way.
    pub sticky: Option<Sticky>,
    /// Its being there passes on how they are.
    pub health_check: Option<Ignored>,
}

/// A service with a share.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileShare {
    /// Its name.
    pub name: Option<String>,
    /// Its share.
    pub weight: Option<i64>,
    /// Of a mirroring: of so many requests in a hundred.
    pub percent: Option<i64>,
}

/// Copies requests.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileMirroring {
    /// Who answers.
    pub service: Option<String>,
    /// Whether bodies are copied.
    pub mirror_body: Option<bool>,
    /// Bodies that are larger, in bytes, are not copied.
    pub max_body_size: Option<i64>,
    /// Who gets copies.
    pub mirrors: Option<Vec<FileShare>>,
    /// Its being there passes on how they are.
    pub health_check: Option<Ignored>,
}

/// Has a second for when the first cannot.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileFailover {
    /// The first.
    pub service: Option<String>,
    /// The second.
    pub fallback: Option<String>,
    /// When it is asked besides.
    pub errors: Option<FailoverErrors>,
    /// Its being there passes on how they are.
    pub health_check: Option<Ignored>,
}

/// How servers of HTTP are spoken to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileTransport {
    /// The name that must be in certificates.
    pub server_name: Option<String>,
    /// Whether nothing is verified.
    pub insecure_skip_verify: Option<bool>,
    /// Whom to believe: files, or PEM.
    #[serde(rename = "rootCAs")]
    pub root_cas: Option<Vec<String>>,
    /// What is shown when asked who we are.
    pub certificates: Option<Vec<FileCertificate>>,
    /// Cipher suites.
    pub cipher_suites: Option<Vec<String>>,
    /// Lowest version.
    pub min_version: Option<String>,
    /// Highest version.
    pub max_version: Option<String>,
    /// Most idle connections per server.
    pub max_idle_conns_per_host: Option<i64>,
    /// How long things may take.
    pub forwarding_timeouts: Option<ForwardingTimeouts>,
    /// Whether HTTP/2 is not spoken.
    #[serde(rename = "disableHTTP2")]
    pub disable_http2: Option<bool>,
    /// The URI that must be in certificates.
    #[serde(rename = "peerCertURI")]
    pub peer_cert_uri: Option<String>,
    /// Identities of SPIFFE.
    pub spiffe: Option<Ignored>,
}

/// How servers of TCP are spoken to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileTcpTransport {
    /// How often the kernel asks whether somebody is there.
    pub dial_keep_alive: Option<IntOrString>,
    /// How long connecting may take.
    pub dial_timeout: Option<IntOrString>,
    /// For how long one side may be open when the other is closed.
    pub termination_delay: Option<IntOrString>,
    /// The PROXY protocol.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// TLS to them.
    pub tls: Option<FileTcpTls>,
}

/// TLS to servers of TCP.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileTcpTls {
    /// The name that must be in certificates.
    pub server_name: Option<String>,
    /// Whether nothing is verified.
    pub insecure_skip_verify: Option<bool>,
    /// Whom to believe: files, or PEM.
    #[serde(rename = "rootCAs")]
    pub root_cas: Option<Vec<String>>,
    /// What is shown when asked who we are.
    pub certificates: Option<Vec<FileCertificate>>,
    /// The URI that must be in certificates.
    #[serde(rename = "peerCertURI")]
    pub peer_cert_uri: Option<String>,
    /// Identities of SPIFFE.
    pub spiffe: Option<Ignored>,
}

/// Terms of handshakes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileOptions {
    /// Lowest version.
    pub min_version: Option<String>,
    /// Highest version.
    pub max_version: Option<String>,
    /// Cipher suites.
    pub cipher_suites: Option<Vec<String>>,
    /// Key exchange groups.
    pub curve_preferences: Option<Vec<String>>,
    /// What clients must show.
    pub client_auth: Option<FileClientAuth>,
    /// Whether names without a certificate end the handshake.
    pub sni_strict: Option<bool>,
    /// Application protocols.
    pub alpn_protocols: Option<Vec<String>>,
    /// Whether sessions are not resumed.
    pub disable_session_tickets: Option<bool>,
    /// Without effect.
    pub prefer_server_cipher_suites: Option<bool>,
}

/// What clients must show.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileClientAuth {
    /// Who signs their certificates: files, or PEM.
    pub ca_files: Option<Vec<String>>,
    /// What is done with them.
    pub client_auth_type: Option<String>,
}

/// Certificates that no router names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileStore {
    /// What is shown where nothing else is for a name.
    pub default_certificate: Option<FileCertificate>,
    /// The same, asked for.
    pub default_generated_cert: Option<Ignored>,
}

/// A file that is named elsewhere.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileText {
    /// What stands in it.
    pub text: Option<String>,
    /// Why that is not known.
    pub failed: Option<String>,
}

/// A certificate: files, or PEM.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileCertificate {
    /// The chain.
    pub cert_file: Option<String>,
    /// Its key.
    pub key_file: Option<String>,
    /// Stores that it is in.
    pub stores: Option<Vec<String>>,
}

opaque!(FileCertificate);
