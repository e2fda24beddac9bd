//! Single functions of Traefik's, by what they come to in the configuration that is made of objects
//! which ask for them.

use serde_json::{Map, Value, json};
use steelyard_dynamic::{DynamicOptions, dynamic};
use steelyard_manifest::{ReadLimits, Source, load_unnamed};
use steelyard_model::ProviderOptions;

use super::Case;

/// Whether a function comes to what is expected of it.
pub(crate) fn of(case: &Case) -> Vec<String> {
    let (input, expected) = (&case.content["input"], &case.content["expected"]);
    let wrong = match case.content["function"].as_str().unwrap_or_default() {
        "crossProviderNamespaceAllowed" => may_name(input, expected),
        "servicePort" => port(input, expected),
        "serviceScheme" => scheme(input, expected),
        "ingressCertificates" => certificates(input, expected),
        "routerAnnotations" => router(input, expected),
        "serviceAnnotations" => service(input, expected),
        other => Some(format!("nobody knows {other}")),
    };
    wrong.into_iter().collect()
}

fn may_name(input: &Value, expected: &Value) -> Option<String> {
    let namespaces = input["crossProviderNamespaces"].as_array()?.iter();
    let namespaces = namespaces.filter_map(Value::as_str).map(str::to_owned).collect();
    let options = ProviderOptions {
        cross_provider_namespaces: Some(namespaces),
        ..ProviderOptions::default()
    };
    differs(&json!(options.lets_provided(input["namespace"].as_str()?)), expected)
}

/// The port of a Service, by the server that a route to it has.
fn port(input: &Value, expected: &Value) -> Option<String> {
    let mut service = input["service"].clone();
    let is_external = service["spec"]["type"] == "ExternalName";
    service["spec"][if is_external { "externalName" } else { "clusterIP" }] = json!("10.0.0.1");
    let made = by_route(service, &json!({ "port": input["port"], "nativeLB": !is_external }));
    let number = made.and_then(|url| url.rsplit_once(':')?.1.parse::<u64>().ok());
    let wanted = expected["servicePort"]["port"].as_u64();
    (number != wanted).then(|| format!("port {number:?}, not {wanted:?}"))
}

/// A port without a number is none for a Service; the number says nothing but where it is 443.
fn scheme(input: &Value, expected: &Value) -> Option<String> {
    let number = &json!(input["portNumber"].as_u64().filter(|it| *it > 0).unwrap_or(80));
    let port = json!({ "name": input["portName"], "port": number });
    let service = json!({ "spec": { "clusterIP": "10.0.0.1", "ports": [port] } });
    let asked = json!({ "port": number, "scheme": input["scheme"], "nativeLB": true });
    let made = by_route(service, &asked);
    let scheme = made.as_deref().and_then(|url| url.split_once("://")).map(|(scheme, _)| scheme);
    differs(&json!(scheme), &expected["scheme"])
}

/// What is not whole is no certificate.
fn certificates(input: &Value, expected: &Value) -> Option<String> {
    let ingress = with_kind(&input["ingress"], "Ingress", "networking.k8s.io/v1");
    let secrets = input["secrets"].as_array()?.iter().map(|it| with_kind(it, "Secret", "v1"));
    let made = made([ingress].into_iter().chain(secrets));
    let shown = &made["tls"]["certificates"];
    // There they stand by the names of their Secrets.
    if let Some(wanted) = expected["certificates"].as_object() {
        return differs(shown, &wanted.values().cloned().collect());
    }
    shown.as_array().is_some_and(|all| !all.is_empty()).then(|| format!("shows {shown}"))
}

/// The matcher of paths stands in the rule, and has to be one: in the place of the case's own word
/// there stands one.
fn router(input: &Value, expected: &Value) -> Option<String> {
    let mut annotations = input["annotations"].clone();
    annotations["traefik.ingress.kubernetes.io/router.pathmatcher"] = json!("Path");
    let made = by_ingress(&annotations, &json!({}));
    let router = made["http"]["routers"].as_object().and_then(|all| all.values().next());
    let Some(router) = router else { return Some("no router is made".to_owned()) };
    let mut wanted = expected["router"].clone();
    wanted.as_object_mut()?.remove("pathMatcher")?;
    let wrong = differs(&without(&part_of(router, &wanted), "metadata"), &wanted);
    let is_used = router["rule"].as_str().is_some_and(|rule| rule.contains(r#"Path("/a")"#));
    wrong.or_else(|| (!is_used).then(|| format!("the matcher is not in {}", router["rule"])))
}

fn service(input: &Value, expected: &Value) -> Option<String> {
    let made = by_ingress(&json!({}), &input["annotations"]);
    let services = made["http"]["services"].as_object();
    let Some(service) = services.and_then(|all| all.values().next()) else {
        return Some("no service is made".to_owned());
    };
    let wanted = match &expected["service"] {
        Value::Null => json!({ "passHostHeader": true }),
        wanted => wanted.clone(),
    };
    // Middlewares are beside what balances; all else is within.
    let mut found = service["loadBalancer"].clone();
    if let Some(middlewares) = service.get("middlewares") {
        found["middlewares"] = middlewares.clone();
    }
    // How it is asked is seen by the one server there is.
    let url = found["servers"][0]["url"].as_str().unwrap_or_default().to_owned();
    let (scheme, at) = url.split_once("://").unwrap_or_default();
    let host = at.rsplit_once(':').map_or(at, |(host, _)| host);
    found["serversScheme"] = json!(scheme);
    found["nativeLB"] = json!(host == OWN_ADDRESS);
    found["nodePortLB"] = json!(host == OF_NODE);
    differs(&part_of(&found, &wanted), &wanted)
}

/// Where the Service, its endpoint and its node are.
const OWN_ADDRESS: &str = "10.0.0.1";
const OF_ENDPOINT: &str = "10.1.0.1";
const OF_NODE: &str = "10.2.0.1";

/// The server of a route's only Service.
fn by_route(mut service: Value, asked: &Value) -> Option<String> {
    service["metadata"] = json!({ "name": "s", "namespace": "default" });
    let mut asked = asked.clone();
    asked["name"] = json!("s");
    let route = json!({
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "IngressRoute",
        "metadata": { "name": "r", "namespace": "default" },
        "spec": { "routes": [{ "match": "Host(`a`)", "services": [asked] }] },
    });
    let made = made([with_kind(&service, "Service", "v1"), route].into_iter());
    let service = made["http"]["services"].as_object()?.values().next()?;
    Some(service["loadBalancer"]["servers"][0]["url"].as_str()?.to_owned())
}

fn by_ingress(of_router: &Value, of_service: &Value) -> Value {
    let metadata = |annotations: &Value| json!({ "name": "a", "namespace": "default", "annotations": annotations });
    let backend = json!({ "service": { "name": "a", "port": { "number": 80 } } });
    let path = json!({ "path": "/a", "pathType": "ImplementationSpecific", "backend": backend });
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata(of_router),
        "spec": { "rules": [{ "host": "a.b", "http": { "paths": [path] } }] },
    });
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(of_service),
        "spec": {
            "type": "NodePort",
            "clusterIP": OWN_ADDRESS,
            "ports": [{ "port": 80, "nodePort": 30080 }],
        },
    });
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "a-0",
            "namespace": "default",
            "labels": { "kubernetes.io/service-name": "a" },
        },
        "addressType": "IPv4",
        "endpoints": [{ "addresses": [OF_ENDPOINT], "conditions": { "ready": true } }],
        "ports": [{ "port": 80 }],
    });
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": "n" },
        "status": { "addresses": [{ "type": "InternalIP", "address": OF_NODE }] },
    });
    made([ingress, service, slice, node].into_iter())
}

/// What the providers make of objects, also of Services that nobody answers for.
fn made(objects: impl Iterator<Item = Value>) -> Value {
    let text: Vec<String> = objects.map(|it| it.to_string()).collect();
    let source = Source::new("case.yaml", text.join("\n---\n").into_bytes());
    let own = ProviderOptions {
        allow_external_name_services: Some(true),
        allow_empty_services: true,
        ..ProviderOptions::default()
    };
    let options = DynamicOptions { crd: own.clone(), ingress: own, ..DynamicOptions::default() };
    dynamic(&load_unnamed(&source, &ReadLimits::default()), &options)
}

fn with_kind(object: &Value, kind: &str, version: &str) -> Value {
    let mut object = object.clone();
    (object["kind"], object["apiVersion"]) = (json!(kind), json!(version));
    object
}

/// Of `made` only what `wanted` speaks of.
fn part_of(made: &Value, wanted: &Value) -> Value {
    let keys = wanted.as_object().into_iter().flatten().map(|(key, _)| key);
    let parts = keys.map(|key| (key.clone(), made.get(key).cloned().unwrap_or_default()));
    Value::Object(parts.collect::<Map<_, _>>())
}

fn without(made: &Value, key: &str) -> Value {
    let Value::Object(map) = made else { return made.clone() };
    let kept = map.iter().filter(|(name, _)| *name != key);
    Value::Object(kept.map(|(name, value)| (name.clone(), without(value, key))).collect())
}

fn differs(made: &Value, expected: &Value) -> Option<String> {
    (made != expected).then(|| format!("expected {expected}, made {made}"))
}
