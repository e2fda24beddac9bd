//! The page with made-up data, for working on it:
//! `cargo run -p steelyard-admin --example sample [empty]`, then open the printed address.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use steelyard_admin::{AdminOptions, LiveParts, Published, View, serve};

fn main() {
    let is_empty = std::env::args().any(|argument| argument == "empty");
    let metrics = Arc::new(|| "sample_up 1\n".to_owned());
    let requests = Arc::new(move || if is_empty { json!([]) } else { requests() });
    let published = Published::new(LiveParts { metrics, requests, ..LiveParts::default() });
    let admin = serve(&AdminOptions::default(), published.clone()).expect("the port is free");
    println!("http://{}/", admin.address());
    let started = now();
    for generation in 1.. {
        published.publish(if is_empty { View::default() } else { view(generation, started) });
        std::thread::sleep(Duration::from_secs(2));
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

fn requests() -> Value {
    let why = ["the endpoint does not take connections", "10.42.0.7:8080: Connection refused"];
    json!([{
        "id": "5b1f0c9e7a3d2468", "time": now(), "status": 502, "method": "GET",
        "host": "shop.example.com", "path": "/cart", "client": "192.168.1.20:51234",
        "entryPoint": "web", "router": "default-shop-0@ingress", "service": "default-shop-80@ingress",
        "endpoint": "10.42.0.7:8080", "retries": 1, "durationMs": 3.4, "why": why,
    }])
}

fn view(generation: u64, started: u64) -> View {
    let unready = if generation % 8 == 7 { vec![UNREADY.to_owned()] } else { Vec::new() };
    View {
        generation,
        unready: unready.into(),
        overview: json!({
            "version": "0.1.0", "node": "worker-1", "since": started, "privileges": "full",
            "vips": 4, "routes": 6, "endpoints": { "ready": 9, "total": 11 },
            "diagnostics": { "error": 1, "warning": 1, "info": 2 },
            "entryPoints": [
                { "name": "web", "addresses": ["10.1.1.100:80", "[fd00:1::100]:80"] },
                { "name": "websecure", "addresses": ["10.1.1.100:443"] },
            ],
        })
        .into(),
        services: services().into(),
        announcements: json!([
            layer2("10.1.1.100", "traefik/traefik", Some("worker-1"), &["worker-2", "worker-3"]),
            layer2("fd00:1::100", "traefik/traefik", Some("worker-1"), &["worker-2"]),
            layer2("10.1.1.101", "default/nginx-service", Some("worker-3"), &["worker-1"]),
            layer2("10.1.1.102", "data/postgres-external", None, &[]),
        ])
        .into(),
        routes: routes().into(),
        events: events(generation).into(),
        diagnostics: diagnostics().into(),
        ..View::default()
    }
}

const UNREADY: &str = "10.1.1.102 is not announced: no interface has a subnet that holds it";

fn layer2(address: &str, service: &str, owner: Option<&str>, standbys: &[&str]) -> Value {
    let state = owner.is_none().then_some("conflict: 52:54:00:12:34:56 has it");
    json!({ "address": address, "service": service, "protocol": "layer2", "owner": owner,
            "standbys": standbys, "interfaces": [], "peers": [], "state": state })
}

fn services() -> Value {
    let assigned =
        |message: &str| json!([{ "type": "Normal", "reason": "IPAllocated", "message": message }]);
    json!([
        { "namespace": "traefik", "name": "traefik", "addresses": ["10.1.1.100", "fd00:1::100"],
          "pool": "homelab-pool", "servedBy": "gateway",
          "events": assigned("Assigned IP [\"10.1.1.100\" \"fd00:1::100\"]"), "ports": [] },
        { "namespace": "default", "name": "nginx-service", "addresses": ["10.1.1.101"],
          "pool": "homelab-pool", "servedBy": "forward",
          "events": assigned("Assigned IP [\"10.1.1.101\"]"),
          "why": ["kept 10.1.1.101 of homelab-pool, held since the last start",
                  "worker-3 answers: it has the fewest addresses of 3 eligible nodes"],
          "ports": [port(80, &[("10.244.1.7:80", "ready", "worker-1"),
              ("10.244.2.9:80", "ready", "worker-2"), ("10.244.3.4:80", "terminating", "worker-3")])] },
        { "namespace": "data", "name": "postgres-external", "addresses": ["10.1.1.102"],
          "pool": "homelab-pool", "servedBy": "forward",
          "events": assigned("Assigned IP [\"10.1.1.102\"]"),
          "ports": [port(5432, &[("10.244.2.20:5432", "notReady", "worker-2")])] },
        { "namespace": "monitoring", "name": "prometheus-server-with-a-rather-long-name",
          "addresses": [], "pool": null, "servedBy": null,
          "events": [{ "type": "Warning", "reason": "AllocationFailed",
                       "message": "Failed to allocate IP for \"monitoring/prometheus-server\": no \
                                   available IPs" }], "ports": [] },
        { "namespace": "default", "name": "api-service", "addresses": [], "pool": null,
          "servedBy": null, "events": [],
          "ports": [port(8080, &[("10.244.1.11:8080", "ready", "worker-1"),
                                 ("10.244.2.12:8080", "ready", "worker-2")])] },
    ])
}

fn port(number: u16, endpoints: &[(&str, &str, &str)]) -> Value {
    let endpoint = |(address, state, node): &(&str, &str, &str)| json!({ "address": address, "state": state, "node": node });
    let reached = json!([{ "at": format!("10.1.1.101:{number}"), "how": "nftables, 3 endpoints" }]);
    json!({ "name": null, "protocol": "TCP", "port": number, "reached": reached,
            "endpoints": endpoints.iter().map(endpoint).collect::<Vec<_>>() })
}

fn routes() -> Value {
    let route = |rule: &str, source: &str, service: &str, endpoints: &[&str]| {
        json!({ "name": "r", "source": source, "kind": "http", "entryPoints": ["web"],
                "rule": rule, "priority": rule.len(), "filters": [], "tls": null,
                "backends": [{ "service": service, "weight": 1, "endpoints": endpoints }] })
    };
    json!([
        route(
            "Host(`grafana.homelab.local`) && PathPrefix(`/`)",
            "Ingress/default/multi-host-ingress",
            "default/grafana:3000",
            &["10.244.1.5:3000"]
        ),
        route(
            "Host(`prometheus.homelab.local`) && PathPrefix(`/`)",
            "Ingress/default/multi-host-ingress",
            "default/prometheus:9090",
            &[]
        ),
        route(
            "Host(`test.homelab.local`) && PathPrefix(`/`)",
            "Ingress/default/test-app",
            "default/test-app:80",
            &["10.244.1.8:80", "10.244.3.8:80"]
        ),
        route(
            "Host(`shop.homelab.local`) && Path(`/<script>alert(1)</script>`)",
            "Ingress/default/shop",
            "default/nginx-service:80",
            &["10.244.1.7:80", "10.244.2.9:80"]
        ),
        route(
            "PathPrefix(`/api`)",
            "Ingress/default/path-based-ingress",
            "default/api-service:8080",
            &["10.244.1.11:8080", "10.244.2.12:8080"]
        ),
        route(
            "HostRegexp(`^[^.]+\\.apps\\.homelab\\.local$`) && PathPrefix(`/`)",
            "Ingress/default/wildcard",
            "default/web-service:80",
            &["10.244.2.3:80"]
        ),
    ])
}

fn events(generation: u64) -> Value {
    let event = |ago: u64, kind: &str, reason: &str, object: &str, message: &str| {
        json!({ "time": now() - ago, "type": kind, "reason": reason, "object": object,
                "message": message })
    };
    json!([
        event(1, "Normal", "Published", "Instance/worker-1", &format!("generation {generation}")),
        event(40, "Normal", "Announced", "Service/traefik/traefik", "10.1.1.100 on eth0"),
        event(
            300,
            "Warning",
            "AddressConflict",
            "Service/data/postgres-external",
            "52:54:00:12:34:56 answers for 10.1.1.102 on eth0"
        ),
        event(
            8000,
            "Normal",
            "IPAllocated",
            "Service/default/nginx-service",
            "Assigned IP [\"10.1.1.101\"]"
        ),
    ])
}

fn diagnostics() -> Value {
    let finding = |severity: &str,
                   code: &str,
                   object: &str,
                   path: &str,
                   place: (&str, u32),
                   message: &str,
                   help: &str| {
        json!({ "severity": severity, "code": code, "object": object, "path": path,
                "file": place.0, "line": place.1, "column": 5, "message": message, "help": help })
    };
    json!([
        finding(
            "info",
            "gateway-inferred",
            "Service/traefik/traefik",
            "spec.selector",
            ("homelab/traefik-service.yaml", 9),
            "nothing in the input can be this Service's endpoint, so the gateway serves it",
            "pin it with the annotation steelyard.dev/gateway: \"true\""
        ),
        finding(
            "error",
            "pool-exhausted",
            "Service/monitoring/prometheus-server-with-a-rather-long-name",
            "spec",
            ("homelab/monitoring/prometheus.yaml", 112),
            "no pool has a free address: homelab-pool is for the namespaces default, traefik",
            "add monitoring to spec.serviceAllocation.namespaces of IPAddressPool homelab-pool"
        ),
        finding(
            "warning",
            "unknown-field",
            "Ingress/default/shop",
            "spec.rules[0].http.paths[0].pathtype",
            ("homelab/shop.yaml", 14),
            "unknown field `pathtype`",
            "did you mean `pathType`?"
        ),
        finding(
            "info",
            "kind-ignored",
            "PodDisruptionBudget/default/web",
            "",
            ("homelab/apps.yaml", 80),
            "this kind is not used",
            "nothing to do"
        ),
    ])
}
