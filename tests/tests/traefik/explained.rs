//! What `steelyard explain request/ID` tells of requests that were made.

use super::*;

const ROUTES: &str = r#"
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: app}
spec:
  entryPoints: [web]
  routes:
  - match: Host(`app.test`) && PathPrefix(`/admin`)
    middlewares: [{name: both}]
    services: [{name: shop, port: 80}]
  - match: Host(`app.test`) && Header(`X-Canary`, `1`)
    services: [{name: shop, port: 80}]
  - match: Host(`app.test`) && Path(`/only`)
    services: [{name: shop, port: 80}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: app}
spec:
  ingressClassName: traefik
  rules:
  - host: app.test
    http:
      paths:
      - {path: /only, pathType: Prefix, backend: {service: {name: gone, port: {number: 80}}}}
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: both}
spec: {chain: {middlewares: [{name: lines}, {name: nobody}]}}
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: lines}
spec: {headers: {customRequestHeaders: {X-Said: ours}}}
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: nobody}
spec: {ipAllowList: {sourceRange: [192.0.2.0/24]}}
"#;

/// What is asked for, its status, and what is told of it besides.
const REQUESTS: &[(&str, u16, &[&str])] = &[
    // A filter answers: which one, and after which others.
    (
        "/admin/x?secret=1",
        403,
        &[
            "route default-app-",
            "→ default-app-",
            "because   no other route matches",
            "filter    default/lines@kubernetescrd (headers)",
            "filter    default/nobody@kubernetescrd (allow-addresses)",
            "default/nobody@kubernetescrd answers 403",
            "its path must match exactly",
        ],
    ),
    // No route: each with what it fails by, as far as that is known.
    (
        "/other",
        404,
        &[
            "no route serves it: 404",
            "the path is not below its prefix",
            "it wants a header `x-canary`, and lines are not kept",
        ],
    ),
    // Both ladders have one: which of them bids more.
    (
        "/only",
        503,
        &[
            "Traefik's choice names the ladder, 39 against 33; the ladder's own order",
            "it matches, and the other ladder bids more",
        ],
    ),
];

#[test]
fn a_request_is_explained_by_its_name() -> Result<()> {
    let (folder, _shop, _api) = shop()?;
    folder.write("routes.yaml", ROUTES)?;
    let up = Up::start(folder.path())?;
    for (path, status, told) in REQUESTS {
        let answer = up.get("app.test", path)?;
        ensure!(answer.status == *status, "{path}: {answer:?}");
        let id = answer.header("x-request-id").context("it has a name")?.to_owned();
        let mut text = String::new();
        let explain = || -> Result<String> {
            let mut command = steelyard_tests::binary::command([
                "explain",
                &format!("request/{id}"),
                "--admin",
                &up.admin.to_string(),
            ]);
            let output = command.output()?;
            Ok(String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?)
        };
        wait::until("it is known", || {
            text = explain().unwrap_or_default();
            text.contains("answered")
        })?;
        ensure!(!text.contains("secret"), "{text}");
        for part in *told {
            ensure!(text.contains(part), "{path}: {part:?} is not in\n{text}");
        }
    }
    Ok(())
}
