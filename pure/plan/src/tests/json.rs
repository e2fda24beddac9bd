//! The JSON contract, to the letter.

use steelyard_model::Diagnostic;

use super::{POOL, facts, file, node, planned, service, slice};

#[test]
fn a_plan() {
    let ingress = "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  ingressClassName: traefik
  rules:
  - host: a.b
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}";
    let yaml = file(&[
        POOL,
        &node("node-a", ""),
        &service("web", ""),
        &slice(
            "web",
            &[("10.0.0.1", "node-a", "ready: true"), ("10.0.0.2", "node-a", "ready: false")],
        ),
        &service("late", ", loadBalancerIP: 10.9.9.9"),
        ingress,
    ]);
    let mut plan = planned(&yaml, &facts("node-a"));
    let about_addresses = |it: &&Diagnostic| it.code.as_str() == "address-outside-pools";
    plan.diagnostics = plan.diagnostics.iter().filter(about_addresses).cloned().collect();
    let got = serde_json::to_string_pretty(&plan).unwrap();
    assert_eq!(got, include_str!("plan.json").trim_end(), "\n{got}");
}

#[test]
fn an_empty_plan_has_every_list() {
    let got = serde_json::to_string(&planned("", &facts("node-a"))).unwrap();
    assert_eq!(
        got,
        r#"{"services":[],"announcements":[],"pools":[],"peers":[],"routes":[],"diagnostics":[]}"#
    );
}
