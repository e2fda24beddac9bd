//! Traefik's provider of class nginx: its options, and single functions by what they come to in
//! the configuration that is made of objects which ask for them.

use serde_json::{Value, json};
use steelyard_dynamic::{DynamicOptions, NginxProviderOptions, dynamic};
use steelyard_manifest::{ReadLimits, Source, load_unnamed};

use super::Case;

/// The options of a case; what it does not say is as with Traefik.
pub(crate) fn options(said: &Value) -> NginxProviderOptions {
    let usual = NginxProviderOptions::default();
    let text = |name: &str, usual: &str| said[name].as_str().unwrap_or(usual).to_owned();
    let is = |name: &str, usual: bool| said[name].as_bool().unwrap_or(usual);
    let number = |name: &str, usual: i64| said[name].as_i64().unwrap_or(usual);
    let list = |name: &str| -> Option<Vec<String>> {
        let all = said[name].as_array()?.iter().filter_map(Value::as_str);
        Some(all.map(str::to_owned).collect())
    };
    let namespace = said["watchNamespace"].as_str().map(str::to_owned);
    NginxProviderOptions {
        namespaces: namespace.into_iter().collect(),
        labels: labels(said["watchNamespaceSelector"].as_str().unwrap_or_default()),
        ingress_class: text("ingressClass", &usual.ingress_class),
        controller_class: text("controllerClass", &usual.controller_class),
        serves_without_class: is("watchIngressWithoutClass", false),
        class_by_name: is("ingressClassByName", false),
        default_backend: said["defaultBackendService"]
            .as_str()
            .and_then(NginxProviderOptions::service),
        without_external_names: is("disableSvcExternalName", false),
        global_auth_url: text("globalAuthURL", ""),
        plain_entry_points: list("nonTLSEntryPoints").unwrap_or_else(|| vec!["http".to_owned()]),
        secure_entry_points: list("tlsEntryPoints").unwrap_or_else(|| vec!["https".to_owned()]),
        ip_strategy: said["ipAllowListStrategy"].clone(),
        buffers_requests: is("proxyRequestBuffering", false),
        client_body_buffer: number("clientBodyBufferSize", usual.client_body_buffer),
        body_size: number("proxyBodySize", usual.body_size),
        buffers_responses: is("proxyBuffering", false),
        buffer_size: number("proxyBufferSize", usual.buffer_size),
        buffers: number("proxyBuffersNumber", usual.buffers),
        connect_timeout: number("proxyConnectTimeout", usual.connect_timeout),
        read_timeout: number("proxyReadTimeout", usual.read_timeout),
        send_timeout: number("proxySendTimeout", usual.send_timeout),
        keepalive_timeout: number("upstreamKeepaliveTimeout", usual.keepalive_timeout),
        next_upstream: text("proxyNextUpstream", &usual.next_upstream),
        next_upstream_tries: number("proxyNextUpstreamTries", usual.next_upstream_tries),
        next_upstream_timeout: number("proxyNextUpstreamTimeout", usual.next_upstream_timeout),
        custom_http_errors: list("customHTTPErrors").unwrap_or_default(),
        allows_cross_namespace: is("allowCrossNamespaceResources", false),
        allowed_headers: list("globalAllowedResponseHeaders").unwrap_or_default(),
        allows_snippets: is("allowSnippetAnnotations", false),
        validates_paths: is("strictValidatePathType", usual.validates_paths),
    }
}

/// `a=b,c=d`.
fn labels(text: &str) -> Vec<(String, String)> {
    let parts = text.split(',').filter_map(|part| part.split_once('='));
    parts.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect()
}

/// Whether a function comes to what is expected of it.
pub(crate) fn of_functions(case: &Case) -> Vec<String> {
    let (input, expected) = (&case.content["input"], &case.content["expected"]);
    let text = |name: &str| input[name].as_str().unwrap_or_default();
    let (made, wanted) = match case.content["function"].as_str().unwrap_or_default() {
        "sizeToBytes" => (bytes(text("value")), expected["bytes"].clone()),
        "validHeaderName" => (json!(is_set(text("name"), "x", text("name"))), expected.clone()),
        "validHeaderValue" => (json!(is_set("X-A", text("value"), "X-A")), expected.clone()),
        "validateOptions" => return of_options(input, expected),
        other => (Value::Null, json!(format!("nobody knows {other}"))),
    };
    if made == wanted { Vec::new() } else { vec![format!("expected {wanted}, made {made}")] }
}

/// A size, by the largest body that is taken; null where it is none.
fn bytes(size: &str) -> Value {
    let options =
        NginxProviderOptions { buffers_requests: true, ..NginxProviderOptions::default() };
    let usual = options.body_size;
    let made = made(options, &json!({ "proxy-body-size": size }), &json!({}));
    let middlewares = &made["http"]["middlewares"];
    let largest = &middlewares["n-i-rule-0-path-0-buffering@kubernetesingressnginx"]["buffering"]["maxRequestBodyBytes"];
    if *largest == json!(usual) { Value::Null } else { largest.clone() }
}

/// Whether a header is set where it is let; else nobody is led on.
fn is_set(name: &str, value: &str, allowed: &str) -> bool {
    let options = NginxProviderOptions {
        allowed_headers: vec![allowed.to_owned()],
        ..NginxProviderOptions::default()
    };
    let made = made(options, &json!({ "custom-headers": "n/c" }), &json!({ name: value }));
    let middlewares = &made["http"]["middlewares"];
    let set = &middlewares["n-i-rule-0-path-0-custom-headers@kubernetesingressnginx"]["headers"]["customResponseHeaders"];
    let router = &made["http"]["routers"]["n-i-rule-0-path-0@kubernetesingressnginx"];
    assert_eq!(router["service"] == "unavailable-service", set.is_null(), "{made}");
    !set.is_null()
}

/// A Service that is named has to be whole, and headers that none may have are not let.
fn of_options(input: &Value, expected: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let named = input["defaultBackendService"].as_str();
    let found = named.map(NginxProviderOptions::service);
    if (found == Some(None)) != (expected["error"] == true) {
        wrong.push(format!("{named:?} comes to {found:?}"));
    }
    if let Some(Some((namespace, name))) = found {
        let made = json!({ "namespace": namespace, "name": name });
        if made != expected["defaultBackend"] {
            wrong.push(format!("expected {}, made {made}", expected["defaultBackend"]));
        }
    }
    let let_in = &expected["globalAllowedResponseHeaders"];
    for header in input["globalAllowedResponseHeaders"].as_array().into_iter().flatten() {
        let is_let = let_in.as_array().is_some_and(|all| all.contains(header));
        let name = header.as_str().unwrap_or_default();
        if is_set(name, "x", name) != is_let {
            wrong.push(format!("{header} should be let: {is_let}"));
        }
    }
    wrong
}

/// What is made of one Ingress with these annotations, whose ConfigMap has this.
fn made(nginx: NginxProviderOptions, asked: &Value, headers: &Value) -> Value {
    let asked = asked.as_object().into_iter().flatten();
    let asked: serde_json::Map<String, Value> = asked
        .map(|(name, value)| (format!("nginx.ingress.kubernetes.io/{name}"), value.clone()))
        .chain([("kubernetes.io/ingress.class".to_owned(), json!("nginx"))])
        .collect();
    let metadata = json!({ "name": "i", "namespace": "n", "annotations": asked });
    let backend = json!({ "service": { "name": "s", "port": { "number": 80 } } });
    let path = json!({ "path": "/", "pathType": "Prefix", "backend": backend });
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata,
        "spec": { "rules": [{ "host": "a.b", "http": { "paths": [path] } }] },
    });
    let map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "c", "namespace": "n" },
        "data": headers,
    });
    let source = Source::new("case.yaml", format!("{ingress}\n---\n{map}").into_bytes());
    let options = DynamicOptions { nginx, ..DynamicOptions::default() };
    dynamic(&load_unnamed(&source, &ReadLimits::default()), &options)
}
