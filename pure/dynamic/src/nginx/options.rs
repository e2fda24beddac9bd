//! Options of the provider, with Traefik's own defaults.

use std::collections::BTreeSet;

use serde_json::Value;

/// `providers.kubernetesIngressNGINX`: sizes are in bytes, times in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxProviderOptions {
    /// Objects of other namespaces are not there; empty is all (`watchNamespace`).
    pub namespaces: BTreeSet<String>,
    /// Labels of namespaces that are looked at; none is all (`watchNamespaceSelector`).
    pub labels: Vec<(String, String)>,
    /// The class that Ingresses name in their annotation.
    pub ingress_class: String,
    /// Who serves IngressClasses that count.
    pub controller_class: String,
    /// Whether Ingresses without a class are served.
    pub serves_without_class: bool,
    /// Whether an IngressClass counts by its name as well.
    pub class_by_name: bool,
    /// Who answers for hosts that nobody has: namespace and name of a Service.
    pub default_backend: Option<(String, String)>,
    /// Whether Services that stand for names elsewhere are none.
    pub without_external_names: bool,
    /// Who is asked about requests where no Ingress names another.
    pub global_auth_url: String,
    /// Entry points without TLS.
    pub plain_entry_points: Vec<String>,
    /// Entry points with it.
    pub secure_entry_points: Vec<String>,
    /// `ipStrategy` of allow lists; null is none.
    pub ip_strategy: Value,
    /// Whether bodies of requests are read before they are passed on.
    pub buffers_requests: bool,
    /// Of a body of a request, what is held in memory.
    pub client_body_buffer: i64,
    /// The largest body of a request; zero is any.
    pub body_size: i64,
    /// Whether bodies of responses are.
    pub buffers_responses: bool,
    /// The size of one buffer for responses.
    pub buffer_size: i64,
    /// How many of them there are.
    pub buffers: i64,
    /// Until a connection stands.
    pub connect_timeout: i64,
    /// Between two reads.
    pub read_timeout: i64,
    /// Between two writes.
    pub send_timeout: i64,
    /// Until a connection that nobody uses is closed.
    pub keepalive_timeout: i64,
    /// After what another server is asked.
    pub next_upstream: String,
    /// How many are, at most; zero is all.
    pub next_upstream_tries: i64,
    /// For how long; zero is for ever.
    pub next_upstream_timeout: i64,
    /// Statuses for which the default backend has pages.
    pub custom_http_errors: Vec<String>,
    /// Whether what is named may be in other namespaces.
    pub allows_cross_namespace: bool,
    /// Headers that `custom-headers` may set.
    pub allowed_headers: Vec<String>,
    /// Whether snippets are taken.
    pub allows_snippets: bool,
    /// Whether an Ingress is none where a path is not literal and its type says it is.
    pub validates_paths: bool,
}

impl Default for NginxProviderOptions {
    fn default() -> Self {
        Self {
            namespaces: BTreeSet::new(),
            labels: Vec::new(),
            ingress_class: "nginx".to_owned(),
            controller_class: "k8s.io/ingress-nginx".to_owned(),
            serves_without_class: false,
            class_by_name: false,
            default_backend: None,
            without_external_names: false,
            global_auth_url: String::new(),
            plain_entry_points: Vec::new(),
            secure_entry_points: Vec::new(),
            ip_strategy: Value::Null,
            buffers_requests: false,
            client_body_buffer: 16 << 10,
            body_size: 1 << 20,
            buffers_responses: false,
            buffer_size: 8 << 10,
            buffers: 4,
            connect_timeout: 60,
            read_timeout: 60,
            send_timeout: 60,
            keepalive_timeout: 60,
            next_upstream: "error timeout".to_owned(),
            next_upstream_tries: 3,
            next_upstream_timeout: 0,
            custom_http_errors: Vec::new(),
            allows_cross_namespace: false,
            allowed_headers: Vec::new(),
            allows_snippets: false,
            validates_paths: true,
        }
    }
}

impl NginxProviderOptions {
    /// Namespace and name of `namespace/name`, which is how a Service is named in options.
    pub fn service(text: &str) -> Option<(String, String)> {
        let (namespace, name) = text.split_once('/').filter(|(_, name)| !name.contains('/'))?;
        Some((namespace.to_owned(), name.to_owned()))
    }
}
