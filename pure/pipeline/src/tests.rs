//! Manifests through the real loader and dialects, joined.

use std::path::Path;

use steelyard_model::routing::route::Route;
use steelyard_model::{Endpoint, ServedBy, Snapshot};
use steelyard_testbed::manifests::items;

use steelyard_model::routing::entry_point::EntryPoint;

use crate::{ResolveOptions, resolve};

mod asked;
mod bgp;
mod copied;
mod endpoints;
mod gateway;
mod golden;
mod order;
mod own;
mod pools;
mod ranks;
mod routes;
mod streams;
mod who_is_asked;
mod who_may_pass;
mod whose_state;

fn joined(yaml: &str) -> Snapshot {
    let snapshot = resolve(&items(yaml), &ResolveOptions::default());
    for diagnostic in &snapshot.diagnostics {
        assert!(!diagnostic.help.is_empty(), "{diagnostic:?}");
    }
    snapshot
}

/// `severity code object path` of each finding, in order.
fn findings(snapshot: &Snapshot) -> Vec<String> {
    let line = |d: &steelyard_model::Diagnostic| {
        let object = d.object.as_ref().expect("findings of the join have an object");
        format!("{} {} {object} {}", d.severity, d.code, d.path).trim_end().to_owned()
    };
    snapshot.diagnostics.iter().map(line).collect()
}

/// What is told first.
fn first(snapshot: &Snapshot) -> &steelyard_model::Diagnostic {
    snapshot.diagnostics.iter().next().expect("there is something to tell")
}

/// Message and help of the only finding with `code`.
fn words(snapshot: &Snapshot, code: &str) -> String {
    let mut found = snapshot.diagnostics.iter().filter(|d| d.code.as_str() == code);
    let first = found.next().unwrap_or_else(|| panic!("no {code}: {:?}", snapshot.diagnostics));
    assert!(found.next().is_none(), "{code} twice");
    format!("{} | {}", first.message, first.help)
}

/// Routes in the order they are tried.
fn routes(snapshot: &Snapshot) -> Vec<&Route> {
    snapshot.routing.in_order().into_iter().map(|route| &**route).collect()
}

/// Service ports that a route leads to.
fn backends(snapshot: &Snapshot, route: &Route) -> Vec<String> {
    let ends = snapshot.routing.ends(route).into_iter();
    let named = ends.filter_map(|end| end.node.service.clone());
    named.map(|(service, port)| format!("{service}:{port}")).collect()
}

/// Endpoints that requests to a route may get to.
fn ends<'s>(snapshot: &'s Snapshot, route: &Route) -> Vec<&'s Endpoint> {
    let ends = snapshot.routing.ends(route).into_iter();
    let sets = ends.filter_map(|end| end.endpoints);
    sets.flat_map(|set| &set.endpoints).map(|(endpoint, _)| endpoint).collect()
}

/// Why a route is refused, in words.
fn refusal(snapshot: &Snapshot, route: &Route) -> Option<String> {
    snapshot.routing.refusal(route).map(ToString::to_string)
}

/// Endpoints of each port of a Service, as text.
fn endpoints_of(snapshot: &Snapshot, service: &str) -> Vec<String> {
    let (namespace, name) = service.split_once('/').expect("namespace/name");
    let id = steelyard_model::NamespacedName::new(namespace, name);
    let ports = &snapshot.services[&id].ports;
    let text = |port: &steelyard_model::ResolvedPort| {
        let endpoints: Vec<String> = port.endpoints.iter().map(ToString::to_string).collect();
        endpoints.join(" ")
    };
    ports.iter().map(text).collect()
}

fn gateways(snapshot: &Snapshot) -> Vec<String> {
    let services = snapshot.services.iter();
    let gateways = services.filter(|(_, service)| service.served_by == ServedBy::Gateway);
    gateways.map(|(id, _)| id.to_string()).collect()
}

fn service(name: &str, spec: &str) -> String {
    format!("---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

fn annotated(name: &str, annotations: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, annotations: \
         {{{annotations}}}}}\nspec: {spec}\n"
    )
}

fn pod(name: &str, labels: &str, address: &str, ports: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{{labels}}}}}\n\
         spec: {{containers: [{{ports: [{ports}]}}]}}\nstatus: {{podIP: {address}}}\n"
    )
}

/// An Ingress with one path that leads to `backend`, as `a` or `a:http` or `a:80`.
fn ingress(name: &str, metadata: &str, spec: &str, host: &str, path: &str, to: &str) -> String {
    let (service, port) = to.split_once(':').unwrap_or((to, "80"));
    let kind = if port.parse::<u16>().is_ok() { "number" } else { "name" };
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\n\
         metadata: {{name: {name}{metadata}}}\n\
         spec: {{{spec}rules: [{{host: '{host}', http: {{paths: [{{path: {path}, \
         pathType: Prefix, backend: {{service: {{name: {service}, \
         port: {{{kind}: {port}}}}}}}}}]}}}}]}}\n"
    )
}

fn folder(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let texts = files.iter().filter(|file| file.extension().is_some_and(|e| e == "yaml"));
    texts.map(|file| format!("---\n{}\n", std::fs::read_to_string(file).unwrap())).collect()
}

/// What the join has to say of the examples: nothing but what their README names.
#[test]
fn the_examples() {
    for (name, expected, gateway) in [
        ("homelab", vec![], vec!["traefik/traefik"]),
        ("first-service", vec![], vec![]),
        (
            "k3s-traefik",
            vec![
                "tls-secret-missing IngressRoute/monitoring/grafana spec.tls.secretName",
                "service-without-endpoints Service/data/postgres-external spec.selector",
                "service-without-endpoints Service/default/example-service spec.selector",
            ],
            vec!["kube-system/traefik"],
        ),
        ("vagrant-nginx", vec![], vec!["ingress-nginx/ingress-nginx-controller"]),
        (
            "nginx-homelab",
            vec![
                "tls-secret-missing Ingress/argocd/argocd spec.tls[0].secretName",
                "tls-secret-missing Ingress/monitoring/grafana spec.tls[0].secretName",
                "service-without-endpoints Service/argocd/argocd-server spec.selector",
                "service-without-endpoints Service/auth/oauth2-proxy spec.selector",
                "service-without-endpoints Service/monitoring/grafana spec.selector",
                "service-without-endpoints Service/monitoring/prometheus-server spec.selector",
            ],
            vec![],
        ),
        (
            "production-bgp",
            vec![
                "peer-missing BGPAdvertisement/metallb-system/bgp-advertisement spec.peers[0]",
                "peer-missing BGPAdvertisement/metallb-system/bgp-advertisement spec.peers[1]",
                "peer-unused BGPPeer/metallb-system/router1",
                "service-without-endpoints Service/default/nginx-service spec.selector",
            ],
            vec!["ingress-nginx/nginx-ingress"],
        ),
    ] {
        let mut snapshot = joined(&folder(name));
        // What the reading of a class says of annotations is the dialects' to test.
        let all = snapshot.diagnostics.iter().filter(|it| it.path.as_annotation().is_none());
        snapshot.diagnostics = all.cloned().collect();
        let found = findings(&snapshot);
        let found: Vec<&str> =
            found.iter().filter_map(|line| line.strip_prefix("warning ")).collect();
        assert_eq!(found, expected, "{name}");
        let errors = snapshot.diagnostics.iter().filter(|it| it.is_error());
        let errors: Vec<String> = errors.map(|it| it.code.to_string()).collect();
        // Its middlewares are another namespace's, and its Service is not in the folder.
        let wrong = ["cross-namespace", "backend-service-missing"];
        let is_known = |code: &String| name == "k3s-traefik" && wrong.contains(&code.as_str());
        assert!(errors.iter().all(is_known), "{name}: {errors:?}");
        assert_eq!(gateways(&snapshot), gateway, "{name}");
    }
}

#[test]
fn the_homelab_routes() {
    let snapshot = joined(&folder("homelab"));
    let line = |route: &Route| {
        let (name, number) = (route.id.traefik_name(), route.rank.number);
        format!("{name} {number} {} -> {}", route.rule, backends(&snapshot, route).join(", "))
    };
    let lines: Vec<String> = routes(&snapshot).into_iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "default-multi-host-ingress-0@ingress 48 Host(`grafana.homelab.local`) && \
             PathPrefix(`/`) -> default/grafana:3000",
            "default-multi-host-ingress-1@ingress 51 Host(`prometheus.homelab.local`) && \
             PathPrefix(`/`) -> default/prometheus:9090",
            "default-test-app-0@ingress 45 Host(`test.homelab.local`) && PathPrefix(`/`) -> \
             default/test-app:80",
            "default-path-based-ingress-0@ingress 18 PathPrefix(`/api`) -> default/api-service:8080",
            "default-path-based-ingress-1@ingress 18 PathPrefix(`/web`) -> default/web-service:80",
        ]
    );
    let listeners = ["web", "websecure/tls"].map(Into::into);
    assert!(routes(&snapshot).iter().all(|route| route.listeners == listeners));
    assert_eq!(snapshot.nodes.len(), 3);
    assert_eq!(snapshot.workloads.len(), 5);
}
