//! `traefik.io/v1alpha1`: IngressRoute and its kin, with every field they have.

pub mod middleware;

use serde::Deserialize;

use super::meta::{Ignored, IntOrString, ObjectMeta};

/// An IngressRoute, IngressRouteTCP or IngressRouteUDP.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Routed<S> {
    api_version: Ignored,
    kind: Ignored,
    /// Name and annotations.
    pub metadata: ObjectMeta,
    /// What it routes.
    pub spec: Option<S>,
    status: Ignored,
}

/// `spec` of an IngressRoute.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressRouteSpec {
    /// Whose it is.
    pub ingress_class_name: Option<String>,
    /// Where its routes are.
    pub entry_points: Option<Vec<String>>,
    /// Those that lead to its routes.
    pub parent_refs: Option<Vec<Reference>>,
    /// Its routes.
    pub routes: Option<Vec<HttpRoute>>,
    /// How TLS is held; its being there asks for TLS.
    pub tls: Option<RouteTls>,
}

/// One of `spec.routes` of an IngressRoute.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRoute {
    /// The rule.
    #[serde(rename = "match")]
    pub rule: Option<String>,
    /// `Rule`.
    pub kind: Option<String>,
    /// Its number among others.
    pub priority: Option<i64>,
    /// `v3` or `v2`.
    pub syntax: Option<String>,
    /// Where its requests go.
    pub services: Option<Vec<LoadBalancer>>,
    /// What they pass.
    pub middlewares: Option<Vec<Reference>>,
    /// What is told of them.
    pub observability: Option<Observability>,
}

/// What is told of a route's requests.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Observability {
    /// Whether they are in the access log.
    pub access_logs: Option<bool>,
    /// Whether they are counted.
    pub metrics: Option<bool>,
    /// Whether they are traced.
    pub tracing: Option<bool>,
    /// `minimal` or `detailed`.
    pub trace_verbosity: Option<String>,
}

/// An object named by another.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reference {
    /// Its name, or `name@provider`.
    pub name: Option<String>,
    /// Its namespace; absent is that of who names it.
    pub namespace: Option<String>,
}

/// `tls` of an IngressRoute or IngressRouteTCP.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteTls {
    /// Where the certificate is.
    pub secret_name: Option<String>,
    /// A TLSOption.
    pub options: Option<Reference>,
    /// A TLSStore.
    pub store: Option<Reference>,
    /// Who is asked for certificates.
    pub cert_resolver: Option<String>,
    /// What certificates are asked for.
    pub domains: Option<Vec<Domain>>,
    /// Whether TLS ends at the backend; of IngressRouteTCP alone.
    pub passthrough: Option<bool>,
}

/// Names of a certificate.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Domain {
    /// The first.
    pub main: Option<String>,
    /// Others.
    pub sans: Option<Vec<String>>,
}

/// A Service or TraefikService that requests go to, and how. Each field stands where Traefik's
/// schemas have it, whatever this one is of.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadBalancer {
    /// Its name.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// `Service` or `TraefikService`.
    pub kind: Option<String>,
    /// Port of the Service.
    pub port: Option<IntOrString>,
    /// `http`, `https` or `h2c`.
    pub scheme: Option<String>,
    /// Its share.
    pub weight: Option<i64>,
    /// How an endpoint is chosen.
    pub strategy: Option<String>,
    /// Whether the client's Host goes on.
    pub pass_host_header: Option<bool>,
    /// When answers are passed on.
    pub response_forwarding: Option<ResponseForwarding>,
    /// A ServersTransport.
    pub servers_transport: Option<String>,
    /// Whether the Service's own address is asked.
    #[serde(rename = "nativeLB")]
    pub native_lb: Option<bool>,
    /// Whether the nodes' ports are asked.
    #[serde(rename = "nodePortLB")]
    pub node_port_lb: Option<bool>,
    /// What requests pass on the way.
    pub middlewares: Option<Vec<Reference>>,
    /// Who was here before goes the same way.
    pub sticky: Option<Sticky>,
    /// How endpoints are tried.
    pub health_check: Option<HealthCheck>,
    /// When endpoints are left out by what became of requests.
    pub passive_health_check: Option<PassiveHealthCheck>,
    /// Of IngressRouteTCP: TLS to the endpoints.
    pub tls: Option<bool>,
    /// Of IngressRouteTCP: the PROXY protocol to the endpoints.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Of IngressRouteTCP: for how long one side may be open when the other is closed, in
    /// milliseconds.
    pub termination_delay: Option<i64>,
    /// Of a mirroring: who gets copies.
    pub mirrors: Option<Vec<Self>>,
    /// Of one of those: of so many requests in a hundred.
    pub percent: Option<i64>,
    /// Of a mirroring: whether bodies are copied.
    pub mirror_body: Option<bool>,
    /// Of a mirroring: bodies that are larger, in bytes, are not copied.
    pub max_body_size: Option<i64>,
}

/// When answers are passed on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResponseForwarding {
    /// After so long at the latest.
    pub flush_interval: Option<String>,
}

/// Who was here before goes the same way.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sticky {
    /// By a cookie.
    pub cookie: Option<StickyCookie>,
}

/// A cookie that leads back.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StickyCookie {
    /// Its name.
    pub name: Option<String>,
    /// `Secure`.
    pub secure: Option<bool>,
    /// `HttpOnly`.
    pub http_only: Option<bool>,
    /// `SameSite`.
    pub same_site: Option<String>,
    /// `Max-Age`, in seconds.
    pub max_age: Option<i64>,
    /// `Path`.
    pub path: Option<String>,
    /// `Domain`.
    pub domain: Option<String>,
}

/// How endpoints are tried.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthCheck {
    /// `http` or `https`.
    pub scheme: Option<String>,
    /// `http` or `grpc`.
    pub mode: Option<String>,
    /// What is asked for.
    pub path: Option<String>,
    /// How.
    pub method: Option<String>,
    /// The status that is good.
    pub status: Option<i64>,
    /// Where.
    pub port: Option<i64>,
    /// How often.
    pub interval: Option<IntOrString>,
    /// How often while it fails.
    pub unhealthy_interval: Option<IntOrString>,
    /// How long an answer may take.
    pub timeout: Option<IntOrString>,
    /// The Host that is asked for.
    pub hostname: Option<String>,
    /// Whether redirections are followed.
    pub follow_redirects: Option<bool>,
    /// Further headers.
    pub headers: Option<std::collections::BTreeMap<String, String>>,
}

/// When endpoints are left out by what became of requests.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PassiveHealthCheck {
    /// For how long failures count, and endpoints are left out.
    pub failure_window: Option<IntOrString>,
    /// So many.
    pub max_failed_attempts: Option<i64>,
}

/// The PROXY protocol to endpoints.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProxyProtocol {
    /// 1 or 2.
    pub version: Option<i64>,
}

/// `spec` of an IngressRouteTCP.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressRouteTcpSpec {
    /// Whose it is.
    pub ingress_class_name: Option<String>,
    /// Where its routes are.
    pub entry_points: Option<Vec<String>>,
    /// Its routes.
    pub routes: Option<Vec<TcpRoute>>,
    /// How TLS is held.
    pub tls: Option<RouteTls>,
}

/// One of `spec.routes` of an IngressRouteTCP.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TcpRoute {
    /// The rule.
    #[serde(rename = "match")]
    pub rule: Option<String>,
    /// Its number among others.
    pub priority: Option<i64>,
    /// `v3` or `v2`.
    pub syntax: Option<String>,
    /// Where its connections go.
    pub services: Option<Vec<LoadBalancer>>,
    /// What they pass.
    pub middlewares: Option<Vec<Reference>>,
}

/// `spec` of an IngressRouteUDP.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressRouteUdpSpec {
    /// Whose it is.
    pub ingress_class_name: Option<String>,
    /// Where its routes are.
    pub entry_points: Option<Vec<String>>,
    /// Its routes.
    pub routes: Option<Vec<UdpRoute>>,
}

/// One of `spec.routes` of an IngressRouteUDP.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UdpRoute {
    /// Where its datagrams go.
    pub services: Option<Vec<LoadBalancer>>,
}

/// `spec` of a TraefikService: one of these.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TraefikServiceSpec {
    /// Shares requests by weight.
    pub weighted: Option<Weighted>,
    /// Copies requests.
    pub mirroring: Option<Box<LoadBalancer>>,
    /// Chooses by the client's address.
    pub highest_random_weight: Option<HighestRandomWeight>,
    /// Has a second for when the first cannot.
    pub failover: Option<Failover>,
}

/// Shares requests by weight.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Weighted {
    /// Among these.
    pub services: Option<Vec<LoadBalancer>>,
    /// Who was here before goes the same way.
    pub sticky: Option<Sticky>,
}

/// Chooses by the client's address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HighestRandomWeight {
    /// Among these.
    pub services: Option<Vec<LoadBalancer>>,
}

/// Has a second for when the first cannot.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Failover {
    /// The first.
    pub service: Option<LoadBalancer>,
    /// The second.
    pub fallback: Option<LoadBalancer>,
    /// When it is asked besides.
    pub errors: Option<FailoverErrors>,
}

/// When the second of a failover is asked besides.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FailoverErrors {
    /// Statuses and ranges of them.
    pub status: Option<Vec<String>>,
    /// Largest body, in bytes, that is kept for asking again.
    pub max_request_body_bytes: Option<i64>,
}

/// `spec` of a ServersTransport.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServersTransportSpec {
    /// The name that must be in certificates.
    pub server_name: Option<String>,
    /// Whether nothing is verified.
    pub insecure_skip_verify: Option<bool>,
    /// Whom to believe.
    #[serde(rename = "rootCAs")]
    pub root_cas: Option<Vec<RootCa>>,
    /// The same, in its older form.
    #[serde(rename = "rootCAsSecrets")]
    pub root_cas_secrets: Option<Vec<String>>,
    /// What is shown when asked who we are.
    pub certificates_secrets: Option<Vec<String>>,
    /// Cipher suites.
    pub cipher_suites: Option<Vec<String>>,
    /// Lowest version.
    pub min_version: Option<String>,
    /// Highest version.
    pub max_version: Option<String>,
    /// Most idle connections per endpoint.
    pub max_idle_conns_per_host: Option<i64>,
    /// How long things may take.
    pub forwarding_timeouts: Option<ForwardingTimeouts>,
    /// Whether HTTP/2 is not spoken.
    #[serde(rename = "disableHTTP2")]
    pub disable_http2: Option<bool>,
    /// The URI that must be in certificates.
    #[serde(rename = "peerCertURI")]
    pub peer_cert_uri: Option<String>,
    /// Names that must be in certificates.
    #[serde(rename = "peerCertSANs")]
    pub peer_cert_sans: Option<Vec<Ignored>>,
    /// Identities of SPIFFE.
    pub spiffe: Option<Ignored>,
}

/// Whom to believe: one of these.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RootCa {
    /// A Secret.
    pub secret: Option<String>,
    /// A ConfigMap.
    pub config_map: Option<String>,
}

/// How long things may take towards an endpoint.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ForwardingTimeouts {
    /// Connecting.
    pub dial_timeout: Option<IntOrString>,
    /// Until an answer begins.
    pub response_header_timeout: Option<IntOrString>,
    /// For how long an idle connection is kept.
    pub idle_conn_timeout: Option<IntOrString>,
    /// After how long of silence HTTP/2 asks whether somebody is there.
    pub read_idle_timeout: Option<IntOrString>,
    /// How long the answer to that may take.
    pub ping_timeout: Option<IntOrString>,
}

/// `spec` of a ServersTransportTCP.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServersTransportTcpSpec {
    /// How often the kernel asks whether somebody is there.
    pub dial_keep_alive: Option<IntOrString>,
    /// How long connecting may take.
    pub dial_timeout: Option<IntOrString>,
    /// For how long one side may be open when the other is closed.
    pub termination_delay: Option<IntOrString>,
    /// The PROXY protocol.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// TLS to the endpoint.
    pub tls: Option<TcpClientTls>,
}

/// TLS to the endpoints of TCP routes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TcpClientTls {
    /// The name that must be in certificates.
    pub server_name: Option<String>,
    /// Whether nothing is verified.
    pub insecure_skip_verify: Option<bool>,
    /// Whom to believe.
    #[serde(rename = "rootCAs")]
    pub root_cas: Option<Vec<RootCa>>,
    /// The same, in its older form.
    #[serde(rename = "rootCAsSecrets")]
    pub root_cas_secrets: Option<Vec<String>>,
    /// What is shown when asked who we are.
    pub certificates_secrets: Option<Vec<String>>,
    /// The URI that must be in certificates.
    #[serde(rename = "peerCertURI")]
    pub peer_cert_uri: Option<String>,
    /// Names that must be in certificates.
    #[serde(rename = "peerCertSANs")]
    pub peer_cert_sans: Option<Vec<Ignored>>,
    /// Identities of SPIFFE.
    pub spiffe: Option<Ignored>,
}

/// `spec` of a TLSOption.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TlsOptionSpec {
    /// Lowest version.
    pub min_version: Option<String>,
    /// Highest version.
    pub max_version: Option<String>,
    /// Cipher suites.
    pub cipher_suites: Option<Vec<String>>,
    /// Key exchange groups.
    pub curve_preferences: Option<Vec<String>>,
    /// What clients must show.
    pub client_auth: Option<ClientAuth>,
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
pub struct ClientAuth {
    /// Who signs their certificates.
    pub secret_names: Option<Vec<String>>,
    /// What is done with them.
    pub client_auth_type: Option<String>,
}

/// `spec` of a TLSStore.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TlsStoreSpec {
    /// What is shown where nothing else is for a name.
    pub default_certificate: Option<StoredCertificate>,
    /// The same, asked for.
    pub default_generated_cert: Option<GeneratedCertificate>,
    /// Further certificates.
    pub certificates: Option<Vec<StoredCertificate>>,
}

/// A certificate in a Secret.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StoredCertificate {
    /// The Secret.
    pub secret_name: Option<String>,
}

/// A certificate that somebody is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GeneratedCertificate {
    /// Who is asked.
    pub resolver: Option<String>,
    /// For what.
    pub domain: Option<Domain>,
}
