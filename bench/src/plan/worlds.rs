//! Worlds to plan, as the YAML of many files.

use std::net::SocketAddr;

use steelyard_manifest::{Loaded, ReadLimits, Source, load};

/// What the addresses are announced by.
const ADVERTISEMENT: &str = "---\napiVersion: metallb.io/v1beta1\nkind: L2Advertisement\n\
                             metadata: {name: all, namespace: metallb-system}\n";

/// A pool `name` with `addresses`; `spec` goes on after them.
pub(super) fn pool(name: &str, addresses: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: metallb.io/v1beta1\nkind: IPAddressPool\n\
         metadata: {{name: {name}, namespace: metallb-system}}\n\
         spec: {{addresses: [{addresses}]{spec}}}\n"
    )
}

/// The `n`th Service, with an endpoint; `port` is what an edit changes.
pub(super) fn service(n: usize, port: u16) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: app-{n:05}\n  \
         namespace: team-{}\n  labels: {{app.kubernetes.io/name: app-{n:05}, pool: p{}}}\n  \
         annotations:\n    steelyard.dev/endpoints: 10.{}.{}.{}:8080\nspec:\n  \
         type: LoadBalancer\n  selector: {{app.kubernetes.io/name: app-{n:05}}}\n  ports:\n  \
         - {{name: http, port: {port}, targetPort: 8080}}\n",
        n % 20,
        n % 1_000,
        200 + n / 62_500,
        n / 250 % 250,
        n % 250 + 1
    )
}

/// How many endpoints [`routed`] can tell apart.
const REPLICAS: u16 = 200;

/// The `n`th Service with a route from a host of its own and an endpoint by EndpointSlice; `path`
/// and `replica` are what edits change, and `spec` is the Service's.
pub(super) fn routed(n: usize, path: &str, replica: u16, spec: &str) -> String {
    let port = 8_000 + replica % REPLICAS;
    with_route(n, spec, port, &format!("app-{n:05}.example"), path, &format!("app-{n:05}"))
}

/// The same with a route from `host` to a Service of [`live`].
pub(super) fn led_to_live(n: usize, host: &str) -> String {
    with_route(n, CLUSTER_IP, 8_080, host, "/", "live")
}

/// A Service `live` at `endpoint` in each namespace.
pub(crate) fn live(endpoint: SocketAddr) -> String {
    let one = |n: usize| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: live, namespace: team-{n}, \
             annotations: {{steelyard.dev/endpoints: '{endpoint}'}}}}\nspec:\n  \
             ports: [{{name: http, port: 80}}]\n"
        )
    };
    (0..20).map(one).collect()
}

fn with_route(n: usize, spec: &str, port: u16, host: &str, path: &str, backend: &str) -> String {
    let (name, namespace) = (name(n), namespace(n));
    let address = format!("10.{}.{}.{}", 200 + n / 62_500, n / 250 % 250, n % 250 + 1);
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}, \
         labels: {{app.kubernetes.io/name: {name}}}}}\nspec:\n  {spec}\n  \
         selector: {{app.kubernetes.io/name: {name}}}\n  ports:\n  \
         - {{name: http, port: 80, targetPort: 8080}}\n\
         ---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {name}-1, \
         namespace: {namespace}, labels: {{kubernetes.io/service-name: {name}}}}}\n\
         addressType: IPv4\nports: [{{name: http, port: {port}}}]\n\
         endpoints: [{{addresses: [{address}], nodeName: n1, conditions: {{ready: true}}}}]\n\
         {}",
        led_from(n, host, path, backend)
    )
}

/// The `n`th Ingress alone, from `host` to a Service of [`live`].
pub(crate) fn ingress(n: usize, host: &str, path: &str) -> String {
    led_from(n, host, path, "live")
}

/// What an Ingress of class `nginx` may well say: 20 annotations.
const ANNOTATIONS: [(&str, &str); 20] = [
    ("affinity", "cookie"),
    ("auth-response-headers", "X-User, X-Groups"),
    ("auth-signin", "https://auth.example/start?rd=$escaped_request_uri"),
    ("auth-url", "https://auth.example/verify"),
    ("backend-protocol", "HTTP"),
    ("cors-allow-methods", "GET, POST, OPTIONS"),
    ("cors-allow-origin", "https://app.example, https://*.app.example"),
    ("enable-cors", "true"),
    ("force-ssl-redirect", "true"),
    ("limit-connections", "20"),
    ("limit-rps", "10"),
    ("proxy-body-size", "8m"),
    ("proxy-buffering", "off"),
    ("proxy-connect-timeout", "10"),
    ("proxy-next-upstream", "error timeout http_502"),
    ("proxy-read-timeout", "3600"),
    ("proxy-send-timeout", "3600"),
    ("rewrite-target", "/$2"),
    ("session-cookie-name", "route"),
    ("whitelist-source-range", "10.0.0.0/8,192.168.0.0/16"),
];

/// The `n`th Ingress alone, in words of ingress-nginx.
pub(crate) fn annotated(n: usize, host: &str) -> String {
    let (name, namespace) = (name(n), namespace(n));
    let lines = ANNOTATIONS
        .map(|(key, value)| format!("    nginx.ingress.kubernetes.io/{key}: \"{value}\"\n"));
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {name}\n  \
         namespace: {namespace}\n  annotations:\n{}spec:\n  ingressClassName: nginx\n  rules:\n  \
         - host: {host}\n    http:\n      paths:\n      - {{path: '/app(/|$)(.*)', pathType: \
         ImplementationSpecific, backend: {{service: {{name: live, port: {{number: 80}}}}}}}}\n",
        lines.concat()
    )
}

/// The `n`th IngressRoute alone, to a Service of [`live`].
pub(crate) fn ingress_route(n: usize, rule: &str) -> String {
    let (name, namespace) = (name(n), namespace(n));
    format!(
        "---\napiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {{name: {name}, \
         namespace: {namespace}}}\nspec:\n  entryPoints: [web]\n  routes:\n  \
         - match: {rule}\n    kind: Rule\n    services: [{{name: live, port: 80}}]\n"
    )
}

fn led_from(n: usize, host: &str, path: &str, backend: &str) -> String {
    let (name, namespace) = (name(n), namespace(n));
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}, \
         namespace: {namespace}}}\nspec:\n  rules:\n  - host: {host}\n    http:\n      \
         paths:\n      - {{path: {path}, pathType: Prefix, backend: {{service: {{name: {backend}, \
         port: {{number: 80}}}}}}}}\n"
    )
}

fn name(n: usize) -> String {
    format!("app-{n:05}")
}

fn namespace(n: usize) -> String {
    format!("team-{}", n % 20)
}

/// A pool and `count` Services, one a file; the first half of them have a route.
pub(super) fn half_routed(pool: &str, count: usize) -> Vec<Source> {
    let mut files = vec![source("pools.yaml", &(pool.to_owned() + ADVERTISEMENT))];
    files.extend((0..count).map(|n| {
        let text = match n < count / 2 {
            true => routed(n, "/", 80, LOAD_BALANCER),
            false => service(n, 80),
        };
        source(&format!("apps-{n:05}.yaml"), &text)
    }));
    files
}

/// A Service as it should be, one without an address of its own, and one that no API server takes.
pub(super) const LOAD_BALANCER: &str = "type: LoadBalancer";
pub(super) const CLUSTER_IP: &str = "type: ClusterIP";
pub(super) const MISTAKEN: &str = "type: LoadBalancr";

/// A pool per line of ten addresses each, 1,000 in all; `spec` makes the rest of the `n`th.
pub(super) fn thousand_pools(spec: impl Fn(usize) -> String) -> String {
    let one = |n: usize| {
        let start = n * 16;
        let (third, fourth) = (start / 256, start % 256);
        let addresses = format!("10.0.{third}.{fourth}-10.0.{third}.{}", fourth + 15);
        pool(&format!("p{n}"), &addresses, &spec(n))
    };
    (0..1_000).map(one).collect()
}

/// `pools` and `count` Services as files, `in_a_file` Services each.
pub(super) fn sources(pools: &str, count: usize, in_a_file: usize) -> Vec<Source> {
    let mut files = vec![source("pools.yaml", &(pools.to_owned() + ADVERTISEMENT))];
    for first in (0..count).step_by(in_a_file) {
        let text: String = (first..count.min(first + in_a_file)).map(|n| service(n, 80)).collect();
        files.push(source(&format!("apps-{first:05}.yaml"), &text));
    }
    files
}

/// A file.
pub(crate) fn source(name: &str, text: &str) -> Source {
    Source::new(name, text.as_bytes())
}

/// The files parsed.
pub(crate) fn loaded(sources: &[Source]) -> Vec<Loaded> {
    sources.iter().map(|source| load(source, &ReadLimits::default())).collect()
}
