//! An object is tried out beside all others, and nothing is changed by that.

use super::*;

const STANDS: &str = "
{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: nginx}, \
 spec: {controller: k8s.io/ingress-nginx}}
---
{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: traefik}, \
 spec: {controller: traefik.io/ingress-controller}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: first, \
 creationTimestamp: '2026-01-02T00:00:00Z', annotations: \
 {nginx.ingress.kubernetes.io/configuration-snippet: 'deny all;'}}, spec: {ingressClassName: nginx, \
 rules: [{host: a.b, http: {paths: [{path: /, pathType: Prefix, backend: {service: \
 {name: web, port: {number: 80}}}}]}}]}}
";

fn ingress(name: &str, metadata: &str, class: &str) -> String {
    format!(
        "{{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {{name: {name}, {metadata}}}, \
         spec: {{ingressClassName: {class}, rules: [{{host: a.b, http: {{paths: [{{path: /, \
         pathType: Prefix, backend: {{service: {{name: nobody, port: {{number: 80}}}}}}}}]}}}}]}}}}"
    )
}

#[test]
fn what_is_said_is_what_would_be_new() {
    let sources = [Source::new("stands.yaml", STANDS.as_bytes())];
    let mut pipeline = Pipeline::default();
    let before = pipeline.update(&sources);
    let snippet = "annotations: {nginx.ingress.kubernetes.io/configuration-snippet: 'deny all;'}";
    let canary = "annotations: {nginx.ingress.kubernetes.io/canary: 'true', \
                  nginx.ingress.kubernetes.io/canary-weight: '10'}";
    let old = "creationTimestamp: '2026-01-01T00:00:00Z'";
    let rows: [(&str, &str, &str, bool, &[&str]); 7] = [
        // That there is no Service is not said: it may come.
        ("second", "", "nginx", true, &["Ingress/default/second route-duplicate"]),
        ("second", canary, "nginx", true, &[]),
        // The other one would lose.
        ("second", old, "nginx", true, &["Ingress/default/first route-duplicate"]),
        ("first", "", "nginx", true, &[]),
        ("first", snippet, "nginx", true, &[]),
        ("third", "", "traefik", false, &[]),
        ("third", "", "somebodys", false, &[]),
    ];
    for (name, metadata, class, is_in_words_of_nginx, said) in rows {
        let text = ingress(name, metadata, class);
        let loaded = load(&Source::new("object", text.into_bytes()), &ReadLimits::default());
        let trial = pipeline.tried(&loaded.objects[0]);
        let errors = trial.said.iter().filter(|it| it.is_error());
        let errors: Vec<String> =
            errors.map(|it| format!("{} {}", it.object.as_ref().unwrap(), it.code)).collect();
        assert_eq!(
            (trial.is_in_words_of_nginx, &errors[..]),
            (is_in_words_of_nginx, &said.iter().map(ToString::to_string).collect::<Vec<_>>()[..]),
            "{name} {metadata} {class}"
        );
    }
    let after = pipeline.update(&sources);
    assert_eq!(after.snapshot, before.snapshot);
}
